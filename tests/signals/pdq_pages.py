"""The tables in docs/decisions/pdq-conformance.md, made from the reference's own pictures.

``python -m tests.signals.pdq_pages`` writes them anew; ``test_pdq.py`` compares.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pdqhash
from PIL import Image
from tests.signals.pdq_reference import bits_apart, luma_of

from nightlamp.media import Frame, Limits, decode
from nightlamp.signals.pdq import PDQ, pdq_hash

PAGE = Path(__file__).parents[2] / "docs" / "decisions" / "pdq-conformance.md"

# Printed by the reference program for each file (pdq/cpp/reg_test/expected/out).
DIHEDRAL = {
    "bridge-1-original": "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22",
    "bridge-2-rotate-90": "30a10efdf1c83f429013d48d0ffffc52e34e0e35ada952a9d29605215aa9e5af",
    "bridge-3-rotate-180": "2dad5a64b1a142e7d362a09857da895ae63b8c7fc23794b766b319361fc93188",
    "bridge-4-rotate-270": "a5f0a457248995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b5bfc4f05",
    "bridge-5-flipx": "d8f80f33e0f417b20e37f5cd028f980fb36ed02a9662c1e233e64c634e9c64dd",
    "bridge-6-flipy": "2da9259bb1a1bd1a5362576552da32a5e63b7380c2774b4866b346c91b89ce77",
    "bridge-7-flip-plus-1": "f0a1e10271ccc0bd90530b720fff038de34ef1e8ada9a956d6967ade5ea91a50",
    "bridge-8-flip-minus-1": "2df05aa8a4896a17c14682da5aaaab07b61b5b42f8fc07fc87c3d0741bfcb0fa",
}


def published(data: Path) -> Iterator[tuple[Path, bytes]]:
    """Each picture with the hash that the reference program printed for it."""
    with (data / "pdq" / "expected.csv").open() as file:
        for name, value, *_ in csv.reader(file):
            path = data / "pdq" / name.rpartition("data/")[2]
            if len(value) == 64 and path.is_file():
                yield path, bytes.fromhex(value)
    for name, value in DIHEDRAL.items():
        yield data / "pdq" / "reg-test-input" / "dih" / f"{name}.jpg", bytes.fromhex(value)


def rgb_of(path: Path) -> np.ndarray:
    """As the usual tools see a picture: Pillow's own conversion."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def as_the_program(path: Path) -> np.ndarray:
    """Luma as the reference program makes it: first shrunk to 512 × 512 by nearest neighbour."""
    rgb = rgb_of(path)
    height, width = rgb.shape[:2]
    if max(height, width) <= 512:
        return luma_of(rgb)
    steps = np.arange(512)
    return luma_of(rgb[steps * height // 512][:, steps * width // 512])


def as_a_scan(path: Path) -> bytes:
    """The whole way from the file, in the default mode."""
    frame = next(iter(decode(memoryview(path.read_bytes()), Limits(), "fast").frames))
    assert isinstance(frame, Frame)
    assert PDQ.of_frame is not None
    return PDQ.of_frame(frame)[0].value


def peer(path: Path) -> bytes:
    return np.packbits(pdqhash.compute(rgb_of(path))[0]).tobytes()


def of_published(data: Path) -> str:
    lines = [
        "| picture | published, shrunk as there | published, full resolution | `pdqhash`, from the file |",
        "|---|---|---|---|",
    ]
    for path, value in published(data):
        bits = (
            bits_apart(pdq_hash(as_the_program(path))[0], value),
            bits_apart(pdq_hash(luma_of(rgb_of(path)))[0], value),
            bits_apart(as_a_scan(path), peer(path)),
        )
        lines.append(f"| `{path.parent.name}/{path.name}` | {' | '.join(map(str, bits))} |")
    return "\n".join(lines)


def of_modes(data: Path) -> str:
    folder = data / "pdq" / "misc-images" / "modes"
    original = peer(folder / "original.jpg")
    lines = ["| copy | ours, from the file | `pdqhash`, by Pillow's `convert` |", "|---|---|---|"]
    for path in sorted(folder.glob("*.*")):
        if path.suffix != ".md":
            ours, theirs = bits_apart(as_a_scan(path), original), bits_apart(peer(path), original)
            lines.append(f"| `{path.name}` | {ours} | {theirs} |")
    return "\n".join(lines)


TABLES = {"published": of_published, "modes": of_modes}


def on_the_page(name: str) -> str:
    """The table of that name as the page has it."""
    _, _, rest = PAGE.read_text("utf-8").partition(f"<!-- {name} -->\n")
    return rest.partition("<!-- end -->")[0]


def write(data: Path) -> None:
    for name, table in TABLES.items():
        before, mark, rest = PAGE.read_text("utf-8").partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        PAGE.write_text(f"{before}{mark}{table(data)}\n{end}{after}", "utf-8")


if __name__ == "__main__":
    write(Path(os.environ["NIGHTLAMP_TEST_DATA"]))
