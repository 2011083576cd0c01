"""One hash a line: bare, ``<signal> <hash>`` or ``<signal>:<hash>``; ``#`` begins a comment line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from nightlamp.banks import text
from nightlamp.banks.layout import bare_signal
from nightlamp.banks.names import known_signal, signal_name
from nightlamp.banks.options import ListOptions
from nightlamp.banks.rows import BadRow, Cells, Piece

_PREFIX = re.compile(r"([A-Za-z][\w.+-]{0,39})(?:\s*:\s*|\s+)(\S+)")


def read_plain(path: Path, options: ListOptions, signals: Collection[str]) -> Iterator[Piece]:
    """Pieces of the list.

    Raises:
        ListError: bare hashes of a length that fits several signals, and no ``options.signal``.
    """
    for first, lines in text.lines(path):
        piece = Piece()
        if not _all_alike(piece, first, lines, path, options):
            for row, line in enumerate(lines, first):
                _one(piece, row, line, path, options, signals)
        yield piece


def _all_alike(piece: Piece, first: int, lines: list[bytes | None], path: Path, options: ListOptions) -> bool:
    """The fast way: a batch of nothing but bare hashes of one length."""
    if None in lines:
        return False
    batch: list[bytes] = lines  # type: ignore[assignment]
    sizes = set(map(len, batch))
    if len(sizes) != 1 or sizes == {0} or not b"".join(batch).isalnum():
        return False
    texts = b"\n".join(batch).decode("ascii").split("\n")
    try:
        signal = bare_signal(texts[0], options, path)
    except ValueError:
        return False
    piece.read = len(texts)
    piece.cells[signal] = Cells(range(first, first + len(texts)), texts)
    return True


def _one(
    piece: Piece,
    row: int,
    raw: bytes | None,
    path: Path,
    options: ListOptions,
    signals: Collection[str],
) -> None:
    try:
        line = text.decoded(raw).strip()
        if not line or line.startswith("#"):
            return
        signal, value = _split(line, signals) or (bare_signal(line, options, path), line)
        piece.add(row, signal, value)
    except ValueError as why:
        piece.bad.append(BadRow(row, str(why)))
    piece.read += 1


def _split(line: str, signals: Collection[str]) -> tuple[str, str] | None:
    """Signal and value of a line that names its signal; an unknown name must stand before a blank."""
    found = _PREFIX.fullmatch(line)
    if found is None:
        return None
    name = known_signal(found[1], signals)
    if name is None and line[len(found[1])] in " \t":
        name = signal_name(found[1], signals)
    return None if name is None else (name, found[2])
