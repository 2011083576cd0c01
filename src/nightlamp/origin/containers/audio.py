"""Sound: the ID3v2 tag that MP3, and some FLAC and WAV files, begin with or hold; FLAC's own comments.

Of ID3 (versions 2.2 to 2.4, id3.org): text frames, comments, XMP in ``PRIV``, C2PA in ``GEOB``. Embedded
pictures are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from nightlamp.origin.pieces import PARTS, Pieces

_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_MANIFEST = (b"application/c2pa", b"application/x-c2pa-manifest-store")
_ENCODER = {"TSSE": "encoder", "TSS": "encoder"}


def read(data: memoryview, pieces: Pieces) -> None:
    """An ID3 tag at the start, and FLAC's blocks behind it or at the start."""
    end = id3(data, pieces)
    if bytes(data[end : end + 4]) == b"fLaC":
        _flac(data[end + 4 :], pieces)


def id3(data: memoryview, pieces: Pieces) -> int:
    """Follow the frames of a tag at the start; returns where it ends, 0 if there is none."""
    if bytes(data[:3]) != b"ID3":
        return 0
    version, flags, size = data[3], data[5], _syncsafe(data[6:10])
    end = 10 + size
    if version not in (2, 3, 4):
        pieces.missed("container", "unknown version")
        return end
    body = data[10:end]
    if flags & 0x80 and version < 4:
        body = _synchronised(body)
    if flags & 0x40 and version > 2:
        body = body[_syncsafe(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4], "big") :]
    for name, content in _frames(body, version, pieces):
        _frame(name, content, pieces)
    return end + 10 * bool(flags & 0x10)


def _syncsafe(raw: memoryview) -> int:
    """A number of seven bits a byte, so that no byte looks like the start of sound."""
    number = 0
    for byte in raw:
        number = number << 7 | byte & 0x7F
    return number


def _synchronised(raw: memoryview) -> memoryview:
    return memoryview(bytes(raw).replace(b"\xff\x00", b"\xff"))


def _frames(body: memoryview, version: int, pieces: Pieces) -> Iterator[tuple[str, memoryview]]:
    letters, head = (3, 6) if version == 2 else (4, 10)
    at = 0
    for _ in range(PARTS):
        if at + head > len(body) or not body[at]:  # padding
            return
        name = str(body[at : at + letters], "latin-1")
        sizes = body[at + letters : at + letters + (3 if version == 2 else 4)]
        size = _syncsafe(sizes) if version == 4 else int.from_bytes(sizes, "big")
        how = body[at + 9] if version > 2 else 0
        content = body[at + head : at + head + size]
        at += head + size
        if how & (0x0C if version == 4 else 0xC0):
            pieces.missed("container", "packed or encrypted")
            continue
        if version == 4:
            content = _synchronised(content) if how & 0x02 else content
            content = content[4:] if how & 0x01 else content
        yield name, content
    pieces.missed("metadata", "too many parts")


def _frame(name: str, content: memoryview, pieces: Pieces) -> None:
    encoding = _ENCODINGS[content[0]] if len(content) and content[0] < 4 else ""
    if name in ("GEO", "GEOB"):
        kind = bytes(content[1:100]).partition(b"\0")[0]
        if kind.lower() in _MANIFEST:
            pieces.manifest += len(content)
    elif name == "PRIV" and bytes(content[:4]) == b"XMP\0":
        pieces.packet(content[4:])
    elif not encoding:
        return
    elif name in ("TXX", "TXXX"):
        keyword, text = _split(content[1:], encoding)
        pieces.text("container", str(keyword[:400], encoding, "replace"), text, encoding)
    elif name in ("COM", "COMM"):
        about, text = _split(content[4:], encoding)
        # Players leave several with a description (gain, gaps): each under its own name.
        pieces.text("container", str(about[:400], encoding, "replace") or "comment", text, encoding)
    elif name[:1] == "T":
        pieces.text("container", _ENCODER.get(name, name), _whole(content[1:], encoding), encoding)


def _split(raw: memoryview, encoding: str) -> tuple[memoryview, memoryview]:
    """What is before and behind the first NUL, which has the width of a character."""
    width = 2 if encoding.startswith("utf-16") else 1
    head = bytes(raw[:2_000])
    at = next((i for i in range(0, len(head), width) if head[i : i + width] == bytes(width)), len(raw))
    return raw[:at], _whole(raw[at + width :], encoding)


def _whole(raw: memoryview, encoding: str) -> memoryview:
    """A text without the NULs that end it."""
    width = 2 if encoding.startswith("utf-16") else 1
    end = len(raw) - len(raw) % width
    while end >= width and bytes(raw[end - width : end]) == bytes(width):
        end -= width
    return raw[:end]


def _flac(data: memoryview, pieces: Pieces) -> None:
    """FLAC's blocks: of type 4 the comments, ``NAME=text``, after the name of the program that wrote them."""
    at = 0
    for _ in range(PARTS):
        if at + 4 > len(data):
            return
        last, kind = data[at] >> 7, data[at] & 0x7F
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        if kind == 4:
            _comments(data[at + 4 : at + 4 + size], pieces)
        at += 4 + size
        if last:
            return
    pieces.missed("metadata", "too many parts")


def _comments(block: memoryview, pieces: Pieces) -> None:
    at = 0

    def take() -> memoryview:
        nonlocal at
        size = int.from_bytes(block[at : at + 4], "little")
        at += 4 + size
        if at > len(block):
            raise ValueError("beyond the end")
        return block[at - size : at]

    pieces.text("container", "writer", take())
    count = int.from_bytes(block[at : at + 4], "little")
    at += 4
    found: dict[bytes, list[bytes]] = {}  # a song may have ten artists
    for _ in range(min(count, PARTS)):
        name, _, text = bytes(take()).partition(b"=")
        found.setdefault(name[:200].lower(), []).append(text)
    for name, texts in found.items():
        pieces.text("container", str(name, "utf-8", "replace"), b"\n".join(texts))
