"""Whole feeds: real clients against the fakes, into a real bank, through the feed's own machinery."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from tests.fakes.exchanges import ncmec, stopncii, tat, threatexchange
from tests.fakes.exchanges.exchange import NOW, FakeExchange
from tests.fakes.exchanges.files import FakeFiles

from nightlamp.banks.live import LiveBanks, View, find_bank
from nightlamp.banks.live.tables import bank_entry
from nightlamp.errors import FeedError
from nightlamp.feeds import Feeds, NewFeed, create_feed
from nightlamp.policy import PROFILES, Facts, decide, profile
from nightlamp.store import connect, reading, upgrade
from nightlamp.values import Fingerprint

MD5, PDQ, OTHER = "0a" * 16, "0c" * 32, "0d" * 32


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('feeds') / 'feeds.db'}")
    upgrade(engine)
    return engine


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def in_force(engine: Engine, bank: str) -> set[tuple[str, str, bool]]:
    e = bank_entry.c
    with reading(engine) as connection:
        number = find_bank(connection, bank).id
        rows = connection.execute(
            select(e.signal, e.value, e.parsed, e.disputed).where(
                e.bank == number, e.removed_generation.is_(None)
            )
        )
        return {(r.signal, r.value.hex() if r.parsed else r.value.decode(), r.disputed) for r in rows}


def add(engine: Engine, kind: str, config: dict[str, object], secrets: dict[str, str]) -> None:
    references = {}
    for name, text in secrets.items():
        os.environ[f"TEST_{name.upper()}"] = text
        references[name] = f"env:TEST_{name.upper()}"
    with engine.begin() as connection:
        new = NewFeed(kind, kind, kind, config, references, max_loss=1.0)
        create_feed(connection, new, actor="test", now=NOW)


def run(engine: Engine, kind: str, fake: FakeExchange) -> None:
    ran = Feeds(engine, fake.fetcher(seconds=30.0), clock=fake.clock).sync(kind)
    assert not getattr(ran, "error", "")


def live_view(engine: Engine) -> View:
    live = LiveBanks(engine)
    live.poll()
    return live.current()


def handled(engine: Engine, bank: str, md5: str) -> set[tuple[str, str, bool]]:
    """What every shipped policy does with a file of this digest: action, queue, whether it is kept."""
    found = live_view(engine).lookup([Fingerprint("md5", bytes.fromhex(md5))])
    facts = Facts([match for match in found if match.bank.name == bank])
    verdicts = [decide(facts, profile(name)) for name in PROFILES]
    return {(v.action, v.handling.queue, v.handling.hold is not None) for v in verdicts}


def test_ncmec(database: Engine) -> None:
    fake = ncmec.FakeNcmec()
    minute = timedelta(minutes=1)
    with fake.running():
        fake.put(ncmec.Entry(42, "a", NOW - minute, fingerprints={"md5": MD5, "pdq": PDQ, "pdna": "AA=="}))
        fake.put(ncmec.Entry(42, "b", NOW - minute, fingerprints={"pdq": OTHER}))
        add(database, "ncmec", {"username": ncmec.USER, "url": fake.url}, {"password": ncmec.PASSWORD})
        run(database, "ncmec", fake)
        assert in_force(database, "ncmec") == {
            ("md5", MD5, False),
            ("pdq", PDQ, False),
            ("photodna", "AA==", False),
            ("pdq", OTHER, False),
        }
        assert handled(database, "ncmec", MD5) == {("block", "csam", True)}

        links = {"videntifier": "/v2/x", "pdq": "/v2/y"}  # one that is not installed, one that is
        fake.put(ncmec.Entry(42, "c", NOW - minute / 2, kind="video", links=links))
        fake.now += minute
        run(database, "ncmec", fake)
        assert {("photodna", "not installed"), ("videntifier", "not installed"), ("pdq", "unreadable")} == {
            (u.what, u.why) for u in live_view(database).unchecked
        }
        fake.put(ncmec.Entry(42, "c", fake.now - minute / 2, deleted=True))

        fake.now += 10 * minute
        fake.put(ncmec.Entry(42, "a", fake.now - minute, deleted=True))
        members = "<members><member id='1'>A</member></members>"
        vote = f"<negativeFeedback><reasons>{members}</reasons></negativeFeedback>"
        fake.put(ncmec.Entry(42, "b", fake.now - minute, fingerprints={"pdq": OTHER}, feedback=vote))
        run(database, "ncmec", fake)
        assert in_force(database, "ncmec") == {("pdq", OTHER, True)}


def test_stopncii(database: Engine) -> None:
    fake = stopncii.FakeStopNcii()
    with fake.running():
        fake.put(stopncii.Hash("ImagePDQ", PDQ, 100))
        fake.put(stopncii.Hash("VideoMD5", MD5, 100))
        secrets = {"fetch_key": stopncii.FETCH, "subscription_key": stopncii.SUBSCRIPTION}
        add(database, "stopncii", {"url": fake.url}, secrets)
        run(database, "stopncii", fake)
        fake.put(stopncii.Hash("ImagePDQ", PDQ, 200, "Withdrawn"))
        run(database, "stopncii", fake)

    assert in_force(database, "stopncii") == {("md5", MD5, False)}
    assert handled(database, "stopncii", MD5) == {("block", "ncii", False)}


def test_threatexchange(database: Engine) -> None:
    fake = threatexchange.FakeThreatExchange()
    with fake.running():
        fake.put(threatexchange.Indicator("HASH_PDQ", PDQ, 100))
        fake.put(threatexchange.Indicator("HASH_MD5", MD5, 100))
        config = {"privacy_group": str(threatexchange.GROUP), "url": fake.url}
        add(database, "threatexchange", config, {"access_token": threatexchange.TOKEN})
        run(database, "threatexchange", fake)
        fake.put(threatexchange.Indicator("HASH_PDQ", PDQ, 200, None))
        run(database, "threatexchange", fake)

    assert in_force(database, "threatexchange") == {("md5", MD5, False)}


def test_tat(database: Engine) -> None:
    fake = tat.FakeTat()
    with fake.running():
        fake.put(tat.Row(1, PDQ, 1.0))
        fake.put(tat.Row(2, MD5, 2.0, "MD5"))
        add(database, "tat", {"username": tat.USER, "url": fake.url}, {"password": tat.PASSWORD})
        run(database, "tat", fake)
        fake.put(tat.Row(1, PDQ, 3.0, deleted=True))
        run(database, "tat", fake)

    assert in_force(database, "tat") == {("md5", MD5, False)}
    assert handled(database, "tat", MD5) == {("block", "terrorism", True)}


def test_a_plain_list(database: Engine) -> None:
    fake = FakeFiles(f"{MD5}\nmd5 {'0b' * 16}\n".encode())
    with fake.running():
        add(database, "list", {"url": f"{fake.url}/list"}, {})
        run(database, "list", fake)
        run(database, "list", fake)
        fake.data = f"{MD5}\n".encode()
        run(database, "list", fake)

    assert in_force(database, "list") == {("md5", MD5, False)}


def test_known_files_never_become_hits(database: Engine, tmp_path: Path) -> None:
    def of(bank: str) -> NewFeed:
        return NewFeed(f"nsrl-{bank}", "nsrl", bank, {"path": str(tmp_path / "x.db")})

    with database.begin() as connection:
        create_feed(connection, of("known"), actor="test", now=NOW)
        assert find_bank(connection, "known").bank.benign
    with database.begin() as connection:
        create_feed(connection, NewFeed("x", "list", "hits", {"url": "https://x.example/"}), actor="test")
        with pytest.raises(FeedError, match="benign"):
            create_feed(connection, of("hits"), actor="test", now=NOW)
