"""Items that wait for review become cases: what is nearly the same becomes one.

Whoever opens cases holds the one row of ``case_opener``, so two nodes never open two cases for one thing.
Rows of ``for_review`` go away in the very transaction that puts their items into cases: wherever a process
dies, each item is in one case or still waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from nightlamp import audit
from nightlamp.cases.arriving import Arrival, arrivals
from nightlamp.cases.decision import ORIGINS, Case
from nightlamp.cases.prints import Prints
from nightlamp.cases.records import case_of, change_case, count_items, lock_case, rank
from nightlamp.cases.reopening import OnReopened, open_again
from nightlamp.cases.tables import (
    case_item,
    case_key,
    case_neighbour,
    case_opener,
    case_print,
    decision,
    review_case,
)
from nightlamp.cases.terms import UNHURRIED, Terms
from nightlamp.intake.tables import for_review
from nightlamp.store import Clock, Writer, new_id, utc_now

AT_ONCE = 25  # the writer of the node does nothing else meanwhile
MOST_ITEMS = 5_000  # of one case; what comes then is a new one
_NEIGHBOURS = 10
_LOOKED_AT = 200  # similar items at once
_C = review_case.c


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An item in a case, with the verdict whose rule confirms it by itself."""

    item: str
    verdict: str
    at: datetime


OnConfirmed = Callable[[Connection, Sequence[Confirmed]], None]


class Opener:
    """Makes cases of what waits for review, on as many nodes as there are.

    Args:
        engine: to read from.
        writer: commits.
        terms: how to group.
        confirmed: told of what the policy confirms by itself, in the transaction that puts it into cases.
        reopened: told of the decision that does not stand any more, in the transaction that opens its case
            again.
        clock: for the records.
    """

    def __init__(
        self,
        engine: Engine,
        writer: Writer,
        terms: Terms | None = None,
        *,
        confirmed: OnConfirmed | None = None,
        reopened: OnReopened | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._terms = terms or Terms()
        self._confirmed = confirmed
        self._reopened = reopened
        self._clock = clock
        self._prints = Prints()

    def run_once(self) -> int:
        """Put up to ``AT_ONCE`` items into cases; how many it were."""
        self._prints.load(self._engine)
        return self._writer.write(self._work)

    def _work(self, connection: Connection) -> int:
        if connection.scalar(select(case_opener.c.id).with_for_update(skip_locked=True)) is None:
            return 0  # another node is at it
        self._prints.rewind()
        waiting = arrivals(connection, AT_ONCE, self._terms)
        opening = _Opening(connection, self._prints, self._terms, self._clock(), self._reopened)
        for number, arrival in waiting:
            opening.place(arrival)
            connection.execute(delete(for_review).where(for_review.c.id == number))
        opening.finish()
        sure = [Confirmed(each.item, each.verdict, each.at) for _, each in waiting if each.confirms]
        if sure and self._confirmed is not None:
            self._confirmed(connection, sure)
        return len(waiting)


class _Opening:
    """One transaction."""

    def __init__(
        self,
        connection: Connection,
        prints: Prints,
        terms: Terms,
        now: datetime,
        reopened: OnReopened | None,
    ) -> None:
        self._connection = connection
        self._prints = prints
        self._terms = terms
        self._now = now
        self._reopened = reopened
        self._touched: dict[str, None] = {}
        self._drafts: list[audit.Draft] = []

    def place(self, new: Arrival) -> None:
        """Put an item into its case."""
        known = select(case_item.c.case).where(case_item.c.item == new.item)
        if (there := self._connection.scalar(known)) is not None:
            self._again(lock_case(self._connection, there), new)
            return
        decided: dict[str, tuple[Case, str, int | None]] = {}
        for case, how, distance in self._candidates(new):
            # Only what may take it is locked, and then looked at again: somebody may just have answered.
            if _takes(case, how) and _takes(locked := lock_case(self._connection, case.id), how):
                self._join(locked, new, how, distance)
                return
            if case.state == "decided" and how not in ("entry", "burst"):
                decided.setdefault(case.id, (case, how, distance))
        self._open(new, list(decided.values())[:_NEIGHBOURS])

    def finish(self) -> None:
        """Count, and write the audit records, last: they lock the log."""
        count_items(self._connection, list(self._touched))
        audit.append_all(self._connection, self._drafts)

    def _candidates(self, new: Arrival) -> Iterator[tuple[Case, str, int | None]]:
        """Cases that it may belong to, the surest first."""
        p = case_print.c
        if (content := new.content) is not None:
            same = select(p.item).where(p.signal == content[0], p.value == content[1])
            items = self._connection.scalars(same.order_by(p.id.desc()).limit(_LOOKED_AT)).all()
            for case in self._cases_of(items).values():
                yield case, "exact", None
        while self._prints.follow(self._connection):
            pass
        if frames := new.frames:
            how = "near" if len(frames) == 1 else "video"
            similar = self._prints.similar(frames, self._terms.radius)
            for first in range(0, len(similar), _LOOKED_AT):
                some = {each.item: each.distance for each in similar[first : first + _LOOKED_AT]}
                cases = self._cases_of(list(some))
                yield from ((cases[item], how, distance) for item, distance in some.items() if item in cases)
        for kind, value in new.keys(self._terms.burst):
            if (case_ := self._case_of_key(kind, value, new.at)) is not None:
                yield case_, kind, None

    def _cases_of(self, items: Sequence[str]) -> dict[str, Case]:
        """The case of each item; one object for each case, in the order of ``items``."""
        pairs = select(case_item.c.item, case_item.c.case).where(case_item.c.item.in_(items))
        of = {row.item: row.case for row in self._connection.execute(pairs)}
        cases = select(review_case).where(_C.id.in_(set(of.values())))
        found = {row.id: case_of(row) for row in self._connection.execute(cases)}
        return {item: found[of[item]] for item in items if item in of}

    def _case_of_key(self, kind: str, value: bytes, at: datetime) -> Case | None:
        query = select(review_case).join(case_key, case_key.c.case == _C.id)
        query = query.where(case_key.c.kind == kind, case_key.c.value == value)
        if kind == "burst":
            query = query.where(case_key.c.at >= at - self._terms.burst)
        row = self._connection.execute(query).one_or_none()
        return case_of(row) if row is not None else None

    def _open(self, new: Arrival, decided: Sequence[tuple[Case, str, int | None]]) -> None:
        due = self._terms.due_at(new.at, new.priority, new.jurisdiction)
        exact = [case for case, how, _ in decided if how == "exact"]
        earlier = max(exact, key=lambda case: (case.decided_at, case.id), default=None)
        values = {
            "id": new_id(),
            "queue": new.queue,
            "priority": rank(new.priority),
            "two_person": new.two_person,
            "known": new.known,
            "listed": new.listed,
            "origin": new.origin,
            "state": "open",
            "round": 1,
            "rule": new.rule,
            "opened_at": new.at,
            "due_at": due,
            "order_at": due or new.at + UNHURRIED,
            "grown_at": self._now,
            "items": 1,
            "actors": 1,
            "places": 1,
            "version": 1,
            "changed": "",
            "earlier": earlier.id if earlier else None,
        }
        self._connection.execute(insert(review_case).values(values))
        rows = [
            {"case": values["id"], "other": case.id, "how": how, "distance": distance}
            for case, how, distance in decided
        ]
        if rows:
            self._connection.execute(insert(case_neighbour), rows)
        self._add(str(values["id"]), new, "first", None)
        self._note("cases.opened", str(values["id"]), item=new.item, queue=new.queue, priority=new.priority)

    def _join(self, case: Case, new: Arrival, how: str, distance: int | None) -> None:
        values = self._merged(case, new)
        # The very same content changes nothing about what a person looks at.
        if how != "exact" or values:
            values |= {"version": case.version + 1, "changed": "items were added"}
        self._update(case, grown_at=self._now, **values)
        self._add(case.id, new, how, distance)
        self._note("cases.joined", case.id, item=new.item, how=how, distance=distance)

    def _again(self, case: Case, new: Arrival) -> None:
        """An item that has a case matches something new."""
        mine = update(case_item).where(case_item.c.item == new.item)
        self._connection.execute(mine.values(verdict=new.verdict))
        if case.state != "decided":
            change_case(self._connection, case, "there are new matches", **self._matched(case, new))
            self._note("cases.matched_again", case.id, item=new.item)
        elif self._was_cleared(case):
            self._reopen(case, new)

    def _reopen(self, case: Case, new: Arrival) -> None:
        """What was cleared is on a list now: somebody must look at it again."""
        due = self._terms.due_at(self._now, new.priority, new.jurisdiction)
        open_again(
            self._connection,
            case,
            "there are new matches",
            now=self._now,
            due=due,
            reopened=self._reopened,
            **self._matched(case, new),
        )
        self._note("cases.reopened", case.id, item=new.item, round=case.round + 1)

    def _was_cleared(self, case: Case) -> bool:
        finding = select(decision.c.finding).where(decision.c.id == case.decision)
        return self._connection.scalar(finding) == "not_csam"

    def _matched(self, case: Case, new: Arrival) -> dict[str, Any]:
        """What new matches of an item change of its case: if it is alone there, a list may know all of it."""
        alone = {"listed": new.listed} if case.items == 1 else {}
        return self._merged(case, new) | alone

    def _merged(self, case: Case, new: Arrival) -> dict[str, Any]:
        """What an item changes of the case that takes it: the higher priority counts, and its queue."""
        values: dict[str, Any] = {}
        if rank(new.priority) < rank(case.priority):
            values |= {"priority": rank(new.priority), "queue": new.queue}
        if new.two_person and not case.two_person:
            values["two_person"] = True
        if case.known and not new.known:
            values["known"] = False
        if case.listed and not new.listed:
            values["listed"] = False
        if ORIGINS.index(new.origin) < ORIGINS.index(case.origin):
            values["origin"] = new.origin
        due = self._terms.due_at(new.at, new.priority, new.jurisdiction)
        if due is not None and (case.due_at is None or due < case.due_at):
            values |= {"due_at": due, "order_at": min(due, case.order_at)}
        return values

    def _add(self, case_id: str, new: Arrival, how: str, distance: int | None) -> None:
        row = {
            "item": new.item,
            "case": case_id,
            "verdict": new.verdict,
            "how": how,
            "distance": distance,
            "actor": new.actor,
            "place": new.place,
            "added_at": self._now,
        }
        self._connection.execute(insert(case_item).values(row))
        prints = [
            {
                "item": new.item,
                "signal": p.signal,
                "value": p.value,
                "frame": p.frame,
                "quality": p.quality,
                "of": p.of,
            }
            for p in new.prints
        ]
        if prints:
            self._connection.execute(insert(case_print), prints)
        for kind, value in new.keys(self._terms.burst):
            self._point(kind, value, case_id, new.at)
        self._touched[case_id] = None

    def _point(self, kind: str, value: bytes, case_id: str, at: datetime) -> None:
        """Let a key lead to the case, unless it leads to another that still takes what comes by it."""
        mine = (case_key.c.kind == kind) & (case_key.c.value == value)
        known = self._connection.scalar(select(case_key.c.case).where(mine))
        if known is None:
            self._connection.execute(insert(case_key).values(kind=kind, value=value, case=case_id, at=at))
        elif (
            known == case_id
            or (there := self._case_of_key(kind, value, at)) is None
            or not _takes(there, kind)
        ):
            self._connection.execute(update(case_key).where(mine).values(case=case_id, at=at))

    def _update(self, case: Case, **values: Any) -> None:
        self._connection.execute(update(review_case).where(_C.id == case.id).values(values))

    def _note(self, action: str, case_id: str, **facts: audit.Detail) -> None:
        self._drafts.append(audit.Draft("system", action, f"case:{case_id}", facts, self._now))


def _takes(case: Case, how: str) -> bool:
    """Whether an item may still join a case: once somebody has answered, only the very same content."""
    return case.items < MOST_ITEMS and (case.state == "open" or (how == "exact" and case.state != "decided"))
