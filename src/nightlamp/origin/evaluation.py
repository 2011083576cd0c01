"""What a detector or a measurement is worth on an operator's own pictures: how well it tells the made from
the real, how often it is wrong, and how sure that is with so many pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

RATES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of real pictures that may be taken for made, for which a table says what is found."""
_Z = 1.959964
_BINS = 10


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold gives.

    Args:
        allowed: the share of real pictures that may be taken for made.
        threshold: the score from which a picture is taken for made.
        false_alarms, false_alarms_between: the share of the real that is, and its 95 % interval (Wilson).
        found, found_between: the share of the made that is, and its interval.
    """

    allowed: float
    threshold: float
    false_alarms: float
    false_alarms_between: tuple[float, float]
    found: float
    found_between: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bin:
    """Pictures whose scores lie from ``low`` to ``high``.

    Args:
        count: how many.
        score: their mean score; what the detector expects.
        made: the share of them that is made; what is the case.
    """

    low: float
    high: float
    count: int
    score: float
    made: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What scores are worth.

    Args:
        real, made: how many pictures of each had a score.
        auc, auc_between: how often a made picture scores above a real one (ties half), and the 95 % interval
            (Hanley and McNeil 1982).
        points: one for each of ``RATES``.
        error: the expected calibration error, of bins of equal width; None for what are no probabilities.
        bins: the reliability table; empty for what are no probabilities.
        notes: what a reader must know before relying on it.
    """

    real: int
    made: int
    auc: float
    auc_between: tuple[float, float]
    points: tuple[Point, ...]
    error: float | None
    bins: tuple[Bin, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; a threshold above every score is null."""
        plain = asdict(self)
        for point in plain["points"]:
            point["threshold"] = point["threshold"] if math.isfinite(point["threshold"]) else None
        return plain


def evaluate(real: Sequence[float], made: Sequence[float], *, probabilities: bool) -> Evaluation:
    """What these scores are worth; a higher one means "made".

    Args:
        real, made: the scores of pictures that are known to be the one or the other.
        probabilities: they are meant as probabilities, so that their calibration can be judged.

    Raises:
        ValueError: there are no scores of one of the two.
    """
    if not real or not made:
        raise ValueError("scores of real and of made pictures are needed")
    auc = area(real, made)
    notes = []
    if 1 / len(real) > 0.01:
        notes.append(f"{len(real)} real pictures are too few to know a rate of 1 % false alarms")
    if probabilities:
        share = len(made) / (len(real) + len(made))
        notes.append(f"the calibration holds where {share:.0%} of all pictures are made, as here")
    bins = _bins(real, made) if probabilities else ()
    total = len(real) + len(made)
    error = sum(b.count / total * abs(b.score - b.made) for b in bins) if probabilities else None
    points = tuple(_point(real, made, rate) for rate in RATES)
    between = _auc_between(auc, len(real), len(made))
    return Evaluation(len(real), len(made), auc, between, points, error, bins, tuple(notes))


def area(real: Sequence[float], made: Sequence[float]) -> float:
    """The area under the ROC curve."""
    import numpy as np

    ordered = np.sort(np.asarray(real, float))
    below = np.searchsorted(ordered, made, "left") + np.searchsorted(ordered, made, "right")
    return float(below.sum() / (2 * len(real) * len(made)))


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    share, z = hits / of, _Z
    centre = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _auc_between(auc: float, real: int, made: int) -> tuple[float, float]:
    first, second = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    square = auc * auc
    variance = (auc * (1 - auc) + (made - 1) * (first - square) + (real - 1) * (second - square)) / (
        real * made
    )
    spread = _Z * math.sqrt(max(0.0, variance))
    return max(0.0, auc - spread), min(1.0, auc + spread)


def _point(real: Sequence[float], made: Sequence[float], allowed: float) -> Point:
    """The lowest threshold that takes no more than ``allowed`` of the real for made."""
    import numpy as np

    most = math.floor(allowed * len(real) + 1e-9)
    # Above the highest real score that may not be taken for made.
    bound = np.sort(real)[::-1][most] if most < len(real) else -math.inf
    threshold = min((score for score in (*real, *made) if score > bound), default=math.inf)
    alarms, found = (sum(s >= threshold for s in of) for of in (real, made))
    return Point(
        allowed,
        threshold,
        alarms / len(real),
        wilson(alarms, len(real)),
        found / len(made),
        wilson(found, len(made)),
    )


def _bins(real: Sequence[float], made: Sequence[float]) -> tuple[Bin, ...]:
    filled: dict[int, list[tuple[float, bool]]] = {}
    for scores, is_made in ((real, False), (made, True)):
        for score in scores:
            filled.setdefault(min(_BINS - 1, int(score * _BINS)), []).append((score, is_made))
    return tuple(
        Bin(
            number / _BINS,
            (number + 1) / _BINS,
            len(inside),
            sum(score for score, _ in inside) / len(inside),
            sum(is_made for _, is_made in inside) / len(inside),
        )
        for number, inside in sorted(filled.items())
    )
