"""Opinions go back to exchanges durably, and once; what nobody knows is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from nightlamp.cases.decision import REASONS
from nightlamp.feeds import Feedback, queue_feedback, remove_feed, withdraw_feedback
from nightlamp.feeds.exchange import Stance
from nightlamp.feeds.feedback import SENDING
from nightlamp.feeds.tables import feedback
from nightlamp.outbound import Fetcher
from nightlamp.store import reading

from .conftest import World
from .scripted import Incremental, Source, fault


def ready(world: World, **given: object) -> tuple[Source, Feedback]:
    source = world.add("one", **{"feedback": True, **given})
    source.put("k", [("pdq", 1)])
    world.node.sync("one")
    return source, Feedback(world.engine, Fetcher(), kinds=world.kinds, clock=world.clock)


def say(world: World, opinion: str, key: str = "k") -> int:
    with world.engine.begin() as connection:
        return queue_feedback(connection, "list", key, opinion, "wrong", "d1", now=world.clock())  # type: ignore[arg-type]


def states(world: World) -> list[str]:
    with reading(world.engine) as connection:
        return list(connection.scalars(select(feedback.c.state).order_by(feedback.c.number)))


def test_an_opinion_is_sent_once(world: World) -> None:
    source, loop = ready(world)
    assert say(world, "negative") == 1
    assert say(world, "negative") == 0
    assert say(world, "negative", "unknown") == 0
    assert loop.run_once()
    assert not loop.run_once()
    assert say(world, "negative") == 0
    assert [(o.key, o.stance) for o in source.opinions] == [("k", "negative")]
    assert states(world) == ["sent"]


@pytest.mark.parametrize(
    ("category", "opinion", "reason", "queued"),
    [
        ("csam", "negative", "adult", 1),
        ("ncii", "negative", "adult", 0),
        ("terrorism", "negative", "no_person", 0),
        ("ncii", "negative", "wrong_match", 1),
        ("ncii", "affirmative", "", 1),
    ],
)
def test_that_it_is_not_csam_is_no_objection_to_a_list_of_something_else(
    sqlite_world: World, category: str, opinion: Stance, reason: str, queued: int
) -> None:
    ready(sqlite_world, category=category)

    with sqlite_world.engine.begin() as connection:
        assert queue_feedback(connection, "list", "k", opinion, reason, "d1") == queued


@pytest.mark.parametrize("reason", REASONS["not_csam"])
def test_the_page_lists_every_reason(reason: str) -> None:
    page = Path(__file__).parents[2] / "docs/feeds.md"

    assert f"\n| `{reason}` |" in page.read_text("utf-8")


def test_it_is_off_by_default(world: World) -> None:
    _, loop = ready(world, feedback=False)
    assert say(world, "affirmative") == 0
    assert not loop.run_once()


def test_a_newer_opinion_takes_the_place_of_one_that_waits(world: World) -> None:
    source, loop = ready(world)
    say(world, "negative")
    say(world, "affirmative")
    loop.run_once()
    assert [o.stance for o in source.opinions] == ["affirmative"]
    assert states(world) == ["superseded", "sent"]


def test_what_waits_of_a_decision_that_does_not_stand_is_not_sent(world: World) -> None:
    source, loop = ready(world)
    say(world, "negative")
    with world.engine.begin() as connection:
        withdraw_feedback(connection, "another", now=world.clock())
        assert states(world) == ["waiting"]
        withdraw_feedback(connection, "d1", now=world.clock())
    assert not loop.run_once()

    # The same, decided anew, is sent; and what was sent stands
    assert say(world, "negative") == 1
    assert loop.run_once()
    with world.engine.begin() as connection:
        withdraw_feedback(connection, "d1", now=world.clock())
    assert states(world) == ["superseded", "sent"]
    assert [o.stance for o in source.opinions] == ["negative"]


def test_an_opinion_that_was_queued_while_its_feed_was_removed_is_closed(world: World) -> None:
    # Given one whose transaction ended after that of the removal, which has not seen it
    source, loop = ready(world)
    say(world, "negative")
    with world.engine.begin() as connection:
        remove_feed(connection, "one", actor="test", now=world.clock())
        connection.execute(update(feedback).values(state="waiting", done_at=None))

    assert not loop.run_once()

    assert states(world) == ["refused"]
    assert source.opinions == []


def test_rate_limits_are_respected(world: World) -> None:
    source, loop = ready(world)
    say(world, "negative")
    source.fault = fault("limited", retry_after=500)
    loop.run_once()
    source.fault = None
    world.clock.move(seconds=400)
    assert not loop.run_once()
    world.clock.move(seconds=101)
    assert loop.run_once()
    assert states(world) == ["sent"]


def test_a_lost_answer_is_tried_again_only_where_that_does_no_harm(world: World, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    source, loop = ready(world)
    source.lost_answer = True
    say(world, "negative")
    loop.run_once()
    assert states(world) == ["waiting"]
    world.clock.move(hours=1)
    monkeypatch.setattr(Incremental, "repeatable", False)
    loop.run_once()
    assert states(world) == ["doubtful"]
    world.clock.move(hours=100)
    assert not loop.run_once()
    assert len(source.opinions) == 2


def test_a_process_that_dies_while_it_sends_leaves_doubt(world: World, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    source, loop = ready(world)
    monkeypatch.setattr(Incremental, "repeatable", False)

    def die(self: Incremental, opinions: object) -> None:
        raise KeyboardInterrupt

    say(world, "negative")
    with monkeypatch.context() as patched:
        patched.setattr(Incremental, "feedback", die)
        try:
            loop.run_once()
        except KeyboardInterrupt:
            world.clock.move(seconds=SENDING + 1)
    loop.run_once()
    assert states(world) == ["doubtful"]
    assert source.opinions == []


def meanwhile(monkeypatch, what) -> None:  # type: ignore[no-untyped-def]
    """The next opinion's answer is lost, after something has happened."""

    def lost(self: Incremental, opinions: object) -> None:
        monkeypatch.undo()
        what()
        raise fault("network")

    monkeypatch.setattr(Incremental, "feedback", lost)


def test_who_was_too_slow_does_not_have_it_sent_again(world: World, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    source, loop = ready(world)
    say(world, "negative")

    def another() -> None:
        world.clock.move(seconds=SENDING + 1)
        loop.run_once()

    meanwhile(monkeypatch, another)
    loop.run_once()
    world.clock.move(hours=100)

    assert not loop.run_once()
    assert states(world) == ["sent"]
    assert len(source.opinions) == 1


def test_an_opinion_whose_answer_was_lost_is_not_sent_after_a_newer_one(world: World, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    source, loop = ready(world)
    say(world, "negative")
    meanwhile(monkeypatch, lambda: say(world, "affirmative"))
    loop.run_once()
    world.clock.move(hours=100)
    while loop.run_once():
        pass

    assert states(world) == ["superseded", "sent"]
    assert [o.stance for o in source.opinions] == ["affirmative"]


def test_what_cannot_be_sent_at_all_holds_up_nobody(world: World, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SCRIPTED_PASSWORD", "p")
    _, loop = ready(world, secrets={"password": "env:SCRIPTED_PASSWORD"})
    say(world, "negative")

    def die(self: Incremental, opinions: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Incremental, "feedback", die)
        try:
            loop.run_once()
        except KeyboardInterrupt:
            world.clock.move(seconds=SENDING + 1)
    monkeypatch.delenv("SCRIPTED_PASSWORD")

    assert loop.run_once()
    assert not loop.run_once()
