"""Says why a first start takes seconds: compiled kernels are made once after an install."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nightlamp.cli.messages import tell

_PATIENCE = 3.0


@contextmanager
def preparing(*, quiet: bool = False) -> Iterator[None]:
    """Around what may compile; says so on standard error if it takes longer than a moment."""
    said = threading.Timer(
        _PATIENCE,
        tell,
        ["nightlamp: preparing; after an install, code is compiled for this machine once, for some seconds"],
    )
    said.daemon = True
    if not quiet:
        said.start()
    try:
        yield
    finally:
        said.cancel()
