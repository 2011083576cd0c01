"""One worker process, as those see it who hand it work."""

from __future__ import annotations

import contextlib
import os
import signal as unix_signal
import socket
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nightlamp.errors import MediaCode, MediaError, NightlampError
from nightlamp.examine import wire
from nightlamp.media import Detail, Limits
from nightlamp.origin import Asked

Source = Path | bytes | bytearray | memoryview
GRACE_SECONDS = 5.0
_START_SECONDS = 300.0
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


class Process:
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
        self._incoming = wire.Incoming(self.socket)
        wire.limit_time(self.socket, socket.SO_SNDTIMEO, GRACE_SECONDS)
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
        wire.limit_time(self.socket, socket.SO_RCVTIMEO, seconds)
        return self._incoming.message()

    def take(self, length: int) -> bytes:
        """The raw bytes that follow an answer."""
        return bytes(self._incoming.take(length))

    def end(self) -> None:
        """Let it go in peace."""
        self.socket.close()
        try:
            self._process.wait(GRACE_SECONDS)
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
