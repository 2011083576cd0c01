"""Answers: the first, the second that does not see it, the lead's; taken back, or final.

Every change of a case goes through its locked row, and names the version that its page was made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from nightlamp.audit import Detail, append
from nightlamp.cases.claims import FREE, ready, refuse_if_not_theirs
from nightlamp.cases.decision import Answer, Case, Decided, Given, Opinion, State
from nightlamp.cases.records import change_case, get_case, given_of, lock_case, rank, standing
from nightlamp.cases.tables import decision
from nightlamp.cases.terms import LEASE, UNDO
from nightlamp.errors import CaseError
from nightlamp.store import new_id


@dataclass(frozen=True, slots=True)
class _Step:
    """What an answer does to its case."""

    opinion: Opinion
    state: State
    changed: str


# Reasons to escalate that cannot wait: at least that priority.
_RAISED = {"imminent_harm": rank("urgent"), "new_victim": rank("high")}


def decide(
    connection: Connection,
    case_id: str,
    answer: Answer,
    *,
    by: str,
    version: int,
    now: datetime,
    lead: bool = False,
    undo: timedelta = UNDO,
) -> Decided:
    """Give an answer.

    ``csam`` and ``not_csam`` decide a case of one person. With two persons they make it wait for somebody
    else; if both say the same, it is decided, and if not, it is the lead's. ``unsure`` makes any case wait
    for somebody else, ``escalate`` makes it the lead's. The same answer to the same page once more, from a
    browser that lost its connection, changes nothing and gives what came of it. Who disagreed, took
    it back and agrees now knew what the first had said: that is the lead's too.

    Args:
        connection: in a transaction that may write.
        case_id: the case's.
        answer: what they say.
        by: who.
        version: of the case, as it was on their page.
        now: the time.
        lead: they may have the last word on what is escalated.
        undo: time to take it back.

    Raises:
        CaseError: ``invalid``, ``not found``, ``decided``, ``not yours``, ``stale``, ``other person``.
    """
    answer.check()
    if (before := _given_before(connection, case_id, answer, by, version)) is not None:
        return before
    case = ready(connection, case_id, by, version, now)
    refuse_if_not_theirs(connection, case, by, lead)
    step = _step(case, answer, standing(connection, case))
    if step.opinion == "second" and step.state == "decided" and _differed(connection, case, answer, by):
        step = _Step("second", "escalated", "two people disagree")
    final = step.state == "decided"
    given = {
        "id": new_id(),
        "case": case.id,
        "round": case.round,
        "version": version,
        "by": by,
        "at": now,
        "finding": answer.finding,
        "classification": answer.classification,
        "ai_made": answer.ai_made,
        "drawn": answer.drawn,
        "reason": answer.reason,
        "note": answer.note,
        "opinion": step.opinion,
        "before": case.state,
        "seconds": _seconds(case, by, now),
        "final": final,
        "effective_at": now + undo,
    }
    row = connection.execute(insert(decision).values(given).returning(decision)).one()
    ended = {"decided_at": now, "decision": given["id"]} if final else {}
    raised = min(rank(case.priority), _RAISED.get(answer.reason, rank(case.priority)))
    change_case(connection, case, step.changed, state=step.state, priority=raised, **FREE, **ended)
    facts = {"decision": row.id, "opinion": step.opinion, "state": step.state, "version": version}
    said = _said(standing(connection, case)) if final else {}
    append(connection, by, "cases.answered", f"case:{case.id}", {**facts, **said}, at=now)
    return Decided(get_case(connection, case.id), given_of(row))


def escalate(
    connection: Connection,
    case_id: str,
    *,
    by: str,
    version: int,
    now: datetime,
    reason: str = "other",
    note: str = "",
) -> Decided:
    """``decide`` with the finding ``escalate``: the lead must answer."""
    answer = Answer("escalate", reason=reason, note=note)
    return decide(connection, case_id, answer, by=by, version=version, now=now)


def undo(
    connection: Connection, decision_id: str, *, by: str, now: datetime, lease: timedelta = LEASE
) -> Case:
    """Take one's own answer back, as long as it is the last one and its time has not passed.

    Returns:
        The case as it was before, claimed by them if nobody else has it.

    Raises:
        CaseError: ``not found``; ``not yours``; ``decided``: it is too late; ``stale``: somebody has answered
            after it.
    """
    row = connection.execute(select(decision).where(decision.c.id == decision_id)).one_or_none()
    if row is None:
        raise CaseError("not found", "there is no such answer", where="decision")
    case = lock_case(connection, row.case)
    given = given_of(connection.execute(select(decision).where(decision.c.id == decision_id)).one())
    if given.by != by:
        raise CaseError("not yours", "somebody else gave it", where="decision")
    if given.undone_at is not None:
        return case
    if given.applied_at is not None or now >= given.effective_at:
        raise CaseError("decided", "it is too late to take it back", where="decision", hint="ask the lead")
    if standing(connection, case)[-1:] != [given]:
        raise CaseError("stale", "somebody has answered after it", where="decision", changed=case.changed)
    connection.execute(update(decision).where(decision.c.id == given.id).values(undone_at=now))
    mine = {"claimed_by": by, "claimed_at": now, "claim_until": now + lease}
    claim = mine if case.holder(now) in (None, by) else {}
    back = {"state": row.before, "decided_at": None, "decision": None}
    change_case(connection, case, "an answer was taken back", **back, **claim)
    append(connection, by, "cases.undone", f"case:{case.id}", {"decision": given.id}, at=now)
    return get_case(connection, case.id)


def _given_before(
    connection: Connection, case_id: str, answer: Answer, by: str, version: int
) -> Decided | None:
    """The same answer of the same person to the same page, if it arrived already."""
    case, d = lock_case(connection, case_id), decision.c
    mine = (d.case == case_id) & (d.by == by) & (d.version == version) & d.undone_at.is_(None)
    given = [given_of(row) for row in connection.execute(select(decision).where(mine))]
    return next((Decided(case, each) for each in given if each.answer == answer), None)


def _step(case: Case, answer: Answer, before: Sequence[Given]) -> _Step:
    if case.state == "escalated":
        if answer.finding in ("escalate", "unsure"):
            raise CaseError("invalid", "the lead's word is csam or not_csam", where="finding")
        return _Step("lead", "decided", "the lead decided")
    # Who was unsure has asked for somebody else, and said nothing that could be agreed with.
    first = next((each for each in before if each.answer.finding != "unsure"), None)
    opinion: Opinion = "second" if before else "first"
    if answer.finding == "escalate":
        return _Step(opinion, "escalated", "it was escalated")
    if answer.finding == "unsure":
        return _Step(opinion, "escalated" if before else "second", "somebody was unsure")
    if first is None and case.two_person:
        return _Step("first", "second", "somebody has answered")
    if first is None or first.answer.agrees(answer):
        return _Step(opinion, "decided", "it was decided")
    return _Step(opinion, "escalated", "two people disagree")


def _differed(connection: Connection, case: Case, answer: Answer, by: str) -> bool:
    """Whether they have said otherwise, and taken it back: by then they knew what the first had said."""
    d = decision.c
    mine = (d.case == case.id) & (d.round == case.round) & (d.by == by) & d.undone_at.is_not(None)
    given = [given_of(row).answer for row in connection.execute(select(decision).where(mine))]
    return any(each.finding in ("csam", "not_csam") and not each.agrees(answer) for each in given)


def _said(given: Sequence[Given]) -> dict[str, Detail]:
    """For the log, what each answer of a decided case said, the last one decided; before, the second could
    read there what the first had said. Notes are for colleagues, and may say what the log must not hold."""
    told = [each.answer for each in given]
    return {
        "decisions": [each.id for each in given],
        "findings": [each.finding for each in told],
        "classifications": [each.classification for each in told],
        "reasons": [each.reason for each in told],
        "ai_made": [each.ai_made for each in told],
        "drawn": [each.drawn for each in told],
    }


def _seconds(case: Case, by: str, now: datetime) -> float | None:
    if case.claimed_by != by or case.claimed_at is None:
        return None
    return max((now - case.claimed_at).total_seconds(), 0.0)
