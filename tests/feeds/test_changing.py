"""Changing a feed: what stays in force, what is fetched anew, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from nightlamp.audit.tables import audit_record
from nightlamp.errors import FeedError
from nightlamp.feeds import FeedChange, change_feed, pause_feed, resume_feed
from nightlamp.store import reading

from .conftest import World, expected
from .scripted import Source


def change(world: World, name: str = "one", **given: Any) -> Any:
    with world.engine.begin() as connection:
        return change_feed(
            connection, name, FeedChange(**given), actor="person:ada", kinds=world.kinds, now=world.clock()
        )


def filled(world: World, name: str = "one", keys: int = 6, **given: Any) -> Source:
    source = world.add(name, **given)
    for n in range(keys):
        source.put(f"{name}{n}", [("pdq", f"{name} {n}")])
    world.node.sync(name)
    return source


def test_what_is_not_named_stays_and_the_log_names_what_changed(world: World) -> None:
    filled(world)
    before = world.feed("one")
    after = change(world, every=7_200, max_loss=0.5)
    assert (after.every, after.max_loss) == (7_200, 0.5)
    assert (after.stale_after, after.feedback, after.config) == (before.stale_after, False, before.config)
    assert after.checkpoint == before.checkpoint
    with reading(world.engine) as connection:
        query = select(audit_record.c.details, audit_record.c.actor)
        told = connection.execute(query.where(audit_record.c.action == "feeds.changed")).one()
    assert "every_seconds" in str(told.details)
    assert told.actor == "person:ada"
    assert change(world, every=7_200).every == 7_200  # nothing to change: nothing is told
    with reading(world.engine) as connection:
        query = select(audit_record.c.action).where(audit_record.c.action == "feeds.changed")
        assert len(connection.execute(query).all()) == 1


@pytest.mark.parametrize("kind", ["incremental", "whole"])
def test_another_config_has_the_whole_list_fetched_anew(world: World, kind: str) -> None:
    filled(world, kind=kind, max_loss=1)
    world.sources["other"] = other = Source()
    for n in range(4, 9):
        other.put(f"one{n}", [("pdq", f"one {n}")])
    before = world.rows("one")
    change(world, config={"source": "other"})
    assert world.rows("one") == before  # it goes on matching until the other list is there
    assert world.feed("one").checkpoint is None
    assert world.node.sync("one").ended == "done"
    assert world.rows("one") == expected(other)


def changed_under_way(world: World, **given: Any) -> Source:
    """A feed that is changed behind the second page of a run, which is lost by that."""
    source = filled(world, keys=7, max_loss=1)
    source.page = 1
    for n in range(7):
        source.put(f"one{n}", [("pdq", f"new {n}")])
    done: list[int] = []

    def between(pages: int, *_: object) -> None:
        done.append(pages)
        if len(done) == 2:
            change(world, **given)

    assert world.node.sync("one", progress=between).ended == "lost"
    return source


def test_a_run_under_way_with_the_old_config_is_lost(world: World) -> None:
    world.sources["other"] = other = Source()
    for n in range(9):
        other.put(f"one{n}", [("pdq", f"new {n}")])
    changed_under_way(world, config={"source": "other"})
    assert world.node.sync("one").ended == "done"
    assert world.rows("one") == expected(other)


def test_a_run_under_way_goes_on_as_changed_and_at_once(world: World) -> None:
    source = changed_under_way(world, every=60)
    assert world.node.run_once()  # and not an old pause later
    assert world.rows("one") == expected(source)


def test_who_may_not_change_it_so_changes_nothing(world: World) -> None:
    filled(world)
    before = world.feed("one")

    def never(stored: Any) -> None:
        assert stored == before
        raise FeedError("no", where="feed one")

    with pytest.raises(FeedError), world.engine.begin() as connection:
        change_feed(
            connection, "one", FeedChange(every=60), actor="person:ada", allowed=never, kinds=world.kinds
        )
    assert world.feed("one") == before


def test_a_loss_that_was_shown_is_not_accepted_for_another_list(world: World) -> None:
    source = filled(world, keys=10)
    source.page = 100
    for n in range(3):
        source.delete(f"one{n}")
    assert world.node.sync("one").ended == "held"
    world.sources["other"] = other = Source()
    for n in range(3, 7):
        other.put(f"one{n}", [("pdq", f"one {n}")])
    change(world, config={"source": "other"})
    assert world.feed("one").paused == "loss"
    with world.engine.begin() as connection:
        resume_feed(connection, "one", actor="test", accept_loss=True, now=world.clock())
    assert world.node.sync("one").ended == "held"  # it would lose 6 of 10, and nobody was asked about that


def test_a_paused_feed_stays_paused(world: World) -> None:
    filled(world)
    with world.engine.begin() as connection:
        pause_feed(connection, "one", actor="test")
    assert change(world, feedback=True).paused == "person"


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": 5},
        {"max_loss": 2.0},
        {"stale_after": 60},
        {"config": {"no such": 1}},
        {"secrets": {"password": "hunter2"}},
        {"secrets": {"unknown": "env:X"}},
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(world: World, wrong: dict[str, Any]) -> None:
    filled(world)
    before = world.feed("one")
    with pytest.raises(FeedError) as caught:
        change(world, **wrong)
    assert "hunter2" not in str(caught.value)
    assert world.feed("one") == before
    with pytest.raises(FeedError):
        change(world, "nobody", every=60)
