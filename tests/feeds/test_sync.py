"""Runs of a feed: what they bring, how they go on, and when they stop."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from nightlamp.errors import ExchangeError, FeedError
from nightlamp.feeds import resume_feed
from nightlamp.feeds.entries import Owner, put_states
from nightlamp.feeds.exchange import Print, Record
from nightlamp.feeds.states import read_states

from .conftest import SIGNALS, World, expected


def test_a_first_run_brings_everything_and_the_next_what_changed(world: World) -> None:
    source = world.add("one", max_loss=1)
    for n in range(7):
        source.put(f"k{n}", [("pdq", n), ("md5", n)], "A1")
    first = world.node.sync("one")
    assert (first.ended, first.pages, first.change.added) == ("done", 4, 14)
    assert world.rows("one") == expected(source)
    source.delete("k3")
    source.put("k4", [("pdq", 40)], "A2")
    source.put("k5", [("pdq", 5), ("md5", 5)], "A1", disputed=True)
    second = world.node.sync("one")
    assert (second.change.added, second.change.removed) == (1, 4)
    assert world.rows("one") == expected(source)
    stored = world.feed("one")
    assert (stored.records, stored.prints, stored.run_mode) == (6, 11, "")


def test_a_full_list_withdraws_what_it_does_not_name(world: World) -> None:
    source = world.add("one", "whole", max_loss=1)
    for n in range(5):
        source.put(f"k{n}", [("pdq", n)])
    world.node.sync("one")
    source.delete("k1")
    source.put("k9", [("pdq", 9)])
    assert world.node.sync("one").change.removed == 1
    assert world.rows("one") == expected(source)
    again = world.node.sync("one")
    assert (again.pages, again.change.generation) == (1, 0)
    assert world.rows("one") == expected(source)


def test_a_stale_checkpoint_leads_to_a_whole_fetch(world: World) -> None:
    source = world.add("one", max_loss=1)
    for n in range(5):
        source.put(f"k{n}", [("pdq", n)])
    world.node.sync("one")
    source.delete("k1")
    source.forget()
    world.node.sync("one")
    assert world.rows("one") == expected(source)


@pytest.mark.parametrize("kind", ["incremental", "whole"])
def test_losing_too_much_stops_and_asks(world: World, kind: str) -> None:
    source = world.add("one", kind)
    for n in range(10):
        source.put(f"k{n}", [("pdq", n)])
    world.node.sync("one")
    before = world.rows("one")
    for n in range(3):
        source.delete(f"k{n}")
    source.page = 100
    ran = world.node.sync("one")
    assert ran.ended == "held"
    assert "3 of 10" in ran.why
    assert world.rows("one") == before
    assert world.feed("one").paused == "loss"
    with pytest.raises(FeedError):
        world.node.sync("one")
    with world.engine.begin() as connection:
        resume_feed(connection, "one", actor="test", accept_loss=True)
    assert world.node.sync("one").ended == "done"
    assert world.rows("one") == expected(source)


@pytest.mark.parametrize("kind", ["incremental", "whole"])
@pytest.mark.parametrize("change", [{"disputed": True}, {"category": "Z"}], ids=["disputed", "category"])
def test_a_list_that_is_disputed_or_recategorised_stops_and_asks(
    world: World, kind: str, change: dict[str, Any]
) -> None:
    source = world.add("one", kind)
    source.page = 100
    for n in range(10):
        source.put(f"k{n}", [("pdq", n)], category="A1")
    world.node.sync("one")
    for n in range(2):
        source.put(f"k{n}", [("pdq", n)], **{"category": "A1", **change})
    assert world.node.sync("one").ended == "done"
    before = world.rows("one")
    source.put("k2", [("pdq", 2)], **{"category": "A1", **change})
    ran = world.node.sync("one")
    assert (ran.ended, "3 of 10" in ran.why) == ("held", True)
    assert (world.rows("one"), world.feed("one").paused) == (before, "loss")
    with world.engine.begin() as connection:
        resume_feed(connection, "one", actor="test", accept_loss=True)
    assert world.node.sync("one").ended == "done"
    assert world.rows("one") == expected(source)


def test_what_a_person_accepts_is_the_loss_that_was_shown(world: World) -> None:
    source = world.add("one")
    source.page = 100
    for n in range(20):
        source.put(f"k{n}", [("pdq", n)])
    world.node.sync("one")
    for n in range(5):
        source.delete(f"k{n}")
    assert "5 of 20" in world.node.sync("one").why
    with world.engine.begin() as connection:
        resume_feed(connection, "one", actor="test", accept_loss=True)
    for n in range(5, 12):
        source.delete(f"k{n}")  # more than anybody has seen
    again = world.node.sync("one")
    assert (again.ended, "12 of 20" in again.why) == ("held", True)
    assert len(world.rows("one")) == 20
    with world.engine.begin() as connection:
        resume_feed(connection, "one", actor="test", accept_loss=True)
    assert world.node.sync("one").ended == "done"
    assert world.rows("one") == expected(source)


def test_a_lease_is_kept_while_a_page_takes_long(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = sqlite_world
    monkeypatch.setattr("nightlamp.feeds.schedule.LEASE", timedelta(seconds=0.2))
    source = world.add("one")
    source.put("k", [("pdq", 1)])
    renewed = Event()
    begun = world.clock()

    def slow(*_: object) -> None:
        """Until the lease, by a clock that has gone on, was renewed."""
        world.clock.move(minutes=10)
        for _ in range(600):
            until = world.feed("one").leased_until
            if until is not None and until > begun + timedelta(minutes=9):
                renewed.set()
                return
            time.sleep(0.05)

    assert world.node.sync("one", progress=slow).ended == "done"
    assert renewed.is_set()


def test_faults_are_kept_and_tried_again_later(world: World) -> None:
    source = world.add("one")
    source.put("k", [("pdq", 1)])
    source.fault = ExchangeError("network", "no route", hint="the cable")
    assert world.node.run_once()
    stored = world.feed("one")
    assert (stored.failures, stored.error_kind) == (1, "network")
    assert not world.node.run_once()
    world.clock.move(seconds=100)
    source.fault = None
    assert world.node.run_once()
    assert world.feed("one").failures == 0
    assert world.rows("one") == expected(source)


def test_an_older_state_never_replaces_a_newer_one(world: World) -> None:
    """Pages are in no order of time: an earlier state may come after a later one."""
    source = world.add("one")
    stored = world.feed("one")
    owner = Owner(stored.id, stored.bank, stored.actor)
    source.put("k", [("pdq", 1)])
    older = source.records["k"]
    source.put("k", [("pdq", 2)])
    newer = source.records["k"]
    for record in (newer, older, Record("k", deleted=True, version=older.version)):
        states, _ = read_states([record], SIGNALS)
        with world.engine.begin() as connection:
            put_states(connection, owner, states, world.clock())
        assert world.rows("one") == expected(source)
    states, left_out = read_states([newer, older], SIGNALS)  # the same within a page
    assert (states["k"].version, left_out) == (newer.version, 0)


def test_what_cannot_be_read_is_left_out_and_counted() -> None:
    states, left_out = read_states(
        [
            Record("a", (Print("pdq", "nonsense"), Print("md5", bytes(16)))),
            Record("", (Print("md5", bytes(16)),)),
            Record("x" * 2000, (Print("md5", bytes(16)),)),
            Record("nul\0", (Print("md5", bytes(16)),)),
            Record("\ud800", (Print("md5", bytes(16)),)),
            Record("b", (Print("tmk", bytes(5000)), Print("photodna", "its own text"))),
        ],
        SIGNALS,
    )
    assert left_out == 6
    assert {key: [v.signal for v in state.wanted.values] for key, state in states.items()} == {
        "a": ["md5"],
        "b": ["photodna"],
    }
