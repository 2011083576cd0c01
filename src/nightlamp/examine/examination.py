"""Bytes in, examination out: every installed signal of everything that can be seen in them.

Runs as small steps, so that what was learnt before a decoder crashed is not lost: the digests come first,
then each frame's fingerprints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from nightlamp.errors import MediaError
from nightlamp.media import ARCHIVES, Detail, Limits, decode, sniff
from nightlamp.origin import Asked, assess, look_closer, origin_of
from nightlamp.values import AS_IS, Assessment, Examination, Fingerprint, Unchecked

if TYPE_CHECKING:
    from nightlamp.signals import Signal

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of the item as a whole; a later one replaces an earlier one."""

    media_type: str
    size: int
    width: int = 0
    height: int = 0
    frames: int = 0


Step = Shape | Fingerprint | Unchecked | Assessment


def steps(
    file: BinaryIO,
    signals: Mapping[str, Signal],
    limits: Limits,
    detail: Detail,
    origin: Asked | None = None,
    looked: Callable[[], None] | None = None,
    ahead: Callable[[], None] | None = None,
) -> Iterator[Step]:
    """Examine ``file`` (positioned at its start), saying what is learnt as soon as it is known.

    With ``origin`` the last step is its ``Assessment``; ``looked`` is called before it is begun. ``ahead`` is
    called before another frame is decoded, or another signal sees it: what may go wrong after much is known.

    Never raises for what the bytes are: that is an ``Unchecked`` step. ``MemoryError`` is one too.
    """
    head = file.read(_PIECE)
    media_type = sniff(head)
    decodable = media_type.startswith(("image/", "video/"))
    wanted = decodable or (origin is not None and media_type.startswith("audio/"))
    digests = {name: signal.of_bytes() for name, signal in signals.items() if signal.of_bytes}
    size, kept = 0, bytearray()
    pdq: bytes | None = None
    piece = head
    while piece:
        size += len(piece)
        for digest in digests.values():
            digest.update(piece)
        if wanted and size <= limits.bytes:
            kept += piece
        piece = file.read(_PIECE)
    yield Shape(media_type, size)
    for name, digest in digests.items():
        yield Fingerprint(name, digest.digest())

    visual = [signal for signal in signals.values() if signal.of_frame]
    # An archive's members are items of their own.
    if size and visual and media_type not in ARCHIVES and not _is_text(media_type, head):
        try:
            if not decodable:
                raise MediaError("no decoder" if media_type else "unknown type", media_type)
            if size > limits.bytes:
                raise MediaError("too large", f"{size:,} bytes, the limit is {limits.bytes:,}")
            if media_type.startswith("video/"):
                yield Shape(media_type, size)  # what is known goes ahead: all of the file is read to open it
            for step in _look(memoryview(kept), visual, limits, detail, ahead):
                if isinstance(step, Fingerprint) and step.signal == "pdq" and not pdq:
                    pdq = step.value if step.view == AS_IS and (step.quality or 0) >= 50 else None
                yield step
        except MediaError as error:
            yield from _none_seen(visual, error)
        except MemoryError:
            yield from _none_seen(visual, MediaError("out of memory"))
    if origin is not None:
        if looked is not None:
            looked()
        yield from _origin(memoryview(kept), size, limits, origin, pdq)


def _origin(
    data: memoryview, size: int, limits: Limits, origin: Asked, pdq: bytes | None
) -> Iterator[Assessment]:
    """What the whole of a picture, video or sound says of its origin; of others, that it was not examined.

    What the pixels hint at, which is slower and may fail, comes after what the file says.
    """
    if len(data) != size or not size:
        yield assess([], [Unchecked("content", "too large" if size > limits.bytes else "no reader")])
        return
    found = origin_of(data, limits, trust=origin.trust, received=origin.received, pdq=pdq)
    yield found
    if origin.forensics or origin.detectors:
        yield look_closer(found, data, limits, forensics=origin.forensics, detectors=origin.detectors)


def _look(
    data: memoryview,
    visual: list[Signal],
    limits: Limits,
    detail: Detail,
    ahead: Callable[[], None] | None,
) -> Iterator[Step]:
    """The fingerprints of every frame, and what could not be seen."""
    decoded = decode(data, limits, detail)
    yield Shape(decoded.media_type, len(data), decoded.width, decoded.height, decoded.frame_count)
    best: dict[str, int] = {}
    failed: dict[str, str] = {}
    problems: list[MediaError] = []
    seen = 0
    try:
        for frame in decoded.frames:
            if isinstance(frame, MediaError):
                problems.append(frame)
                continue
            seen += 1
            for number, signal in enumerate(visual):
                if number and ahead is not None:
                    ahead()
                assert signal.of_frame is not None
                try:
                    fingerprints = signal.of_frame(frame)
                except Exception as error:  # noqa: BLE001
                    # A plug-in's bug must not take the other signals along, nor its message hold content.
                    failed.setdefault(signal.name, type(error).__name__)
                    continue
                for fingerprint in fingerprints:
                    quality = signal.min_quality if fingerprint.quality is None else fingerprint.quality
                    best[signal.name] = max(best.get(signal.name, 0), quality)
                    if frame.seconds is not None:
                        fingerprint = replace(fingerprint, seconds=frame.seconds)
                    yield fingerprint
            if decoded.frame_count > 1 and ahead is not None:
                ahead()
    except MediaError as error:
        problems.append(error)
    except MemoryError:
        problems.append(MediaError("out of memory"))
    if not seen:
        yield from _none_seen(visual, problems[0] if problems else MediaError("damaged", "no frame in it"))
        return
    for problem in problems:
        yield Unchecked("frames", problem.code, problem.detail)
    for signal in visual:
        if signal.name in failed:
            why = "out of memory" if failed[signal.name] == "MemoryError" else "signal failed"
            yield Unchecked(signal.name, why, failed[signal.name])
        elif signal.name not in best:
            yield Unchecked(signal.name, "no value", "the signal gave no fingerprint for this picture")
        elif best[signal.name] < signal.min_quality:
            told = f"quality {best[signal.name]}, it takes {signal.min_quality} to match"
            yield Unchecked(signal.name, "low detail", told)


def _none_seen(visual: list[Signal], error: MediaError) -> Iterator[Unchecked]:
    for signal in visual:
        yield Unchecked(signal.name, error.code, error.detail)


def _is_text(media_type: str, head: bytes) -> bool:
    """Whether these bytes are plain text, in which there is no picture to miss."""
    if media_type:
        return media_type.startswith("text/")
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) == _PIECE
    return True


class Tally:
    """Gathers steps into an ``Examination``."""

    def __init__(self) -> None:
        self.shape = Shape("", 0)
        self.fingerprints: list[Fingerprint] = []
        self.unchecked: list[Unchecked] = []
        self.origin: Assessment | None = None

    def add(self, step: Step) -> None:
        """Take the next step."""
        if isinstance(step, Shape):
            self.shape = step
        elif isinstance(step, Fingerprint):
            self.fingerprints.append(step)
        elif isinstance(step, Assessment):
            self.origin = step
        else:
            self.unchecked.append(step)

    def result(self) -> Examination:
        """What is known so far."""
        shape = self.shape
        return Examination(
            shape.media_type,
            shape.size,
            shape.width,
            shape.height,
            shape.frames,
            tuple(self.fingerprints),
            tuple(self.unchecked),
            self.origin,
        )


def examine(
    file: BinaryIO,
    signals: Mapping[str, Signal],
    limits: Limits | None = None,
    detail: Detail = "fast",
    origin: Asked | None = None,
) -> Examination:
    """Examine ``file`` here, in this process: only for bytes that you trust. See ``Workers`` for others."""
    tally = Tally()
    for step in steps(file, signals, limits or Limits(), detail, origin):
        tally.add(step)
    return tally.result()
