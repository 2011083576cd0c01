"""File → PDQ, one core: Nightlamp beside its peers, on 1600×1200 JPEGs.

python benchmarks/hash.py [DATA] [--rounds N] [--json]

DATA is the folder of test pictures (default: NIGHTLAMP_TEST_DATA, or ../shared/data). Its ``photos/large``
are resized in memory and saved as JPEG. Every way hashes the same bytes in the same process, in turn; a
figure is the mean over the pictures in the best round. "Bits" are counted from pdqhash on full-resolution
RGB. Ours are all eight views of the picture as is; where luma leaves doubt, its second decode is in the time.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pdqhash
from PIL import Image, features
from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

from _machine import DATA, about, machine
from nightlamp.media import Detail, Frame, Limits, decode
from nightlamp.signals.pdq import PDQ, downsample

SIZE = (1600, 1200)
REFERENCE = "pdqhash, Pillow RGB"
Way = Callable[[bytes], object]


def pillow_rgb(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def first_frame(data: bytes, detail: Detail) -> Frame:
    frame = next(iter(decode(data, Limits(), detail).frames))
    if not isinstance(frame, Frame):
        raise frame
    return frame


def peer(data: bytes) -> bytes:
    return np.packbits(pdqhash.compute(pillow_rgb(data))[0]).tobytes()


def threatexchange(data: bytes) -> bytes:
    return bytes.fromhex(pdq_from_bytes(data)[0])


def ours(detail: Detail) -> Callable[[bytes], bytes]:
    def hash_file(data: bytes) -> bytes:
        assert PDQ.of_frame is not None
        return PDQ.of_frame(first_frame(data, detail))[0].value  # with the seven other views

    return hash_file


# Name → (file to hash, the decoding in it alone).
WAYS: dict[str, tuple[Callable[[bytes], bytes], Way]] = {
    REFERENCE: (peer, pillow_rgb),
    "threatexchange": (threatexchange, lambda data: np.asarray(Image.open(io.BytesIO(data)))),
    "nightlamp, full": (ours("full"), lambda data: first_frame(data, "full")),
    "nightlamp, fast": (ours("fast"), lambda data: first_frame(data, "fast")),
}


def pictures(folder: Path, quality: int) -> list[bytes]:
    """The large photos at 1600×1200 (the few upright ones at 1200×1600), as JPEG bytes."""
    made = []
    for path in sorted(folder.glob("*.jpg")):
        picture = Image.open(path).convert("RGB")
        size = SIZE if picture.width >= picture.height else SIZE[::-1]
        buffer = io.BytesIO()
        picture.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=quality)
        made.append(buffer.getvalue())
    return made


def round_ms(way: Way, files: list[bytes]) -> float:
    """Milliseconds a file, the mean over all of them."""
    start = time.perf_counter()
    for data in files:
        way(data)
    return (time.perf_counter() - start) / len(files) * 1e3


def measure(files: list[bytes], rounds: int) -> list[dict[str, float | str]]:
    """One row a way: ms, images/s, ratio to the reference, share of decoding, bits from it."""
    expected = [peer(data) for data in files]
    apart = {
        name: [
            (int.from_bytes(hash_file(data), "big") ^ int.from_bytes(value, "big")).bit_count()
            for data, value in zip(files, expected, strict=True)
        ]
        for name, (hash_file, _) in WAYS.items()
    }
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):  # in turn, so that a busy moment hits all alike
        for name, (whole, decoding) in WAYS.items():
            times.setdefault((name, "whole"), []).append(round_ms(whole, files))
            times.setdefault((name, "decode"), []).append(round_ms(decoding, files))
    reference = min(times[REFERENCE, "whole"])
    rows: list[dict[str, float | str]] = []
    for name in WAYS:
        whole, decoding_time = min(times[name, "whole"]), min(times[name, "decode"])
        rows.append(
            {
                "way": name,
                "ms": whole,
                "per second": 1e3 / whole,
                "ratio": reference / whole,
                "decode share": decoding_time / whole,
                "median bits": statistics.median(apart[name]),
                "most bits": max(apart[name]),
            }
        )
    return rows


def kernel_ms(files: list[bytes]) -> dict[str, float]:
    """Milliseconds from decoded luma to the eight fingerprints, and of the luma pass alone; medians."""
    result = {}
    for detail in ("full", "fast"):
        frames = [first_frame(data, detail) for data in files]
        assert PDQ.of_frame is not None
        for what, way in (
            ("fingerprints", PDQ.of_frame),
            (
                "luma pass",
                lambda f: downsample(f.luma, height=f.height, width=f.width, scale=f.scale),
            ),
        ):
            each = []
            for frame in frames:
                runs = []
                for _ in range(9):
                    start = time.perf_counter()
                    way(frame)
                    runs.append(time.perf_counter() - start)
                each.append(min(runs) * 1e3)
            result[f"{detail}, {what}"] = statistics.median(each)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DATA, help="folder of test pictures")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quality", type=int, default=85, help="of the JPEGs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    files = pictures(options.data / "photos" / "large", options.quality)
    if not files:
        sys.exit(f"no pictures in {options.data}/photos/large: name the folder, or set NIGHTLAMP_TEST_DATA")

    rows = measure(files, options.rounds)
    kernels = kernel_ms(files)
    found = machine("pillow", "pdqhash", "threatexchange")
    found["libjpeg-turbo"] = str(features.version_feature("libjpeg_turbo"))
    if options.json:
        print(json.dumps({"machine": found, "files": len(files), "rows": rows, "from luma, ms": kernels}))
        return
    kilobytes = statistics.mean(map(len, files)) / 1e3
    print(
        f"File to PDQ, one core: {len(files)} JPEGs, 1600×1200, quality {options.quality}, {kilobytes:.0f} kB"
    )
    print()
    print(f"{'':24}{'ms':>8}{'images/s':>10}{'ratio':>8}{'decode':>9}{'bits: median':>14}{'most':>6}")
    for row in rows:
        print(
            f"{row['way']:24}{row['ms']:8.2f}{row['per second']:10.1f}{row['ratio']:7.1f}×"
            f"{row['decode share']:9.0%}{row['median bits']:14.0f}{row['most bits']:6.0f}"
        )
    print("\nFrom luma, ms: " + "; ".join(f"{name} {value:.3f}" for name, value in kernels.items()))
    print(about(found))


if __name__ == "__main__":
    main()
