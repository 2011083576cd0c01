"""Frames and bytes in, fingerprints out.

A ``Signal`` is a value that says how a fingerprint is computed, written and compared; ``installed()`` lists
them. Pure: no file, no clock, no network, and no knowledge of any list.
"""

from nightlamp.signals.registry import installed, signal_named
from nightlamp.signals.signal import Digest, Signal, hex_parser

__all__ = ["Digest", "Signal", "hex_parser", "installed", "signal_named"]
