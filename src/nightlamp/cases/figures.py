"""For leads: how much waits, how far people agree, who sees how much, which lists and rules are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from sqlalchemy import Connection, Subquery, case, func, select

from nightlamp.cases.decision import PRIORITIES, State
from nightlamp.cases.records import WAITING
from nightlamp.cases.reveals import Exposure, exposure
from nightlamp.cases.tables import case_item, decision, reveal, review_case
from nightlamp.intake.tables import match
from nightlamp.values import Priority

AGES = tuple(timedelta(hours=hours) for hours in (1, 4, 24, 72, 168))
"""Bounds of the ages in ``Backlog.ages``; the last count is of what is older."""
MOST_JUDGED = 3_000
"""Decided cases that shares and medians are of, the last ones: more would tell no better, and take longer."""
_C, _D = review_case.c, decision.c


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one queue with one priority.

    Args:
        states: cases by state.
        items: in all of them.
        overdue: past their deadline.
        oldest: when the oldest was opened.
        ages: counts by age, bounded by ``AGES``.
    """

    queue: str
    priority: Priority
    cases: int
    states: dict[State, int]
    items: int
    overdue: int
    oldest: datetime
    ages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Second opinions of a time, and how they compare with the first.

    Args:
        pairs: cases that two people answered with csam or not_csam.
        same: they said the same in all that counts.
        same_finding: they agreed on csam or not_csam, if not on all else.
        led: cases that the lead decided.
    """

    pairs: int
    same: int
    same_finding: int
    led: int


@dataclass(frozen=True, slots=True)
class Precision:
    """Final decisions on what a list, or a rule of the policy, brought up; ``share`` of them was csam."""

    name: str
    csam: int
    not_csam: int

    @property
    def share(self) -> float:
        """Of csam, 0 to 1."""
        return self.csam / (self.csam + self.not_csam)


@dataclass(frozen=True, slots=True)
class Times:
    """Median seconds: from a case's opening to its decision, and from a claim to an answer; None: none.

    Args:
        decided: cases in all; the medians are of the last ``MOST_JUDGED``.
    """

    to_decision: float | None
    to_answer: float | None
    decided: int


def backlog(connection: Connection, *, now: datetime) -> list[Backlog]:
    """What waits, the most urgent first."""
    older = [func.sum(case((_C.opened_at <= now - bound, 1), else_=0)) for bound in AGES]
    query = select(
        _C.priority,
        _C.queue,
        _C.state,
        func.count(),
        func.sum(_C["items"]),
        func.sum(case((_C.due_at < now, 1), else_=0)),
        func.min(_C.opened_at),
        *older,
    )
    grouped = query.where(WAITING).group_by(_C.priority, _C.queue, _C.state)
    found: dict[tuple[int, str], list[tuple[Any, ...]]] = {}
    for place, queue, *of in connection.execute(grouped):
        found.setdefault((place, queue), []).append(tuple(of))
    return [_backlog(queue, PRIORITIES[place], rows) for (place, queue), rows in sorted(found.items())]


def _backlog(queue: str, priority: Priority, rows: list[tuple[Any, ...]]) -> Backlog:
    """Of one state a row: state, cases, items, overdue, oldest, and how many are older than each bound."""
    states, cases, items, overdue, oldest, *older = zip(*rows, strict=True)
    counts = [sum(cases), *map(sum, older), 0]
    ages = tuple(int(above - below) for above, below in pairwise(counts))
    by_state = dict(zip(states, cases, strict=True))
    return Backlog(
        queue, priority, sum(cases), by_state, int(sum(items)), int(sum(overdue)), min(oldest), ages
    )


def agreement(connection: Connection, *, since: datetime) -> Agreement:
    """How far reviewers agreed; of cases that were answered for the second time since then."""
    first, second = decision.alias(), decision.alias()
    both = (first.c.case == second.c.case) & (first.c.round == second.c.round)
    query = select(first, second).join_from(first, second, both)
    said = ("csam", "not_csam")
    query = query.where(first.c.opinion == "first", second.c.opinion == "second", second.c.at >= since)
    query = query.where(first.c.undone_at.is_(None), second.c.undone_at.is_(None))
    query = query.where(first.c.finding.in_(said), second.c.finding.in_(said))
    parts = ("finding", "classification", "ai_made", "drawn")
    compared = [first.c[name].is_not_distinct_from(second.c[name]) for name in parts]
    rows = connection.execute(query.with_only_columns(*compared)).all()
    led = select(func.count()).where(_D.opinion == "lead", _D.undone_at.is_(None), _D.at >= since)
    return Agreement(
        len(rows), sum(all(row) for row in rows), sum(row[0] for row in rows), connection.scalar(led) or 0
    )


def exposures(connection: Connection, *, since: datetime) -> dict[str, Exposure]:
    """What each person was shown since then, who saw most first."""
    people = connection.scalars(select(reveal.c.by).where(reveal.c.started_at >= since).distinct())
    found = {person: exposure(connection, person, since) for person in people.all()}
    return dict(sorted(found.items(), key=lambda each: (-each[1].severity, each[0])))


def precision_by_list(connection: Connection, *, since: datetime) -> list[Precision]:
    """Of the last cases decided since then that a list's entry brought up, how many were csam; by bank.

    A case counts once for each bank, however many of its items match.
    """
    judged = _judged(since)
    matched = (
        select(judged.c.id, judged.c.decision, match.c.bank)
        .join(case_item, case_item.c.case == judged.c.id)
        .join(match, match.c.verdict == case_item.c.verdict)
        .where(~match.c.benign)
        .distinct()
        .subquery()
    )
    query = select(matched.c.bank, _D.finding, func.count()).join(decision, _D.id == matched.c.decision)
    return _precision(connection.execute(query.group_by(matched.c.bank, _D.finding)))


def precision_by_rule(connection: Connection, *, since: datetime) -> list[Precision]:
    """Of the last cases decided since then, how many were csam; by the policy's rule that opened them."""
    judged = _judged(since)
    query = select(judged.c.rule, _D.finding, func.count()).join(decision, _D.id == judged.c.decision)
    return _precision(connection.execute(query.group_by(judged.c.rule, _D.finding)))


def _judged(since: datetime) -> Subquery:
    """The last cases that were decided since then."""
    query = select(_C.id, _C.decision, _C.rule, _C.opened_at, _C.decided_at).where(_C.decided_at >= since)
    return query.order_by(_C.decided_at.desc()).limit(MOST_JUDGED).subquery()


def _precision(rows: Iterable[tuple[str, str, int]]) -> list[Precision]:
    counts: dict[str, dict[str, int]] = {}
    for name, finding, count in rows:
        counts.setdefault(name, {})[finding] = count
    found = [Precision(name, each.get("csam", 0), each.get("not_csam", 0)) for name, each in counts.items()]
    return sorted(found, key=lambda each: (-each.csam - each.not_csam, each.name))


def times(connection: Connection, *, since: datetime) -> Times:
    """How long decisions took since then."""
    judged = _judged(since)
    rows = connection.execute(select(judged.c.opened_at, judged.c.decided_at)).all()
    waited = [(row.decided_at - row.opened_at).total_seconds() for row in rows]
    answered = select(_D.seconds).join(judged, judged.c.id == _D.case)
    took = connection.scalars(answered.where(_D.seconds.is_not(None), _D.undone_at.is_(None))).all()
    decided = connection.scalar(select(func.count()).where(_C.decided_at >= since)) or 0
    return Times(median(waited) if waited else None, median(took) if took else None, decided)
