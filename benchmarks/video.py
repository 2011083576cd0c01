"""Video → PDQ of its sampled frames, one core: what a second of video costs.

python benchmarks/video.py [--seconds N ...] [--rounds N] [--json]

Videos are drawn: a soft picture that pans, with a cut every four seconds, as H.264, HEVC, VP9 and AV1 with
key frames where encoders usually put them. "Decoding all" is every frame by PyAV, with nothing done to it:
what cannot be avoided if each were looked at. Times are CPU seconds of this process, the best round.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import time
from collections.abc import Iterator

import av
import numpy as np
from PIL import Image

from nightlamp.media import Frame, Limits, decode
from nightlamp.signals.pdq import PDQ

RATE = 30
DRAWN = 20  # seconds; longer ones repeat it
LINE = (
    "{video:24} {frames:5} frames, {examined:3} examined: {ours_ms:6} ms, {video_seconds_per_second:6} s of "
    "video and {examined_per_second:5} frames a second; decoding all: {all_ms:6} ms"
)
KINDS = {
    "H.264 1280×720": ("libx264", 1280, 720, {"preset": "veryfast"}),
    "H.264 1920×1080": ("libx264", 1920, 1080, {"preset": "veryfast"}),
    "HEVC 1280×720": ("libx265", 1280, 720, {"preset": "ultrafast", "x265-params": "log-level=none"}),
    "VP9 1280×720": ("libvpx-vp9", 1280, 720, {"deadline": "realtime", "cpu-used": "8"}),
    "AV1 1280×720": ("libsvtav1", 1280, 720, {"preset": "12"}),
}


def pictures(width: int, height: int, seconds: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    for number in range(seconds * RATE):
        if number % (4 * RATE) == 0:
            rough = rng.integers(0, 256, (height // 24, width // 12, 3), dtype=np.uint8)
            wide = np.asarray(Image.fromarray(rough).resize((width * 2, height), Image.Resampling.BICUBIC))
        at = number % (4 * RATE) * 2
        yield np.ascontiguousarray(wide[:, at : at + width])


def drawn(codec: str, width: int, height: int, options: dict[str, str], seconds: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures(width, height, seconds):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return out.getvalue()


def repeated(data: bytes, times: int) -> bytes:
    """The same video again and again, without encoding it anew."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        after, stream = 0, None
        for _ in range(times):
            with av.open(io.BytesIO(data)) as source:
                track = source.streams.video[0]
                stream = stream or file.add_stream_from_template(track)
                for packet in source.demux(track):
                    if packet.size:
                        packet.pts += after
                        packet.dts += after
                        packet.stream = stream
                        file.mux(packet)
                after += track.duration
    return out.getvalue()


def all_frames(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.video[0]
        stream.codec_context.thread_count = 1
        return sum(1 for _ in file.decode(stream))


def sampled(data: bytes) -> int:
    assert PDQ.of_frame is not None
    numbers = set()
    for found in decode(data, Limits()).frames:
        if not isinstance(found, Frame):
            raise found
        PDQ.of_frame(found)
        numbers.add(found.number)
    return len(numbers)


def best(way: object, data: bytes, rounds: int) -> tuple[float, int]:
    times, count = [], 0
    for _ in range(rounds):
        begun = time.process_time()
        count = way(data)  # type: ignore[operator]
        times.append(time.process_time() - begun)
    return min(times), count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, nargs="+", default=[20, 600])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = []
    for name, kind in KINDS.items():
        short = drawn(*kind, DRAWN)
        sampled(short)  # kernels
        for seconds in asked.seconds:
            data = repeated(short, max(1, seconds // DRAWN))
            every, frames = best(all_frames, data, asked.rounds)
            ours, taken = best(sampled, data, asked.rounds)
            row = {
                "video": f"{name}, {seconds} s",
                "frames": frames,
                "examined": taken,
                "all_ms": round(every * 1e3),
                "ours_ms": round(ours * 1e3),
                "video_seconds_per_second": round(seconds / ours, 1),
                "examined_per_second": round(taken / ours, 1),
            }
            rows.append(row)
            if not asked.json:
                print(LINE.format(**row), flush=True)
    if asked.json:
        print(json.dumps({"machine": platform.processor(), "av": av.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
