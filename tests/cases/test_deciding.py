from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from nightlamp.audit.tables import audit_record
from nightlamp.cases import (
    Answer,
    answers,
    claim,
    end_rest,
    escalate,
    get_case,
    next_case,
    page_cases,
    release,
    renew,
    take_rest,
    undo,
)
from nightlamp.cases.tables import decision
from nightlamp.errors import CaseError
from nightlamp.store import connect, reading

from .conftest import CLEAR, CSAM, NOW, build, matching, sha256

ANN, BEN, CAT = "person:ann", "person:ben", "person:cat"


@pytest.fixture
def case(desk):
    """One that two people must decide."""
    item = desk.submit(sha256("a"), two_person=True)
    desk.open()
    return desk.case_of(item)


def new(desk, content: str, **handling) -> str:
    item = desk.submit(sha256(content), **handling)
    desk.open()
    return desk.case_of(item)


def refused(code: str):
    return pytest.raises(CaseError, check=lambda error: error.code == code)


def test_the_next_case_is_the_most_urgent_then_the_oldest(desk):
    old = new(desk, "a")
    desk.pass_time(minutes=1)
    young, urgent = new(desk, "b"), new(desk, "c", priority="urgent")
    other = new(desk, "d", queue="video", priority="low")
    assert [each.id for each in desk.cases()] == [urgent, old, young, other]
    assert [each.id for each in desk.cases(before=urgent, limit=2)] == [old, young]
    assert desk.next(ANN).id == urgent
    assert desk.next(ANN).id == urgent  # until it is answered or given back
    assert desk.next(BEN, queues=["video"]).id == other
    assert desk.next(CAT).id == old
    desk.do(release, old, by=CAT)
    desk.answer(urgent, ANN)
    assert desk.next(ANN).id == old
    assert [each.id for each in desk.cases(claimed_by=ANN)] == [old]


def test_over_the_soft_limit_known_material_comes_first(desk):
    unknown = new(desk, "a")
    known = new(desk, "b", matches=[matching()])
    assert desk.next(ANN, gentle=True).id == known
    assert desk.next(BEN).id == unknown


def test_a_claim_keeps_others_away_until_it_ends(desk, case):
    desk.do(claim, case, by=ANN, lease=timedelta(minutes=15))
    with refused("not yours"):
        desk.do(claim, case, by=BEN)
    assert desk.next(BEN) is None
    desk.pass_time(minutes=14)
    desk.do(renew, case, by=ANN, lease=timedelta(minutes=15))
    desk.pass_time(minutes=14)
    with refused("not yours"):
        desk.answer(case, BEN)
    desk.pass_time(minutes=2)
    assert desk.next(BEN).id == case
    with refused("not yours"):
        desk.answer(case, ANN)
    with refused("not yours"):
        desk.do(renew, case, by=ANN)


def test_an_answer_after_the_claim_has_ended_is_not_lost_if_nobody_took_it(desk, case):
    desk.do(claim, case, by=ANN)
    desk.pass_time(hours=1)
    assert desk.answer(case, ANN).case.state == "second"


def test_two_people_decide_without_seeing_each_other(desk, case):
    desk.answer(case, ANN, Answer("csam", "A1", note="between us"))
    with refused("other person"):
        desk.answer(case, ANN)
    assert desk.next(ANN) is None
    assert desk.next(BEN).id == case
    with reading(desk.engine) as connection:
        assert answers(connection, case, viewer=BEN) == []
        assert len(answers(connection, case, viewer=ANN)) == 1
    decided = desk.answer(case, BEN, Answer("csam", "A1", reason="seen"))
    assert (decided.final, decided.case.state, decided.given.opinion) == (True, "decided", "second")
    with reading(desk.engine) as connection:
        assert [each.by for each in answers(connection, case, viewer=BEN)] == [ANN, BEN]
    assert "between us" not in repr(decided)
    with refused("decided"):
        desk.answer(case, CAT)


@pytest.mark.parametrize("second", [CLEAR, Answer("csam", "A2"), Answer("csam", "A1", drawn=True)])
def test_two_people_who_disagree_leave_it_to_the_lead(desk, case, second):
    desk.answer(case, ANN, CSAM)
    assert desk.answer(case, BEN, second).case.state == "escalated"
    with refused("other person"):
        desk.answer(case, CAT)
    with refused("other person"):
        desk.answer(case, BEN, lead=True)
    with refused("invalid"):
        desk.answer(case, CAT, Answer("unsure"), lead=True)
    assert desk.next(CAT) is None
    assert desk.next(CAT, lead=True).id == case
    decided = desk.answer(case, CAT, second, lead=True)
    assert (decided.final, decided.given.opinion) == (True, "lead")
    seen = []
    desk.consumers.append(lambda _, final: seen.append(final))
    desk.pass_time(minutes=2)
    assert desk.apply() == 1
    assert seen[0].by == (BEN, CAT)  # who agreed on it


def test_who_is_unsure_asks_for_somebody_else(desk):
    case = new(desk, "a")
    assert desk.answer(case, ANN, Answer("unsure", reason="age")).case.state == "second"
    with refused("other person"):
        desk.answer(case, ANN)
    assert desk.answer(case, BEN).final


def test_with_two_people_the_word_of_who_is_unsure_counts_for_nobody(desk, case):
    desk.answer(case, ANN, Answer("unsure"))
    assert desk.answer(case, BEN).case.state == "second"
    assert desk.answer(case, CAT).final


def test_what_cannot_wait_is_made_urgent(desk, case):
    version = desk.cases()[0].version
    found = desk.do(escalate, case, by=ANN, version=version, reason="imminent_harm")
    assert (found.case.state, found.case.priority) == ("escalated", "urgent")


@pytest.mark.parametrize(
    "answer",
    [
        Answer("not_csam"),
        Answer("not_csam", "A1", reason="adult"),
        Answer("csam", "C1"),
        Answer("csam", ai_made="perhaps"),
        Answer("maybe"),
        Answer("csam", note="x" * 4_001),
    ],
)
def test_an_answer_must_make_sense(desk, case, answer):
    with refused("invalid"):
        desk.answer(case, ANN, answer)


def test_a_stale_page_is_refused_and_told_what_changed(desk):
    case = new(desk, "a")
    version = desk.cases()[0].version
    desk.submit(sha256("a"), priority="urgent")
    desk.open()
    with pytest.raises(CaseError) as caught:
        desk.do(escalate, case, by=ANN, version=version)
    assert (caught.value.code, caught.value.changed) == ("stale", "items were added")


def test_an_answer_is_taken_back_within_its_time(desk, case):
    first = desk.answer(case, ANN)
    back = desk.do(undo, first.given.id, by=ANN)
    assert (back.state, back.claimed_by) == ("open", ANN)
    assert desk.do(undo, first.given.id, by=ANN).version == back.version  # again: nothing happens
    desk.answer(case, ANN)
    second = desk.answer(case, BEN)
    with refused("not yours"):
        desk.do(undo, second.given.id, by=ANN)
    assert desk.do(undo, second.given.id, by=BEN).state == "second"
    desk.answer(case, BEN)
    last = desk.answer(new(desk, "b"), ANN)
    desk.pass_time(seconds=60)
    with refused("decided"):
        desk.do(undo, last.given.id, by=ANN)
    assert "cases.undone" in desk.audited()


def test_an_answer_that_arrives_twice_counts_once(desk):
    case = new(desk, "a")
    version = desk.cases()[0].version
    first = desk.do(_decide_at, case, ANN, version)
    again = desk.do(_decide_at, case, ANN, version)
    assert again.given == first.given
    assert desk.count("decision") == 1
    with refused("decided"):
        desk.do(_decide_at, case, BEN, version)


def test_the_first_cannot_take_back_what_the_second_has_answered_to(desk, case):
    first = desk.answer(case, ANN)
    desk.answer(case, BEN)
    with refused("stale"):
        desk.do(undo, first.given.id, by=ANN)


def test_a_break_gives_cases_back_and_gets_none(desk, case):
    desk.do(claim, case, by=ANN)
    desk.do(take_rest, ANN, length=timedelta(minutes=30))
    with refused("resting"):
        desk.next(ANN)
    assert desk.next(BEN).id == case
    desk.do(release, case, by=BEN)
    desk.do(end_rest, ANN)
    assert desk.next(ANN).id == case


def test_a_decision_takes_effect_once_and_not_before_its_time(desk):
    seen = []
    desk.consumers.append(lambda _, final: seen.append(final))
    item = desk.submit(sha256("a"))
    desk.open()
    decided = desk.answer(desk.case_of(item), ANN)
    assert desk.apply() == 0
    desk.pass_time(seconds=60)
    assert desk.apply() == 1
    assert desk.apply() == 0
    (final,) = seen
    assert (final.decision, final.finding, final.items, final.by) == (
        decided.given.id,
        "csam",
        (item,),
        (ANN,),
    )
    with refused("decided"):
        desk.do(undo, decided.given.id, by=ANN)


def test_a_consumer_that_fails_holds_up_its_own_decision_alone(desk):
    seen = []
    cases = [new(desk, f"{at}") for at in range(3)]
    for case in cases:
        desk.answer(case, ANN)
    desk.pass_time(minutes=2)

    def consume(_, final):
        if final.case == cases[0] and broken:
            raise ValueError("broken")
        seen.append(final.case)

    desk.consumers.append(consume)
    broken = True
    with pytest.raises(ValueError, match="broken"):
        desk.apply()
    assert sorted(seen) == sorted(cases[1:])
    broken = False
    assert desk.apply() == 1
    assert desk.count("decision") == 3


# Races: each thread has a writer of its own, as if it were another node.


def race(desk, folder, functions):
    """What came of each function, run together; refusals by their code."""
    desks = [build(desk.engine, folder, desk.terms) for _ in functions]

    def run(pair):
        one, function = pair
        try:
            return one.writer.write(function)
        except CaseError as error:
            return error.code

    try:
        with ThreadPoolExecutor(len(functions)) as pool:
            return list(pool.map(run, zip(desks, functions, strict=True)))
    finally:
        for each in desks:
            each.writer.close()


def test_of_many_who_ask_at_once_each_gets_another_case(desk, tmp_path):
    cases = {new(desk, f"{at}") for at in range(4)}
    found = race(desk, tmp_path, [lambda c, n=n: next_case(c, f"person:{n}", now=NOW) for n in range(6)])
    got = [case.id for case in found if case is not None]
    assert len(got) == len(set(got))
    # SKIP LOCKED may miss a case that somebody is just looking at; asking again finds it.
    rest = [desk.next(f"person:late {n}") for n in range(4)]
    assert {*got, *(case.id for case in rest if case is not None)} == cases


def test_of_many_who_answer_at_once_one_decides(desk, tmp_path):
    case = new(desk, "a")
    functions = [lambda c, n=n: _decide(c, case, f"person:{n}", CSAM if n % 2 else CLEAR) for n in range(6)]
    found = race(desk, tmp_path, functions)
    assert sorted(str(each) for each in found if isinstance(each, str)) == ["decided"] * 5
    with reading(desk.engine) as connection:
        assert len(connection.execute(select(decision).where(decision.c.final)).all()) == 1
    assert desk.audited().count("cases.answered") == 1


def _decide(connection, case, person, answer):
    from nightlamp.cases import decide

    return decide(connection, case, answer, by=person, version=1, now=NOW)


def test_taking_back_races_the_effect_and_one_of_them_wins(desk, tmp_path):
    for turn in range(4):
        case = new(desk, f"{turn}")
        given = desk.answer(case, ANN).given
        seen: list[object] = []
        desk.consumers[:] = [lambda _, final, seen=seen: seen.append(final)]

        def late(connection, case=case, given=given):
            from nightlamp.cases.effects import Effects

            effects = Effects(
                desk.engine, desk.writer, desk.consumers, clock=lambda: NOW + timedelta(hours=1)
            )
            return effects._apply(given.id, connection)

        back, applied = race(
            desk, tmp_path, [lambda c, given=given: undo(c, given.id, by=ANN, now=NOW), late]
        )
        undone = back != "decided"
        assert applied == (0 if undone else 1)
        assert len(seen) == applied
        with reading(desk.engine) as connection:
            assert get_case(connection, case).state == ("open" if undone else "decided")


def _answer_everything(url, folder, person, results):
    from pathlib import Path

    engine = connect(url, busy_seconds=60)
    desk = build(engine, Path(folder))
    done = 0
    try:
        while True:
            case = desk.next(person)
            if case is None:
                with reading(engine) as connection:
                    if not page_cases(connection, now=NOW):
                        break
                continue
            desk.do(_decide_at, case.id, person, case.version)
            done += 1
    finally:
        desk.writer.close()
        engine.dispose()
    results.put(done)


def _decide_at(connection, case, person, version, *, now):
    from nightlamp.cases import decide

    return decide(connection, case, CSAM, by=person, version=version, now=now)


def test_two_processes_share_the_work_and_lose_none(desk, database_url, tmp_path):
    count = 12
    for at in range(count):
        desk.submit(sha256(f"{at}"))
    desk.open()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=_answer_everything, args=(database_url, str(tmp_path), f"person:{n}", results))
        for n in range(2)
    ]
    for process in processes:
        process.start()
    done = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert sum(done) == count
    assert desk.audited().count("cases.answered") == count
    assert desk.cases() == []


def test_the_lead_is_not_given_an_escalated_case_of_two_persons_that_they_answered(desk, case):
    desk.answer(case, ANN, Answer("escalate", reason="law"))
    desk.pass_time(minutes=1)
    other = new(desk, "b")
    desk.answer(other, BEN, Answer("escalate", reason="law"))

    assert desk.next(ANN, lead=True).id == other
    assert desk.next(CAT, lead=True).id == case


def test_answers_stand_in_the_order_of_their_pages_whatever_the_clocks_say(desk, case):
    first = desk.answer(case, ANN)
    desk.pass_time(seconds=-2)  # the other node's clock is behind
    second = desk.answer(case, BEN)
    assert second.final

    with refused("stale"):
        desk.do(undo, first.given.id, by=ANN)
    desk.do(undo, second.given.id, by=BEN)


def test_who_learnt_that_they_disagree_cannot_agree_any_more(desk, case):
    desk.answer(case, ANN, CSAM)
    other = desk.answer(case, BEN, CLEAR)
    assert other.case.state == "escalated"
    desk.do(undo, other.given.id, by=BEN)

    assert desk.answer(case, BEN, CSAM).case.state == "escalated"
    assert desk.answer(case, CAT, CSAM, lead=True).final


def test_what_waits_has_no_finding(lite):
    new(lite, "a")
    with pytest.raises(CaseError) as caught:
        lite.cases(state="open", finding="csam")
    assert caught.value.code == "invalid"
    assert lite.cases(state="decided", finding="csam") == lite.cases(finding="csam") == []


def test_the_log_tells_what_was_found_once_the_case_is_decided(desk, case):
    record = audit_record.c
    query = select(record.details).where(record.action == "cases.answered").order_by(record.sequence)
    desk.answer(case, ANN, CSAM)
    with reading(desk.engine) as connection:
        (details,) = connection.scalars(query)
    assert json.loads(details).keys() == {"decision", "opinion", "state", "version"}
    desk.answer(case, BEN, CLEAR)
    desk.answer(case, CAT, CSAM, lead=True)
    with reading(desk.engine) as connection:
        _, second, final = connection.scalars(query)
    assert "not_csam" not in second
    told = json.loads(final)
    assert told["findings"] == ["csam", "not_csam", "csam"]
    assert told["classifications"] == ["A1", None, "A1"]
    assert told["reasons"] == ["", "adult", ""]
