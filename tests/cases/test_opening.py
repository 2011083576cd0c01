from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from nightlamp.cases import Opener, Terms, get_case
from nightlamp.cases.opening import MOST_ITEMS
from nightlamp.cases.prints import Prints
from nightlamp.cases.tables import case_item, case_print
from nightlamp.intake.submission import Where
from nightlamp.store import metadata, reading
from nightlamp.values import Bank

from .conftest import CLEAR, CSAM, NOW, matching, pdq, sha256


def how(desk, item: str) -> str:
    with reading(desk.engine) as connection:
        return connection.scalar(select(case_item.c.how).where(case_item.c.item == item))


def test_what_is_allowed_waits_for_nobody(desk):
    desk.submit(sha256("a"), action="allow")
    assert desk.open() == 0
    assert desk.cases() == []


def test_an_item_becomes_a_case_with_what_the_rule_asks_for(desk):
    item = desk.submit(
        sha256("a"), actor="ann", priority="high", queue="video", two_person=True, matches=[matching()]
    )
    assert desk.open() == 1
    (case,) = desk.cases()
    assert (case.queue, case.priority, case.two_person, case.known) == ("video", "high", True, True)
    assert (case.items, case.actors, case.state, case.version) == (1, 1, "open", 1)
    assert desk.case_of(item) == case.id
    assert desk.count("for_review") == 0
    assert desk.audited()[-1] == "cases.opened"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([sha256("a")], [sha256("a")], "exact"),
        ([sha256("a"), pdq("a")], [sha256("b"), pdq("a", 8)], "near"),
        ([sha256("a"), pdq("a")], [sha256("b"), pdq("a", 9)], None),
        ([sha256("a"), pdq("a")], [sha256("b"), pdq("b")], None),
        ([sha256("a"), pdq("a", quality=10)], [sha256("b"), pdq("a", quality=10)], None),
        ([], [], None),
    ],
    ids=["same bytes", "close", "not close enough", "another", "unclear", "nothing known"],
)
def test_what_is_nearly_the_same_is_one_case(desk, first, second, expected):
    one = desk.submit(*first)
    desk.open()
    two = desk.submit(*second)
    desk.open()
    assert (desk.case_of(one) == desk.case_of(two)) == (expected is not None)
    assert how(desk, two) == (expected or "first")


def video(name: str, frames: int, *, shift: int = 0, flipped: int = 0):
    return [pdq(f"{name} {at + shift}", flipped, frame=at) for at in range(frames)]


@pytest.mark.parametrize(
    ("prints", "frames", "same"),
    [
        (video("v", 10, flipped=5), 10, True),
        (video("v", 10, shift=1), 10, True),
        (video("v", 10, shift=5), 10, False),
        (video("v", 3), 3, False),
        ([*video("v", 10), *video("w", 10)], 20, False),
        (video("v", 1), 1, False),
        (video("v", 1), 10, False),
    ],
    ids=["recoded", "cut by one", "half of it", "a clip", "with another", "a still", "one clear frame"],
)
def test_videos_are_one_case_if_most_of_either_is_in_the_other(desk, prints, frames, same):
    one = desk.submit(sha256("v"), *video("v", 10), frames=10)
    desk.open()
    two = desk.submit(sha256("other"), *prints, frames=frames)
    desk.open()
    assert (desk.case_of(one) == desk.case_of(two)) is same


def test_items_that_match_the_same_entry_closely_are_one_case(desk):
    near, far = matching(signal="pdq", distance=6), matching(signal="pdq", distance=20)
    one = desk.submit(sha256("a"), matches=[near])
    two = desk.submit(sha256("b"), matches=[near])
    three = desk.submit(sha256("c"), matches=[far])
    four = desk.submit(sha256("d"), matches=[matching(entry="entry 2")])
    of_host = desk.submit(sha256("e"), matches=[matching(signal="url-host")])
    desk.open()
    assert how(desk, two) == "entry"
    assert desk.case_of(one) == desk.case_of(two)
    assert len({desk.case_of(each) for each in (one, three, four, of_host)}) == 4


def test_a_burst_of_one_actor_is_one_case(desk):
    one = desk.submit(sha256("a"), actor="ann")
    desk.pass_time(minutes=9)
    two = desk.submit(sha256("b"), actor="ann")
    desk.pass_time(minutes=9)
    three = desk.submit(sha256("c"), actor="ann")
    of_bob = desk.submit(sha256("d"), actor="bob")
    other_rule = desk.submit(sha256("e"), actor="ann", rule="another")
    desk.open()
    desk.pass_time(minutes=11)
    later = desk.submit(sha256("f"), actor="ann")
    desk.open()
    assert desk.case_of(one) == desk.case_of(two) == desk.case_of(three)
    assert len({desk.case_of(each) for each in (one, of_bob, other_rule, later)}) == 4


def test_bursts_may_be_left_apart(lite):
    lite.opener = Opener(lite.engine, lite.writer, Terms(burst=timedelta(0)))
    lite.submit(sha256("a"), actor="ann")
    lite.submit(sha256("b"), actor="ann")
    lite.open()
    assert len(lite.cases()) == 2


def test_the_higher_priority_counts_and_its_queue_and_deadline(lite):
    terms = Terms(due={"urgent": 1, "normal": 72, "uk/urgent": 0.5})
    lite.opener = Opener(lite.engine, lite.writer, terms)
    lite.submit(sha256("a"), actor="ann", where=Where("chat", "room 1"))
    lite.open()
    (before,) = lite.cases()
    lite.submit(
        sha256("a"),
        actor="bob",
        priority="urgent",
        queue="now",
        two_person=True,
        where=Where("chat", "room 2", jurisdiction="UK"),
    )
    lite.open()
    (after,) = lite.cases()
    assert (after.priority, after.queue, after.two_person) == ("urgent", "now", True)
    assert after.due_at == NOW + timedelta(minutes=30)
    assert (after.items, after.actors, after.places) == (2, 2, 2)
    assert after.version > before.version


def test_a_page_is_stale_when_something_else_joins_but_not_with_the_same_content(desk):
    desk.submit(sha256("a"), pdq("a"))
    desk.open()
    (before,) = desk.cases()
    desk.submit(sha256("a"), pdq("a"))
    desk.open()
    assert desk.cases()[0].version == before.version
    desk.submit(sha256("b"), pdq("a", 1))
    desk.open()
    (after,) = desk.cases()
    assert (after.version, after.changed, after.items) == (before.version + 1, "items were added", 3)


def test_after_an_answer_only_the_very_same_content_joins(desk):
    one = desk.submit(sha256("a"), pdq("a"), two_person=True)
    desk.open()
    desk.answer(desk.case_of(one), "person:1")
    same = desk.submit(sha256("a"), pdq("a"), two_person=True)
    close = desk.submit(sha256("b"), pdq("a", 1), two_person=True)
    desk.open()
    assert desk.case_of(same) == desk.case_of(one)
    assert desk.case_of(close) != desk.case_of(one)


def test_what_was_decided_before_is_a_case_that_says_so(desk):
    one = desk.submit(sha256("a"), pdq("a"))
    desk.open()
    desk.answer(desk.case_of(one), "person:1")
    same, more, close = (
        desk.submit(sha256("a"), pdq("a")),
        desk.submit(sha256("a")),
        desk.submit(sha256("c"), pdq("a", 2)),
    )
    desk.open()
    (case,) = desk.cases()
    assert case.earlier == desk.case_of(one)
    assert {desk.case_of(each) for each in (same, more, close)} == {case.id}
    assert desk.count("case_neighbour") == 1


def test_a_late_match_on_an_open_case_is_news(desk):
    one = desk.submit(sha256("a"))
    desk.open()
    desk.submit(sha256("a"), item=one, matches=[matching()], priority="urgent")
    desk.open()
    (case,) = desk.cases()
    assert (case.items, case.priority, case.version, case.changed) == (
        1,
        "urgent",
        2,
        "there are new matches",
    )


def test_what_was_cleared_is_opened_again_by_a_late_match(desk):
    seen = []
    desk.consumers.append(lambda _, final: seen.append(final))
    one = desk.submit(sha256("a"))
    desk.open()
    desk.answer(desk.case_of(one), "person:1", CLEAR)
    desk.submit(sha256("a"), item=one, matches=[matching()])
    desk.open()
    (case,) = desk.cases()
    assert (case.state, case.round, case.decision) == ("open", 2, None)
    desk.pass_time(minutes=2)
    assert desk.apply() == 0  # the old decision had no effect yet, and has none now
    desk.answer(case.id, "person:1", CSAM)
    desk.pass_time(minutes=2)
    assert desk.apply() == 1
    assert [final.finding for final in seen] == ["csam"]


def test_who_heard_of_a_decision_is_told_that_it_does_not_stand(desk):
    heard, withdrawn = [], []
    desk.consumers.append(lambda _, final: heard.append(final.decision))
    desk.opener = Opener(desk.engine, desk.writer, reopened=lambda _, decision: withdrawn.append(decision))
    one = desk.submit(sha256("a"))
    desk.open()
    desk.answer(desk.case_of(one), "person:1", CLEAR)
    desk.pass_time(minutes=2)
    assert desk.apply() == 1
    assert withdrawn == []

    desk.submit(sha256("a"), item=one, matches=[matching()])
    desk.open()

    assert withdrawn == heard


def test_what_was_confirmed_stays_decided_whatever_matches_late(desk):
    one = desk.submit(sha256("a"))
    desk.open()
    desk.answer(desk.case_of(one), "person:1", CSAM)
    desk.submit(sha256("a"), item=one, matches=[matching()])
    assert desk.open() == 1
    assert desk.cases() == []


def test_a_full_case_takes_no_more(lite):
    one = lite.submit(sha256("a"))
    lite.open()
    with lite.engine.begin() as connection:
        case = metadata.tables["review_case"]
        connection.execute(case.update().values(items=MOST_ITEMS))
    two = lite.submit(sha256("a"))
    lite.open()
    assert lite.case_of(one) != lite.case_of(two)


def test_the_prints_of_decided_cases_are_let_go_first(lite):
    items = [lite.submit(sha256(f"{at}"), pdq(f"{at}")) for at in range(6)]
    lite.open()
    for item in items[:4]:
        lite.answer(lite.case_of(item), "person:1")
    prints = Prints(most=4)
    prints.load(lite.engine)
    prints.load(lite.engine)
    kept = {at for at in range(6) if prints.similar([pdq(f"{at}").value], 0)}
    assert kept == {4, 5}
    assert [each.distance for each in prints.similar([pdq("5", 3).value], 3)] == [3]


class BrokenError(Exception):
    """The database fails."""


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),  # content
            st.integers(0, 2),  # variant: so many bits
            st.integers(0, 2),  # actor
            st.booleans(),  # matched the entry of its content
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 60),
    st.booleans(),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_it_breaks_each_item_comes_to_be_in_one_case(desk, items, at_statement, decide_meanwhile):
    from sqlalchemy import event

    # Given items that wait, and a database that fails at one of the statements.
    sent = {}
    for content, flipped, actor, matched in items:
        name = f"{content} {flipped} {desk.now}"
        item = desk.submit(
            sha256(name),
            pdq(f"{content} {desk.now}", flipped),
            actor=f"{actor} {desk.now}" if actor else "",
            matches=[matching(Bank("list"), f"{content} {desk.now}")] if matched else [],
        )
        sent[item] = content
    left = [at_statement]

    def fail(*_):
        left[0] -= 1
        if left[0] == 0:
            raise BrokenError

    # When openers of two nodes go on until nothing waits.
    event.listen(desk.engine, "before_cursor_execute", fail)
    openers = [desk.opener, Opener(desk.engine, desk.writer, clock=lambda: desk.now)]
    for turn in range(8):
        try:
            openers[turn % 2].run_once()
        except BrokenError:
            continue
        if decide_meanwhile and turn == 2 and desk.cases():
            left[0] = -1
            desk.answer(desk.cases()[0].id, "person:1")
    event.remove(desk.engine, "before_cursor_execute", fail)
    desk.open()
    # Then each is in one case, the counts are right, and what is alike is together.
    assert desk.count("for_review") == 0
    cases = {item: desk.case_of(item) for item in sent}
    with reading(desk.engine) as connection:
        for case_id in set(cases.values()):
            case = get_case(connection, case_id)
            inside = connection.execute(select(case_item).where(case_item.c.case == case_id)).all()
            assert case.items == len(inside)
            assert case.actors == len({row.actor for row in inside if row.actor})
        kept = connection.execute(select(case_print.c.item).where(case_print.c.item.in_(sent))).all()
        assert len(kept) == 2 * len(sent)
    if not decide_meanwhile:
        by_content = {}
        for item, content in sent.items():
            by_content.setdefault(content, set()).add(cases[item])
        assert all(len(found) == 1 for found in by_content.values())
    desk.pass_time(hours=1)
