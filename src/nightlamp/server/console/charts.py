"""Charts for the lead, drawn here as SVG: horizontal bars, each beside a table that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 640
_LABEL = 190
_NUMBER = 90
_ROW = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart.

    Args:
        label: at its left.
        parts: lengths, drawn one after the other.
        said: at its right.
    """

    label: str
    parts: Sequence[float]
    said: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle: place and width in the chart's units, and which part it is."""

    x: float
    y: int
    width: float
    part: int


@dataclass(frozen=True, slots=True)
class Line:
    """A row's texts, with where they stand."""

    y: int
    label: str
    said: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    title: str
    width: int
    height: int
    label_x: int
    said_x: int
    pieces: Sequence[Piece]
    lines: Sequence[Line]


def bars(title: str, rows: Sequence[Bar], most: float | None = None) -> Chart:
    """A chart of horizontal bars.

    Args:
        title: for who does not see it.
        rows: from the top.
        most: the length of a full bar; by default the longest row's.
    """
    room = _WIDTH - _LABEL - _NUMBER
    most = most or max((sum(row.parts) for row in rows), default=0.0) or 1.0
    pieces: list[Piece] = []
    lines: list[Line] = []
    for at, row in enumerate(rows):
        x = float(_LABEL)
        for part, length in enumerate(row.parts):
            width = round(room * length / most, 1)
            if width:
                pieces.append(Piece(round(x, 1), at * _ROW + 4, width, part))
            x += width
        label = row.label if len(row.label) <= 28 else row.label[:27] + "…"
        lines.append(Line(at * _ROW + 17, label, row.said))
    return Chart(title, _WIDTH, max(len(rows), 1) * _ROW, _LABEL - 8, _WIDTH - _NUMBER + 6, pieces, lines)
