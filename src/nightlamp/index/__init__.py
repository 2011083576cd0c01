"""Fingerprints in, matches out: exact, and in force at once.

Promises that every entry within the radius is returned, never cut. Takes NumPy arrays of values and an int64
number an entry, gives the numbers and distances found. Must never know what a number stands for, guess, or
use a snapshot that is not whole.
"""

from nightlamp.index.digest import DigestIndex
from nightlamp.index.flat import FlatIndex
from nightlamp.index.found import Found
from nightlamp.index.hamming import HammingIndex
from nightlamp.index.live import Index, IndexView, LiveIndex
from nightlamp.index.snapshot import Snapshot, open_snapshot, write_snapshot
from nightlamp.index.warming import warm_up

__all__ = [
    "DigestIndex",
    "FlatIndex",
    "Found",
    "HammingIndex",
    "Index",
    "IndexView",
    "LiveIndex",
    "Snapshot",
    "open_snapshot",
    "warm_up",
    "write_snapshot",
]
