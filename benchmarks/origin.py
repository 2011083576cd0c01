"""What a file's origin costs: ``python benchmarks/origin.py [FOLDER]``. Medians, milliseconds, one core.

FOLDER: files with metadata, by default the samples and photos of the tests
(NIGHTLAMP_TEST_DATA, or ../shared/data). ``sd-parsers``, where it
is installed, reads the same files in the same run: generators' metadata alone, without EXIF, XMP or C2PA.

Then what looking at the pixels costs, and how often each weak signal hints at something in the photos of the
tests, which have nothing to hint at as far as we know: ``--photos N`` takes every N-th of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from _machine import DATA, about, machine
from nightlamp.media import HEAD, Limits, sniff
from nightlamp.origin import forensics, measures, origin_of, prepare, watermark
from nightlamp.origin.containers import pieces_of
from nightlamp.origin.detector import first_frame

ROUNDS = 7
GENERATED = ("comfyui", "generators", "compvis")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--photos", type=int, default=1, metavar="N")
    given = parser.parse_args()
    folders = (
        [given.folder] if given.folder else [DATA / "origin", DATA / "formats", DATA / "photos" / "large"]
    )
    files = {p: p.read_bytes() for folder in folders for p in sorted(folder.rglob("*.*")) if _is_media(p)}
    print(about(machine("pillow", "c2pa-python", "sd-parsers")))
    print(
        f"{len(files)} files, {ROUNDS} rounds each, the median of the rounds' minima and the slowest file\n"
    )
    print(f"{'':<44}{'files':>6}{'median':>9}{'slowest':>9}")
    with_manifest = {p: d for p, d in files.items() if pieces_of(memoryview(d), sniff(d[:HEAD])).manifest}
    known = bytes(32)  # stands for a PDQ that an examination has computed already
    if importlib.util.find_spec("c2pa"):
        prepare()
        _row("with C2PA, files that have a manifest", with_manifest, lambda d: origin_of(d, pdq=known))
        _row("with C2PA, all files", files, lambda d: origin_of(d, pdq=known))
    with mock.patch("nightlamp.origin.c2pa_report.installed", return_value=False):
        _row("without C2PA, all files", files, lambda d: origin_of(d, pdq=known))
        _row("  and no thumbnail compared", files, lambda d: origin_of(d, thumbnails=False))
        _row("  and the picture decoded for it", files, origin_of)
    if importlib.util.find_spec("sd_parsers"):
        from sd_parsers import ParserManager

        parsers = ParserManager()
        made = {p: d for p, d in files.items() if p.parent.name in GENERATED}
        _row("sd-parsers, generators' files", made, lambda d: parsers.parse(io.BytesIO(d)))
        with mock.patch("nightlamp.origin.c2pa_report.installed", return_value=False):
            _row("ours without C2PA, generators' files", made, lambda d: origin_of(d, thumbnails=False))

    _pixels(sorted((DATA / "photos").rglob("*.jpg"))[:: given.photos])


def _pixels(photos: list[Path]) -> None:
    """What the weak signals cost, and how often they hint."""
    times: dict[str, list[float]] = {}
    hints: Counter[str] = Counter()
    measured: Counter[str] = Counter()

    def timed(name: str, call: Callable[[], object]) -> None:
        start = time.perf_counter()
        call()
        times.setdefault(name, []).append((time.perf_counter() - start) * 1e3)

    for photo in photos:
        data = memoryview(photo.read_bytes())
        timed("decoding at full size", lambda data=data: first_frame(data, Limits()))
        frame, tables = first_frame(data, Limits()), forensics.quantisation(data)
        luma = measures.middle(frame.luma)
        pixels = np.asarray(frame.picture())
        timed("watermark", lambda pixels=pixels: watermark.strongest(pixels))
        for measure in (measures.upsampler_peaks, measures.noise, measures.resampling):
            timed(measure.__name__.replace("_", " "), lambda measure=measure, luma=luma: measure(luma))
        timed(
            "double compression",
            lambda luma=luma, tables=tables: measures.double_compression(luma, tables[0]),
        )
        for name, value in forensics.scores(frame, tables).items():
            measured[name] += 1
            hints[name] += forensics.MEASURES[name].hints(value)
        found = watermark.strongest(pixels)
        if found is not None:
            measured["watermark"] += 1
            hints["watermark"] += found.chance <= watermark.CHANCE
    print(f"\n{len(photos)} photos, milliseconds a picture\n\n{'':<44}{'median':>9}{'slowest':>9}")
    for name, taken in times.items():
        print(f"{name:<44}{statistics.median(taken):>9.1f}{max(taken):>9.1f}")
    print(f"\n{'false alarms (hints without cause that we know of)':<53}{'photos':>9}{'share':>9}")
    for name in measured:
        share = hints[name] / measured[name]
        print(f"{name:<44}{hints[name]:>9}{measured[name]:>9}{share:>9.1%}")


def _row(name: str, files: dict[Path, bytes], call: Callable[[bytes], object]) -> None:
    best = {path: min(_taken(call, data) for _ in range(ROUNDS)) for path, data in files.items()}
    slowest = max(best, key=lambda path: best[path])
    median = statistics.median(best.values())
    print(f"{name:<44}{len(files):>6}{median:>9.2f}{best[slowest]:>9.2f}  {slowest.name}")


def _taken(call: Callable[[bytes], object], data: bytes) -> float:
    start = time.perf_counter()
    try:
        call(data)
    except Exception:  # noqa: BLE001 (a peer may raise for what it does not know)
        return (time.perf_counter() - start) * 1e3
    return (time.perf_counter() - start) * 1e3


def _is_media(path: Path) -> bool:
    return path.is_file() and sniff(path.read_bytes()[:HEAD]).startswith(("image/", "video/"))


if __name__ == "__main__":
    main()
