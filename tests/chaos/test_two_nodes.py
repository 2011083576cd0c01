"""Two nodes on one PostgreSQL: one is killed, the other goes on; what one is told, both know."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import pytest

from nightlamp.store import connect
from nightlamp.vault import DiskPlace, Vault

from .changing import Changes
from .conftest import Make
from .load import CHANGING, FREE, Ledger, Load, new_op, pdq, resend_open, send
from .nodes import Node, until
from .outside import Outside
from .truth import Truth, audit_is_intact, settle

_RUNS = 'nightlamp_loop_runs_total{loop="changes",result="ok"}'


def _pair(make: Make, url: str, **settings: Any) -> tuple[Node, Node]:
    one = make("one", url=url, **settings).start()
    two = make("two", url=url, **settings)
    two.key = one.key
    return one, two.start()


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(25, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])]
)
def test_one_is_killed_and_the_other_goes_on(
    make: Make, outside: Outside, postgres_url: str, rounds: int
) -> None:
    # given two nodes under load
    one, two = _pair(make, postgres_url)
    ledger = Ledger()
    changes = Changes.prepared(one, ledger)
    one.told("/v1/webhooks", url=outside.address)
    rng = random.Random(11)
    for number in range(rounds):
        # when one dies in the middle of it
        with Load(two, ledger, outside, seed=number, clients=2, admin=changes.make_one, pause=0.05):
            with Load(one, ledger, outside, seed=1_000 + number, clients=2):
                _wait_for(ledger, rng.randrange(10, 40))
                one.kill(workers_too=rng.random() < 0.5)
            # then the other takes everything
            _wait_for(ledger, 10)
        if number < rounds - 1:
            one.start()
    until(lambda: two.ready() == (200, {}), "it is well", pause=0.2)
    assert {status for status in ledger.statuses if status >= 300} <= {503}
    resend_open(two, ledger, outside)
    engine = connect(postgres_url)
    settle(two, outside, engine)
    two.stop()

    # and nothing is lost, nothing done twice but what the dead one had in hand
    truth = Truth(engine, ledger, Vault(engine, DiskPlace(make.vault)), make.identity)
    truth.check()
    truth.webhooks_arrived(outside)
    truth.entries_in_force_caught_the_past({seed for seed, there in changes.entries.items() if there})
    assert audit_is_intact(two)
    engine.dispose()
    twice = Counter({name: n for name, n in outside.fetched.items() if n > 1})
    again = [n for n in outside.taken.values() if n > 1]
    print(
        f"{rounds} kills, {len(ledger.taken)} taken; {len(twice)} of {len(outside.fetched)} URLs fetched"
        f" again, {len(again)} of {len(outside.taken)} webhooks sent again"
    )
    assert twice.total() - len(twice) <= 16 * rounds  # what one node leases at once
    assert sum(again) - len(again) <= 32 * rounds


def _wait_for(ledger: Ledger, count: int) -> None:
    wanted = len(ledger.taken) + count
    until(lambda: len(ledger.taken) >= wanted, f"{count} more items are taken")


def test_no_work_is_done_twice_while_both_live(make: Make, outside: Outside, postgres_url: str) -> None:
    # given two nodes, and items of the past that are not listed yet
    one, two = _pair(make, postgres_url, outbound={"fetch_seconds": 60})
    outside.slow = 0.1
    one.told("/v1/webhooks", url=outside.address)
    bank = one.bank("moving", trust="high")
    ledger, rng, seed = Ledger(), random.Random(3), FREE[0]
    ops = [new_op(kind, rng, seed) for kind in ("async", "url") for _ in range(12)]  # type: ignore[arg-type]
    with ThreadPoolExecutor(4) as pool, one.client() as first, two.client() as second:
        list(pool.map(lambda n: send((first, second)[n % 2], [ops[n]], ledger, outside), range(len(ops))))
        # the same requests once more, to the other node, many at once
        keyed = [op for op in ops if op.idempotency]
        list(pool.map(lambda op: send(second, [op], ledger, outside), keyed))
        list(pool.map(lambda op: send(first, [op], ledger, outside), keyed))
        # and new ones to both nodes in the same instant
        same = [new_op("sync", rng, seed) for _ in range(10)]
        for op in same:
            op.idempotency = op.name
            list(pool.map(lambda client: send(client, [op], ledger, outside), (first, second)))  # noqa: B023

    # when their picture is listed on one node
    engine = connect(postgres_url)
    settle(one, outside, engine, step=0)
    one.told(f"/v1/banks/{bank}/entries", entries=[{"signal": "pdq", "value": pdq(seed), "id": "moving-0"}])
    settle(one, outside, engine, step=0)
    for node in (one, two):
        node.stop()

    # then each URL was fetched once, each late verdict given once, each webhook sent once
    resend = [op for op in ledger.ops if op.taken is None]
    assert not resend
    assert set(outside.fetched.values()) == {1}
    truth = Truth(engine, ledger, Vault(engine, DiskPlace(make.vault)), make.identity)
    truth.every_item_that_was_taken_is_there_once()
    truth.nothing_is_half_done()
    truth.webhooks_arrived(outside, exactly_once=True)
    late = Counter(v["item"] for v in truth.rows["verdict"] if v["late"])
    assert set(late) == set(truth.items)
    assert set(late.values()) == {1}
    engine.dispose()


def test_what_one_is_told_is_in_force_on_the_other_with_its_next_look(make: Make, postgres_url: str) -> None:
    one, two = _pair(make, postgres_url)
    bank = one.bank("moving", trust="high")
    key = one.told("/v1/keys", name="k", scopes=["submit", "read"])

    def looks() -> None:
        """One look may be under way, and have begun before the change; the next sees it."""
        before = two.metric(_RUNS)
        until(lambda: two.metric(_RUNS) >= before + 2, "it looks")

    with two.client(key["secret"]) as asking:

        def action() -> object:
            given = {"fingerprints": [{"signal": "pdq", "value": pdq(CHANGING[0]), "quality": 100}]}
            answer = asking.post("/v1/fingerprints", json=given)
            return answer.json()["action"] if answer.is_success else answer.status_code

        # the new key is known …
        looks()
        assert action() == "allow"
        # … and every change of banks is seen
        entries = f"/v1/banks/{bank}/entries"
        entry = {"signal": "pdq", "value": pdq(CHANGING[0]), "id": "moving-0"}
        for _ in range(3):
            one.told(entries, entries=[entry])
            looks()
            assert action() == "block"
            one.told(entries + "/remove", ids=["moving-0"])
            looks()
            assert action() == "allow"

        # … within a second, but for a busy machine: printed, from before the request to the first such answer
        took = []
        for change, wanted in [("", "block"), ("/remove", "allow")] * 5:
            begun = time.monotonic()
            one.told(entries + change, **({"ids": ["moving-0"]} if change else {"entries": [entry]}))
            until(lambda: action() == wanted, "it is in force", pause=0.001)  # noqa: B023
            took.append(time.monotonic() - begun)
        print(
            f"in force on the other node after {median(took):.2f} s in the median, {max(took):.2f} s at most"
        )

        # and a revoked key is refused
        assert one.call("DELETE", f"/v1/keys/{key['id']}").is_success
        looks()
        assert action() == 401
    assert one.get("/v1/items", key=key["secret"]).status_code == 401
