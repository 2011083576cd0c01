from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from nightlamp.banks import Catalog, Entry, ListFile, build_catalog
from nightlamp.banks.live import (
    LiveBanks,
    StoredBank,
    add_entries,
    create_bank,
    current_mark,
    delete_bank,
    disable_bank,
    enable_bank,
    find_entries,
    next_generation,
    remove_entries,
)
from nightlamp.banks.live.state import State
from nightlamp.errors import NightlampError, SnapshotError, UnavailableError
from nightlamp.policy import Policy
from nightlamp.screening import Screener
from nightlamp.signals import Signal
from nightlamp.store import connect
from nightlamp.values import Bank, Examination, Unchecked

from .conftest import asked, value_of

Put = Callable[..., int]


@pytest.fixture
def node(engine: Engine, signals: Mapping[str, Signal], tmp_path: Path) -> LiveBanks:
    return LiveBanks(engine, signals, tmp_path / "cache", stale_seconds=600)  # the machine may be busy


def test_before_the_first_poll_nothing_is_allowed(node: LiveBanks) -> None:
    view = node.current()
    assert view.generation == -1
    assert [u.why for u in view.unchecked] == ["not loaded"]
    verdict = Screener([view], Policy()).screen(
        [Examination("image/png", 1, fingerprints=(asked("pdq", 1),))]
    )
    assert verdict[0].action != "allow"
    assert verdict[0].unchecked


def test_a_change_is_in_force_at_home_when_applied_returns_and_elsewhere_after_a_poll(
    engine: Engine, signals: Mapping[str, Signal], node: LiveBanks, bank: StoredBank, put: Put
) -> None:
    other = LiveBanks(engine, signals, stale_seconds=600)
    node.poll()
    other.poll()
    generation = put(bank, "pdq", 1)
    node.applied(generation)
    assert node.current().generation == generation
    assert len(node.current().lookup([asked("pdq", 1)])) == 1
    assert other.current().lookup([asked("pdq", 1)]) == []
    assert other.poll()
    assert len(other.current().lookup([asked("pdq", 1)])) == 1
    assert not other.poll()


def test_what_is_not_committed_is_not_applied(node: LiveBanks) -> None:
    node.poll()
    with pytest.raises(NightlampError):
        node.applied(10_000)


def test_a_view_stays_as_it_is(engine: Engine, node: LiveBanks, bank: StoredBank, put: Put) -> None:
    put(bank, "pdq", 1)
    node.poll()
    before = node.current()
    with engine.begin() as connection:
        ids = find_entries(connection, bank.id, source_ids=["id-1"])
        remove_entries(connection, bank.id, ids, actor="test")
        mark = next_generation(connection)
    put(bank, "pdq", 2)
    with engine.begin() as connection:
        disable_bank(connection, bank.id, actor="test")
    node.applied(mark.generation)
    assert len(before.lookup([asked("pdq", 1)])) == 1
    assert before.lookup([asked("pdq", 2)]) == []
    assert node.current().lookup([asked("pdq", 1), asked("pdq", 2)]) == []


def test_a_generation_of_another_part_changes_no_match(
    engine: Engine, node: LiveBanks, bank: StoredBank, put: Put
) -> None:
    put(bank, "pdq", 1)
    node.poll()
    with engine.begin() as connection:
        mark = next_generation(connection)
    node.poll()
    assert node.current().generation == mark.generation
    assert len(node.current().lookup([asked("pdq", 1)])) == 1


def test_a_live_bank_answers_as_a_catalog_of_the_same_list(
    engine: Engine, node: LiveBanks, signals: Mapping[str, Signal], bank: StoredBank, put: Put, tmp_path: Path
) -> None:
    lines = [f"{signal},{value_of(signal, n).hex()},id-{n},c{n % 3}" for signal in signals for n in range(40)]
    path = tmp_path / "list.csv"
    path.write_text("signal,value,id,category\n" + "\n".join(lines) + "\n")
    catalog: Catalog = build_catalog([ListFile(path, bank.bank)], signals=signals)
    for n in range(40):
        for signal in signals:
            put(bank, signal, n, category=f"c{n % 3}")
    node.poll()
    items = [[asked("pdq", n), asked("md5", n + 1)] for n in range(50)]
    assert node.current().lookup_many(items) == catalog.lookup_many(items)
    assert node.current().lookup_many(items, {"pdq": 256}) == catalog.lookup_many(items, {"pdq": 256})


def test_entries_that_no_search_reaches_are_said(engine: Engine, node: LiveBanks, bank: StoredBank) -> None:
    entries = [
        Entry("photodna", b"some text", "a", parsed=False),
        Entry("photodna", b"more text", "b", parsed=False),
        Entry("md5", b"not a digest", "c", parsed=False),
    ]
    with engine.begin() as connection:
        add_entries(connection, bank.id, entries, actor="test")
    node.poll()
    said = {
        Unchecked("photodna", "not installed", "2 entries of bank first"),
        Unchecked("md5", "unreadable", "1 entries of bank first"),
    }
    assert set(node.current().unchecked) == said
    node.build_snapshot()
    assert node.adopt_snapshot()
    assert set(node.current().unchecked) == said
    with engine.begin() as connection:
        gone = find_entries(connection, bank.id, source_ids=["a", "c"])
        remove_entries(connection, bank.id, gone, actor="test")
    node.poll()
    assert [u.detail for u in node.current().unchecked] == ["1 entries of bank first"]
    with engine.begin() as connection:
        disable_bank(connection, bank.id, actor="test")
    node.poll()
    assert node.current().unchecked == ()


def test_a_signal_installed_later_is_matched(
    engine: Engine, signals: Mapping[str, Signal], bank: StoredBank, tmp_path: Path
) -> None:
    entry = Entry("md5", value_of("md5", 1).hex().encode(), "a", parsed=False)
    without = {"pdq": signals["pdq"]}
    with engine.begin() as connection:
        add_entries(connection, bank.id, [entry], actor="test", signals=without)
    old = LiveBanks(engine, without, tmp_path, stale_seconds=600)
    old.poll()
    assert old.build_snapshot() is not None
    assert [u.what for u in old.current().unchecked] == ["md5"]
    # does not take the other's snapshot for its own
    new = LiveBanks(engine, signals, tmp_path, stale_seconds=600)
    new.poll()
    assert new.current().unchecked == ()
    assert len(new.current().lookup([asked("md5", 1)])) == 1


def test_without_news_for_long_verdicts_say_so(
    engine: Engine, signals: Mapping[str, Signal], bank: StoredBank, put: Put
) -> None:
    time = [100.0]
    node = LiveBanks(engine, signals, stale_seconds=5, now=lambda: time[0])
    put(bank, "pdq", 1)
    node.poll()
    time[0] += 4.9
    assert node.current().unchecked == ()
    time[0] += 0.2
    view = node.current()
    assert [(u.what, u.why) for u in view.unchecked] == [("bank first", "out of date")]
    assert view.degraded
    assert len(view.lookup([asked("pdq", 1)])) == 1  # what is known still matches
    node.poll()
    assert node.current().unchecked == ()
    assert node.status().degraded == ()


def test_a_database_that_is_away_is_said_at_once_in_the_status(
    sqlite_url: str, signals: Mapping[str, Signal], tmp_path: Path
) -> None:
    engine = connect(sqlite_url, busy_seconds=0.1)
    node = LiveBanks(engine, signals, stale_seconds=600)
    node.poll()
    engine.dispose()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE bank_counter RENAME TO away"))
    with pytest.raises(UnavailableError) as caught:
        node.poll()
    assert "SELECT" not in str(caught.value)
    assert any("failed" in reason for reason in node.status().degraded)
    assert node.current().unchecked == ()  # not for so short a time
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO bank_counter"))
    node.poll()
    assert node.status().degraded == ()


def test_a_change_that_cannot_be_applied_is_said_at_once_and_healed(
    engine: Engine, node: LiveBanks, bank: StoredBank, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bank, "pdq", 1)
    node.poll()
    put(bank, "pdq", 2)
    with monkeypatch.context() as patched:
        # Half-way: the new entry is in the index, and nothing else is done.
        patched.setattr(State, "_remove", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            node.poll()
    view = node.current()
    assert [(u.what, u.why) for u in view.unchecked] == [("bank first", "out of date")]
    assert len(view.lookup([asked("pdq", 1)])) == 1
    assert view.lookup([asked("pdq", 2)]) == []
    node.poll()
    assert node.current().unchecked == ()
    assert node.status().changed == 0  # it was read anew, not from half-way
    assert [len(node.current().lookup([asked("pdq", n)])) for n in (1, 2)] == [1, 1]


def test_a_restored_database_is_noticed(
    engine: Engine, node: LiveBanks, bank: StoredBank, put: Put, signals: Mapping[str, Signal], tmp_path: Path
) -> None:
    put(bank, "pdq", 1)
    node.poll()
    node.build_snapshot()
    with engine.begin() as connection:  # as after going back to a backup of before the last change
        old = current_mark(connection)
        connection.execute(text("DELETE FROM bank_entry"))
        connection.execute(text(f"DELETE FROM bank_change WHERE generation >= {old.generation}"))
        back = f"generation = {old.generation - 1}, last_entry = 0"
        connection.execute(text(f"UPDATE bank_counter SET {back}"))
    put(bank, "pdq", 2)
    put(bank, "pdq", 3)
    fresh = LiveBanks(engine, signals, tmp_path / "cache", stale_seconds=600)
    for some in (node, fresh):
        some.poll()
        assert [len(some.current().lookup([asked("pdq", n)])) for n in (1, 2, 3)] == [0, 1, 1]
    assert "past" in fresh.status().ignored[0]


def test_a_restart_maps_the_snapshot_and_reads_what_is_newer(
    engine: Engine, signals: Mapping[str, Signal], node: LiveBanks, bank: StoredBank, put: Put, tmp_path: Path
) -> None:
    put(bank, "pdq", 1, 2)
    node.poll()
    path = node.build_snapshot()
    assert path is not None
    put(bank, "pdq", 3)
    with engine.begin() as connection:
        ids = find_entries(connection, bank.id, source_ids=["id-1"])
        remove_entries(connection, bank.id, ids, actor="test")
    again = LiveBanks(engine, signals, tmp_path / "cache", stale_seconds=600)
    again.poll()
    assert again.status().snapshot == path.name
    assert again.status().changed == 2
    assert [len(again.current().lookup([asked("pdq", n)])) for n in (1, 2, 3)] == [0, 1, 1]


def test_a_damaged_snapshot_is_ignored_with_a_reason_and_replaced(
    engine: Engine, signals: Mapping[str, Signal], node: LiveBanks, bank: StoredBank, put: Put, tmp_path: Path
) -> None:
    put(bank, "pdq", 1)
    node.poll()
    path = node.build_snapshot()
    assert path is not None
    content = bytearray(path.read_bytes())
    for damaged in (content[:-1], b"", bytes(len(content)), content[:5000] + b"\xff" + content[5001:]):
        path.write_bytes(damaged)
        again = LiveBanks(engine, signals, tmp_path / "cache", stale_seconds=600)
        again.poll()
        assert path.name in again.status().ignored[0]
        assert again.snapshot_due()
        assert len(again.current().lookup([asked("pdq", 1)])) == 1
    assert again.maintain()
    assert again.status().ignored == ()
    assert again.status().snapshot
    assert len(again.current().lookup([asked("pdq", 1)])) == 1


def test_old_snapshots_go_and_mapped_ones_still_answer(
    engine: Engine, node: LiveBanks, bank: StoredBank, put: Put, tmp_path: Path
) -> None:
    put(bank, "pdq", 0)
    node.poll()
    node.build_snapshot()
    node.adopt_snapshot()
    view = node.current()
    for n in range(1, 5):
        put(bank, "pdq", n)
        node.build_snapshot()
    assert len(list((tmp_path / "cache").glob("*.nlb"))) == 2
    assert len(view.lookup([asked("pdq", 0)])) == 1


def test_one_process_builds_at_a_time(node: LiveBanks, bank: StoredBank, put: Put) -> None:
    put(bank, "pdq", 1)
    node.poll()
    assert node._folder is not None
    with node._folder.building() as ours:
        assert ours
        assert node.build_snapshot() is None
    assert node.build_snapshot() is not None


def test_a_folder_that_cannot_be_written_is_an_error_that_says_where(
    engine: Engine, signals: Mapping[str, Signal], bank: StoredBank, put: Put, tmp_path: Path
) -> None:
    put(bank, "pdq", 1)
    folder = tmp_path / "a file"
    folder.write_text("")
    node = LiveBanks(engine, signals, folder, stale_seconds=600)
    node.poll()
    assert len(node.current().lookup([asked("pdq", 1)])) == 1
    with pytest.raises(SnapshotError):
        node.build_snapshot()


def test_matching_goes_on_while_entries_come_and_go(
    engine: Engine, node: LiveBanks, bank: StoredBank, put: Put
) -> None:
    """One entry stays throughout: every reader finds it, once, at every moment, across snapshots."""
    put(bank, "pdq", "stays")
    node.poll()
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            view = node.current()
            found = view.lookup([asked("pdq", "stays")])
            if len(found) != 1 or view.unchecked:
                wrong.append((len(found), view.unchecked))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for n in range(15):
            put(bank, "pdq", *(f"{n} {k}" for k in range(100)))
            node.poll()
            with engine.begin() as connection:
                ids = find_entries(connection, bank.id, source_ids=[f"id-{n} {k}" for k in range(50)])
                remove_entries(connection, bank.id, ids, actor="test")
            node.poll()
            if n % 5 == 4:
                node.build_snapshot()
                node.adopt_snapshot()
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_reprs_hold_no_secrets(node: LiveBanks, bank: StoredBank, put: Put) -> None:
    put(bank, "pdq", "planted")
    node.poll()
    shown = (
        repr(node.current()) + repr(node.status()) + repr(node.current().lookup([asked("pdq", "planted")]))
    )
    assert "planted" not in shown


def test_many_banks_hold_one_value(engine: Engine, node: LiveBanks, put: Put) -> None:
    with engine.begin() as connection:
        banks = [create_bank(connection, Bank(f"b{n}"), actor="test") for n in range(3)]
    for each in banks:
        put(each, "pdq", 1)
    with engine.begin() as connection:
        disable_bank(connection, banks[1].id, actor="test")
    node.poll()
    assert [m.bank.name for m in node.current().lookup([asked("pdq", 1)])] == ["b0", "b2"]


def test_a_snapshot_goes_on_from_the_one_before_without_what_is_gone(
    engine: Engine, node: LiveBanks, bank: StoredBank, put: Put
) -> None:
    with engine.begin() as connection:
        other = create_bank(connection, Bank("other", "us", "csam", "high"), actor="test")
    for n in range(6):
        put(bank if n % 2 else other, "pdq", n)
    node.poll()
    node.build_snapshot()
    with engine.begin() as connection:
        delete_bank(connection, other.id, actor="test")
    put(bank, "pdq", 6)
    assert node.build_snapshot() is not None
    assert node.adopt_snapshot()
    [(_, index)] = node.current().shelves.values()
    assert len(index) == 4
    assert [len(node.current().lookup([asked("pdq", n)])) for n in range(7)] == [0, 1, 0, 1, 0, 1, 1]


def test_a_snapshot_is_built_in_another_process(
    engine: Engine, bank: StoredBank, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightlamp.banks.live.node.DUE_LEAST", 1)
    put(bank, "pdq", 1)
    node = LiveBanks(engine, cache_dir=tmp_path / "cache", elsewhere=True)
    node.poll()
    assert node.maintain()
    assert node.status().snapshot
    assert len(node.current().lookup([asked("pdq", 1)])) == 1


def test_what_is_noted_of_enabled_banks_is_said(
    engine: Engine, node: LiveBanks, bank: StoredBank, put: Put
) -> None:
    stale = Unchecked("feed one", "stale", "")
    node.note([(bank.id, stale), (bank.id + 99, Unchecked("feed two", "stale", ""))])
    put(bank, "pdq", 1)
    node.poll()
    assert node.current().unchecked == (stale,)
    assert node.status().degraded == ()
    with engine.begin() as connection:
        disable_bank(connection, bank.id, actor="test")
    node.poll()
    assert node.current().unchecked == ()
    with engine.begin() as connection:
        enable_bank(connection, bank.id, actor="test")
    node.poll()
    assert node.current().unchecked == (stale,)
    node.note([])
    assert node.current().unchecked == ()
