"""The tables in docs/origin.md, made from files: ``python -m tests.origin.pages`` writes them anew; with
``--slow`` also those that are measured on all photographs, which takes minutes."""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from tests.origin import files
from tests.origin.marks import colourful, embedded

from nightlamp.media import Limits
from nightlamp.origin import TrustList, forensics, origin_of, watermark
from nightlamp.origin.detector import first_frame
from nightlamp.origin.forensics import MEASURES
from nightlamp.origin.watermark import MARKS
from nightlamp.values import Assessment

PAGE = Path(__file__).parents[2] / "docs" / "origin.md"


def samples(data: Path) -> str:
    """What each sample says, statement by statement."""
    lines = ["| file | outcome | where | says | strength | text |", "|---|---|---|---|---|---|"]
    for path in sample_files(data):
        found = origin_of(path.read_bytes())
        name = f"`{path.relative_to(data).as_posix().removeprefix('origin/')}`"
        first = f"| {name} | {found.outcome} "
        if not found.statements:
            lines.append(first + "| | | | nothing |")
        for said in found.statements:
            strength = said.strength.name.lower()
            lines.append(first + f"| {said.source} | {said.says} | {strength} | {said.text} |")
            first = "| | "
        lines += [f"| | | {u.what} | *not checked* | | {u.why} |" for u in found.unchecked]
    return "\n".join(lines)


def sample_files(data: Path) -> Iterator[Path]:
    for folder in ("origin", "formats"):
        for path in sorted((data / folder).rglob("*.*")):
            if path.is_file() and not path.name.startswith("LICENSE"):
                yield path


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).copy()


def stripped(data: bytes) -> bytes:
    """Without any metadata, the pixels as they are: chunks and segments left out."""
    if data[:2] == b"\xff\xd8":
        kept, at = bytearray(data[:2]), 2
        while data[at + 1] != 0xDA:
            size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if data[at + 1] not in range(0xE1, 0xEE) and data[at + 1] != 0xFE:
                kept += data[at : at + size]
            at += size
        return bytes(kept + data[at:])
    kept, at = bytearray(data[:8]), 8
    while at < len(data):
        size = 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            kept += data[at : at + size]
        at += size
    return bytes(kept)


def again(data: bytes) -> bytes:
    """Opened and saved in the same format with Pillow, nothing passed on."""
    picture = Image.open(io.BytesIO(data))
    clean = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    return files.saved(clean, str(picture.format))


def with_exif(data: bytes) -> bytes:
    """The same with EXIF and XMP carried over, as many services do, as JPEG."""
    picture = Image.open(io.BytesIO(data))
    packet = picture.info.get("xmp", b"")
    return files.jpeg(
        picture.info.get("exif", b""), picture.convert("RGB"), **({"xmp": packet} if packet else {})
    )


def retouched(data: bytes) -> bytes:
    """Pixels changed and saved in the same format, with every block of metadata put back as it was."""
    picture = pixels(data)
    picture.paste((200, 30, 30), (0, 0, 50, 40))
    fresh = stripped(files.saved(picture, "JPEG" if data[:2] == b"\xff\xd8" else "PNG"))
    if data[:2] == b"\xff\xd8":
        kept, at = b"", 2
        while data[at + 1] != 0xDA:
            size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            kept += data[at : at + size] if data[at + 1] in range(0xE1, 0xEE) else b""
            at += size
        return fresh[:2] + kept + fresh[2:]
    kept, at = b"", 8
    while at < len(data):
        size = 12 + int.from_bytes(data[at : at + 4], "big")
        kept += data[at : at + size] if data[at + 4 : at + 8] not in (b"IHDR", b"IDAT", b"IEND") else b""
        at += size
    return fresh[:33] + kept + fresh[33:]


def screenshot(data: bytes) -> bytes:
    """Its pixels on a larger canvas, as PNG."""
    picture = pixels(data).convert("RGB")
    screen = Image.new("RGB", (picture.width + 80, picture.height + 60), "white")
    screen.paste(picture, (40, 30))
    return files.png(picture=screen)


def cropped(data: bytes) -> bytes:
    """Twelve pixels off each side, saved in the same format."""
    picture = Image.open(io.BytesIO(data))
    clean = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    width, height = clean.size
    return files.saved(clean.crop((12, 12, width - 12, height - 12)), str(picture.format))


WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "metadata stripped": stripped,
    "saved again": again,
    "retouched, metadata kept": retouched,
    "as JPEG with EXIF and XMP": with_exif,
    "as JPEG": lambda data: files.jpeg(picture=pixels(data).convert("RGB")),
    "screenshot": screenshot,
    "cropped": cropped,
}


def evidence() -> Mapping[str, bytes]:
    comment = files.camera(comment=files.A1111)
    del comment[271], comment[272]
    made = "Iptc4xmpExt:DigitalSourceType"
    uri = files.IPTC + "trainedAlgorithmicMedia"
    import json

    return {
        "A1111 in PNG text": files.png({"parameters": files.A1111}),
        "A1111 in EXIF": files.jpeg(comment),
        "ComfyUI graph in PNG text": files.png({"prompt": json.dumps(files.COMFY)}),
        "A1111 hidden in alpha": files.saved(files.hidden(files.A1111, alpha=True, packed=True), "PNG"),
        "A1111 hidden in colour": files.saved(files.hidden(files.A1111, alpha=False, packed=True), "PNG"),
        "IPTC digital source type in XMP": files.with_xmp(files.xmp("", f'{made}="{uri}"')),
        "C2PA, made by AI": files.signed(files.created("trainedAlgorithmicMedia")),
        "C2PA, captured by a camera": files.signed(files.created("digitalCapture")),
        "EXIF, a camera": files.jpeg(files.camera()),
        **{
            f"watermark of {name}": files.png(picture=embedded(colourful(), MARKS[key], as_float=as_float))
            for name, key, as_float in marks()
        },
    }


def marks() -> Iterator[tuple[str, str, bool]]:
    """(short name, name of the mark, embedded in floats) of those in the tables."""
    yield "SDXL", "Stable Diffusion XL (diffusers, Stability AI)", True
    yield "Stable Diffusion 1", "Stable Diffusion 1 (scripts of its makers)", False


def left(found: Assessment, before: Assessment) -> str:
    """What is left of the evidence, in a word."""
    if found.outcome == "inconsistent":
        return "broken"
    kinds = {(s.source, s.says) for s in before.statements if s.source != "forensics"}
    kept = {(s.source, s.says) for s in found.statements}
    if kinds <= kept and found.outcome == before.outcome:
        return "kept"
    return "lost" if not kinds & kept else "in part"


def survival() -> str:
    """What is left of each kind of evidence after what people do to files."""
    trust = TrustList(files.authority()[2])
    ways = list(WAYS)
    lines = ["| evidence | " + " | ".join(ways) + " |", "|---" * (1 + len(ways)) + "|"]
    for name, data in evidence().items():
        look = name.startswith("watermark")
        before = origin_of(data, trust=trust, forensics=look)
        assert not look or before.outcome == "declared AI-made"
        cells = [left(origin_of(WAYS[way](data), trust=trust, forensics=look), before) for way in ways]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


SETS: Mapping[str, str] = {
    "photos, 348 px": "photos/grocery/*.jpg",
    "wallpapers": "photos/large/*.jpg",
    "PDQ's pictures": "pdq/**/*.jpg",
    "generators' samples": "origin/com*/*.png",
}


def rates(data: Path) -> str:
    """How often each weak signal hints at something in pictures that are what they are, and in copies that
    were made so that it should."""
    lines = [
        "| signal | hints at | " + " | ".join(SETS) + " | copies made so |",
        "|---" * (3 + len(SETS)) + "|",
    ]
    columns = [
        Counter(name for path in sorted(data.glob(g)) for name in hints(path.read_bytes()))
        for g in SETS.values()
    ]
    made = {
        "double compression": lambda p: again_at(again_at(p, 75), 90),
        "resampling": lambda p: files.png(picture=p.resize((p.width * 3 // 2, p.height * 3 // 2))),
        "watermark": lambda p: files.png(picture=embedded(p, MARKS[next(marks())[1]], as_float=True)),
    }
    originals = list(halved(data))
    for name, says in {**{n: m.says for n, m in MEASURES.items()}, "watermark": "ai-made"}.items():
        cells = [f"{column[name, True]} of {column[name, True] + column[name, False]}" for column in columns]
        copies = "–"
        if name in made:
            found = sum((name, True) in hints(made[name](picture)) for picture in originals)
            copies = f"{found} of {len(originals)}"
        lines.append(f"| {name} | `{says}` | " + " | ".join(cells) + f" | {copies} |")
    return "\n".join(lines)


def halved(data: Path) -> Iterator[Image.Image]:
    """Some of the photographs, made smaller, so that little is left of their own compression."""
    for path in sorted((data / "photos" / "large").glob("*.jpg")):
        with Image.open(path) as picture:
            yield picture.convert("RGB").resize(
                (picture.width // 2, picture.height // 2), Image.Resampling.BOX
            )


def again_at(picture: Image.Image | bytes, quality: int) -> bytes:
    opened = picture if isinstance(picture, Image.Image) else Image.open(io.BytesIO(picture))
    return files.saved(opened, "JPEG", quality=quality)


def hints(data: bytes) -> Iterator[tuple[str, bool]]:
    """(signal, whether it hints) of each that could be measured."""
    view = memoryview(data)
    frame = first_frame(view, Limits())
    for name, value in forensics.scores(frame, forensics.quantisation(view)).items():
        yield name, MEASURES[name].hints(value)
    found = watermark.strongest(np.asarray(frame.picture()))
    if found is not None:
        yield "watermark", found.chance <= watermark.CHANCE


CHANGES: Mapping[str, Callable[[Image.Image], bytes]] = {
    "PNG": lambda p: files.png(picture=p),
    "JPEG 98, full colour": lambda p: files.saved(p, "JPEG", quality=98, subsampling=0),
    "JPEG 95": lambda p: again_at(p, 95),
    "JPEG 90": lambda p: again_at(p, 90),
    "JPEG 75": lambda p: again_at(p, 75),
    "scaled to 90 %": lambda p: files.png(picture=p.resize((p.width * 9 // 10, p.height * 9 // 10))),
    "64 rows cut off below": lambda p: files.png(picture=p.crop((0, 0, p.width, p.height - 64))),
    "64 columns cut off at the right": lambda p: files.png(picture=p.crop((0, 0, p.width - 64, p.height))),
    "4 columns cut off at the left": lambda p: files.png(picture=p.crop((4, 0, p.width, p.height))),
}


def fragile(data: Path) -> str:
    """In how many photographs a watermark is still found after each change; in brackets, without doubt."""
    originals = list(halved(data))
    lines = [
        f"| of {len(originals)} photographs | " + " | ".join(n for n, _, _ in marks()) + " |",
        "|---|---|---|",
    ]
    for change, make in CHANGES.items():
        cells = []
        for _, key, as_float in marks():
            found = [
                watermark.strongest(
                    np.asarray(pixels(make(embedded(p, MARKS[key], as_float=as_float))).convert("RGB"))
                )
                for p in originals
            ]
            chances = [f.chance for f in found if f is not None and f.name == key]
            told, certain = (
                sum(c <= most for c in chances) for most in (watermark.CHANCE, watermark.CERTAIN)
            )
            cells.append(f"{told} ({certain})")
        lines.append(f"| {change} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def replaced(page: str, name: str, table: str) -> str:
    """The page with the table between its two marks."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: found[1] + table + "\n" + found[2], page, flags=re.DOTALL)


if __name__ == "__main__":
    from tests.conftest import SHARED_DATA

    text = PAGE.read_text("utf-8")
    text = replaced(text, "samples", samples(SHARED_DATA))
    if "--slow" in sys.argv:
        text = replaced(text, "rates", rates(SHARED_DATA))
        text = replaced(text, "fragile", fragile(SHARED_DATA))
    PAGE.write_text(replaced(text, "survival", survival()), "utf-8")
