"""A lead has a decided case decided anew; what stood on the decision hears of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from nightlamp.audit.tables import audit_record
from nightlamp.banks.live import all_banks, find_entries, get_entries
from nightlamp.cases import Answer, FinalDecision, OwnBanks, Terms, answers, get_case, reopen
from nightlamp.cases.tables import case_print, decision
from nightlamp.store import reading

from .conftest import CLEAR, CSAM
from .test_deciding import ANN, BEN, CAT, new, race, refused

WHY = "the account's owner appealed"


def version_of(desk, case: str) -> int:
    with reading(desk.engine) as connection:
        return get_case(connection, case).version


def again(desk, case: str, by: str = CAT, **rest):
    return desk.do(reopen, case, **{"by": by, "version": version_of(desk, case), "reason": WHY, **rest})


@pytest.mark.parametrize("answer", [CSAM, CLEAR], ids=["confirmed", "cleared"])
def test_a_lead_has_it_decided_anew_long_after(desk, answer):
    # given a case that was decided, and took effect
    seen: list[FinalDecision] = []
    heard: list[str] = []
    desk.consumers.append(lambda _, final: seen.append(final))
    case = new(desk, "a", priority="high")
    first = desk.answer(case, ANN, answer).given
    desk.pass_time(days=9)
    assert desk.apply() == 1
    # when a lead opens it again
    made = again(desk, case, terms=Terms(due={"high": 24}), reopened=lambda _, given: heard.append(given))
    # then it waits as any other, with a new deadline; what was said stands in the round before
    assert (made.state, made.round, made.decision, made.decided_at) == ("open", 2, None, None)
    assert (made.due_at, made.changed) == (desk.now + timedelta(hours=24), "it was opened again")
    assert made.holder(desk.now) is None
    assert heard == [first.id]
    assert desk.next(BEN).id == case
    with reading(desk.engine) as connection:
        (before,) = answers(connection, case, viewer=BEN)
        kept = select(audit_record.c.actor, audit_record.c.details)
        row = connection.execute(kept.where(audit_record.c.action == "cases.reopened")).one()
    assert (before.id, before.undone_at) == (first.id, None)
    assert (row.actor, json.loads(row.details)) == (
        CAT,
        {"decision": first.id, "round": 2, "reason": WHY},
    )
    # and whoever decided it before may be overruled
    desk.answer(case, BEN, CLEAR if answer == CSAM else CSAM)
    desk.pass_time(minutes=2)
    assert desk.apply() == 1
    assert [final.finding for final in seen] == (
        ["csam", "not_csam"] if answer == CSAM else ["not_csam", "csam"]
    )


def test_what_had_no_effect_yet_has_none(desk):
    case = new(desk, "a")
    desk.answer(case, ANN)
    again(desk, case)
    desk.pass_time(minutes=2)
    assert desk.apply() == 0
    with reading(desk.engine) as connection:
        assert connection.scalar(select(decision.c.undone_at)) is not None


def test_only_what_is_decided_is_opened_again_and_with_a_reason(desk):
    case = new(desk, "a")
    with refused("invalid"):
        again(desk, case)
    desk.answer(case, ANN)
    for reason in ("", "  \n", "x" * 501):
        with refused("invalid"):
            again(desk, case, reason=reason)
    with refused("stale"):
        again(desk, case, version=1)
    with refused("not found"):
        desk.do(reopen, "nothing", by=CAT, version=1, reason=WHY)
    assert "cases.reopened" not in desk.audited()


def test_of_two_leads_one_opens_it_again(desk, tmp_path):
    for turn in range(3):
        case = new(desk, f"{turn}")
        desk.answer(case, ANN)
        desk.pass_time(minutes=2)
        version = version_of(desk, case)

        def work(connection, by, case=case, version=version):
            return reopen(connection, case, by=by, version=version, reason=WHY, now=desk.now)

        found = race(desk, tmp_path, [lambda c, by=by: work(c, by) for by in (BEN, CAT)])
        assert [each for each in found if isinstance(each, str)] == ["stale"]
        with reading(desk.engine) as connection:
            assert get_case(connection, case).round == 2
    assert desk.audited().count("cases.reopened") == 3


def test_opening_again_races_the_effect_and_nothing_is_left_half_done(desk, tmp_path):
    for turn in range(3):
        case = new(desk, f"{turn}")
        given = desk.answer(case, ANN).given
        version, later = version_of(desk, case), desk.now + timedelta(hours=1)
        seen: list[str] = []

        def apply(connection, given=given, seen=seen, later=later):
            from nightlamp.cases.effects import Effects

            consumer = lambda _, final: seen.append(final.decision)  # noqa: E731
            return Effects(desk.engine, desk.writer, [consumer], clock=lambda: later)._apply(
                given.id, connection
            )

        def open_(connection, case=case, version=version, later=later):
            return reopen(connection, case, by=CAT, version=version, reason=WHY, now=later)

        applied, _ = race(desk, tmp_path, [apply, open_])
        with reading(desk.engine) as connection:
            row = connection.execute(select(decision).where(decision.c.id == given.id)).one()
            assert get_case(connection, case).state == "open"
        assert (row.applied_at is not None, row.undone_at is not None) == (applied == 1, applied == 0)


def test_the_own_bank_keeps_what_was_confirmed_until_it_is_decided_otherwise(desk):
    desk.consumers.append(OwnBanks())

    def disputed() -> list[bool]:
        with reading(desk.engine) as connection:
            own = next(each.id for each in all_banks(connection) if each.bank.name == "own")
            value = connection.scalar(select(case_print.c.value))
            ids = find_entries(connection, own, values=[("sha256", value)])
            return [each.disputed for each in get_entries(connection, ids).values()]

    case = new(desk, "a")
    desk.answer(case, ANN)
    desk.pass_time(minutes=2)
    desk.apply()
    again(desk, case)
    assert disputed() == [False]
    desk.answer(case, BEN, Answer("not_csam", reason="wrong_match"))
    desk.pass_time(minutes=2)
    desk.apply()
    assert disputed() == [True]
