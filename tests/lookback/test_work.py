from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event, select

from nightlamp.banks import Entry
from nightlamp.banks.live import (
    LiveBanks,
    StoredBank,
    add_entries,
    create_bank,
    disable_bank,
    enable_bank,
    find_entries,
    remove_entries,
)
from nightlamp.lookback import LookBack, remember, take
from nightlamp.lookback import tables as t
from nightlamp.lookback.work import LEASE
from nightlamp.store import reading
from nightlamp.values import Bank, Fingerprint

from .conftest import START, FakeClock, finish, flipped, pairs, prints, taken, value_of

Put = Callable[..., int]
Submit = Callable[..., None]


def test_a_past_item_is_found_once(
    engine: Engine, lookback: LookBack, bank: StoredBank, put: Put, submit: Submit
) -> None:
    submit("hit", prints("a", "b"))
    submit("other", prints("c"))
    put(bank, "b mirrored")
    finish(lookback)
    assert lookback.backlog().waiting == 1
    (late,) = taken(engine)
    ((_, match),) = late.matches
    assert late.item == "hit"
    assert match.fingerprint == Fingerprint("pdq", value_of("pdq", "b mirrored"), "mirrored", 1, 99)
    assert (match.bank, match.entry_id, match.category, match.distance) == (
        bank.bank,
        "id-b mirrored",
        "A1",
        0,
    )
    finish(lookback)
    assert taken(engine) == []
    assert (lookback.backlog().behind, lookback.backlog().tasks) == (0, 0)


def test_what_the_screening_saw_is_no_late_hit(
    engine: Engine, lookback: LookBack, bank: StoredBank, put: Put, submit: Submit
) -> None:
    put(bank, "a")
    submit("item", prints("a"))
    put(bank, "another")
    finish(lookback)
    assert taken(engine) == []


@pytest.mark.parametrize("signal", ["pdq", "md5"])
def test_an_item_that_comes_later_than_the_look_but_saw_less_is_found(
    engine: Engine, lookback: LookBack, bank: StoredBank, put: Put, submit: Submit, signal: str
) -> None:
    generation = put(bank, "unrelated")
    put(bank, "a", signal=signal)
    finish(lookback)
    assert lookback.backlog().behind == 0
    submit("item", prints("a"), generation=generation)
    finish(lookback)
    assert [item for item, _ in pairs(taken(engine))] == ["item"]


def test_an_item_screened_without_any_bank_is_matched_with_all(
    engine: Engine, lookback: LookBack, bank: StoredBank, put: Put, submit: Submit
) -> None:
    put(bank, "a")
    finish(lookback)
    submit("item", prints("a"), generation=-1)
    finish(lookback)
    assert [item for item, _ in pairs(taken(engine))] == ["item"]


def test_distance_and_radius(engine: Engine, bank: StoredBank, submit: Submit, clock: FakeClock) -> None:
    value = value_of("pdq", "a")
    submit("item", [Fingerprint("pdq", value, quality=100)])
    entries = [Entry("pdq", flipped(value, bits), str(bits)) for bits in (0, 30, 31, 32)]
    with engine.begin() as connection:
        add_entries(connection, bank.id, entries, actor="test")
    finish(LookBack(engine, radius={"pdq": 30}, clock=clock))
    (late,) = taken(engine)
    assert [(m.distance, m.entry_id) for _, m in late.matches] == [(0, "0"), (30, "30")]


def test_a_url_is_found_by_its_host(
    engine: Engine, lookback: LookBack, bank: StoredBank, submit: Submit
) -> None:
    from nightlamp.signals import installed

    if "url-host" not in installed():
        pytest.skip("the URL signals are not installed")
    value = installed()["url-host"].parse("example.org")
    submit(
        "item", [Fingerprint("url-host", value, "parent domain"), Fingerprint("url-host", value_of("url", 1))]
    )
    with engine.begin() as connection:
        add_entries(connection, bank.id, [Entry("url-host", value, "a")], actor="test")
    finish(lookback)
    (late,) = taken(engine)
    assert [m.fingerprint.view for _, m in late.matches] == ["parent domain"]


@pytest.mark.parametrize(
    ("new", "past", "swap_from"),
    [(3, 40, 512), (40, 40, 2), (200, 5, 2), (9000, 30, 512)],
    ids=["asking for past ones", "asking for new ones", "more new than past", "many new"],
)
def test_every_pair_is_found_as_by_brute_force(
    engine: Engine,
    lookback: LookBack,
    bank: StoredBank,
    submit: Submit,
    monkeypatch: pytest.MonkeyPatch,
    new: int,
    past: int,
    swap_from: int,
) -> None:
    monkeypatch.setattr("nightlamp.lookback.matching.SWAP_FROM", swap_from)
    rng = np.random.default_rng(new)
    entries = rng.integers(0, 256, (new, 32), np.uint8)
    items = rng.integers(0, 256, (past, 3, 32), np.uint8)
    for n in range(0, past, 2):  # every other item has a value near an entry, some have two
        for view in range(1 + n % 4 // 2):
            close = flipped(entries[n * 7 % new].tobytes(), int(rng.integers(0, 34)))
            items[n, view] = np.frombuffer(close, np.uint8)
    for n in range(past):
        views = ("as is", "mirrored", "rotated 90")
        submit(
            f"{n:03}",
            [Fingerprint("pdq", items[n, k].tobytes(), view, 0, 100) for k, view in enumerate(views)],
        )
    with engine.begin() as connection:
        rows = [Entry("pdq", value.tobytes(), str(at)) for at, value in enumerate(entries)]
        add_entries(connection, bank.id, rows, actor="test")
    expected = []
    for n in range(past):
        far = np.bitwise_count(items[n][:, None] ^ entries[None]).sum(axis=2, dtype=np.int64).min(axis=0)
        expected += [(f"{n:03}", str(at), int(far[at])) for at in np.flatnonzero(far <= 31)]
    finish(lookback)
    found = [(each.item, m.entry_id, m.distance) for each in taken(engine) for _, m in each.matches]
    assert sorted(found) == sorted(expected)
    assert len(expected) >= past // 4


def test_work_is_cut_and_shared(
    engine: Engine, bank: StoredBank, put: Put, submit: Submit, clock: FakeClock
) -> None:
    nodes = [LookBack(engine, clock=clock, span_entries=3, span_items=2) for _ in range(2)]
    for n in range(7):
        submit(f"item {n}", prints(n))
    put(bank, *range(7))
    put(bank, *range(7), signal="md5")
    assert nodes[0].run_once()
    assert nodes[0].backlog().tasks >= 3 * 4 + 3
    finish(*nodes)
    assert len(pairs(taken(engine))) == 14


def test_a_dead_nodes_task_is_done_when_its_lease_ends(
    engine: Engine, bank: StoredBank, put: Put, submit: Submit, clock: FakeClock
) -> None:
    dead, alive = LookBack(engine, clock=clock), LookBack(engine, clock=clock)
    submit("item", prints("a"))
    put(bank, "a")
    assert dead.run_once()
    assert dead._lease() is not None  # and it was never seen again
    finish(alive)
    assert taken(engine) == []
    assert alive.backlog().tasks == 1
    clock.move(seconds=LEASE.total_seconds() + 1)
    finish(alive)
    assert len(taken(engine)) == 1


def test_a_clock_that_jumps_back_holds_nothing_up_for_ever(
    engine: Engine, bank: StoredBank, put: Put, submit: Submit, clock: FakeClock
) -> None:
    dead, alive = LookBack(engine, clock=clock), LookBack(engine, clock=clock)
    submit("item", prints("a"))
    put(bank, "a")
    assert dead.run_once()
    assert dead._lease() is not None
    clock.move(days=-20)
    finish(alive)
    assert len(taken(engine)) == 1


def test_a_slow_node_that_comes_back_finds_nothing_twice(
    engine: Engine, bank: StoredBank, put: Put, submit: Submit, clock: FakeClock
) -> None:
    slow, quick = LookBack(engine, clock=clock), LookBack(engine, clock=clock)
    submit("item", prints("a"))
    put(bank, "a")
    slow.run_once()
    task = slow._lease()
    assert task is not None
    clock.move(hours=1)
    finish(quick)
    first = taken(engine)
    slow._do(task)
    assert len(first) == 1
    assert taken(engine) == []


def test_enabling_a_bank_looks_back_with_all_of_it(
    engine: Engine, lookback: LookBack, put: Put, submit: Submit
) -> None:
    with engine.begin() as connection:
        off = create_bank(connection, Bank("off"), actor="test", enabled=False)
    put(off, "a")
    submit("item", prints("a"))
    finish(lookback)
    assert taken(engine) == []
    with engine.begin() as connection:
        enable_bank(connection, off.id, actor="test")
    finish(lookback)
    assert [late.item for late in taken(engine)] == ["item"]


def test_what_is_out_of_force_when_taken_is_dropped_and_found_again_when_it_returns(
    engine: Engine, lookback: LookBack, bank: StoredBank, put: Put, submit: Submit
) -> None:
    submit("item", prints("a"))
    put(bank, "a")
    finish(lookback)
    with engine.begin() as connection:
        disable_bank(connection, bank.id, actor="test")
    assert taken(engine) == []
    with engine.begin() as connection:
        enable_bank(connection, bank.id, actor="test")
    finish(lookback)
    assert len(taken(engine)) == 1
    put(bank, "a mirrored")
    finish(lookback)
    with engine.begin() as connection:
        ids = find_entries(connection, bank.id, source_ids=["id-a mirrored"])
        remove_entries(connection, bank.id, ids, actor="test")
    assert taken(engine) == []


def test_taking_that_is_undone_gives_the_hits_back(
    engine: Engine, lookback: LookBack, bank: StoredBank, put: Put, submit: Submit
) -> None:
    submit("item", prints("a"))
    put(bank, "a")
    finish(lookback)
    with engine.connect() as connection, connection.begin() as transaction:
        assert len(take(connection, START)) == 1
        transaction.rollback()
    assert len(taken(engine)) == 1
    assert taken(engine) == []


def test_late_hits_show_no_secrets(
    engine: Engine, lookback: LookBack, bank: StoredBank, put: Put, submit: Submit
) -> None:
    submit("item", prints("planted"))
    put(bank, "planted")
    finish(lookback)
    assert "planted" not in repr(taken(engine))


def test_an_item_in_flight_is_waited_for(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """Screened and looked at the counter before the entry, committed after the look-back began."""
    from nightlamp.store import connect

    monkeypatch.setattr("nightlamp.lookback.work.BARRIER_SECONDS", 0.1)
    engine = connect(postgres_url)
    lookback = LookBack(engine, clock=clock)
    with engine.begin() as connection:
        made = create_bank(connection, Bank("first"), actor="test")
    finish(lookback)
    with engine.connect() as flying, flying.begin() as transaction:
        until = START + timedelta(days=1)
        remember(flying, "item", prints("a"), until, generation=made.enabled_generation)
        with engine.begin() as connection:
            add_entries(connection, made.id, [Entry("pdq", value_of("pdq", "a"), "a")], actor="test")
        assert not lookback.run_once()  # the barrier holds: nothing is planned yet
        assert lookback.backlog().behind == 1
        transaction.commit()
    finish(lookback)
    assert [item for item, _ in pairs(taken(engine))] == ["item"]
    engine.dispose()


def test_nothing_is_missed_whatever_the_order(engine: Engine, bank: StoredBank) -> None:
    """Items and entries of the same value race; each pair must be found by the screening or the look-back."""
    rounds, workers = 12, 3
    rng = random.Random(1)
    delays = [rng.random() * 0.02 for _ in range(1000)]
    live = LiveBanks(engine, stale_seconds=600)
    live.poll()
    screened: set[tuple[str, str]] = set()
    stop = threading.Event()
    failed: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test must say so
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def submitting(worker: int) -> None:
        for n in range(rounds):
            seed = f"{worker} {n}"
            view = live.current()
            fingerprints = prints(seed)
            screened.update((seed, match.entry_id) for match in view.lookup(fingerprints))
            time.sleep(delays[worker * rounds + n])
            with engine.begin() as connection:
                until = START + timedelta(days=1)
                remember(connection, seed, fingerprints, until, generation=view.generation)
                time.sleep(delays[500 + worker * rounds + n])

    def adding(worker: int) -> None:
        for n in range(rounds):
            seed = f"{worker} {n}"
            signal = "pdq" if n % 2 else "md5"
            with engine.begin() as connection:
                entry = Entry(signal, value_of(signal, seed), seed)
                add_entries(connection, bank.id, [entry], actor="test")
                time.sleep(delays[800 + worker * rounds + n] / 2)
            time.sleep(delays[900 - worker * rounds - n])

    def polling() -> None:
        while not stop.is_set():
            live.poll()
            time.sleep(0.01)

    def looking() -> None:
        node = LookBack(engine, clock=FakeClock(), span_items=5, span_entries=4)
        while not stop.is_set():
            if not node.run_once():
                time.sleep(0.005)

    background = [guarded(polling), guarded(looking), guarded(looking)]
    work = [guarded(lambda w=w: submitting(w)) for w in range(workers)]  # type: ignore[misc]
    work += [guarded(lambda w=w: adding(w)) for w in range(workers)]  # type: ignore[misc]
    for thread in work:
        thread.join()
    stop.set()
    for thread in background:
        thread.join()
    assert failed == []
    finish(LookBack(engine, clock=FakeClock()))
    late = [(each.item, m.entry_id) for each in taken(engine) for _, m in each.matches]
    every = {(f"{w} {n}", f"{w} {n}") for w in range(workers) for n in range(rounds)}
    assert set(late) | screened == every
    assert len(late) == len(set(late))
    assert set(late) & screened == set()


def test_a_failure_at_any_statement_loses_and_doubles_nothing(
    engine: Engine, bank: StoredBank, put: Put, submit: Submit, clock: FakeClock
) -> None:
    """The n-th statement fails, for every n, until the work is done; then all is as without failures."""
    for n in range(3):
        submit(f"item {n}", prints(n))
    put(bank, 0, 1, 2)
    put(bank, 0, signal="md5")
    submit("behind", prints(1), generation=1)

    class FailureError(Exception):
        pass

    left = [0]

    def fail(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise FailureError

    event.listen(engine, "before_cursor_execute", fail)
    found: list[tuple[str, int]] = []
    failures = 0
    while True:
        left[0] = failures + 1
        node = LookBack(engine, clock=clock)
        try:
            finish(node)
            break
        except FailureError:
            failures += 1
            clock.move(hours=1)  # a dead node's lease ends
        # Whoever takes may fail, too.
        left[0] = failures % 4 + 1
        with suppress(FailureError), engine.begin() as connection:
            some = take(connection, START)
            left[0] = -1
            found += pairs(some)
    event.remove(engine, "before_cursor_execute", fail)
    found += pairs(taken(engine))
    assert failures > 10
    with reading(engine) as connection:
        ids = {
            (row.source_id, row.signal): row.id
            for row in connection.execute(select(_entries()).where(_entries().c.bank == bank.id))
        }
        assert connection.execute(select(t.lookback_task)).all() == []
    expected = [(f"item {n}", ids[f"id-{n}", "pdq"]) for n in range(3)]
    expected += [("item 0", ids["id-0", "md5"]), ("behind", ids["id-1", "pdq"])]
    assert sorted(found) == sorted(expected)


def _entries() -> Any:
    from nightlamp.banks.live.tables import bank_entry

    return bank_entry
