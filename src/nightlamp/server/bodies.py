"""Bodies of submissions, read piece by piece: raw bytes, or a multipart form with one file.

What the sender says of the bytes (type, name, length) is not believed: nothing here depends on it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from nightlamp.errors import IntakeError
from nightlamp.intake import Content
from nightlamp.server.problems import Problem
from nightlamp.server.shapes import MOST_TEXT

_FIELDS = 32
_FIELD_BYTES = 4 * MOST_TEXT + (64 << 10)  # of all fields together: the longest text in UTF-8, and the others
_HEADER_BYTES = 8 << 10  # of one part
_PLAIN = (b"", b"binary", b"8bit", b"7bit")


async def read_raw(request: Request, content: Content) -> None:
    """The whole body into ``content``.

    Raises:
        Problem: it is too large, too slow, or there is none.
    """
    async for piece in request.stream():
        if piece:
            await _off_loop(content, content.write, piece)
    if not content.size:
        raise Problem("invalid", "an empty body", where="body")


async def read_form(request: Request, content: Content) -> dict[str, str]:
    """A multipart form: its part ``file`` into ``content``, the others as fields.

    Raises:
        Problem: it is no such form, ends early, has two files, or one of the limits is passed.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 70:
        raise Problem("malformed", "a multipart form needs a boundary", where="Content-Type")
    form = _Form(content)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in request.stream():
            if piece:
                await _off_loop(content, parser.write, piece)
    except FormParserError:
        raise Problem("malformed", "no multipart form", where="body") from None
    if not form.ended:
        raise Problem("malformed", "the form ends before its last boundary", where="body")
    return form.fields


async def _off_loop(content: Content, write: Any, piece: bytes) -> None:
    """Writing to memory is quick; writing to a disk may block, and then not the event loop."""
    try:
        if content.spilled or len(piece) > 1 << 20:
            await asyncio.to_thread(write, piece)
        else:
            write(piece)
    except IntakeError as error:
        kind = "too-large" if error.code == "too large" else "unavailable"
        raise Problem(kind, error.what, where=error.where, headers={"Connection": "close"}) from None


@dataclass(slots=True)
class _Part:
    name: str = ""
    is_file: bool = False
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    header_bytes: int = 0


class _Form:
    """Takes the parser's events."""

    def __init__(self, content: Content) -> None:
        self.fields: dict[str, str] = {}
        self.ended = False
        self._content = content
        self._seen_file = False
        self._part = _Part()
        self._parts = 0
        self._bytes = 0

    def callbacks(self) -> Any:
        """For the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _FIELDS:
            raise Problem("malformed", f"more than {_FIELDS} parts", where="body")
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._part.value += data[start:end]

    def _count_header(self, size: int) -> None:
        self._part.header_bytes += size
        if self._part.header_bytes > _HEADER_BYTES:
            raise Problem("malformed", "a part's headers are too long", where="body")

    def _header_end(self) -> None:
        part = self._part
        part.headers.setdefault(bytes(part.header).lower(), bytes(part.value))
        part.header, part.value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        part = self._part
        kind, options = parse_options_header(part.headers.get(b"content-disposition", b""))
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise Problem("malformed", "a part without a name", where="body")
        if part.headers.get(b"content-transfer-encoding", b"").strip().lower() not in _PLAIN:
            raise Problem("malformed", "a part is encoded; send its bytes as they are", where="body")
        part.name = _text(name, "body")
        part.is_file = part.name == "file"
        if part.is_file and self._seen_file:
            raise Problem("malformed", "a second file; use /v1/items/batch for several", where="file")
        if not part.is_file and part.name in self.fields:
            raise Problem("malformed", "a field twice", where="body")
        self._seen_file |= part.is_file

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.is_file:
            self._content.write(data[start:end])
            return
        self._bytes += end - start
        if self._bytes > _FIELD_BYTES:
            raise Problem("malformed", f"fields of more than {_FIELD_BYTES:,} bytes", where="body")
        self._part.data += data[start:end]

    def _end(self) -> None:
        if not self._part.is_file:
            self.fields[self._part.name] = _text(bytes(self._part.data), "body")

    def _finish(self) -> None:
        self.ended = True

    @property
    def has_file(self) -> bool:
        """Whether there was a part ``file``."""
        return self._seen_file


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Problem("malformed", "a field is not UTF-8", where=where) from None
