"""What a file's origin costs: ``python benchmarks/origin.py [FOLDER]``. Medians, milliseconds, one core.

FOLDER: files with metadata, by default the shared samples and photos of the tests. ``sd-parsers``, where it
is installed, reads the same files in the same run: generators' metadata alone, without EXIF, XMP or C2PA.
"""

from __future__ import annotations

import importlib.util
import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from nightlamp.media import HEAD, sniff
from nightlamp.origin import origin_of, prepare
from nightlamp.origin.containers import pieces_of

DATA = Path(__file__).parents[2] / "shared" / "data"
ROUNDS = 7
GENERATED = ("comfyui", "generators", "compvis")


def main() -> None:
    folders = (
        [Path(sys.argv[1])]
        if len(sys.argv) > 1
        else [DATA / "origin", DATA / "formats", DATA / "photos" / "large"]
    )
    files = {p: p.read_bytes() for folder in folders for p in sorted(folder.rglob("*.*")) if _is_media(p)}
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
