"""The tables in docs/origin.md, made from files: ``python -m tests.origin.pages`` writes them anew."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from PIL import Image
from tests.origin import files

from nightlamp.origin import TrustList, origin_of
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
    }


def left(found: Assessment, before: Assessment) -> str:
    """What is left of the evidence, in a word."""
    if found.outcome == "inconsistent":
        return "broken"
    kinds = {(s.source, s.says) for s in before.statements}
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
        before = origin_of(data, trust=trust)
        cells = [left(origin_of(WAYS[way](data), trust=trust), before) for way in ways]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def replaced(page: str, name: str, table: str) -> str:
    """The page with the table between its two marks."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: found[1] + table + "\n" + found[2], page, flags=re.DOTALL)


if __name__ == "__main__":
    from tests.conftest import SHARED_DATA

    text = PAGE.read_text("utf-8")
    text = replaced(text, "samples", samples(SHARED_DATA))
    PAGE.write_text(replaced(text, "survival", survival()), "utf-8")
