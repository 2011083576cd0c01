"""Which frames of a video are examined, and how they are reached: decided before anything is decoded.

Numbers of frames are in the order in which they are shown, from 0. Pure arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EVERY = 1.0
"""Seconds between two sampled frames, as long as there may be so many."""
SHORTEST = 0.004
"""Seconds that a frame counts at least: a file whose frames all claim one time is sampled by their number."""
SPARSE = 10.0
"""If more seconds than this lie between two examined frames, it is said."""


@dataclass(frozen=True, slots=True)
class Run:
    """Frames that are decoded one after the other.

    Args:
        packet: the number of the packet with which it begins.
        frame: the number of the frame in it.
        stops: the numbers of the frames that are wanted, ascending.
    """

    packet: int
    frame: int
    stops: Sequence[int]


def ticks(seconds: np.ndarray, most: int) -> list[int]:
    """The frames to examine: ``EVERY`` second, or ``most`` evenly spread, the first and the last among them.

    Args:
        seconds: (n,) when each frame is shown, ascending; at least one.
        most: how many frames at most.
    """
    lasted = _lasted(seconds)
    wanted = min(len(seconds), most, int(np.ceil(lasted[-1] / EVERY)) + 1)
    if wanted == 1:
        return [0]
    places = np.searchsorted(lasted, np.linspace(0.0, lasted[-1], wanted) - 1e-6)
    return sorted({*places[:-1].tolist(), len(seconds) - 1})


def plan(wanted: Sequence[int], keys: Sequence[tuple[int, int]], most: int) -> list[Run]:
    """How to reach the wanted frames while decoding ``most`` frames at most.

    If that is not enough for all, each has an equal share, and what one does not need is left to those after
    it; instead of one that lies too far from where decoding can begin, the frame is taken that is reached.

    Args:
        wanted: numbers of frames, ascending; at least one.
        keys: (frame, packet) with which decoding can begin, ascending; the first frame is among them.
        most: how many frames may be decoded; no fewer than are wanted.
    """
    exact = _reach(wanted, keys, most, 0)
    if [stop for run in exact for stop in run.stops] == list(wanted):
        return exact
    return _reach(wanted, keys, 0, max(most // len(wanted), 1))


def _reach(wanted: Sequence[int], keys: Sequence[tuple[int, int]], left: int, share: int) -> list[Run]:
    """The runs that decode ``left`` frames and a ``share`` more for each that is wanted."""
    runs: list[Run] = []
    stops: list[int] = []
    at, key = -1, 0
    for number in wanted:
        left += share
        while key + 1 < len(keys) and keys[key + 1][0] <= number:
            key += 1
        frame, packet = keys[key]
        if not runs or frame > at + 1:
            at, stops = frame - 1, []
            runs.append(Run(packet, frame, stops))
        reached = min(number, at + left)
        if reached > at:
            stops.append(reached)
            left -= reached - at
            at = reached
    return [run for run in runs if run.stops]


def longest_gap(seconds: np.ndarray, examined: Sequence[int]) -> float:
    """The most seconds of the whole between two examined frames; a frame shown longer counts as ``EVERY``."""
    lasted = _lasted(seconds)
    return float(np.diff(lasted[[0, *examined, len(lasted) - 1]]).max())


def _lasted(seconds: np.ndarray) -> np.ndarray:
    """When each frame is shown if none lasts longer than ``EVERY`` or less than ``SHORTEST``.

    So a still, or a gap that a file only claims, takes no samples from what moves.
    """
    lasted: np.ndarray = np.concatenate(([0.0], np.cumsum(np.clip(np.diff(seconds), SHORTEST, EVERY))))
    return lasted
