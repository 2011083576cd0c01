"""Servers of files: HTTPS with ETag and Last-Modified, and SFTP with a host key (paramiko's own server)."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from email.utils import format_datetime

import paramiko
from tests.fakes.exchanges.exchange import Answer, Asked, FakeExchange

USER, PASSWORD = "reader", "sftp-password"


class FakeFiles(FakeExchange):
    """``/list`` holds ``data``; ``tags`` says by what it tells that it did not change."""

    def __init__(self, data: bytes = b"", tags: str = "etag") -> None:
        super().__init__()
        self.data = data
        self.tags = tags
        self.authorization: str | None = None

    def respond(self, asked: Asked) -> Answer:
        if self.authorization is not None and asked.headers.get("authorization") != self.authorization:
            return Answer(status=401)
        if asked.path != "/list":
            return Answer(status=404)
        etag, modified = f'"{hash(self.data)}"', format_datetime(self.now, usegmt=True)
        headers = {"etag": {"ETag": etag}, "modified": {"Last-Modified": modified}}.get(self.tags, {})
        known = asked.headers.get("if-none-match") == etag and self.tags == "etag"
        if known or (asked.headers.get("if-modified-since") == modified and self.tags == "modified"):
            return Answer(b"", 304, headers)
        return Answer(self.data, 200, headers)


class _Doorman(paramiko.ServerInterface):
    def __init__(self, allowed: paramiko.PKey | None) -> None:
        self._allowed = allowed

    def check_auth_password(self, username: str, password: str) -> int:
        well = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if well else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        well = username == USER and key == self._allowed
        return paramiko.AUTH_SUCCESSFUL if well else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"


class _OneFile(paramiko.SFTPServerInterface):
    data = b""

    def open(self, path: str, flags: int, attr: object) -> object:
        if path != "/lists/a list":
            return paramiko.SFTP_NO_SUCH_FILE
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = io.BytesIO(self.data)  # type: ignore[attr-defined]
        return handle

    def stat(self, path: str) -> object:
        found = paramiko.SFTPAttributes()
        found.st_size = len(self.data)
        return found if path == "/lists/a list" else paramiko.SFTP_NO_SUCH_FILE


class FakeSftp:
    """``/lists/a list`` holds ``data``."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.key = paramiko.ECDSAKey.generate()
        self.allowed: paramiko.PKey | None = None
        self.port = 0

    @property
    def host_key(self) -> str:
        return f"{self.key.get_name()} {self.key.get_base64()}"

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeSftp]:
        sessions: list[paramiko.Transport] = []
        stopping = threading.Event()
        files = type("Files", (_OneFile,), {"data": property(lambda _: self.data)})

        def serve(listener: socket.socket) -> None:
            while not stopping.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    continue
                session = paramiko.Transport(connection)
                session.add_server_key(self.key)
                session.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
                sessions.append(session)
                with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                    session.start_server(event=threading.Event(), server=_Doorman(self.allowed))

        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.05)
            self.port = listener.getsockname()[1]
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            try:
                yield self
            finally:
                stopping.set()
                thread.join()
                for session in sessions:
                    session.close()


def new_key() -> tuple[paramiko.PKey, str]:
    """A client's key, and its text as a secret holds it."""
    key = paramiko.ECDSAKey.generate()
    text = io.StringIO()
    key.write_private_key(text)
    return key, text.getvalue()
