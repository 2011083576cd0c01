"""Video → sampled frames, by FFmpeg's libraries through PyAV (extra ``video``).

The packets of the file are listed first, undecoded: that tells how many frames there are, when each is shown,
and where decoding can begin. Then frames are chosen, and on a second way through only what leads to them is
decoded. Nothing seeks, so every container is read in the same way, and the work is bounded before it begins.

Chosen are frames a second apart, up to three quarters of ``Limits.video_frames``, evenly spread from the
first to the last; and of what is decoded on the way each that is another scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nightlamp.errors import MediaCode, MediaError
from nightlamp.media._pillow import check_pixels
from nightlamp.media.announced import is_cut
from nightlamp.media.decode import Decoded
from nightlamp.media.frame import LATEST, Detail, Frame
from nightlamp.media.limits import Limits
from nightlamp.media.sampling import SPARSE, Run, longest_gap, plan, ticks
from nightlamp.media.stills import TRANSPOSE, scale_for, trimmed

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer

VIDEO_PIXELS = 10
"""A video is decoded up to this many times ``Limits.pixels`` in all."""
SCENE = 20.0
"""A frame is another scene if it differs from the last one taken by so many levels of 256 on average."""

_MOST_PACKETS = 4_000_000  # 18 hours of 60 frames a second
_REORDERED = 32  # more frames than any codec holds back
_SIGNATURE = 32  # pixels, width and height, of what two frames are compared by
_BUFFER = 1 << 18
_FORMATS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/x-ms-asf": "asf",
    "video/mpeg": "mpeg",
    "video/mp2t": "mpegts",
    "video/ogg": "ogg",
}
# What people's files hold; FFmpeg's other decoders cannot be reached.
_CODECS = (
    "av1,libdav1d,h264,hevc,vvc,vp8,vp9,mpeg1video,mpeg2video,mpeg4,h261,h263,h263i,h263p,flv,msmpeg4v1,"
    "msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,vp6,vp6f,vp6a,theora,mjpeg,mjpegb,dvvideo,prores,dnxhd,cfhd,ffv1,"
    "huffyuv,ffvhuff,utvideo,rawvideo,png,qtrle,rpza,svq1,svq3,cinepak,indeo3,indeo4,indeo5"
)
_COVER = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
_ORIENTATIONS = {0: 1, 90: 8, 180: 3, 270: 6}  # counterclockwise degrees → EXIF


@dataclass(frozen=True, slots=True)
class Timetable:
    """What the packets of a video track say, before they are decoded.

    Args:
        marks: (n,) int64, the time stamps of its frames, ascending.
        seconds: (n,) float64, the same from the first on.
        counted: the stamps of decoded frames are of no use, and they are numbered as they come.
        keys: (frame, packet), the numbers of those with which decoding can begin, ascending; the first packet
            is always among them.
        whole: as much is there as the header announces.
        turn: EXIF orientation of its frames.
    """

    marks: np.ndarray
    seconds: np.ndarray
    counted: bool
    keys: Sequence[tuple[int, int]]
    whole: bool
    turn: int


def open_video(data: bytes | memoryview, media_type: str, limits: Limits, detail: Detail) -> Decoded:
    """``decode`` for a video: lists its packets, and decodes when frames are asked for; see there."""
    table, size, lost = _read(data, media_type, limits)
    frames = _sampled(data, media_type, limits, detail, table, lost)
    return Decoded(media_type, *size, len(table.marks), frames)


def stills(
    data: bytes | memoryview, media_type: str, limits: Limits, *, frame: int | None, most: int
) -> Iterator[Frame]:
    """One frame at full size, or up to ``most``, about evenly spread and quickly reached.

    Raises:
        MediaError: as ``decode``; there is no such frame, or it is too far from where decoding can begin.
    """
    table, _, lost = _read(data, media_type, limits)
    count = len(table.marks)
    if frame is None:
        wanted = sorted({step * count // min(most, count) for step in range(min(most, count))})
    elif frame < count:
        wanted = [frame]
    else:
        raise MediaError("damaged", "there is no such frame")
    with _opened(data, media_type, limits) as (container, stream):
        budget = (1 if frame is None else VIDEO_PIXELS) * limits.pixels // _pixels(stream)
        runs = plan(wanted, table.keys, max(1, budget))
        if frame is not None and list(runs[-1].stops) != wanted:
            raise MediaError("too many frames", "too many would have to be decoded to reach this one")
        for number, picture, stop in _decoded(container, stream, table, runs, lost):
            if stop and (frame is None or number == frame):
                check_pixels((picture.width, picture.height), limits.pixels)
                yield next(_views(picture, number, float(table.seconds[number]), "full"))


def _read(
    data: bytes | memoryview, media_type: str, limits: Limits
) -> tuple[Timetable, tuple[int, int], list[MediaError]]:
    """The timetable, (width, height) as displayed, and what is known to be missing."""
    cut = is_cut(data, media_type)
    try:
        with _opened(data, media_type, limits) as (container, stream):
            width, height = stream.codec_context.width, stream.codec_context.height
            check_pixels((width, height), limits.pixels)
            tracks = sum(not each.disposition & _COVER for each in container.streams.video)
            table = _timetable(container, stream, whole=not cut)
        if not len(table.marks):
            raise MediaError("damaged", "there is no frame in it")
    except MediaError as error:
        raise MediaError("truncated", error.detail) if cut and error.code == "damaged" else error from None
    lost = [] if table.whole else [MediaError("truncated", "less is there than is announced")]
    if tracks > 1:
        lost.append(MediaError("too many frames", f"one of {tracks} video tracks was examined"))
    return table, (height, width) if table.turn >= 5 else (width, height), lost


def _sampled(
    data: bytes | memoryview,
    media_type: str,
    limits: Limits,
    detail: Detail,
    table: Timetable,
    lost: list[MediaError],
) -> Iterator[Frame | MediaError]:
    """The chosen frames, then what could not be examined; ``lost`` is added to."""
    examined: list[int] = []
    seen: np.ndarray | None = None
    try:
        with _opened(data, media_type, limits) as (container, stream):
            most = max(1, VIDEO_PIXELS * limits.pixels // _pixels(stream))
            wanted = ticks(table.seconds, max(1, min(limits.video_frames * 3 // 4, most)))
            scenes = limits.video_frames - len(wanted)
            runs = plan(wanted, table.keys, most)
            for number, picture, stop in _decoded(container, stream, table, runs, lost):
                check_pixels((picture.width, picture.height), limits.pixels)
                signature = _signature(picture)
                another = scenes > 0 and seen is not None and float(np.abs(signature - seen).mean()) > SCENE
                if (stop or another) and number not in examined[-1:]:
                    scenes -= not stop
                    seen = signature
                    examined.append(number)
                    yield from _views(picture, number, float(table.seconds[number]), detail)
    except MediaError as error:
        lost.append(error)
    yield from lost
    gap = longest_gap(table.seconds, examined)
    if examined and gap > SPARSE:
        yield MediaError("too many frames", f"up to {gap:.0f} seconds lie between two examined frames")


def _decoded(
    container: InputContainer,
    stream: VideoStream,
    table: Timetable,
    runs: Sequence[Run],
    lost: list[MediaError],
) -> Iterator[tuple[int, VideoFrame, bool]]:
    """(number, frame, whether it was wanted) of all that is decoded, ascending; ``lost`` is added to."""
    packets = enumerate(container.demux(stream))
    broken, missed = 0, 0
    for run, after in zip(runs, [*runs[1:], None], strict=True):
        number, stops = run.frame - 1, list(run.stops)
        picture: VideoFrame | None = None
        for got in _pictures(packets, stream, run.packet, after.packet if after else -1):
            if got is None:
                broken += 1
                continue
            if picture is None and run.packet and not got.key_frame:
                continue  # shown before the first one, and made of what was not decoded
            picture = got
            broken += got.is_corrupt
            number = _number(got, number, table)
            stop = number >= stops[0]
            while stops and number >= stops[0]:
                stops.pop(0)
            yield number, got, stop
            if not stops:
                break
        if picture is None:
            missed += 1
        elif stops:
            yield number, picture, True  # the last there was
    if missed:
        lost.append(MediaError("damaged", f"{missed} of {len(runs)} parts could not be decoded"))
    if broken:
        lost.append(MediaError("damaged", f"{broken} of its frames are broken"))


def _pictures(
    packets: Iterator[tuple[int, Packet[VideoStream]]], stream: VideoStream, first: int, end: int
) -> Iterator[VideoFrame | None]:
    """What comes of the packets from ``first`` to before ``end``; None for one that cannot be decoded."""
    try:
        for number, packet in packets:
            if number >= first:
                yield from _fed(stream, packet)
            if number + 1 == end:
                yield from _fed(stream, None)
                break
    finally:
        stream.codec_context.flush_buffers()


def _fed(stream: VideoStream, packet: Packet[VideoStream] | None) -> Iterator[VideoFrame | None]:
    """What the decoder gives for a packet, or for the end (None)."""
    from av import FFmpegError

    try:
        yield from stream.codec_context.decode(packet)
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        yield None


def _number(picture: VideoFrame, before: int, table: Timetable) -> int:
    """Which frame this is, by its time stamp if that can be relied on; always after the one before."""
    number = before + 1
    if not table.counted and picture.pts is not None:
        number = max(number, int(np.searchsorted(table.marks, picture.pts)))
    return min(number, len(table.marks) - 1)


def _timetable(container: InputContainer, stream: VideoStream, *, whole: bool) -> Timetable:
    """List the packets; decode until the first frame comes, which says how it is to be turned."""
    from av import FFmpegError

    marks: list[int] = []
    keys: list[tuple[int, int]] = []
    counted, packets, end = container.format.name == "avi", 0, 0
    turn: int | None = None
    try:
        for number, packet in enumerate(container.demux(stream)):
            if number >= _MOST_PACKETS:
                raise MediaError("too many frames", f"more than {_MOST_PACKETS:,} packets")
            if turn is None and number < _REORDERED:
                turn = _turn(stream, packet)
            if not packet.size:
                continue
            packets += 1
            stamp = packet.dts if packet.pts is None else packet.pts
            counted = counted or packet.pts is None
            mark = end if stamp is None else stamp
            end = mark + max(packet.duration or 1, 1)
            if packet.is_discard:
                continue  # decoded, but not shown
            marks.append(mark)
            if packet.is_keyframe:
                keys.append((mark, number))
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        whole = False
    ordered = np.sort(np.array(marks, np.int64))
    base = float(stream.time_base or 1)
    seconds = (ordered.astype(np.float64) - float(ordered[0] if len(ordered) else 0)) * base
    seconds = np.clip(seconds, 0.0, LATEST)
    whole = whole and packets >= stream.frames
    return Timetable(ordered, seconds, counted, _ascending(ordered, keys), whole, turn or 1)


def _ascending(marks: np.ndarray, keys: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """(mark, packet) → (frame, packet), without those that come before one that is shown earlier."""
    found = [(0, 0)]
    for frame, (_, packet) in zip(np.searchsorted(marks, [mark for mark, _ in keys]), keys, strict=True):
        if frame > found[-1][0] and packet > found[-1][1]:
            found.append((int(frame), packet))
    return found


def _pixels(stream: VideoStream) -> int:
    return max(1, stream.codec_context.width * stream.codec_context.height)


def _turn(stream: VideoStream, packet: Packet[VideoStream]) -> int | None:
    picture = next(_fed(stream, packet), None)
    return None if picture is None else _orientation(picture)


def _orientation(picture: VideoFrame) -> int:
    return _ORIENTATIONS.get(round(picture.rotation / 90) * 90 % 360, 1)


def _views(picture: VideoFrame, number: int, seconds: float, detail: Detail) -> Iterator[Frame]:
    """The frames of one picture: as it is, and without a border."""
    width, height = picture.width, picture.height
    scale = scale_for(width, height, detail)
    grey = _grey(picture)
    frame = Frame(
        luma=np.array(grey.reduce(scale) if scale > 1 else grey),
        height=height,
        width=width,
        picture=partial(_upright, picture),
        scale=scale,
        orientation=_orientation(picture),
        number=number,
        seconds=seconds,
    )
    yield frame
    yield from trimmed(frame)


def _grey(picture: VideoFrame) -> Image.Image:
    plane = picture.reformat(format="gray").planes[0]
    size = (picture.width, picture.height)
    return Image.frombuffer("L", size, bytes(plane), "raw", "L", plane.line_size, 1)


def _upright(picture: VideoFrame) -> Image.Image:
    coloured: Image.Image = picture.to_image()  # type: ignore[no-untyped-call]
    method = TRANSPOSE.get(_orientation(picture))
    return coloured if method is None else coloured.transpose(method)


def _signature(picture: VideoFrame) -> np.ndarray:
    """(side, side) float32, what the picture looks like from afar."""
    side = _SIGNATURE
    small = picture.reformat(width=side, height=side, format="gray", interpolation="AREA").planes[0]
    rows = np.frombuffer(bytes(small), np.uint8).reshape(-1, small.line_size)
    signature: np.ndarray = rows[:side, :side].astype(np.float32)
    return signature


@contextmanager
def _opened(
    data: bytes | memoryview, media_type: str, limits: Limits
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its video track, ready to be decoded by one thread.

    Raises:
        MediaError: from here, and for whatever PyAV raises inside.
    """
    try:
        import av
        from av import VideoStream
        from av.container import InputContainer
    except ImportError:
        raise MediaError("no decoder", "video needs the extra 'video'", hint=_INSTALL) from None
    form = "mpegvideo" if data[:4] == b"\0\0\1\xb3" else _FORMATS.get(media_type)
    if form is None:
        raise MediaError("no decoder", "a kind of video that is not examined")
    # A codec's frame is padded; ours are checked one by one.
    at_most = {"max_pixels": str(2 * limits.pixels + (1 << 16))}
    try:
        with av.open(
            _Bytes(data),
            format=form,
            options=at_most,
            container_options={"codec_whitelist": _CODECS, "protocol_whitelist": ""},
            metadata_errors="replace",
            buffer_size=_BUFFER,
            io_open=_refuse,
        ) as container:
            assert isinstance(container, InputContainer)
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream):
                raise MediaError("no decoder", "there is no video track in it")
            codec = stream.codec_context
            if codec is None or codec.name not in _CODECS.split(","):
                raise MediaError("no decoder", "a codec that is not examined")
            codec.thread_count = 1
            codec.options = at_most
            yield container, stream
    except MediaError:
        raise
    except Exception as error:  # noqa: BLE001 -- decoders raise anything on hostile bytes
        raise _typed(error) from None


_INSTALL = "pip install nightlamp[video]"


def _typed(error: Exception) -> MediaError:
    """The ``MediaError`` for what PyAV raised, without FFmpeg's own words."""
    if isinstance(error, MemoryError):
        return MediaError("out of memory", "the decoder asked for more memory than there is")
    code: MediaCode = "truncated" if isinstance(error, EOFError) else "damaged"
    return MediaError(code, f"the decoder gave up ({type(error).__name__})")


def _refuse(url: str, flags: int, options: object) -> object:  # noqa: ARG001
    """Nothing else is opened, whatever a file refers to."""
    raise PermissionError("a file may not open another")


class _Bytes:
    """Bytes as a file for PyAV, without a copy."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data, self._at = memoryview(data), 0

    def read(self, size: int = -1) -> bytes:
        end = len(self._data) if size < 0 else self._at + size
        got = bytes(self._data[self._at : end])
        self._at += len(got)
        return got

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, len(self._data))[whence]
        self._at = min(max(base + offset, 0), len(self._data))
        return self._at

    def tell(self) -> int:
        return self._at
