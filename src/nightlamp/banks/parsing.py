"""Texts of a piece → canonical values, whole columns at a time; a row that fails is a bad row of its own."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightlamp.banks.rows import BadRow, Cells, Piece
from nightlamp.signals import Signal

Bytes2D = NDArray[np.uint8]
MOST_UNKNOWN = 64  # names of signals that are not installed, in one list; more is a column misread


@dataclass(frozen=True, slots=True, repr=False)
class Batch:
    """Entries of one signal, as columns of equal length.

    Args:
        signal: its name.
        rows: (n,) int64 row numbers.
        values: (n, size) uint8, or ``None`` if the signal is not installed.
        texts: the list's own texts, only if it is not.
        ids, categories, qualities: or ``None`` if the list has none; id ``""`` stands for ``"row N"``.
    """

    signal: str
    rows: NDArray[np.int64]
    values: Bytes2D | None
    texts: list[str] | None = None
    ids: list[str] | None = None
    categories: list[str] | None = None
    qualities: list[int | None] | None = None

    def __len__(self) -> int:
        """Entries."""
        return len(self.rows)


@dataclass(slots=True, repr=False)
class Parsed:
    """A piece of a list, parsed."""

    read: int
    batches: list[Batch]
    bad: list[BadRow]
    ignored: Counter[str]


def parse(piece: Piece, signals: Mapping[str, Signal], unknown: set[str]) -> Parsed:
    """Parse a piece; ``unknown`` collects names of signals that are not installed, over a whole list."""
    batches: list[Batch] = []
    bad = list(piece.bad)
    for name, cells in piece.cells.items():
        signal = signals.get(name)
        if signal is not None:
            batch, failed = _known(signal, cells)
            bad.extend(failed)
            if len(batch):
                batches.append(batch)
        elif name in unknown or len(unknown) < MOST_UNKNOWN:
            unknown.add(name)
            rows = np.asarray(cells.rows, np.int64)
            batches.append(Batch(name, rows, None, cells.texts, cells.ids, cells.categories, cells.qualities))
        else:
            bad.extend(BadRow(row, "one signal too many that is not installed") for row in cells.rows)
    bad.sort(key=lambda b: b.row)
    return Parsed(piece.read, batches, bad, piece.ignored)


def _known(signal: Signal, cells: Cells) -> tuple[Batch, list[BadRow]]:
    rows = np.asarray(cells.rows, np.int64)
    values = _all_hex(signal, cells.texts)
    if values is not None:
        return Batch(signal.name, rows, values, None, cells.ids, cells.categories, cells.qualities), []
    good: list[int] = []
    found: list[bytes] = []
    bad: list[BadRow] = []
    for at, text in enumerate(cells.texts):
        try:
            value = parse_text(signal, text)
        except ValueError as why:
            bad.append(BadRow(int(rows[at]), f"{signal.name}: {why}"))
        else:
            good.append(at)
            found.append(value)
    values = np.frombuffer(b"".join(found), np.uint8).reshape(len(found), signal.size)

    def kept(column: Sequence[object] | None) -> list[object] | None:
        return None if column is None else [column[at] for at in good]

    ids, categories, qualities = kept(cells.ids), kept(cells.categories), kept(cells.qualities)
    return Batch(signal.name, rows[good], values, None, ids, categories, qualities), bad  # type: ignore[arg-type]


def _all_hex(signal: Signal, texts: list[str]) -> Bytes2D | None:
    """All at once, for signals whose canonical text is hexadecimal; ``None`` if any text is anything else."""
    if signal.text is not bytes.hex or not texts or set(map(len, texts)) != {2 * signal.size}:
        return None
    try:
        joined = bytes.fromhex("".join(texts))
    except ValueError:
        return None
    # ``fromhex`` passes over blanks: fewer bytes than expected means that there were some.
    if len(joined) != len(texts) * signal.size or signal.parse(texts[0]) != joined[: signal.size]:
        return None
    return np.frombuffer(joined, np.uint8).reshape(len(texts), signal.size)


def parse_text(signal: Signal, text: str) -> bytes:
    """One value, as the signal's parser reads it; a 256-bit perceptual hash also in base64 (44 characters).

    Raises:
        ValueError: why not; never quotes the text.
    """
    if signal.index == "hamming" and signal.size == 32 and len(text) == 44 and text.endswith("="):
        try:
            value = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise ValueError("not base64") from None
    else:
        value = _guarded(signal, text)
    if len(value) != signal.size:
        raise ValueError(f"{len(value)} bytes instead of {signal.size}")
    return value


def _guarded(signal: Signal, text: str) -> bytes:
    try:
        return signal.parse(text)
    except ValueError as why:
        # A plug-in's reason may quote the text after all.
        reason = str(why)
        raise ValueError("cannot be parsed" if text and text[:16] in reason else reason) from None
    except Exception as error:  # noqa: BLE001 - a plug-in's parser may do anything
        raise ValueError(f"cannot be parsed ({type(error).__name__})") from None
