"""``nightlamp feed doctor`` as an operator sees it: what is wrong is told by its kind, in plain words."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine
from tests.fakes.exchanges import ncmec as fake_ncmec
from tests.fakes.exchanges import stopncii as fake_stopncii

from nightlamp.cli import app
from nightlamp.feeds import Feeds, NewFeed, create_feed
from nightlamp.feeds.exchanges import ncmec
from nightlamp.store import connect, upgrade

Lines = tuple[str, ...]
Case = Callable[[Engine, pytest.MonkeyPatch], AbstractContextManager[str]]
SECRETS = {"password": "env:PLANTED_PASSWORD"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    upgrade(connect(f"sqlite:///{folder / 'nightlamp.db'}"))
    return folder


@pytest.fixture
def database(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("NIGHTLAMP_DATA_DIR", str(data))
    monkeypatch.setenv("NIGHTLAMP_FEEDS_ALLOW", "127.0.0.1/32")
    monkeypatch.setenv("NIGHTLAMP_FEEDS_HTTP", "true")
    monkeypatch.setenv("PLANTED_PASSWORD", fake_ncmec.PASSWORD)
    monkeypatch.delenv("NIGHTLAMP_CONFIG", raising=False)
    engine = connect(f"sqlite:///{data / 'nightlamp.db'}")
    yield engine
    engine.dispose()


def ports(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    monkeypatch.setenv("NIGHTLAMP_FEEDS_PORTS", " ".join(url.rpartition(":")[2] for url in urls))


def add(
    engine: Engine, name: str, kind: str, config: Mapping[str, object], secrets: Mapping[str, str]
) -> str:
    with engine.begin() as connection:
        create_feed(connection, NewFeed(name, kind, name, config, secrets), actor="test")
    return name


@contextlib.contextmanager
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[fake_ncmec.FakeNcmec]:
    """An exchange with the right time."""
    fake = fake_ncmec.FakeNcmec()
    fake.now = datetime.now(UTC)
    with fake.running():
        ports(monkeypatch, fake.url)
        yield fake


@contextlib.contextmanager
def credentials(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PLANTED_PASSWORD", "of-something-else")
    with answering(monkeypatch) as fake:
        yield add(engine, "credentials", "ncmec", {"username": fake_ncmec.USER, "url": fake.url}, SECRETS)


@contextlib.contextmanager
def environment(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with answering(monkeypatch) as test, answering(monkeypatch) as production:
        ports(monkeypatch, test.url, production.url)
        addresses = {**ncmec.ADDRESSES, "test-ngo": f"{test.url}/none", "ngo": production.url}
        monkeypatch.setattr(ncmec, "ADDRESSES", addresses)
        monkeypatch.setattr(test, "respond", lambda _: fake_ncmec.Answer(status=401))
        config = {"username": fake_ncmec.USER, "environment": "test-ngo"}
        yield add(engine, "environment", "ncmec", config, SECRETS)


@contextlib.contextmanager
def network(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with socket.socket() as nobody:  # bound and not listening: whoever connects is refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        ports(monkeypatch, url)
        yield add(engine, "network", "ncmec", {"username": fake_ncmec.USER, "url": url}, SECRETS)


@contextlib.contextmanager
def forbidden(engine: Engine, _: pytest.MonkeyPatch) -> Iterator[str]:
    config = {"username": fake_ncmec.USER, "url": "https://10.0.0.7"}
    yield add(engine, "forbidden", "ncmec", config, SECRETS)


@contextlib.contextmanager
def clock(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with answering(monkeypatch) as fake:
        fake.skew = timedelta(hours=2)
        yield add(engine, "clock", "ncmec", {"username": fake_ncmec.USER, "url": fake.url}, SECRETS)


@contextlib.contextmanager
def stale(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    fake = fake_stopncii.FakeStopNcii()
    monkeypatch.setenv("PLANTED_FETCH", fake_stopncii.FETCH)
    monkeypatch.setenv("PLANTED_SUBSCRIPTION", fake_stopncii.SUBSCRIPTION)
    secrets = {"fetch_key": "env:PLANTED_FETCH", "subscription_key": "env:PLANTED_SUBSCRIPTION"}
    with fake.running():
        ports(monkeypatch, fake.url)
        fake.now = datetime.now(UTC) - timedelta(days=31)
        name = add(engine, "stale", "stopncii", {"url": fake.url}, secrets)
        Feeds(engine, fake.fetcher(), clock=fake.clock).sync(name)
        fake.now = datetime.now(UTC)
        yield name


CASES: dict[str, tuple[Case, str, Lines, Lines]] = {
    "credentials": (
        credentials,
        "credentials",
        ("!!  credentials: it refuses our credentials (status 401)",),
        ("ok  connection: NCMEC (test-industry) answers", "ok  clock:"),
    ),
    "environment": (
        environment,
        "environment",
        ("!!  environment: these credentials are of ngo, and the feed is set to test-ngo",),
        ("ok  connection:", "ok  clock:"),
    ),
    "network": (network, "network", ("!!  connection: no answer (",), ("ok  secret password:",)),
    "forbidden": (
        forbidden,
        "network",
        ("!!  connection: no answer (", "allow its address or port in the settings"),
        ("ok  secret password:",),
    ),
    "clock": (
        clock,
        "clock",
        ("!!  clock: our clock is 7,", "s behind the exchange's", "set the machine's clock (NTP)"),
        ("ok  connection:", "ok  credentials:", "ok  environment:"),
    ),
    "stale": (
        stale,
        "stale",
        ("!!  checkpoint: it is too old", "the next run fetches the whole list"),
        ("ok  connection:", "ok  clock:", "ok  credentials:"),
    ),
}


@pytest.mark.parametrize("wrong", CASES)
def test_what_is_wrong_is_told_by_its_kind_and_in_plain_words(
    wrong: str, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, kind, told, well = CASES[wrong]

    with case(database, monkeypatch) as name:
        result = CliRunner().invoke(app, ["feed", "doctor", name])

    assert result.exit_code == 1, result.output
    bad = [line for line in result.output.splitlines() if line.startswith("!! ")]
    assert {line.rpartition(" [")[2].rstrip("]") for line in bad if line.endswith("]")} == {kind}
    for words in (*told, *well):
        assert words in result.output
    for secret in (fake_ncmec.PASSWORD, "of-something-else", fake_stopncii.FETCH):
        assert secret not in result.output


def test_all_is_well(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(monkeypatch) as fake:
        name = add(database, "well", "ncmec", {"username": fake_ncmec.USER, "url": fake.url}, SECRETS)
        result = CliRunner().invoke(app, ["feed", "doctor", name])

    assert result.exit_code == 0, result.output
    assert all(line.startswith("ok ") for line in result.output.splitlines())
