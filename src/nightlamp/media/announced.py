"""Whether a video file says that it is longer than what is there.

MP4 and QuickTime: the sizes of the boxes on the outside (ISO/IEC 14496-12). Matroska and WebM: the size of
the segment (RFC 8794, RFC 9559). AVI: the size of the RIFF. Others do not say.
"""

from __future__ import annotations

_SEGMENT = b"\x18\x53\x80\x67"


def is_cut(data: bytes | memoryview, media_type: str) -> bool:
    """Whether the outermost parts of a file end beyond its end; False where they do not say."""
    if media_type in ("video/mp4", "video/quicktime"):
        return _boxes_end(data) > len(data)
    if media_type == "video/x-msvideo":
        return 8 + int.from_bytes(data[4:8], "little") > len(data)
    if media_type in ("video/x-matroska", "video/webm"):
        return _segment_end(bytes(data[:4096])) > len(data)
    return False


def _boxes_end(data: bytes | memoryview) -> int:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            break  # to the end of the file, or no box
        at += size
    return at


def _segment_end(head: bytes) -> int:
    length, at = _size(head, 4)
    at += length
    if head[at : at + 4] != _SEGMENT:
        return 0
    length, at = _size(head, at + 4)
    return at + length


def _size(data: bytes, at: int) -> tuple[int, int]:
    """A size in EBML, 0 if it is not known, and where that begins whose size it is."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    unknown = (1 << (7 * width)) - 1
    value = int.from_bytes(data[at : at + width], "big") & unknown
    return (0 if value == unknown else value), at + width
