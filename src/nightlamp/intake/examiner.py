"""The pool of workers as the service sees it: it may be down, and then verdicts say so.

Whatever becomes of the workers, an item's digests are known: hashing is done here if they could not do it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from nightlamp.errors import NightlampError
from nightlamp.examine import Source
from nightlamp.intake.content import Content
from nightlamp.origin import assess
from nightlamp.signals import Signal, installed
from nightlamp.values import Examination, Fingerprint, Unchecked

_PIECE = 1 << 20
_CRASHES = 5  # in a row, with none that went well between: the pool is not well


class Pool(Protocol):
    """What ``nightlamp.examine.Workers`` does once it is entered."""

    def examine(self, source: Source, *, received: datetime | None = None) -> Future[Examination]:
        """Examine a file or bytes that arrived then; the future never fails."""


class Examiner:
    """Starts the pool, says how it is, and starts it again when it could not start.

    Args:
        workers: makes the pool, a context manager.
        signals: the installed ones by default.
        origin: the workers are asked how items were made; what they do not tell was not checked.
    """

    def __init__(
        self,
        workers: Callable[[], AbstractContextManager[Pool]],
        signals: Mapping[str, Signal] | None = None,
        *,
        origin: bool = False,
    ) -> None:
        self._make = workers
        self._origin = origin
        self._signals = installed() if signals is None else signals
        self._entered: AbstractContextManager[Pool] | None = None
        self._pool: Pool | None = None
        self._starting = threading.Lock()
        self._failure = "not started yet"
        self._crashes = 0

    def start(self) -> bool:
        """Start the pool if it does not run; True if it does now."""
        with self._starting:
            if self._pool is None:
                pool = self._make()
                try:
                    self._pool = pool.__enter__()
                except (NightlampError, OSError) as error:
                    self._failure = error.what if isinstance(error, NightlampError) else type(error).__name__
                    return False
                self._entered, self._failure, self._crashes = pool, "", 0
            return True

    def stop(self) -> None:
        """Let the workers finish and go."""
        with self._starting:
            entered, self._entered, self._pool = self._entered, None, None
            self._failure = "stopped"
        if entered is not None:
            entered.__exit__(None, None, None)

    @property
    def why_down(self) -> str:
        """Why content is not examined, or is not likely to be; ``""`` if all is well."""
        if self._pool is None:
            return f"the workers are down: {self._failure}"
        return f"the last {self._crashes} items crashed their workers" if self._crashes >= _CRASHES else ""

    def examine(self, content: Content, received: datetime | None = None) -> Future[Examination]:
        """What is learnt from content that arrived then; the future never fails for what it is."""
        pool = self._pool
        done: Future[Examination] = Future()
        if pool is None:
            unchecked = Unchecked("content", "crashed", "the workers are down")
            nothing = self._unchecked(content, unchecked)
            done.set_result(self._with_digests(nothing, content))
            return done

        def arrived(examined: Future[Examination]) -> None:
            try:
                done.set_result(self._with_digests(examined.result(), content))
            except Exception as error:  # noqa: BLE001 (a cancelled or failed examination is an unchecked item)
                unchecked = Unchecked("content", "crashed", type(error).__name__)
                done.set_result(self._unchecked(content, unchecked))

        pool.examine(content.source(), received=received).add_done_callback(arrived)
        return done

    def _unchecked(self, content: Content, why: Unchecked) -> Examination:
        origin = assess([], [why]) if self._origin else None
        return Examination("", content.size, unchecked=(why,), origin=origin)

    def _with_digests(self, examination: Examination, content: Content) -> Examination:
        crashed = any(u.why in ("crashed", "timeout") for u in examination.unchecked)
        self._crashes = self._crashes + 1 if crashed else 0
        seen = {fingerprint.signal for fingerprint in examination.fingerprints}
        missing = {
            name: signal.of_bytes()
            for name, signal in self._signals.items()
            if signal.of_bytes and name not in seen
        }
        if not missing:
            return examination
        file = content.reader()
        while piece := file.read(_PIECE):
            for digest in missing.values():
                digest.update(piece)
        added = tuple(Fingerprint(name, digest.digest()) for name, digest in missing.items())
        return replace(examination, size=content.size, fingerprints=(*added, *examination.fingerprints))
