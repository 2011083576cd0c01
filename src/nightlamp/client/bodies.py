"""What is sent: JSON, or content in pieces, so that a large file is never in memory as a whole."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

PIECE = 1 << 18

Content = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""Bytes, the path of a file, or an open binary file (from where it stands; it is not closed)."""


class Body(Protocol):
    """Something to send, more than once if ``again``."""

    @property
    def again(self) -> bool:
        """Whether it can be read from its start once more."""

    @property
    def media_type(self) -> str:
        """For Content-Type."""

    @property
    def size(self) -> int | None:
        """Bytes; None: not known before they are read."""

    def pieces(self) -> Iterator[bytes]:
        """From the start."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes in memory."""

    data: bytes | bytearray | memoryview = field(repr=False)
    media_type: str = "application/octet-stream"
    again: bool = True

    @property
    def size(self) -> int:
        """Bytes."""
        return memoryview(self.data).nbytes

    def pieces(self) -> Iterator[bytes]:
        """From the start."""
        view = memoryview(self.data).cast("B")
        for at in range(0, len(view), PIECE):
            yield bytes(view[at : at + PIECE])


@dataclass(frozen=True, slots=True)
class FromPath:
    """A file by its path: opened anew for each attempt."""

    path: Path = field(repr=False)
    size: int
    media_type: str = "application/octet-stream"
    again: bool = True

    def pieces(self) -> Iterator[bytes]:
        """From the start."""
        with self.path.open("rb") as file:
            yield from _read(file, self.size)


@dataclass(frozen=True, slots=True)
class FromFile:
    """An open file, from ``start`` on; one that cannot go back to it is sent once."""

    file: BinaryIO = field(repr=False)
    start: int | None
    size: int | None
    media_type: str = "application/octet-stream"

    @property
    def again(self) -> bool:
        """Whether the file can go back."""
        return self.start is not None

    def pieces(self) -> Iterator[bytes]:
        """From the start."""
        if self.start is not None:
            self.file.seek(self.start)
        yield from _read(self.file, self.size)


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: fields, and one part ``file`` that is streamed.

    What is said of an item goes here and not into the URL, which proxies log.
    """

    fields: Mapping[str, str] = field(repr=False)
    file: Body = field(repr=False)
    boundary: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def again(self) -> bool:
        """Whether the file can be read again."""
        return self.file.again

    @property
    def media_type(self) -> str:
        """For Content-Type."""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def size(self) -> int | None:
        """Bytes with the frame; None: the file's are not known."""
        inner = self.file.size
        return None if inner is None else len(self._head()) + inner + len(self._tail())

    def pieces(self) -> Iterator[bytes]:
        """From the start."""
        yield self._head()
        yield from self.file.pieces()
        yield self._tail()

    def _head(self) -> bytes:
        parts = [
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in self.fields.items()
        ]
        parts.append(
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
            f"Content-Type: {self.file.media_type}\r\n\r\n"
        )
        return "".join(parts).encode()

    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()


def body(content: Content, media_type: str = "application/octet-stream") -> Body:
    """The body of some content.

    Raises:
        OSError: a path that leads to no file.
        TypeError: none of the kinds of ``Content``.
    """
    if isinstance(content, bytes | bytearray | memoryview):
        return Bytes(content, media_type)
    if isinstance(content, str | os.PathLike):
        path = Path(content)
        return FromPath(path, path.stat().st_size, media_type)
    if not callable(getattr(content, "read", None)) or isinstance(content, io.TextIOBase):
        raise TypeError("content is bytes, a path or a binary file")
    if not content.seekable():
        return FromFile(content, None, None, media_type)
    start = content.tell()
    size = content.seek(0, os.SEEK_END) - start
    content.seek(start)
    return FromFile(content, start, size, media_type)


def json_body(value: Any, media_type: str = "application/json") -> Body:
    """A JSON body."""
    return Bytes(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(), media_type)


async def pieces_async(body: Body) -> AsyncIterator[bytes]:
    """As ``pieces``, read in a thread where a disk may be slow."""
    if isinstance(body, Bytes):
        for piece in body.pieces():
            yield piece
        return
    from anyio import to_thread  # httpx stands on it

    pieces = body.pieces()
    while piece := await to_thread.run_sync(next, pieces, b""):
        yield piece


def _read(file: BinaryIO, size: int | None) -> Iterator[bytes]:
    """All of it, or exactly ``size`` bytes: what was promised in Content-Length."""
    left = size
    while left is None or left > 0:
        piece = file.read(PIECE if left is None else min(PIECE, left))
        if not piece:
            if left is not None:
                raise OSError("the file became shorter while it was sent")
            return
        if left is not None:
            left -= len(piece)
        yield piece
