"""A pool of worker processes: untrusted bytes go in, examinations come out, whatever the bytes do.

A worker that crashes, hangs or balloons costs its item an ``Unchecked`` and is replaced; what it had learnt
by then (the digests at least) is kept.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType

from nightlamp.errors import ArchiveError, MediaError, NightlampError
from nightlamp.examine import wire
from nightlamp.examine.examination import Tally
from nightlamp.examine.process import GRACE_SECONDS, Process, Source
from nightlamp.media import Detail, Limits, Member
from nightlamp.origin import Asked, assess
from nightlamp.values import Examination, Unchecked

_MOST_ANSWERS = 100_000


@dataclass(slots=True)
class _Job:
    source: Source
    received: datetime | None
    done: Future[Examination] = field(default_factory=Future)
    looked: bool = False  # all is known but the origin


class Workers:
    """Examines items in isolated processes.

    Use it as a context manager; ``examine`` may be called from any thread. At most ``count`` items are worked
    on at once and the rest wait in memory, so bound how many futures you hold.

    Args:
        count: worker processes; by default one a core.
        limits: bounds on each item.
        detail: ``"fast"`` decodes large JPEGs at a reduced scale, ``"full"`` never does.
        origin: what to ask about how an item was made; None: nothing, and it costs nothing.

    Raises:
        NightlampError: on entering, if no worker can be started.
    """

    def __init__(
        self,
        count: int | None = None,
        limits: Limits | None = None,
        detail: Detail = "fast",
        origin: Asked | None = None,
    ) -> None:
        self.count = count or os.cpu_count() or 1
        self.limits = limits or Limits()
        self.detail: Detail = detail
        self.origin = origin
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle_unpackers: list[Process] = []

    def __enter__(self) -> Workers:
        # The first alone: after an install it compiles the kernels, and the others find them compiled.
        first = Process("examine", self.limits, self.detail, self.origin)
        for number in range(self.count):
            thread = threading.Thread(
                target=self._serve,
                args=(first if number == 0 else None,),
                name=f"examine-{number}",
                daemon=True,
            )
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        while self._idle_unpackers:
            self._idle_unpackers.pop().end()

    def examine(self, source: Source, *, received: datetime | None = None) -> Future[Examination]:
        """Examine a file or bytes; the future never fails for what they are or do.

        Args:
            source: the file or bytes.
            received: when it arrived, with a time zone, if the origin is asked for.
        """
        job = _Job(source, received)
        self._jobs.put(job)
        return job.done

    def unpack(self, source: Source, media_type: str) -> Iterator[Member]:
        """The members of an archive, one by one, unpacked in a process of its own.

        Never raises for what the archive is: the last ``Member`` then carries the error.
        """
        try:
            process = self._idle_unpackers.pop() if self._idle_unpackers else self._unpacker()
        except NightlampError as error:
            yield Member("", 0, None, ArchiveError("crashed", error.what))
            return
        try:
            process.request(source, {"media_type": media_type})
            most = self.limits.member_bytes
            while True:
                match process.answer(self.limits.seconds + GRACE_SECONDS):
                    case ["m", str(name), None, str(), int(length)] if 0 <= length <= most:
                        yield Member(name, length, process.take(length), None)
                    case ["m", str(name), str(code), str(detail), 0]:
                        yield Member(name, 0, None, ArchiveError(code, detail))  # type: ignore[arg-type]
                    case ["end"]:
                        break
                    case _:
                        raise wire.Closed
        except MediaError as error:
            yield Member("", 0, None, ArchiveError("damaged", error.detail))
        except (wire.Closed, TimeoutError) as error:
            why, detail = process.kill(timeout=isinstance(error, TimeoutError))
            yield Member("", 0, None, ArchiveError("timeout" if why == "timeout" else "crashed", detail))
            return
        except GeneratorExit:
            process.kill()
            raise
        self._idle_unpackers.append(process)

    def _unpacker(self) -> Process:
        return Process("unpack", self.limits, self.detail)

    def _serve(self, process: Process | None) -> None:
        """One worker's life: jobs in, answers out, a new process after each death."""
        while (job := self._jobs.get()) is not None:
            if not job.done.set_running_or_notify_cancel():
                continue
            tally = Tally()
            try:
                process = process or Process("examine", self.limits, self.detail, self.origin)
                self._examine(process, job, tally)
            except MediaError as error:
                tally.add(Unchecked("content", error.code, error.detail))
            except (wire.Closed, TimeoutError) as error:
                assert process is not None
                why, detail = process.kill(timeout=isinstance(error, TimeoutError))
                if job.looked:
                    known = tally.origin or assess([])
                    missed = Unchecked("content", why, detail)
                    tally.add(assess(known.statements, (*known.unchecked, missed)))
                else:
                    for what in _missing(tally, process.visual):
                        tally.add(Unchecked(what, why, detail))
                process = None
            except NightlampError as error:
                tally.add(Unchecked("content", "crashed", error.what))
            if self.origin is not None and tally.origin is None:
                tally.add(assess([], tally.unchecked[-1:]))
            job.done.set_result(tally.result())
        if process is not None:
            process.end()

    def _examine(self, process: Process, job: _Job, tally: Tally) -> None:
        process.request(job.source, {"received": job.received.isoformat()} if job.received else {})
        deadline = time.monotonic() + self.limits.seconds + GRACE_SECONDS
        for _ in range(_MOST_ANSWERS):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            answer = process.answer(left)
            if not isinstance(answer, list):
                raise wire.Closed
            for packed in answer:
                if packed == ["end"]:
                    return
                if packed == ["looked"]:
                    job.looked = True
                    continue
                tally.add(wire.unpack_step(packed))
        raise wire.Closed


def _missing(tally: Tally, visual: list[str]) -> list[str]:
    """What a worker that died had not examined yet."""
    seen = {fingerprint.signal for fingerprint in tally.fingerprints}
    if not seen:
        return ["content"]
    missing = [name for name in visual if name not in seen]
    of_others = tally.shape.frames > 1 and len(missing) < len(visual)  # those seen were not of every frame
    return [*missing, "frames"] if of_others or not missing else missing
