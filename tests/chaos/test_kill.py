"""kill -9 at random instants under load, again and again; then the database must agree with the clients."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from nightlamp.store import connect
from nightlamp.vault import DiskPlace, Vault

from .changing import Changes
from .conftest import Make
from .load import CHANGING, LISTED, Ledger, Load, pdq, resend_open
from .nodes import Node
from .outside import Outside
from .truth import Truth, audit_is_intact, settle, spilled

LONG = [pytest.mark.slow, pytest.mark.timeout(3_600)]


@pytest.mark.parametrize(
    ("database", "processes", "kills", "seed"),
    [
        ("sqlite", 1, 5, 1),
        ("postgres", 1, 4, 2),
        pytest.param("sqlite", 1, 200, 3, marks=LONG),
        pytest.param("postgres", 1, 200, 4, marks=LONG),
        pytest.param("sqlite", 2, 30, 5, marks=LONG),
        pytest.param("postgres", 2, 30, 6, marks=LONG),
    ],
)
def test_nothing_taken_is_lost_or_doubled(
    make: Make,
    outside: Outside,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    database: str,
    processes: int,
    kills: int,
    seed: int,
) -> None:
    # given a node with lists, two policies and a webhook, all under load
    rng = random.Random(seed)
    url = request.getfixturevalue("postgres_url") if database == "postgres" else ""
    node, ledger = make(url=url), Ledger()
    node.processes = processes
    node.start()
    changes = Changes.prepared(node, ledger)
    secret = node.told("/v1/webhooks", url=outside.address)["secret"]
    outside.moody = 0.1

    # when it is killed and started again, in the middle of anything
    for number in range(kills):
        if number % 3 == 1:
            _killed_while_it_starts(node, rng)
            node.start()
        with Load(node, ledger, outside, seed=seed * 1_000 + number, admin=changes.make_one):
            _wait_for_answers(ledger, rng.randrange(40))
            time.sleep(rng.uniform(0.0, 0.1))
            if processes > 1 and number % 2 == 0:  # the others go on
                node.kill_one()
                _wait_for_answers(ledger, 40)
            else:
                node.kill(workers_too=rng.random() < 0.3)
        if not node.alive:
            node.start()

    # and at last left in peace
    if processes > 1:
        node.stop()
        node.processes = 1
        node.start()
    resend_open(node, ledger, outside)
    engine = connect(url or f"sqlite:///{node.data / 'nightlamp.db'}")
    settle(node, outside, engine)
    policy = node.get("/v1/policies/active").json()["id"]
    metrics, ready = node.get("/metrics").text, node.get("/v1/health/ready").text
    node.stop()

    # then the database agrees with what the clients were told
    vault = Vault(engine, DiskPlace(make.vault))
    truth = Truth(engine, ledger, vault, make.identity)
    truth.check()
    truth.webhooks_arrived(outside)
    truth.entries_in_force_caught_the_past({seed for seed, there in changes.entries.items() if there})
    if changes.policy is not None:
        assert policy == changes.policy
    assert audit_is_intact(node)
    engine.dispose()
    print(
        f"{database} {processes}: {kills} kills, {len(ledger.ops)} items, {len(ledger.taken)} taken,"
        f" {sum(op.attempts > 1 for op in ledger.ops)} sent again, {truth.reconciled.orphans} orphans,"
        f" {sum(v['late'] for v in truth.rows['verdict'])} late"
    )
    assert len(ledger.taken) > 5 * kills
    assert any(op.attempts > 1 for op in ledger.taken)
    assert not {s for s in ledger.statuses if s >= 500 and s != 503}

    # and nothing secret was left lying about
    _nothing_secret_is_lying_about(node, ledger, outside, [node.key, secret], metrics + ready, tmp_path)


def _wait_for_answers(ledger: Ledger, count: int) -> None:
    """Until so many more have come; not for ever, since a node may be slow after a start."""
    wanted, end = len(ledger.statuses) + count, time.monotonic() + 30.0
    while len(ledger.statuses) < wanted and time.monotonic() < end:
        time.sleep(0.002)


def _killed_while_it_starts(node: Node, rng: random.Random) -> None:
    node.kill()
    node.start(wait=False)
    time.sleep(rng.uniform(0.0, 1.5))
    node.kill(workers_too=rng.random() < 0.5)


def _nothing_secret_is_lying_about(
    node: Node, ledger: Ledger, outside: Outside, secrets: list[str], pages: str, tmp_path: Path
) -> None:
    assert spilled(tmp_path) == []
    left = [path for path in (node.folder / "tmp").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {"rates"}  # of several processes that were killed all at once
    told = {
        "log": node.log.read_text(),
        "problems": "\n".join(ledger.problems),
        "pages": pages,
        "webhooks": "\n".join(outside.headers) + str(list(outside.bodies.values())),
    }
    hashes = [pdq(seed) for seed in (LISTED, *CHANGING)]
    planted = [*hashes, *(text.upper() for text in hashes), "moving-", "steady-0", "planted-content"]
    planted += [text.removeprefix("whsec_").rpartition("_")[2] for text in secrets]
    for page, text in told.items():
        assert not [word for word in planted if word in text], f"a secret is in the {page}"
    key = secrets[0].rpartition("_")[2].encode()
    files = [*left, *(path for path in node.data.rglob("*") if path.is_file())]
    stored = [path for path in files if key in path.read_bytes()]
    assert not stored, "a key's secret is stored"
