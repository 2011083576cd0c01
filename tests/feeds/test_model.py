"""Three feeds and a person on one bank against a model: whatever changes, crashes and refusals come between.

At every moment, under each key of a feed stands one whole state that its source has had since the feed was
last in step; what did not change since then is there. After a run that ends, bank = source.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, event, text

from nightlamp.banks import Entry
from nightlamp.banks.live import add_entries, find_bank
from nightlamp.feeds import resume_feed, sync
from nightlamp.feeds.sync import LEASE
from nightlamp.store import connect

from .conftest import World, expected, rows_of
from .scripted import Source, fault, value_of

KEYS = st.sampled_from(["a", "b", "c", "d", "é"])
NAMES = st.sampled_from(["one", "two", "list"])
TABLES = (
    "feedback",
    "feed_staged",
    "feed_entry",
    "feed",
    "bank_entry",
    "bank",
    "bank_change",
    "audit_record",
)
PRINTS = st.lists(st.tuples(st.sampled_from(["md5", "pdq"]), st.integers(0, 2)), max_size=3, unique=True)
STATES = st.none() | st.tuples(PRINTS, st.sampled_from(["", "A1"]), st.booleans())
New = tuple[list[tuple[str, int]], str, bool]
State = frozenset[tuple[str, bytes, str, bool]]


class Crash(BaseException):
    """The process is gone."""


@contextmanager
def crashing(engine: Engine, after: int) -> Iterator[None]:
    """Die at the ``after``-th statement or commit."""
    left = [after]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)
        event.remove(engine, "commit", count)


class Machine(RuleBasedStateMachine):
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        with self.engine.begin() as connection:
            for table in TABLES:
                connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text("UPDATE bank_counter SET generation = 0, token = '', last_entry = 0"))
            connection.execute(text("UPDATE audit_head SET sequence = 0"))
        self.world = World(self.engine)
        self.seen: dict[str, dict[str, set[State]]] = {}  # feed → key → states since it was last in step
        self.sources: dict[str, Source] = {}

    @initialize(swap=st.sampled_from([2, 20_000]), page=st.integers(1, 3), versioned=st.booleans())
    def begin(self, swap: int, page: int, versioned: bool) -> None:
        self.patch = mock.patch.object(sync, "SWAP_AT_ONCE", swap)
        self.patch.start()
        for name, kind, loss in (
            ("one", "incremental", 1.0),
            ("two", "incremental", 0.5),
            ("list", "whole", 1.0),
        ):
            source = self.world.add(name, kind, max_loss=loss)
            source.page, source.versioned = page, versioned
            self.sources[name] = source
            for key in "abcd":
                source.put(key, [("pdq", 0), ("md5", key)])
            self.world.node.sync(name)
            self.seen[name] = {key: {self.now(name, key)} for key in "abcdé"}
        with self.engine.begin() as connection:
            bank = find_bank(connection, "list").id
            mine = [Entry("pdq", value_of("pdq", seed), "a") for seed in range(3)]
            add_entries(connection, bank, mine, actor="test")

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.stop()

    def note(self, name: str) -> None:
        for key, states in self.seen[name].items():
            states.add(self.now(name, key))

    def now(self, name: str, key: str) -> State:
        return frozenset(row[1:] for row in expected(self.sources[name]) if row[0] == key)

    @rule(name=NAMES, changes=st.lists(st.tuples(KEYS, STATES), min_size=1, max_size=5))
    def change(self, name: str, changes: list[tuple[str, New | None]]) -> None:
        """Some entries get a new state, or are withdrawn."""
        self.alter(name, changes)

    @rule(name=NAMES, key=KEYS, hidden=st.booleans(), changes=st.lists(st.tuples(KEYS, STATES), max_size=2))
    def delete_and_forget(
        self, name: str, key: str, hidden: bool, changes: list[tuple[str, New | None]]
    ) -> None:
        """A withdrawal that no checkpoint will ever tell of."""
        self.alter(name, [(key, None), *changes])
        self.sources[name].forget()
        self.sources[name].hidden = hidden

    def alter(self, name: str, changes: list[tuple[str, New | None]]) -> None:
        for key, new in changes:
            if new is None:
                self.sources[name].delete(key)
            else:
                self.sources[name].put(key, *new)
            self.note(name)

    @rule(name=NAMES)
    def refuse_cursors(self, name: str) -> None:
        self.sources[name].cursors += 1

    @rule(name=NAMES, after=st.integers(1, 60))
    def crash(self, name: str, after: int) -> None:
        """Die somewhere in a run; another process takes over when the lease has ended."""
        if self.world.feed(name).paused:
            return
        try:
            with crashing(self.engine, after):
                self.sync(name)
        except Crash:
            self.world.clock.move(seconds=LEASE.total_seconds() + 1)
            self.world.node = self.world.new_node()

    @rule(name=NAMES, after=st.integers(1, 60), again=st.integers(1, 60))
    def crash_twice(self, name: str, after: int, again: int) -> None:
        self.crash(name, after)
        self.crash(name, again)

    @rule(name=NAMES, hours=st.integers(1, 48))
    def fail(self, name: str, hours: int) -> None:
        """The exchange is away, and time goes by."""
        source = self.sources[name]
        source.fault = fault("network")
        self.world.node.run_once()
        source.fault = None
        self.world.clock.move(hours=hours)

    @rule(name=NAMES, accept=st.booleans())
    def run(self, name: str, accept: bool) -> None:
        if self.world.feed(name).paused:
            self.resume(name, accept)
        self.sync(name)

    @rule(name=NAMES)
    def settle(self, name: str) -> None:
        """Run to the end, whatever a person must say for it.

        The run under way, one of what came since, and one to see that nothing is left; either of the first
        two may be held with each key that it loses.
        """
        for _ in range(2 * (len("abcdé") + 1) + 1):
            if self.world.feed(name).paused:
                self.resume(name, True)
            if self.sync(name):
                return
        raise AssertionError("it does not come to an end")

    def resume(self, name: str, accept: bool) -> None:
        with self.engine.begin() as connection:
            resume_feed(connection, name, actor="test", accept_loss=accept, now=self.world.clock())

    def sync(self, name: str) -> bool:
        """Run; whether the feed is in step with its source as it is now."""
        anew = not self.world.feed(name).run_mode
        ran = self.world.node.sync(name)
        if ran.ended == "held":
            assert name == "two"
            return False
        assert ran.ended == "done"
        if not anew:  # it ended with what its source was when the run began
            return False
        stored, source = self.world.feed(name), self.sources[name]
        assert self.world.rows(name) == expected(source)
        assert (stored.records, stored.prints) == (len(source.alive()), len(expected(source)))
        self.seen[name] = {key: {self.now(name, key)} for key in self.seen[name]}
        return True

    @invariant()
    def every_key_has_one_whole_state_of_late(self) -> None:
        for name, keys in self.seen.items():
            rows = self.world.rows(name)
            for key, states in keys.items():
                assert frozenset(row[1:] for row in rows if row[0] == key) in states
        if self.seen:
            assert len(rows_of(self.engine, 0)) == 3


@pytest.mark.parametrize(
    ("database", "size"),
    [
        ("sqlite_url", "quick"),
        ("postgres_url", "small"),
        pytest.param("sqlite_url", "long", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
        pytest.param("postgres_url", "quick", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
def test_the_bank_is_what_its_sources_say(database: str, size: str, request: pytest.FixtureRequest) -> None:
    engine = connect(request.getfixturevalue(database))
    machine = type("Bound", (Machine,), {"engine": engine})
    steps, examples = {"small": (20, 8), "quick": (25, 20), "long": (60, 400)}[size]
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
    engine.dispose()
