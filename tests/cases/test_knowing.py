"""What is shown, counted and known: reveals, dossiers, figures, the operator's own banks."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from nightlamp.banks.live import all_banks, find_entries, get_entries
from nightlamp.cases import (
    FULL,
    Answer,
    Feedback,
    Limits,
    OwnBanks,
    agreement,
    backlog,
    claim,
    dossier,
    end_reveal,
    exposure,
    exposures,
    figures,
    hand_out,
    may_reveal,
    page_case_items,
    precision_by_list,
    precision_by_rule,
    record_reveal,
    record_stills,
    times,
    viewed,
)
from nightlamp.errors import CaseError
from nightlamp.intake.submission import Where
from nightlamp.store import metadata, reading
from nightlamp.values import Bank

from .conftest import CLEAR, CSAM, NOW, TRUSTED, matching, pdq, sha256

ANN, BEN, CAT = "person:ann", "person:ben", "person:cat"


def shown(desk, item: str, *, by: str = ANN, seconds: float = 2.0, handed: bool = True, **rest):
    """A reveal that was ended; ``handed``: its pixels were given out."""
    case = desk.case_of(item)
    made = {"level": FULL, "frame": None, **rest}
    reveal = desk.writer.write(lambda c: record_reveal(c, case, item, by=by, started_at=desk.now, **made))
    if handed:
        desk.do(hand_out, reveal, by=by)
    desk.pass_time(seconds=5)
    if seconds:
        desk.do(end_reveal, reveal, by=by, seconds=seconds)
    return reveal


@pytest.fixture
def item(desk) -> str:
    item = desk.submit(sha256("a"), frames=3, matches=[matching(Bank("list", "us", "A1", "low"))])
    desk.open()
    desk.do(claim, desk.case_of(item), by=ANN)
    return item


@pytest.mark.parametrize(
    ("reveals", "whole"),
    [
        ([], False),
        ([{"frame": 0}, {"frame": 1}, {"frame": 2}], True),
        ([{"frame": 0}, {"frame": 2}], False),
        ([{"frame": 0}, {"frame": 1}, {"frame": 2, "level": FULL - 1}], False),
        ([{"frame": 0}, {"frame": 1}, {"frame": 2, "seconds": 0}], False),
        ([{}], True),
        ([{"handed": False}], False),
        ([{"level": FULL - 1}], False),
    ],
    ids=[
        "nothing",
        "every frame",
        "one is missing",
        "one is blurred",
        "one was cut off",
        "all at once",
        "never given out",
        "blurred",
    ],
)
def test_viewed_means_every_frame_as_it_is(desk, item, reveals, whole):
    for each in reveals:
        shown(desk, item, **each)
    with reading(desk.engine) as connection:
        assert viewed(connection, item).whole is whole


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("media_type", ["video/mp4", "video/x-matroska"])
def test_of_a_video_no_stills_are_the_whole(desk, media_type, frames):
    item = desk.submit(sha256("v"), frames=frames, media_type=media_type)
    desk.open()
    desk.do(claim, desk.case_of(item), by=ANN)
    for frame in (None, *range(frames)):
        shown(desk, item, frame=frame)
    with reading(desk.engine) as connection:
        assert not viewed(connection, item).whole


def test_the_stills_of_a_strip_are_on_record(desk, item):
    case = desk.case_of(item)
    made = {"level": 1, "frame": None, "started_at": desk.now}
    reveal = desk.writer.write(lambda c: record_reveal(c, case, item, by=ANN, **made))
    strip = desk.do(hand_out, reveal, by=ANN)
    desk.do(record_stills, reveal, strip, [0, 7, 15], by=ANN)
    record = metadata.tables["audit_record"].c
    with reading(desk.engine) as connection:
        found = connection.execute(
            select(record.actor, record.subject, record.details).where(record.action == "cases.stills")
        ).one()
    assert (found.actor, found.subject) == (ANN, f"item:{item}")
    assert json.loads(found.details) == {"reveal": reveal, "case": case, "stills": [0, 7, 15]}


def test_what_two_people_saw_together_nobody_has_viewed(desk, item):
    shown(desk, item, frame=0)
    shown(desk, item, frame=1, exif=True)
    desk.answer(desk.case_of(item), ANN)
    shown(desk, item, frame=2, by=BEN, again=True)  # for a report, once it is decided
    with reading(desk.engine) as connection:
        found = viewed(connection, item)
    assert (found.whole, found.exif) == (False, True)


def test_only_who_has_the_case_may_look(desk, item):
    with pytest.raises(CaseError) as caught:
        shown(desk, item, by=BEN)
    assert caught.value.code == "not yours"


def test_what_is_decided_is_looked_at_again_only_by_who_may(desk, item):
    shown(desk, item)
    desk.answer(desk.case_of(item), ANN)
    for by in (ANN, BEN):
        with pytest.raises(CaseError) as caught:
            shown(desk, item, by=by)
        assert caught.value.code == "decided"
    assert desk.count("reveal") == 1
    shown(desk, item, by=CAT, again=True)
    assert desk.audited().count("cases.revealed") == 2


def test_exposure_is_counted_and_limited(desk, item):
    limits = Limits(soft_reveals=2, hard_reveals=3, shift=timedelta(hours=1))
    shown(desk, item, level=0)
    shown(desk, item, level=1, seconds=1)
    shown(desk, item, level=2, seconds=99)  # it cannot have been so long
    with reading(desk.engine) as connection:
        seen = exposure(connection, ANN, NOW)
        assert (seen.reveals, seen.seconds, seen.severe, seen.severity) == (2, 6.0, 1, 9)
        allowed = may_reveal(connection, ANN, now=desk.now, limits=limits)
        assert (allowed.soft, allowed.hard) == (True, False)
        assert list(exposures(connection, since=NOW)) == [ANN]
    shown(desk, item, level=1, limits=limits)
    with pytest.raises(CaseError) as caught:
        shown(desk, item, level=1, limits=limits)
    assert caught.value.code == "limit"
    shown(desk, item, level=0, limits=limits)  # what shows nothing is free
    desk.pass_time(hours=1)
    with reading(desk.engine) as connection:
        assert not may_reveal(connection, ANN, now=desk.now, limits=limits).soft
    assert desk.audited().count("cases.revealed") == 5


def test_a_look_that_was_never_ended_counts_as_the_longest(desk, item):
    limits = Limits(hard_seconds=30)
    shown(desk, item, level=1, seconds=0, handed=False)
    shown(desk, item, level=1, seconds=0, limits=limits)
    with reading(desk.engine) as connection:
        assert exposure(connection, ANN, NOW).seconds == 15
    shown(desk, item, level=2, seconds=0, limits=limits)
    with pytest.raises(CaseError) as caught:
        shown(desk, item, level=2, limits=limits)
    assert caught.value.code == "limit"


def test_a_dossier_says_what_is_known_without_a_look(desk):
    first = desk.submit(sha256("a"), pdq("a"), actor="ann")
    desk.open()
    desk.answer(desk.case_of(first), ANN, CSAM)
    desk.pass_time(hours=1)
    weak = matching(Bank("weak", "them", "csam", "low"), distance=20, signal="pdq")
    close = matching(TRUSTED, "entry 9", 3, "pdq")
    for at in range(3):
        desk.submit(
            sha256("a" if at == 0 else "b"),
            pdq("a", 2 * at),
            actor="ann",
            matches=[close, weak],
            where=Where("chat", f"room {at}", jurisdiction="uk"),
        )
        desk.open()  # one after the other: of one moment, they may come in any order
        desk.pass_time(seconds=1)
    (case,) = desk.cases()
    with reading(desk.engine) as connection:
        found = dossier(connection, case.id, now=desk.now)
        page = page_case_items(connection, case.id, after=found.items[0].id)
    assert [(hit.match.bank.name, hit.match.distance, hit.items) for hit in found.hits] == [
        ("hotline", 3, 3),
        ("weak", 20, 3),
    ]
    assert found.case.contents == 2
    assert [each.place for each in found.items] == ["chat/room 0", "chat/room 1", "chat/room 2"]
    assert page == list(found.items[1:])
    (actor,) = found.actors
    assert (actor.here, actor.history.items, actor.decided) == (3, 4, {"csam": 1})
    (neighbour,) = found.neighbours
    assert (neighbour.how, neighbour.final.finding, neighbour.final.by) == ("exact", "csam", (ANN,))
    assert found.reasons == ("because",)
    assert "entry 9" not in repr(found)


def entries(desk, name: str):
    with reading(desk.engine) as connection:
        number = next((b.id for b in all_banks(connection) if b.bank.name == name), None)
        if number is None:
            return {}
        prints = [(f.signal, f.value) for f in (sha256("a"), pdq("a"), sha256("v"), pdq("v 1"), pdq("v 2"))]
        found = get_entries(connection, find_entries(connection, number, values=prints)).values()
        return {(each.signal, each.category, each.disputed) for each in found}


def test_decisions_come_to_the_own_banks(desk):
    desk.consumers.append(OwnBanks("own", "cleared"))

    def decided(*prints, answer, **rest):
        item = desk.submit(*prints, **rest)
        desk.open()
        desk.answer(desk.case_of(item), ANN, answer)
        desk.pass_time(minutes=2)
        assert desk.apply() == 1

    decided(sha256("a"), pdq("a"), answer=CSAM)
    assert entries(desk, "own") == {("sha256", "A1", False), ("pdq", "A1", False)}
    decided(sha256("v"), pdq("v 1"), pdq("v 2", frame=1), frames=2, answer=Answer("csam"))
    assert entries(desk, "own") == {("sha256", "A1", False), ("pdq", "A1", False), ("sha256", "csam", False)}
    decided(sha256("a"), pdq("a"), answer=CLEAR)
    assert ("sha256", "A1", True) in entries(desk, "own")
    assert entries(desk, "cleared") == {("sha256", "", False)}
    decided(sha256("a"), pdq("a"), answer=CSAM)
    assert ("sha256", "A1", False) in entries(desk, "own")
    assert entries(desk, "cleared") == set()
    assert desk.audited().count("cases.applied") == 4


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (CSAM, {("list", "same", "affirmative", ""), ("list", "close", "affirmative", "")}),
        (CLEAR, {("list", "same", "negative", "adult")}),
    ],
)
def test_feedback_is_given_on_what_matched_closely(desk, answer, expected):
    bank, told = Bank("list"), []
    desk.consumers.append(Feedback(lambda _, *opinion: told.append(opinion)))
    matches = [
        matching(bank, "same"),
        matching(bank, "close", 6, "pdq"),
        matching(bank, "far", 20, "pdq"),
        matching(Bank("known files", benign=True), "benign"),
    ]
    for _ in range(2):
        desk.submit(sha256("a"), matches=matches)
    desk.open()
    decision = desk.answer(desk.cases()[0].id, ANN, answer).given.id
    desk.pass_time(minutes=2)
    assert desk.apply() == 1
    assert sorted(told) == sorted((*each, decision) for each in expected)


def test_a_lead_sees_how_it_goes(desk, monkeypatch):
    good, bad = Bank("good"), Bank("bad")
    for at, (bank, first, second) in enumerate(
        [(good, CSAM, CSAM), (good, CSAM, Answer("csam", "B2")), (bad, CLEAR, CLEAR), (bad, CSAM, CLEAR)]
    ):
        item = desk.submit(
            sha256(f"{at}"), two_person=True, rule=bank.name, matches=[matching(bank, f"{at}")]
        )
        desk.open()
        case = desk.case_of(item)
        desk.do(claim, case, by=ANN)
        desk.pass_time(seconds=10)
        desk.answer(case, ANN, first)
        if not desk.answer(case, BEN, second).final:
            desk.answer(case, CAT, second, lead=True)
    desk.submit(sha256("waits"), priority="urgent", queue="now")
    desk.open()
    desk.pass_time(hours=2)
    with reading(desk.engine) as connection:
        agreed = agreement(connection, since=NOW)
        assert (agreed.pairs, agreed.same, agreed.same_finding, agreed.led) == (4, 2, 3, 2)
        lists = {each.name: each.share for each in precision_by_list(connection, since=NOW)}
        assert lists == {"good": 1.0, "bad": 0.0}
        assert precision_by_rule(connection, since=NOW) == precision_by_list(connection, since=NOW)
        taken = times(connection, since=NOW)
        assert (taken.to_decision, taken.to_answer, taken.decided) == (10.0, 10.0, 4)
        monkeypatch.setattr(figures, "MOST_JUDGED", 1)  # the last one alone is judged, all are counted
        assert sum(each.csam + each.not_csam for each in precision_by_list(connection, since=NOW)) == 1
        assert sum(each.csam + each.not_csam for each in precision_by_rule(connection, since=NOW)) == 1
        assert times(connection, since=NOW).decided == 4
        (waiting,) = backlog(connection, now=desk.now)
    assert (waiting.queue, waiting.priority, waiting.cases, waiting.ages) == (
        "now",
        "urgent",
        1,
        (0, 1, 0, 0, 0, 0),
    )


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("answer", [CSAM, CLEAR])
def test_what_is_there_by_its_actor_alone_counts_if_somebody_opened_it(desk, answer, opened):
    told = []
    desk.consumers += [OwnBanks("own", "cleared"), Feedback(lambda _, *opinion: told.append(opinion[1]))]
    listed = Bank("list")
    first = desk.submit(sha256("a"), pdq("a"), actor="ann", matches=[matching(listed, "entry a")])
    near = desk.submit(sha256("b"), pdq("a", 2))
    copy_of_first = desk.submit(sha256("a"), matches=[matching(listed, "entry of a copy")])
    burst = desk.submit(sha256("v"), pdq("v 1"), actor="ann", matches=[matching(listed, "entry v")])
    copy = desk.submit(sha256("v"), matches=[matching(listed, "entry of its copy")])
    like_it = desk.submit(sha256("w"), pdq("v 1", 5), matches=[matching(listed, "entry of its like")])
    like_that = desk.submit(sha256("x"), pdq("v 1", 10), matches=[matching(listed, "entry of that's like")])
    desk.open()
    case = desk.case_of(first)
    with_them = (near, copy_of_first, burst, copy, like_it, like_that)
    assert {desk.case_of(each) for each in with_them} == {case}
    desk.do(claim, case, by=ANN)
    shown(desk, burst, level=1, handed=opened, seconds=0)
    desk.answer(case, ANN, answer)
    desk.pass_time(minutes=2)
    assert desk.apply() == 1
    more = ["entry of its copy", "entry of its like", "entry of that's like", "entry v"] if opened else []
    assert sorted(told) == ["entry a", "entry of a copy", *more]
    bank = "own" if answer is CSAM else "cleared"
    with reading(desk.engine) as connection:
        number = next(each.id for each in all_banks(connection) if each.bank.name == bank)
        prints = [("sha256", sha256(each).value) for each in "abvwx"]
        prints += [("pdq", pdq("v 1", flipped).value) for flipped in (0, 5, 10)]
        found = get_entries(connection, find_entries(connection, number, values=prints)).values()
    expected = {sha256("a").value, sha256("b").value}
    if opened:
        expected |= {sha256(each).value for each in "vwx"}
        expected |= {pdq("v 1", flipped).value for flipped in (0, 5, 10)} if answer is CSAM else set()
    assert {each.value for each in found} == expected
