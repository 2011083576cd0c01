"""How much an item may cost before we say 'not checked' instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one item and on one archive. Every bound hit is said in the verdict.

    Args:
        bytes: largest file that is decoded (digests of larger ones are still computed).
        pixels: largest picture, width × height, per frame.
        frames: most pages or sampled animation frames examined in a file.
        video_frames: most frames examined in a video.
        seconds: wall-clock time that a worker has for one item.
        memory: bytes that a worker may allocate beyond what it holds when idle.
        archive_members, archive_bytes, archive_ratio, archive_depth: most members, most unpacked bytes in
            all, highest unpacked ÷ packed ratio (above 1 MiB), and deepest nesting of archives.
        member_bytes: largest archive member that is unpacked.
    """

    bytes: int = 1 << 30
    pixels: int = 250_000_000
    frames: int = 64
    video_frames: int = 128
    seconds: float = 20.0
    memory: int = 2 << 30
    archive_members: int = 1_000_000
    archive_bytes: int = 1 << 40
    archive_ratio: int = 200
    archive_depth: int = 3
    member_bytes: int = 256 << 20
