"""Several processes that are one node: started, watched, started again, and stopped together.

Python runs one thread at a time, so one process uses little more than one core. Each process takes
connections, and does its part of the background work as if it were a node of its own: what they share is
in the database. The system spreads connections over their sockets (``SO_REUSEPORT``); a process that dies
takes its own connections with it, and no others.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from nightlamp.errors import NightlampError
from nightlamp.server.logs import logger
from nightlamp.settings import Settings

_SPAWN = multiprocessing.get_context("spawn")  # a fork would inherit threads' locks, and open connections
_MOST = 2
_START_SECONDS = 120.0
_PAUSE = (0.5, 30.0)  # seconds before a process is started again: first, longest
_STEADY = 60.0  # a process that lived so long was well
_MORE_TIME = 10.0  # what a process may take to stop besides what its requests may
Run = Callable[[Settings, "Place", Callable[[], None]], None]


class Place:
    """What one process is told of its place in the node; it is sent to it.

    Args:
        number: its own, from 0.
        count: how many there are.
        address: host and port to listen on, which another socket may have too.
        folder: for what the processes share: sockets among themselves, keys' rates.
    """

    def __init__(self, number: int, count: int, address: tuple[str, int], folder: Path) -> None:
        self.number = number
        self.count = count
        self.address = address
        self.folder = folder

    def listening(self) -> socket.socket:
        """A socket of its own."""
        return _bound(*self.address, shared=True)


def how_many(settings: Settings) -> int:
    """Processes of a node: as set, or as many as there are cores, up to two."""
    if not hasattr(socket, "SO_REUSEPORT") or sys.platform == "win32":
        return 1
    return settings.server.processes or min(_MOST, os.cpu_count() or 1)


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    """A socket with an address, that does not listen yet; ``shared``: others may have the address too."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        where = f"server.host, server.port ({host}, {port})"
        raise NightlampError(error.strerror or "cannot listen", where=where) from None
    return made


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """For what the processes share; locked, since systemd-tmpfiles leaves such alone in /tmp."""
    with tempfile.TemporaryDirectory(prefix="nightlamp-") as name:
        lock = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield Path(name)
        finally:
            os.close(lock)


class Processes:
    """A node's processes.

    Args:
        settings: of the node.
        count: how many.
        run: what each process does; it calls its last argument once it listens.
    """

    def __init__(self, settings: Settings, count: int, run: Run) -> None:
        self._settings = settings
        self._count = count
        self._run = run
        self._stopping = threading.Event()

    def run(self, started: Callable[[str, int], None]) -> None:
        """Start them, and keep them until SIGTERM or SIGINT; then let them finish, and end.

        Args:
            started: called with host and port, once all listen.

        Raises:
            NightlampError: the address cannot be had, or a process did not start.
        """
        server = self._settings.server
        _bound(server.host, server.port, shared=False).close()  # another service would be let in beside us
        # Keeps the address, also while no process has it; it does not listen, so it gets no connections.
        with (
            _bound(server.host, server.port, shared=True) as reserved,
            _folder() as folder,
        ):
            host, port = reserved.getsockname()[:2]
            for sig in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sig, lambda *_: self._stopping.set())
            places = [Place(at, self._count, (host, port), folder) for at in range(self._count)]
            running = [_Running(self._settings, place, self._run) for place in places]
            try:
                for each in running:
                    each.start()
                if all(each.listens(self._stopping) for each in running):
                    started(host, port)
                    self._watch(running)
                elif not self._stopping.is_set():
                    raise NightlampError("a process of the node did not start", hint="see its log")
            finally:
                for each in running:
                    each.stop()
                end = time.monotonic() + server.stop_seconds + _MORE_TIME
                for each in running:
                    each.end(end)

    def _watch(self, running: list[_Running]) -> None:
        while not self._stopping.is_set():
            for each in running:
                each.revive()
            self._stopping.wait(0.2)


class _Running:
    """One of the processes, and the ones after it."""

    def __init__(self, settings: Settings, place: Place, run: Run) -> None:
        self._given = settings, place, run
        self._pause = _PAUSE[0]
        self._since = 0.0
        self._due: float | None = None
        self._up: Connection | None = None
        self.process: SpawnProcess | None = None

    def start(self) -> None:
        self._up, there = _SPAWN.Pipe(duplex=False)
        name = f"nightlamp-{self._given[1].number}"
        self.process = _SPAWN.Process(target=_main, args=(*self._given, there), name=name)
        self.process.start()
        there.close()
        self._since = time.monotonic()

    def listens(self, stopping: threading.Event) -> bool:
        """Wait until it does; false if it ends before, or must."""
        assert self._up is not None
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and not stopping.is_set():
            if self._up.poll(0.2):
                try:
                    self._up.recv_bytes()
                except EOFError:
                    return False
                return True
        return False

    def revive(self) -> None:
        """If it has ended, start it again, not too often."""
        now = time.monotonic()
        if self.process is not None and self.process.exitcode is not None:
            logger().error("process ended", number=self._given[1].number, status=self.process.exitcode)
            self._pause = _PAUSE[0] if now - self._since > _STEADY else min(self._pause * 2, _PAUSE[1])
            self.process, self._due = None, now + self._pause
        if self.process is None and self._due is not None and now >= self._due:
            self._due = None
            self.start()

    def stop(self) -> None:
        """Ask it to finish."""
        if self.process is not None and self.process.is_alive():
            self.process.terminate()

    def end(self, by: float) -> None:
        """Wait for it, and then do not."""
        if self.process is None:
            return
        self.process.join(max(by - time.monotonic(), 0.0))
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _main(settings: Settings, place: Place, run: Run, up: Connection) -> None:
    """The life of one process. Without the one that started it, it ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C before the server is there to take it
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="nightlamp-parent", daemon=True).start()

    def listens() -> None:
        up.send_bytes(b"up")
        up.close()

    run(settings, place, listens)
    if not parent.is_alive():  # it would have tidied up
        shutil.rmtree(place.folder, ignore_errors=True)
