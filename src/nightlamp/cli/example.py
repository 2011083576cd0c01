"""A folder of drawn pictures and a hash list of some: what ``nightlamp demo`` and ``examples/`` show."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nightlamp.cli.pictures import altered, jpeg, landscape

_KNOWN_SEEDS = (1, 2, 3, 4)
_FIXED_TIME = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of the example, and what a scan must say of it.

    Args:
        name: of the file, or ``archive!/member``.
        told: what it is, for people.
        action: the verdict.
        signals: those that must match; none means that nothing may.
        unchecked: what must be said not to be checked.
    """

    name: str
    told: str
    action: str
    signals: frozenset[str] = frozenset()
    unchecked: frozenset[str] = frozenset()


_PDQ, _BOTH = frozenset({"pdq"}), frozenset({"pdq", "sha256"})
PIECES = (
    Piece("album.zip!/brighter.jpg", "a brighter copy of known picture 4, in an archive", "block", _PDQ),
    Piece("album.zip!/new.jpg", "a picture that nobody has listed, in an archive", "allow"),
    Piece("album.zip", "the archive itself", "allow"),
    Piece(
        "damaged.jpg", "known picture 1 with its data torn off: no picture is left", "review", unchecked=_PDQ
    ),
    Piece("exact.jpg", "known picture 1, byte for byte", "block", _BOTH),
    Piece("featureless.png", "one colour all over: PDQ has nothing to hold on to", "review", unchecked=_PDQ),
    Piece("mirrored.jpg", "known picture 2, mirrored and recompressed", "block", _PDQ),
    Piece("new.jpg", "a picture that nobody has listed", "allow"),
    Piece("notes.txt", "not a picture at all", "allow"),
    Piece("resized.jpg", "known picture 3 at two thirds of its size, recompressed", "block", _PDQ),
    Piece("turned.jpg", "known picture 4, turned by 90 degrees", "block", _PDQ),
)


def make_example(folder: Path) -> None:
    """Draw ``folder/pictures/`` and write ``folder/known.csv``; both are harmless.

    Raises:
        OSError: they cannot be written.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, content in _files():
        (pictures / name).write_bytes(content)
    (folder / "known.csv").write_text(_known_list())


def _files() -> Iterator[tuple[str, bytes]]:
    from PIL import Image

    first, second, third, fourth = (landscape(seed, 400, 300) for seed in _KNOWN_SEEDS)
    plain = io.BytesIO()
    Image.new("RGB", (320, 240), (120, 160, 220)).save(plain, "PNG")
    yield "exact.jpg", jpeg(first)
    yield "damaged.jpg", jpeg(first)[:400]
    yield "mirrored.jpg", altered(second, "mirrored")
    yield "resized.jpg", altered(third, "resized")
    yield "turned.jpg", altered(fourth, "turned")
    yield "featureless.png", plain.getvalue()
    yield "new.jpg", jpeg(landscape(11, 400, 300))
    yield "notes.txt", b"Pictures drawn by nightlamp: houses, hills and trees that do not exist.\n"
    yield (
        "album.zip",
        _zip({"brighter.jpg": altered(fourth, "brighter"), "new.jpg": jpeg(landscape(12, 400, 300))}),
    )


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _FIXED_TIME), content)
    return out.getvalue()


def _known_list() -> str:
    """The four known pictures as a hash list, as an exchange might send it."""
    from nightlamp import hash_bytes

    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(["id", "category", "pdq", "sha256"])
    for seed in _KNOWN_SEEDS:
        values = {
            f.signal: f.value.hex()
            for f in hash_bytes(jpeg(landscape(seed, 400, 300)), "full").fingerprints
            if f.view == "as is"
        }
        write([f"example-{seed}", "example", values["pdq"], values["sha256"]])
    return out.getvalue()
