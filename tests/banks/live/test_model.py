"""Two nodes on one database against a model: whatever changes, crashes and snapshots come in between."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from nightlamp.banks import Entry
from nightlamp.banks.live import (
    LiveBanks,
    add_entries,
    create_bank,
    current_mark,
    delete_bank,
    disable_bank,
    enable_bank,
    find_entries,
    remove_entries,
    set_disputed,
)
from nightlamp.signals import installed
from nightlamp.store import connect
from nightlamp.values import Bank, Fingerprint

from .conftest import asked, flipped, value_of

SIGNALS = {name: installed()[name] for name in ("md5", "pdq")}
SEEDS = st.integers(0, 4)
Key = tuple[str, int, str]  # signal, seed, the source's id
Banks = dict[int, tuple[bool, dict[Key, tuple[str, bool]]]]  # number → enabled, key → category, disputed


class Machine(RuleBasedStateMachine):
    """``banks`` as they should be now, and ``history`` as they should have been at each generation."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        with self.engine.begin() as connection:
            for table in ("bank_entry", "bank", "bank_change", "audit_record"):
                connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text("UPDATE bank_counter SET generation = 0, token = '', last_entry = 0"))
            connection.execute(text("UPDATE audit_head SET sequence = 0"))
        self.cache = Path(tempfile.mkdtemp())
        self.banks: Banks = {}
        self.history: dict[int, Banks] = {}
        self.made = 0
        for enabled in (True, False):
            self.create(enabled)
            self.fill(self.made, "pdq", [0, 1, 2], "a", "")
        self.nodes = [self.new_node(), self.new_node()]

    def new_node(self) -> LiveBanks:
        node = LiveBanks(self.engine, SIGNALS, self.cache, stale_seconds=600)  # the machine may be busy
        node.poll()
        return node

    def teardown(self) -> None:
        shutil.rmtree(self.cache)

    def one_of(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.banks)))

    @precondition(lambda self: len(self.banks) < 3)
    @rule(enabled=st.booleans())
    def create(self, enabled: bool) -> None:
        name = f"bank {self.made}"
        with self.engine.begin() as connection:
            made = create_bank(connection, Bank(name, category="own"), actor="t", enabled=enabled)
        self.made = made.id
        self.banks[made.id] = (enabled, {})

    @rule(
        data=st.data(),
        signal=st.sampled_from(["md5", "pdq"]),
        seeds=st.lists(SEEDS, min_size=1),
        source=st.sampled_from(["a", "b"]),
        category=st.sampled_from(["", "A1"]),
    )
    def add(self, data: st.DataObject, signal: str, seeds: list[int], source: str, category: str) -> None:
        self.fill(self.one_of(data), signal, seeds, source, category)

    def fill(self, bank: int, signal: str, seeds: list[int], source: str, category: str) -> None:
        entries = [Entry(signal, value_of(signal, seed), source, category) for seed in seeds]
        with self.engine.begin() as connection:
            add_entries(connection, bank, entries, actor="t")
        held = self.banks[bank][1]
        for seed in seeds:
            key = (signal, seed, source)
            if key not in held or held[key][0] != category:
                held[key] = (category, False)

    @rule(data=st.data(), seed=SEEDS, source=st.sampled_from(["a", "b"]))
    def remove(self, data: st.DataObject, seed: int, source: str) -> None:
        bank = self.one_of(data)
        with self.engine.begin() as connection:
            value = ("pdq", value_of("pdq", seed))
            ids = set(find_entries(connection, bank, values=[value]))
            ids &= set(find_entries(connection, bank, source_ids=[source]))
            remove_entries(connection, bank, ids, actor="t")
        self.banks[bank][1].pop(("pdq", seed, source), None)

    @rule(data=st.data(), source=st.sampled_from(["a", "b"]), disputed=st.booleans())
    def dispute(self, data: st.DataObject, source: str, disputed: bool) -> None:
        bank = self.one_of(data)
        with self.engine.begin() as connection:
            ids = find_entries(connection, bank, source_ids=[source])
            set_disputed(connection, bank, ids, disputed, actor="t")
        held = self.banks[bank][1]
        held.update({k: (category, disputed) for k, (category, _) in held.items() if k[2] == source})

    @rule(data=st.data(), on=st.booleans())
    def switch(self, data: st.DataObject, on: bool) -> None:
        bank = self.one_of(data)
        with self.engine.begin() as connection:
            (enable_bank if on else disable_bank)(connection, bank, actor="t")
        self.banks[bank] = (on, self.banks[bank][1])

    @precondition(lambda self: len(self.banks) > 1)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        bank = self.one_of(data)
        with self.engine.begin() as connection:
            delete_bank(connection, bank, actor="t")
        del self.banks[bank]

    @rule(which=st.integers(0, 1))
    def applied(self, which: int) -> None:
        with self.engine.connect() as connection:
            generation = current_mark(connection).generation
        self.nodes[which].applied(generation)
        assert self.nodes[which].current().generation == generation

    @rule(which=st.integers(0, 1))
    def poll(self, which: int) -> None:
        self.nodes[which].poll()

    @rule(which=st.integers(0, 1))
    def snapshot(self, which: int) -> None:
        self.nodes[which].build_snapshot()

    @rule(which=st.integers(0, 1))
    def adopt(self, which: int) -> None:
        self.nodes[which].adopt_snapshot()

    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        self.nodes[which] = self.new_node()

    @rule(at=st.integers(0, 1 << 20))
    def damage(self, at: int) -> None:
        for path in self.cache.glob("*.nlb"):
            content = bytearray(path.read_bytes())
            content[at % len(content)] ^= 1
            path.write_bytes(content)

    @invariant()
    def every_node_answers_as_the_model_did_at_its_generation(self) -> None:
        with self.engine.connect() as connection:
            self.history.setdefault(current_mark(connection).generation, copy.deepcopy(self.banks))
        queries = [asked("md5", seed) for seed in range(5)] + [asked("pdq", seed) for seed in range(5)]
        near = Fingerprint("pdq", flipped(value_of("pdq", 0), 31), quality=100)
        far = Fingerprint("pdq", flipped(value_of("pdq", 0), 32), quality=100)
        for node in self.nodes:
            view = node.current()
            model = self.history[view.generation]
            assert not view.unchecked
            for query, found in zip(queries, view.lookup_many([[q] for q in queries]), strict=True):
                assert found_in(found) == expected(model, query, 0)
            assert found_in(view.lookup([near])) == expected(model, asked("pdq", 0), 31)
            assert view.lookup([far]) == []


def expected(model: Banks, query: Fingerprint, distance: int) -> list[tuple[str, str, bool, int]]:
    return sorted(
        (source, category or "own", disputed, distance)
        for enabled, held in model.values()
        for (signal, seed, source), (category, disputed) in held.items()
        if enabled and query.signal == signal and query.value == value_of(signal, seed)
    )


def found_in(matches: list) -> list[tuple[str, str, bool, int]]:  # type: ignore[type-arg]
    return sorted((m.entry_id, m.category, m.disputed, m.distance) for m in matches)


@pytest.mark.parametrize("size", ["quick", pytest.param("long", marks=pytest.mark.slow)])
def test_two_nodes_always_answer_as_the_model(database_url: str, size: str) -> None:
    engine = connect(database_url)
    machine = type("Bound", (Machine,), {"engine": engine})
    steps, examples = (30, 30) if size == "quick" else (60, 100)
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
    engine.dispose()
