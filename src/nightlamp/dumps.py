"""No core dumps: a process that holds clear content or private keys must not leave its memory on a disk."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """From here on this process leaves none, nor do the children that it forks.

    The limit alone would not do on Linux: where dumps are piped to a program, the kernel passes over it. Not
    dumpable, the process also cannot be traced or read by others of the same user. What it starts by ``exec``
    must call this itself.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a libc without it
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
