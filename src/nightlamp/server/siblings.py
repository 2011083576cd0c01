"""The other processes of a node: what one asks of another, over sockets in a folder that is theirs alone.

A question is a word, an answer is text. Who does not answer in time is not waited for: it may be starting.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

from nightlamp.server.logs import failure, logger

_SECONDS = 2.0
_LONGEST = 100


class Siblings:
    """One process among those of its node.

    Args:
        folder: of the sockets and what else they share; only the node's user may enter it.
        number: this process's, from 0.
        count: how many there are.
    """

    def __init__(self, folder: Path, number: int, count: int) -> None:
        self.number = number
        self._folder = folder
        self._others = [each for each in range(count) if each != number]
        self._server: _Server | None = None

    @property
    def rates(self) -> Path:
        """The file that all of them keep their keys' rates in."""
        return self._folder / "rates"

    def answer(self, answers: Mapping[str, Callable[[], str]]) -> None:
        """From now on answer these questions, each in a thread of its own."""
        path = self._path(self.number)
        path.unlink(missing_ok=True)  # of a process before this one
        self._server = _Server(str(path), answers)
        threading.Thread(target=self._server.serve_forever, name="nightlamp-siblings", daemon=True).start()

    def ask(self, question: str) -> dict[int, str | None]:
        """The others' answers by their numbers; None where there was none in time."""
        asked = {number: self._asked(number, question) for number in self._others}
        return {number: _heard(connection) for number, connection in asked.items()}

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _asked(self, number: int, question: str) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_SECONDS)
        try:
            connection.connect(str(self._path(number)))
            connection.sendall(question.encode() + b"\n")
        except OSError:
            connection.close()
            return None
        return connection

    def _path(self, number: int) -> Path:
        return self._folder / str(number)


def _heard(connection: socket.socket | None) -> str | None:
    """All that comes, until the other is done; nothing at all is no answer."""
    if connection is None:
        return None
    with connection, suppress(OSError), connection.makefile("rb") as file:
        return file.read().decode() or None
    return None


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, answers: Mapping[str, Callable[[], str]]) -> None:
        super().__init__(path, _Handler)
        self.answers = answers


class _Handler(StreamRequestHandler):
    timeout = _SECONDS

    def handle(self) -> None:
        answers: Mapping[str, Callable[[], str]] = self.server.answers  # type: ignore[attr-defined]
        with suppress(OSError):  # whoever asked has gone
            answer = answers.get(self.rfile.readline(_LONGEST).decode("latin-1").strip())
            if answer is None:
                return
            try:
                told = answer()
            except Exception as error:  # noqa: BLE001 (no answer is an answer: whoever asks says so)
                logger().error("no answer to another process", **failure(error))
                return
            self.wfile.write(told.encode())
