"""What bytes are, by their own first bytes; a name or a declared type is never asked.

A small table of our own: about forty magic numbers, each from the format's specification. Documents that are
zip files (docx, epub, apk …) are zip files here, and are opened as archives.
"""

from __future__ import annotations

import struct

HEAD = 4096
"""How many bytes ``sniff`` wants to see; it works with fewer."""

ARCHIVES = frozenset(
    {
        "application/zip",
        "application/x-tar",
        "application/gzip",
        "application/x-bzip2",
        "application/x-xz",
        "application/x-7z-compressed",
        "application/vnd.rar",
        "application/zstd",
    }
)
"""Types that ``members`` takes; of these rar and zstd have no reader here, and it says so."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/jp2"),
    (0, b"8BPS\x00\x01", "image/vnd.adobe.photoshop"),
    (0, b"qoif", "image/qoi"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (0, b"\x00\x00\x01\xba", "video/mpeg"),
    (0, b"\x00\x00\x01\xb3", "video/mpeg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"PK\x07\x08", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"%PDF-", "application/pdf"),
    (257, b"ustar", "application/x-tar"),
)
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"),
    b"qt  ": "video/quicktime",
    b"crx ": "image/x-canon-cr3",
}
_TIFF = {b"II*\x00": "<", b"MM\x00*": ">", b"II+\x00": "<", b"MM\x00+": ">"}
_DNG_VERSION = 50706


def sniff(head: bytes) -> str:
    """The media type of a file by its first bytes (``HEAD`` of them are best), or ``""`` if unknown."""
    for at, magic, media_type in _MAGIC:
        if head.startswith(magic, at):
            if media_type == "video/x-matroska" and b"webm" in head[:64]:
                return "video/webm"
            return media_type
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[:4] in _TIFF:
        return "image/x-adobe-dng" if _is_dng(head) else "image/tiff"
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[4:8] in (b"moov", b"mdat", b"wide", b"pnot"):
        return "video/quicktime"
    if head.startswith(b"OggS") and b"theora" in head[:256]:
        return "video/ogg"
    if b"GGG" in (head[:377:188], head[4:389:192]):  # packets of a transport stream, or of a Blu-ray's
        return "video/mp2t"
    if head[:2] == b"BM" and len(head) >= 18 and struct.unpack_from("<I", head, 14)[0] in _BMP_HEADERS:
        return "image/bmp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "image/x-portable-anymap"
    if _is_old_tar(head):
        return "application/x-tar"
    return ""


_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def _of_brands(head: bytes) -> str:
    """ISO base media: the major brand decides; generic ones (mif1, mp42 …) let the compatible ones speak."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))]
    for brand in brands[:64]:
        if brand in _BRANDS:
            return _BRANDS[brand]
    return "image/heic" if brands[0] in (b"mif1", b"msf1") else "video/mp4"


def _is_dng(head: bytes) -> bool:
    """A classic TIFF whose first directory, as far as we see it, has the tag DNGVersion."""
    order = _TIFF[head[:4]]
    if head[2] not in (0, 42) or len(head) < 8:
        return False
    at = struct.unpack_from(order + "I", head, 4)[0]
    if at + 2 > len(head):
        return False
    count = struct.unpack_from(order + "H", head, at)[0]
    tags = range(at + 2, min(at + 2 + 12 * count, len(head) - 1), 12)
    return any(struct.unpack_from(order + "H", head, tag)[0] == _DNG_VERSION for tag in tags)


def _is_old_tar(head: bytes) -> bool:
    """A tar from before POSIX has no magic number, but its first header's checksum is right."""
    if len(head) < 512 or head[0] == 0:
        return False
    try:
        said = int(head[148:156].strip(b"\x00 ") or b"-", 8)
    except ValueError:
        return False
    return said == 256 + sum(head[:148]) + sum(head[156:512])
