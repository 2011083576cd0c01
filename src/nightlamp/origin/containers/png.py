"""PNG: text chunks (plain, packed, international), EXIF, XMP, C2PA (caBX); before and after the picture."""

from __future__ import annotations

from nightlamp.origin.pieces import PARTS, TEXT, Pieces, inflated

_XMP = "XML:com.adobe.xmp"
_CHUNKS = 300_000  # those of pixels too: two gigabytes as they are commonly cut


def read(data: memoryview, pieces: Pieces) -> None:
    """Follow the chunks to the end."""
    at, end, others = 8, len(data), 0
    pieces.lossless = True
    for _ in range(_CHUNKS):
        if at + 12 > end:
            return
        size = int.from_bytes(data[at : at + 4], "big")
        kind = bytes(data[at + 4 : at + 8])
        if kind != b"IDAT":
            others += 1
            if others > PARTS:
                pieces.missed("metadata", "too many parts")
                return
            if kind == b"IEND":
                return
            _chunk(kind, data[at + 8 : at + 8 + size], pieces)
        at += 12 + size
    pieces.missed("metadata", "too many parts")


def _chunk(kind: bytes, body: memoryview, pieces: Pieces) -> None:
    if kind == b"eXIf":
        pieces.exif.append(body[6:] if bytes(body[:6]) == b"Exif\0\0" else body)
    elif kind == b"caBX":
        pieces.manifest += len(body)
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        keyword, found, rest = _cut(body, 80)
        if not found:
            return
        if kind == b"tEXt":
            _plain(keyword, rest, pieces)
        elif kind == b"zTXt":
            pieces.packed_text("png text", keyword, rest[1:], "latin-1")
        elif len(rest) >= 2:
            _, _, after_language = _cut(rest[2:], 200)
            _, _, text = _cut(after_language, 2000)
            if keyword == _XMP:
                unpacked = inflated(text, TEXT) if rest[0] else text
                pieces.packet(b"" if unpacked is None else unpacked)
            elif rest[0]:
                pieces.packed_text("png text", keyword, text, "utf-8")
            else:
                pieces.text("png text", keyword, text)


def _plain(keyword: str, text: memoryview, pieces: Pieces) -> None:
    """Latin-1 by the standard; several generators write UTF-8 all the same."""
    if len(text) <= TEXT and keyword.startswith("Raw profile type "):
        _raw_profile(keyword[17:], bytes(text), pieces)
        return
    encoding = "utf-8"
    try:
        str(text[:TEXT], encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
    pieces.text("png text", keyword, text, encoding)


def _raw_profile(kind: str, text: bytes, pieces: Pieces) -> None:
    """ImageMagick's: a name, a length and hexadecimal digits, on lines."""
    digits = b"".join(text.split()[2:])
    try:
        raw = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        pieces.missed("png text", "damaged")
        return
    if kind in ("exif", "APP1") and raw.startswith(b"Exif"):
        pieces.exif.append(raw[6:])
    elif kind == "xmp" or raw.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        pieces.packet(raw.partition(b"\0")[2] if raw.startswith(b"http") else raw)


def _cut(body: memoryview, most: int) -> tuple[str, bool, memoryview]:
    """(text before the first NUL, whether there is one, what follows)."""
    where = bytes(body[:most]).find(b"\0")
    if where < 0:
        return "", False, body[:0]
    return str(body[:where], "latin-1"), True, body[where + 1 :]
