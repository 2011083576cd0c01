"""A pool of worker processes: untrusted bytes go in, examinations come out, whatever the bytes do.

A worker that crashes, hangs or balloons costs its item an ``Unchecked`` and is replaced; what it had learnt
by then (the digests at least) is kept.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal as unix_signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from nightlamp.errors import ArchiveError, MediaCode, MediaError, NightlampError
from nightlamp.examine import wire
from nightlamp.examine.examination import Tally
from nightlamp.media import Detail, Limits, Member
from nightlamp.origin import Asked, assess
from nightlamp.values import Examination, Unchecked

Source = Path | bytes | bytearray | memoryview
_START_SECONDS = 300.0
_GRACE_SECONDS = 5.0
_MOST_ANSWERS = 100_000
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
)


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
        self._idle_unpackers: list[_Process] = []

    def __enter__(self) -> Workers:
        # The first alone: after an install it compiles the kernels, and the others find them compiled.
        first = _Process("examine", self.limits, self.detail, self.origin)
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
            while True:
                match process.answer(self.limits.seconds + _GRACE_SECONDS):
                    case ["m", str(name), None, str(), int(length)]:
                        yield Member(name, length, bytes(wire.receive_bytes(process.socket, length)), None)
                    case ["m", str(name), str(code), str(detail), int(length)]:
                        wire.receive_bytes(process.socket, length)
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

    def _unpacker(self) -> _Process:
        return _Process("unpack", self.limits, self.detail)

    def _serve(self, process: _Process | None) -> None:
        """One worker's life: jobs in, answers out, a new process after each death."""
        while (job := self._jobs.get()) is not None:
            if not job.done.set_running_or_notify_cancel():
                continue
            tally = Tally()
            try:
                process = process or _Process("examine", self.limits, self.detail, self.origin)
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

    def _examine(self, process: _Process, job: _Job, tally: Tally) -> None:
        process.request(job.source, {"received": job.received.isoformat()} if job.received else {})
        deadline = time.monotonic() + self.limits.seconds + _GRACE_SECONDS
        for _ in range(_MOST_ANSWERS):
            for packed in process.answer(max(deadline - time.monotonic(), 0.001)):
                if packed == ["end"]:
                    return
                if packed == ["looked"]:
                    job.looked = True
                    continue
                tally.add(wire.unpack_step(packed))
        raise wire.Closed


class _Process:
    """One worker process and the socket to it; ``visual`` names its signals that look at frames.

    Raises:
        NightlampError: it did not come up.
    """

    def __init__(self, mode: str, limits: Limits, detail: Detail, origin: Asked | None = None) -> None:
        self.socket, theirs = socket.socketpair()
        environment = {k: v for k, v in os.environ.items() if k in _PASSED_ON or k.startswith("NUMBA_")}
        # One item, one core: libraries that start threads of their own would only fight over it.
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with theirs:
            # -P: a module named like one of ours in the current folder must not be run.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "nightlamp.examine.worker", str(theirs.fileno()), mode],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        try:
            settings = {"limits": asdict(limits), "detail": detail, "origin": wire.pack_asked(origin)}
            wire.send(self.socket, settings)
            match self.answer(_START_SECONDS):
                case ["ready", list(visual)]:
                    self.visual = [str(name) for name in visual]
                case _:
                    raise wire.Closed
        except (wire.Closed, TimeoutError) as error:
            _, detail_of_death = self.kill(timeout=isinstance(error, TimeoutError))
            raise NightlampError(
                f"no worker process could be started ({detail_of_death})",
                where="examine",
                hint=f"run '{Path(sys.executable).name} -m nightlamp.examine.worker 0 examine' to see why",
            ) from error

    def request(self, source: Source, message: dict[str, Any]) -> None:
        """Hand over a file or bytes.

        Raises:
            MediaError: the file cannot be opened; the worker is as before.
        """
        self.socket.settimeout(_GRACE_SECONDS)
        if not isinstance(source, Path):
            wire.send(self.socket, message | {"inline": len(source)}, data=source)
            return
        fd = _open(source)
        try:
            wire.send(self.socket, message, fd=fd)
        finally:
            os.close(fd)

    def answer(self, seconds: float) -> Any:
        """The next message, waited for no longer than ``seconds``."""
        self.socket.settimeout(seconds)
        return wire.receive(self.socket)

    def end(self) -> None:
        """Let it go in peace."""
        self.socket.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self, *, timeout: bool = False) -> tuple[MediaCode, str]:
        """End it now if it has not ended yet, and say how it ended."""
        self.socket.close()
        try:
            # A worker whose socket closed is dying by itself: its own end says more than our signal.
            status = self._process.wait(0.0 if timeout else 1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if timeout or status == -unix_signal.SIGALRM:
            return "timeout", "the time limit for one item"
        if status == -unix_signal.SIGKILL:
            return "crashed", "the worker was killed, perhaps by the system for lack of memory"
        if status < 0:
            return "crashed", f"the worker died by {unix_signal.Signals(-status).name}"
        return "crashed", f"the worker ended with status {status}"


def _missing(tally: Tally, visual: list[str]) -> list[str]:
    """What a worker that died had not examined yet."""
    seen = {fingerprint.signal for fingerprint in tally.fingerprints}
    if not seen:
        return ["content"]
    return [name for name in visual if name not in seen] or ["frames"]


def _open(path: Path) -> int:
    """An open descriptor of a regular file; a pipe or device would block or never end."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError("unreadable", error.strerror or "") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        with contextlib.suppress(OSError):
            os.close(fd)
        raise MediaError("unreadable", "not a regular file")
    return fd
