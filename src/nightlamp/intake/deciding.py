"""Examinations in, rulings out: many at once, by one view of the banks and one policy.

Items that come together share one lookup. What does not work is said in the verdict; nothing here ends in
``allow`` because of an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, Engine, case, func, select

from nightlamp.banks.live.view import View
from nightlamp.intake.policies import InForce
from nightlamp.intake.submission import Ruling, Submission
from nightlamp.intake.tables import item, verdict
from nightlamp.policy import Actor, Context, Facts, Rules, decide
from nightlamp.screening import Screener
from nightlamp.signals import Signal, installed
from nightlamp.store import new_id, reading
from nightlamp.values import Examination, Fingerprint, Match, Unchecked, Verdict

HISTORY = timedelta(days=30)
PERCEPTUAL = 100  # quality of a perceptual fingerprint whose maker did not tell


class Banks(Protocol):
    """What ``nightlamp.banks.live.LiveBanks`` answers."""

    def current(self) -> View:
        """What to match against."""


class Policies(Protocol):
    """What ``ActivePolicy`` answers."""

    def current(self) -> InForce:
        """What to decide by."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One item to decide.

    Args:
        item: its id.
        submission: where it comes from.
        examination: of its content, or of the fingerprints that were given.
        late: its fingerprints are old, and entries are new.
        scores: what look-up services said of it; what they could not tell is in the examination.
    """

    item: str
    submission: Submission
    examination: Examination
    late: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)


class Decider:
    """Decides subjects.

    Args:
        engine: for the actors' history, where the policy asks for it.
        banks: the live ones.
        policies: the one in force.
        signals: the installed ones by default.
    """

    def __init__(
        self, engine: Engine, banks: Banks, policies: Policies, signals: Mapping[str, Signal] | None = None
    ) -> None:
        self._engine = engine
        self._banks = banks
        self._policies = policies
        self._signals = installed() if signals is None else signals

    def decide(
        self, subjects: Sequence[Subject], now: datetime, also: Sequence[Sequence[Match]] = ()
    ) -> list[Ruling]:
        """One ruling a subject, in the same order.

        Args:
            subjects: what to decide.
            now: the time of the rulings.
            also: of each subject, matches that are known besides those of the lookup.
        """
        view, force = self._banks.current(), self._policies.current()
        examinations = [c.examination for c in subjects]
        found = self._facts(view, force, examinations)
        if also:
            found = [
                replace(facts, matches=_joined(facts.matches, more))
                for facts, more in zip(found, also, strict=True)
            ]
        histories = self._histories(force.rules, subjects, now)
        return [
            self._ruling(c, replace(facts, actor=history[0]), history[1], force, view.generation, now)
            for c, facts, history in zip(subjects, found, histories, strict=True)
        ]

    def _facts(self, view: View, force: InForce, examinations: Sequence[Examination]) -> list[Facts]:
        screener = Screener([view], force.rules, signals=self._signals)
        with suppress(Exception):  # one item's fingerprint may be the cause: look at each by itself
            return screener.facts(examinations)
        found = []
        for examination in examinations:
            try:
                found += screener.facts([examination])
            except Exception as error:  # noqa: BLE001 (a bank that cannot be asked is "not checked")
                unchecked = Unchecked("banks", "lookup failed", type(error).__name__)
                found.append(Facts.of(examination, (), (unchecked, *view.unchecked)))
        return found

    def _histories(
        self, rules: Rules, subjects: Sequence[Subject], now: datetime
    ) -> list[tuple[Actor, tuple[Unchecked, ...]]]:
        nothing: tuple[Actor, tuple[Unchecked, ...]] = (Actor(), ())
        if ("facts", "actor") not in rules.uses:
            return [nothing] * len(subjects)
        actors = {c.submission.actor for c in subjects} - {""}
        try:
            with reading(self._engine) as connection:
                known = {actor: history(connection, actor, now) for actor in actors}
        except Exception as error:  # noqa: BLE001 (an unknown past is "not checked", whatever the cause)
            return [(Actor(), (Unchecked("actor", "unavailable", type(error).__name__),))] * len(subjects)
        return [(known.get(c.submission.actor, Actor()), ()) for c in subjects]

    def _ruling(
        self,
        subject: Subject,
        facts: Facts,
        unchecked: Iterable[Unchecked],
        force: InForce,
        generation: int,
        now: datetime,
    ) -> Ruling:
        where = subject.submission.where
        facts = replace(
            facts,
            unchecked=(*facts.unchecked, *force.unchecked, *unchecked),
            context=Context(where.service, where.room, where.submitted_at, subject.late),
            jurisdiction=where.jurisdiction,
            scores={**facts.scores, **subject.scores},
        )
        try:
            given = decide(facts, force.rules)
        except Exception as error:  # noqa: BLE001 (a policy that fails has not allowed anything)
            failed = Unchecked("policy", "failed", type(error).__name__)
            given = Verdict("review", (str(failed),), tuple(facts.matches), (*facts.unchecked, failed))
        return Ruling(
            new_id(),
            subject.item,
            given,
            force.id,
            generation,
            subject.late,
            len(given.matches),
            now,
            facts.actor,
            facts.scores,
        )


def examined(fingerprints: Sequence[Fingerprint], signals: Mapping[str, Signal]) -> Examination:
    """Fingerprints that somebody else computed, as an examination: it speaks of them alone."""
    usable: list[Fingerprint] = []
    unchecked: dict[Unchecked, None] = {}
    best: dict[str, int] = {}
    for fingerprint in fingerprints:
        signal = signals.get(fingerprint.signal)
        if signal is None:
            unchecked[Unchecked(fingerprint.signal, "not installed")] = None
        elif len(fingerprint.value) != signal.size:
            unchecked[Unchecked(fingerprint.signal, "malformed", f"a value not of {signal.size} bytes")] = (
                None
            )
        elif signal.index == "exact":
            usable.append(replace(fingerprint, quality=None))
        else:
            quality = PERCEPTUAL if fingerprint.quality is None else fingerprint.quality
            best[signal.name] = max(quality, best.get(signal.name, 0))
            usable.append(replace(fingerprint, quality=quality))
    for name, quality in best.items():
        if quality < signals[name].min_quality:
            told = f"quality {quality}, it takes {signals[name].min_quality} to match"
            unchecked[Unchecked(name, "low detail", told)] = None
    return Examination("", 0, fingerprints=tuple(usable), unchecked=tuple(unchecked))


def history(connection: Connection, actor: str, now: datetime) -> Actor:
    """What an actor did in the 30 days before now."""
    mine = (item.c.actor == actor) & (item.c.received_at >= now - HISTORY)
    counts = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case(((verdict.c.matches > 0) & ~verdict.c.benign, 1), else_=0)), 0),
            func.coalesce(func.sum(case((item.c.action == "review", 1), else_=0)), 0),
            func.coalesce(func.sum(case((item.c.action == "block", 1), else_=0)), 0),
        )
        .select_from(item.outerjoin(verdict, verdict.c.id == item.c.verdict))
        .where(mine)
    ).one()
    return Actor(*(int(count) for count in counts))


def _joined(found: Sequence[Match], also: Sequence[Match]) -> tuple[Match, ...]:
    """Without repetition; the lookup's own count, as they are newer."""
    return tuple({_identity(match): match for match in (*also, *found)}.values())


def _identity(match: Match) -> tuple[object, ...]:
    f = match.fingerprint
    return match.bank.name, match.entry_id, f.signal, f.value, f.view, f.frame
