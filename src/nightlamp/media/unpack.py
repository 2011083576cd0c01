"""Reading what claims to be small: one budget for an archive and all that is nested in it."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import BinaryIO, Protocol

from nightlamp.errors import ArchiveError
from nightlamp.media.limits import Limits

CHUNK = 1 << 18
RATIO_FROM = 1 << 20
"""Unpacked bytes from which the ratio to packed bytes is looked at."""
HEADER_BYTES = 1 << 24
"""Most bytes of headers (long names, pax records) before one tar member."""


class Exhausted(Exception):  # noqa: N818 -- not an error of its own, it carries one
    """A limit on the whole archive was hit: reading ends, at whatever depth it was."""

    def __init__(self, error: ArchiveError) -> None:
        super().__init__(error)
        self.error = error


class Readable(Protocol):
    """Anything that gives up to ``size`` bytes, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""


class Budget:
    """What an outermost archive has cost so far, against its limits.

    Args:
        limits: see ``Limits.archive_*``.
        packed: size of the outermost archive in bytes.
    """

    def __init__(self, limits: Limits, packed: int) -> None:
        """Nothing spent yet."""
        self.limits = limits
        self.packed = packed
        self.members = 0
        self.bytes = 0

    def count(self) -> None:
        """One more member.

        Raises:
            Exhausted: above ``archive_members``.
        """
        self.members += 1
        if self.members > self.limits.archive_members:
            raise Exhausted(ArchiveError("too many members", f"the limit is {self.limits.archive_members}"))

    def spend(self, size: int) -> None:
        """So many more bytes unpacked.

        Raises:
            Exhausted: above ``archive_bytes``, or ``archive_ratio`` of the whole.
        """
        self.bytes += size
        if self.bytes > self.limits.archive_bytes:
            raise Exhausted(
                ArchiveError("too large", f"unpacks to more than {self.limits.archive_bytes} bytes")
            )
        if self.is_bomb(self.bytes, self.packed):
            raise Exhausted(ArchiveError("ratio", f"more than {self.limits.archive_ratio} times its size"))

    def is_bomb(self, size: int, packed: int) -> bool:
        """Whether so many bytes from so few packed ones are above the ratio."""
        return size > RATIO_FROM and size > self.limits.archive_ratio * max(1, packed)

    def check(self, size: int, packed: int | None = None) -> None:
        """A member of this size, said or read so far, may be unpacked.

        Raises:
            ArchiveError: above ``member_bytes``, or (if ``packed`` is known) ``archive_ratio``.
        """
        if size > self.limits.member_bytes:
            raise ArchiveError("too large", f"a member above {self.limits.member_bytes} bytes")
        if packed is not None and self.is_bomb(size, packed):
            raise ArchiveError("ratio", f"a member above {self.limits.archive_ratio} times its packed size")

    def read(self, stream: Readable, packed: int | None = None, *, spent: bool = False) -> bytes:
        """A member to its end, never more than allowed, whatever was said of its size.

        Args:
            stream: the member, unpacked.
            packed: its packed size, if it has one of its own.
            spent: the stream counts its bytes itself.
        """
        content = bytearray()
        while chunk := stream.read(CHUNK):
            if not spent:
                self.spend(len(chunk))
            content += chunk
            self.check(len(content), packed)
        return bytes(content)


class Metered:
    """A tar's bytes on their way to ``tarfile``, which would read a header of any size into memory."""

    def __init__(self, stream: Readable, budget: Budget) -> None:
        """Nothing allowed yet."""
        self._stream = stream
        self._budget = budget
        self._left = 0

    def allow(self, size: int) -> None:
        """Let so many bytes through until the next call."""
        self._left = size

    def read(self, size: int) -> bytes:
        """The next bytes, counted.

        Raises:
            ArchiveError: if more is asked for than is allowed.
        """
        if self._left <= 0:
            raise ArchiveError("damaged", "a header of unreasonable size")
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        self._budget.spend(len(chunk))
        return chunk


class _Inflate:
    """gzip with the interface of ``bz2.BZ2Decompressor``."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)
        self.needs_input = len(out) < max_length and not self._inflate.unconsumed_tail
        return out

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data


_MAGIC = {
    "application/gzip": b"\x1f\x8b",
    "application/x-bzip2": b"BZh",
    "application/x-xz": b"\xfd7zXZ\x00",
}


class Unpacked:
    """The content of a gz, bz2 or xz file, of one stream or several, in pieces of at most what is asked for.

    Args:
        file: the compressed file, at its start.
        media_type: which of the three.
        memory: most bytes that xz may need for its dictionary.
    """

    def __init__(self, file: BinaryIO, media_type: str, memory: int) -> None:
        """Nothing read yet."""
        self._file = file
        self._type = media_type
        self._memory = memory
        self._magic = _MAGIC[media_type]
        self._ahead = b""
        self._packed = b""
        self._stream: _Inflate | bz2.BZ2Decompressor | lzma.LZMADecompressor = self._new()

    def _new(self) -> _Inflate | bz2.BZ2Decompressor | lzma.LZMADecompressor:
        if self._type == "application/gzip":
            return _Inflate()
        if self._type == "application/x-bzip2":
            return bz2.BZ2Decompressor()
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=self._memory)

    def peek(self, size: int) -> bytes:
        """The first bytes, which ``read`` will give again."""
        while len(self._ahead) < size and (chunk := self._next(size - len(self._ahead))):
            self._ahead += chunk
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end.

        Raises:
            EOFError: if the file ends within a stream.
        """
        if self._ahead:
            chunk, self._ahead = self._ahead[:size], self._ahead[size:]
            return chunk
        return self._next(size)

    def _next(self, size: int) -> bytes:
        while True:
            if self._stream.eof:
                rest = self._stream.unused_data.lstrip(b"\x00")
                while len(rest) < len(self._magic) and (more := self._file.read(CHUNK)):
                    rest = (rest + more).lstrip(b"\x00")
                if not rest.startswith(self._magic):
                    return b""  # the end, or trailing bytes that no tool unpacks
                self._stream, self._packed = self._new(), rest
            packed = b""
            if self._stream.needs_input:
                packed, self._packed = self._packed or self._file.read(CHUNK), b""
                if not packed:
                    raise EOFError
            if chunk := self._stream.decompress(packed, size):
                return chunk
