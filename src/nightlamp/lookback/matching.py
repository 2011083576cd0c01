"""New entries × past items: what is near, as candidates that are not yet looked at one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, select

from nightlamp.banks.live.gathering import Gathering
from nightlamp.banks.live.tables import bank, bank_entry, in_force_by_number
from nightlamp.banks.shelf import AnyIndex, build_index
from nightlamp.index import HammingIndex
from nightlamp.lookback.tables import lookback_digest, lookback_print
from nightlamp.signals import Signal

ROWS = 50_000  # rows of lookback_print that are matched at once: up to some 13 MB of PDQ
# With so many new entries it pays to index the past ones of a batch and ask for the new ones.
SWAP_FROM = 512


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries are new: numbers ``after + 1 … last``, of one bank or all."""

    after: int
    last: int
    bank: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry near an item.

    Args:
        ref: the item's row.
        entry: the entry's number.
        signal: of both.
        view: of a digest; ``""`` for others.
        place: which of the item's values of the signal it was; −1 for a digest.
        distance: between the two.
    """

    ref: int
    entry: int
    signal: str
    view: str
    place: int
    distance: int


def in_force(span: Span) -> ColumnElement[bool]:
    """The entries of ``span`` that match now; to be joined with their banks."""
    e = bank_entry.c
    where = [e.id > span.after, e.id <= span.last, in_force_by_number, bank.c.enabled.is_(True)]
    if span.bank is not None:
        where.append(e.bank + 0 == span.bank)  # by number, as above
    return and_(*where)


def near_digests(
    connection: Connection, span: Span, *, refs: Collection[int] | None = None
) -> list[Candidate]:
    """Past digests that are equal to an entry of ``span``, of all items or of ``refs``."""
    e, d = bank_entry.c, lookback_digest.c
    query = (
        select(d.ref, e.id, d.signal, d.view)
        .select_from(bank_entry)
        .join(bank, bank.c.id == e.bank)
        .join(lookback_digest, and_(d.signal == e.signal, d.value == e.value))
        .where(in_force(span), e.parsed.is_(True))
    )
    if refs is not None:
        query = query.where(d.ref.in_(refs))
    return [
        Candidate(ref, entry, signal, view, -1, 0) for ref, entry, signal, view in connection.execute(query)
    ]


class Prints:
    """The perceptual entries of a span, ready to be compared with past ones."""

    def __init__(self, signals: Mapping[str, Signal], radius: Mapping[str, int]) -> None:
        """Begin with none; ``radius`` by signal, where it differs from the signal's own."""
        self._signals = signals
        self._radius = radius
        self._values: dict[str, np.ndarray] = {}
        self._indexes: dict[str, AnyIndex] = {}
        self._source: np.ndarray | None = None  # an order of bits for the indexes of batches

    @classmethod
    def load(
        cls, connection: Connection, span: Span, signals: Mapping[str, Signal], radius: Mapping[str, int]
    ) -> Prints:
        """The perceptual entries of ``span`` that match now."""
        perceptual = {name: signal for name, signal in signals.items() if signal.index != "exact"}
        chosen = select(bank.c.id).where(bank.c.enabled.is_(True))
        if span.bank is not None:
            chosen = chosen.where(bank.c.id == span.bank)
        prints = cls(signals, radius)
        gathered = Gathering(perceptual)
        gathered.read(
            connection, span.after, span.last, list(connection.scalars(chosen)), only=list(perceptual)
        )
        for name, values, numbers in gathered.indexed():
            prints._values[name] = values
            prints._indexes[name] = build_index(signals[name], values, numbers)
        return prints

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._indexes)

    def near(self, connection: Connection, after_ref: int, last_ref: int) -> list[Candidate]:
        """Past items ``after_ref + 1 … last_ref`` that are near any of the entries."""
        p = lookback_print.c
        found: list[Candidate] = []
        for name in self._indexes:
            query = (
                select(p.ref, p["values"])
                .where(p.ref > after_ref, p.ref <= last_ref, p.signal == name)
                .order_by(p.ref)
                .execution_options(yield_per=ROWS)
            )
            for rows in connection.execute(query).partitions():
                refs, values = zip(*rows, strict=True)
                found += self._compare(name, refs, values)
        return found

    def near_refs(self, connection: Connection, refs: Collection[int]) -> list[Candidate]:
        """As ``near``, of these items."""
        p = lookback_print.c
        found: list[Candidate] = []
        for name in self._indexes:
            rows = connection.execute(
                select(p.ref, p["values"]).where(p.ref.in_(refs), p.signal == name)
            ).all()
            if rows:
                some, values = zip(*rows, strict=True)
                found += self._compare(name, some, values)
        return found

    def _compare(self, name: str, refs: tuple[int, ...], values: tuple[bytes, ...]) -> list[Candidate]:
        size = self._signals[name].size
        counts = np.fromiter(map(len, values), np.int64, len(values)) // size
        past = np.frombuffer(b"".join(values), np.uint8).reshape(-1, size)
        row, number, distance = self._search(name, past)
        # The closest of an item's values counts, the earliest if they are equally close.
        item = np.repeat(np.arange(len(refs)), counts)[row]
        starts = np.cumsum(counts) - counts
        order = np.lexsort((row, distance, number, item))
        item, number, distance, row = item[order], number[order], distance[order], row[order]
        first = np.ones(len(order), bool)
        first[1:] = (item[1:] != item[:-1]) | (number[1:] != number[:-1])
        columns = (item[first], number[first], (row - starts[item])[first], distance[first])
        return [
            Candidate(refs[i], entry, name, "", place, far)
            for i, entry, place, far in zip(*(column.tolist() for column in columns), strict=True)
        ]

    def _search(self, name: str, past: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of ``past``, numbers of entries, and distances of all pairs within the radius."""
        signal, index = self._signals[name], self._indexes[name]
        radius = self._radius.get(name, signal.radius)
        if len(index) >= len(past) or (signal.index == "hamming" and len(index) < SWAP_FROM):
            near = index.search(past, radius)
            return near.query, near.number, near.distance
        if signal.index == "hamming":
            batch: AnyIndex = HammingIndex.build(past, source=self._source)
            assert isinstance(batch, HammingIndex)
            if batch.directory.size:
                self._source = batch.source
        else:
            batch = build_index(signal, past, None)
        near = batch.search(index.values(), radius)
        return near.number, index.numbers[near.query], near.distance
