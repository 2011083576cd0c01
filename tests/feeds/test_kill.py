"""A syncing process that is killed without warning, again and again, ends with what its source says."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from nightlamp.banks.live.tables import bank_entry
from nightlamp.feeds import NewFeed, create_feed
from nightlamp.feeds.tables import feed
from nightlamp.store import connect, reading, utc_now

from .conftest import World, expected, rows_of
from .scripted import Source

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.feeds.test_kill import filled, kinds_of_child
from tests.feeds.conftest import SIGNALS
from nightlamp.feeds import Feeds
from nightlamp.outbound import Fetcher
from nightlamp.store import connect
node = Feeds(connect(sys.argv[2]), Fetcher(), kinds=kinds_of_child(int(sys.argv[3])), signals=SIGNALS)
print("ready", flush=True)
node.sync("one")
"""


def filled(round_: int) -> Source:
    """The source as it is in a round: the second withdraws, changes and adds."""
    source = Source(page=10)
    for n in range(400):
        source.put(f"k{n}", [("pdq", n), ("md5", n)])
    if round_:
        for n in range(0, 400, 7):
            source.delete(f"k{n}")
        for n in range(1, 400, 7):
            source.put(f"k{n}", [("pdq", -n)])
        source.forget()  # the second run fetches the whole list, and swaps
    return source


def kinds_of_child(round_: int):  # type: ignore[no-untyped-def]
    from .scripted import kinds_of

    return kinds_of({"one": filled(round_)})


@pytest.mark.parametrize(
    ("database", "times"),
    [
        ("sqlite_url", 2),
        pytest.param("sqlite_url", 12, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
        pytest.param("postgres_url", 4, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_killed_again_and_again(database: str, times: int, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(database)
    engine = connect(url)
    world = World(engine)
    new = NewFeed("one", "incremental", "list", {"source": "one"}, max_loss=1)
    with engine.begin() as connection:
        create_feed(connection, new, actor="test", kinds=world.kinds)
    chance = random.Random(7)
    for round_ in (0, 1):
        kills = times
        while True:
            command = [sys.executable, "-c", CHILD, str(Path(__file__).parents[2]), url, str(round_)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            if kills:
                time.sleep(chance.uniform(0.02, 0.4))
                child.send_signal(signal.SIGKILL)
                kills -= 1
            status = child.wait()
            child.stdout.close()
            with engine.begin() as connection:  # its lease would end in minutes
                connection.execute(update(feed).values(lease_until=utc_now() - timedelta(minutes=1)))
            if status == 0 and not kills:
                break
        assert rows_of(engine, 1) == expected(filled(round_))
    e = bank_entry.c
    with reading(engine) as connection:
        twice = select(e.source_id, e.value, func.count()).where(e.removed_generation.is_(None))
        assert not connection.execute(twice.group_by(e.source_id, e.value).having(func.count() > 1)).all()
    engine.dispose()


pytestmark = pytest.mark.timeout(280)
