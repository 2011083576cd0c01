"""Bytes of a list file → UTF-8 lines, in bounded memory whatever the file holds."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from nightlamp.banks.options import MAX_LINE
from nightlamp.errors import ListError

BLOCK = 1 << 20  # bytes read at a time
_BOMS = ((codecs.BOM_UTF8, ""), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_PACKED = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def blocks(path: Path, size: int = BLOCK) -> Iterator[bytes]:
    """The file's text as UTF-8 without a byte order mark; UTF-16 with a mark is converted.

    What cannot be decoded stays invalid UTF-8, so that its row, and only that, is refused later.

    Raises:
        ListError: the file cannot be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(size)
            if not head:
                raise ListError("the list is empty", where=str(path), hint="a file with entries")
            mark, encoding = next((b for b in _BOMS if head.startswith(b[0])), (b"", ""))
            head = head[len(mark) :]
            decoder = codecs.getincrementaldecoder(encoding)("surrogatepass") if encoding else None
            old_mac = b"\r" in head and b"\n" not in head and not decoder
            while head:
                if decoder:
                    head = decoder.decode(head).encode("utf-8", "surrogatepass")
                if old_mac:
                    head = head.replace(b"\r", b"\n")
                if head:
                    yield head
                head = file.read(size)
            if decoder and decoder.getstate()[0]:
                yield b"\xff"  # half a character at the end
    except OSError as error:
        raise ListError(error.strerror or "cannot be read", where=str(path)) from None


def head(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of the text, as ``blocks`` gives them.

    Raises:
        ListError: the file is empty or cannot be read, or is packed.
    """
    start = next(blocks(path, size), b"")
    for magic, name in _PACKED.items():
        if start.startswith(magic):
            raise ListError(f"the list is packed ({name})", where=str(path), hint="unpack it first")
    return start


def lines(path: Path, longest: int = MAX_LINE) -> Iterator[tuple[int, list[bytes | None]]]:
    """Batches of lines: the first one's number from 1, and the lines without their ends.

    ``None`` stands for a line of more than ``longest`` bytes, of which nothing is held.
    """
    number = 1
    rest = b""
    skipping = False
    for block in blocks(path):
        if skipping:
            end = block.find(b"\n")
            if end < 0:
                continue
            yield number, [None]
            number, skipping, block = number + 1, False, block[end + 1 :]
        block = rest + block
        cut = block.rfind(b"\n")
        rest = block[cut + 1 :]
        if cut >= 0:
            whole = block[:cut]
            if b"\r" in whole:
                whole = (whole + b"\n").replace(b"\r\n", b"\n")[:-1]
            batch: list[bytes | None] = list(whole.split(b"\n"))
            if max(map(len, batch)) > longest:  # type: ignore[arg-type]
                batch = [line if line is not None and len(line) <= longest else None for line in batch]
            yield number, batch
            number += len(batch)
        if len(rest) > longest:
            rest, skipping = b"", True
    if skipping:
        yield number, [None]
    elif rest:
        yield number, [rest.removesuffix(b"\r")]


def decoded(line: bytes | None) -> str:
    """The text of a line.

    Raises:
        ValueError: why the line cannot be one of a list; does not quote it.
    """
    if line is None:
        raise ValueError(f"a line of more than {MAX_LINE:,} bytes")
    if b"\0" in line:
        raise ValueError("a NUL byte")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
