"""Every client against everything that goes wrong on the way: each is said by its kind, none is an end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from tests.fakes.exchanges import ncmec as fake_ncmec
from tests.fakes.exchanges import stopncii as fake_stopncii
from tests.fakes.exchanges import tat as fake_tat
from tests.fakes.exchanges import threatexchange as fake_threatexchange
from tests.fakes.exchanges.exchange import FakeExchange, body, drip, garbage, half, silence, status
from tests.fakes.exchanges.files import FakeFiles
from tests.fakes.raw_server import Script
from tests.feeds.exchanges.conftest import Kept

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import Exchange
from nightlamp.feeds.registry import EXCHANGES

Case = tuple[Callable[[], FakeExchange], str, dict[str, object], dict[str, str]]
CASES: dict[str, Case] = {
    "ncmec": (fake_ncmec.FakeNcmec, "", {"username": fake_ncmec.USER}, {"password": fake_ncmec.PASSWORD}),
    "stopncii": (
        fake_stopncii.FakeStopNcii,
        "",
        {},
        {"fetch_key": fake_stopncii.FETCH, "subscription_key": fake_stopncii.SUBSCRIPTION},
    ),
    "threatexchange": (
        fake_threatexchange.FakeThreatExchange,
        "",
        {"privacy_group": fake_threatexchange.GROUP},
        {"access_token": fake_threatexchange.TOKEN},
    ),
    "tat": (fake_tat.FakeTat, "", {"username": fake_tat.USER}, {"password": fake_tat.PASSWORD}),
    "list": (lambda: FakeFiles(b"0" * 32), "/list", {}, {}),
}
FAULTS: dict[str, tuple[Script, str]] = {
    "unauthorized": (status(401), "credentials"),
    "missing": (status(404), "gone"),
    "gone": (status(410), "gone"),
    "limited": (status(429, Retry_After="7"), "limited"),
    "busy": (status(503, Retry_After="7"), "limited"),
    "down": (status(502), "network"),
    "elsewhere": (status(302, Location="https://elsewhere.example/"), "malformed"),
    "half": (half, "network"),
    "silence": (silence, "network"),
    "drip": (drip, "network"),
    "garbage": (garbage, "network"),
    "endless": (body(b" " * 40_000_000), "hostile"),
}


@contextlib.contextmanager
def running(kind: str, seconds: float) -> Iterator[tuple[FakeExchange, Exchange]]:
    make, path, config, secrets = CASES[kind]
    fake = make()
    with fake.running():
        model = EXCHANGES[kind].config.model_validate({"url": fake.url + path, **config})
        given = {name: Secret(text) for name, text in secrets.items()}
        fetcher = fake.fetcher(seconds=seconds, max_bytes=1 << 30)
        yield fake, EXCHANGES[kind].open(model, given, fetcher, fake.clock)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", CASES)
def test_what_goes_wrong_is_told_apart(kind: str, fault: str) -> None:
    script, expected = FAULTS[fault]
    if kind == "list":  # follows redirects, and takes lists as large as it is told to
        expected = {"elsewhere": "network", "endless": "malformed"}.get(fault, expected)
    if kind == "list" and fault == "endless":
        script = body(b" " * 1_000)
    with running(kind, 0.5 if fault in ("silence", "drip") else 30.0) as (fake, exchange):
        fake.faults = [script]
        kept = Kept()

        with pytest.raises(ExchangeError) as caught:
            kept.run(exchange)
        fake.faults = [script]
        findings = [f for f in exchange.probe() if not f.well]

        assert caught.value.kind == expected
        assert kept.checkpoint is None
        assert {f.kind for f in findings} == {expected}
        if expected == "limited":
            assert caught.value.retry_after == 7.0
        for secret in CASES[kind][3].values():
            assert secret not in f"{caught.value} {findings}"

    with running(kind, 30.0) as (_, exchange):  # and when it is over, it goes on
        assert kept.run(exchange).checkpoint is not None


@pytest.mark.parametrize("hours", [-2, 2])
@pytest.mark.parametrize("kind", CASES)
def test_a_clock_that_differs_is_said_and_nothing_is_missed_for_it(kind: str, hours: int) -> None:
    with running(kind, 30.0) as (fake, exchange):
        fake.skew = timedelta(hours=hours)
        if kind == "ncmec":  # asks for windows of time
            with pytest.raises(ExchangeError) as caught:
                Kept().run(exchange)
            assert caught.value.kind == "clock"
        else:  # go by the exchange's own marks
            assert Kept().run(exchange).checkpoint is not None

        wrong = [f for f in exchange.probe() if not f.well]

    if kind == "list":  # nothing in it goes by time
        assert wrong == []
        return
    assert [(f.what, f.kind) for f in wrong] == [("clock", "clock")]
    assert f"7,200 s {'behind' if hours > 0 else 'ahead of'} the exchange's" in wrong[0].words


@pytest.mark.parametrize("kind", CASES)
def test_an_address_inside_is_not_asked(kind: str) -> None:
    _, path, config, secrets = CASES[kind]
    model = EXCHANGES[kind].config.model_validate({"url": f"https://169.254.169.254{path}/x", **config})
    given = {name: Secret(text) for name, text in secrets.items()}
    fake = CASES[kind][0]()
    exchange = EXCHANGES[kind].open(model, given, fake.fetcher(), fake.clock)

    with pytest.raises(ExchangeError) as caught:
        Kept().run(exchange)

    assert caught.value.kind == "network"
    assert "may not" in caught.value.what


@pytest.mark.parametrize("kind", EXCHANGES)
def test_every_kind_is_complete(kind: str) -> None:
    found = EXCHANGES[kind]

    assert found.name == kind
    assert found.optional <= set(found.secrets)
    assert (found.config.__doc__ or "").startswith("What an operator sets")
