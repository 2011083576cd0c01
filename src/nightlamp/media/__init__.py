"""Untrusted bytes in, frames out; archives in, members out.

Takes the whole of a file (or an open one, for archives) and ``Limits``. Gives ``Frame``s and ``Member``s one
at a time, and a typed error for whatever could not be examined. Types go by content, never by name. Must
never write to disk, trust a size that a header says, or put content into an error.

Pure and bounded, but decoders are C: run these in a worker process with limits on memory and time.
"""

from nightlamp.media.archive import Member, members
from nightlamp.media.decode import Decoded, decode
from nightlamp.media.frame import LATEST, Detail, Frame
from nightlamp.media.limits import Limits
from nightlamp.media.sniff import ARCHIVES, HEAD, sniff

__all__ = [
    "ARCHIVES",
    "HEAD",
    "LATEST",
    "Decoded",
    "Detail",
    "Frame",
    "Limits",
    "Member",
    "decode",
    "members",
    "sniff",
]
