"""What every kind of bank's lookup shares: which entries an item is near, and by which fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from nightlamp.errors import SignalError
from nightlamp.index import Found
from nightlamp.signals import Signal
from nightlamp.values import Fingerprint

Search = Callable[[np.ndarray, int], Found]
Near = tuple[int, Fingerprint, int, int]  # item, its fingerprint, the entry's number, the distance


def closest(
    items: Sequence[Sequence[Fingerprint]],
    signal: Signal,
    search: Search,
    radius: Mapping[str, int] | None = None,
) -> Iterator[Near]:
    """Every entry within the radius of any of an item's fingerprints, each once, by items and numbers.

    Fingerprints below the signal's ``min_quality`` are not asked for. Of several near one entry the closest
    counts, the earliest if they are equally close.

    Raises:
        SignalError: a fingerprint has not its signal's size.
    """
    asked = [
        (item, f)
        for item, fingerprints in enumerate(items)
        for f in fingerprints
        if f.signal == signal.name and (f.quality is None or f.quality >= signal.min_quality)
    ]
    if not asked:
        return
    if any(len(f.value) != signal.size for _, f in asked):
        raise SignalError(f"a fingerprint is not of {signal.size} bytes", where=f"signal {signal.name!r}")
    queries = np.frombuffer(b"".join(f.value for _, f in asked), np.uint8).reshape(len(asked), signal.size)
    within = signal.radius if radius is None else radius.get(signal.name, signal.radius)
    near = search(queries, 0 if signal.index == "exact" else within)
    if not len(near):
        return
    item_of = np.fromiter((item for item, _ in asked), np.int64, len(asked))[near.query]
    # Queries stand in the order of items and fingerprints, so the first of a run is the closest.
    order = np.lexsort((near.query, near.distance, near.number, item_of))
    item, number = item_of[order], near.number[order]
    first = np.ones(len(order), bool)
    first[1:] = (item[1:] != item[:-1]) | (number[1:] != number[:-1])
    for at in order[first].tolist():
        query = int(near.query[at])
        yield asked[query][0], asked[query][1], int(near.number[at]), int(near.distance[at])
