"""Tech Against Terrorism against its fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.exchanges.exchange import NOW, body
from tests.fakes.exchanges.tat import PASSWORD, USER, FakeTat, Row
from tests.feeds.exchanges.conftest import Kept

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchanges.tat import KIND, Tat, TatConfig

PDQ, MD5 = "0c" * 32, "0a" * 16


@pytest.fixture
def fake() -> Iterator[FakeTat]:
    server = FakeTat()
    with server.running():
        yield server


def client(fake: FakeTat, password: str = PASSWORD, **config: object) -> Tat:
    given = TatConfig.model_validate({"username": USER, "url": fake.url, **config})
    made = KIND.open(given, {"password": Secret(password)}, fake.fetcher(), fake.clock)
    assert isinstance(made, Tat)
    return made


def failure(exchange: Tat, kept: Kept | None = None) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        (kept or Kept()).run(exchange)
    for secret in (PDQ, MD5, PASSWORD, "token-1"):
        assert secret not in f"{caught.value} {caught.value!r}"
    return caught.value


def test_pictures_md5_come_too_and_each_row_stands_for_itself(fake: FakeTat) -> None:
    """The usual client drops pictures' MD5s, and a row's withdrawal takes an equal hash of another along."""
    fake.put(Row(1, MD5, 100.5, "MD5", "jpg"))
    fake.put(Row(2, MD5, 101.5, "MD5", "mp4"))
    fake.put(Row(3, PDQ, 102.5))
    kept = Kept().run(client(fake))
    assert kept.prints() == {"1": {("md5", MD5)}, "2": {("md5", MD5)}, "3": {("pdq", PDQ)}}

    fake.put(Row(1, MD5, 200.5, "MD5", "jpg", deleted=True))
    kept.run(client(fake))

    assert set(kept.records) == {"2", "3"}


def test_pages_go_by_where_the_last_one_ended_and_one_login_does(fake: FakeTat) -> None:
    for number in range(1, 9):
        fake.put(Row(number, PDQ, 100.0 + number // 4))

    kept = Kept().run(client(fake), most=2)
    kept.run(client(fake))

    assert len(kept.records) == 8
    assert kept.checkpoint == {"after": "102.0,8", "fetched": "2024-03-10T12:00:00Z"}
    assert [a.query["after"] for a in fake.asked if a.method == "GET"] == ["", "100.0,3", "101.0,6"]
    assert fake.tokens == 2  # one a client


def test_a_token_that_runs_out_is_renewed_once(fake: FakeTat) -> None:
    for number in range(1, 9):
        fake.put(Row(number, PDQ, 100.0 + number))
    fake.tokens_live_for = 1

    assert len(Kept().run(client(fake)).records) == 8

    fake.tokens_live_for = 0
    assert failure(client(fake)).kind == "credentials"


def test_after_long_without_a_run_the_list_is_to_be_fetched_anew(fake: FakeTat) -> None:
    fake.put(Row(1, PDQ, 100.0))  # of long ago
    checkpoint = Kept().run(client(fake)).checkpoint

    assert not client(fake).stale(checkpoint, NOW + timedelta(days=89))
    assert client(fake).stale(checkpoint, NOW + timedelta(days=91))
    assert client(fake, forgets_after=10).stale(checkpoint, NOW + timedelta(days=11))


def test_only_chosen_ideologies(fake: FakeTat) -> None:
    fake.put(Row(1, PDQ, 1.0))
    fake.put(Row(2, PDQ, 2.0, ideology="islamist"))

    fake.put(Row(3, MD5, 3.0, "MD5", ideology="islamist"))

    kept = Kept().run(client(fake, ideologies=["islamist"]))
    assert {key: r.category for key, r in kept.records.items()} == {"2": "islamist", "3": "islamist"}

    fake.put(Row(3, MD5, 4.0, "MD5"))  # is another's now
    assert set(kept.run(client(fake, ideologies=["islamist"])).records) == {"2"}


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (b"{}", "malformed"),
        (b'{"results": [], "checkpoint": 7}', "malformed"),
        (b'{"results": [], "next": "x"}', "hostile"),
    ],
)
def test_what_is_no_page_is_no_empty_page(fake: FakeTat, page: bytes, kind: str) -> None:
    fake.faults = [None, body(page)]

    assert failure(client(fake)).kind == kind


def test_rows_that_cannot_be_read_are_counted_and_a_withdrawal_needs_only_its_id(fake: FakeTat) -> None:
    rows = b'[{"id": 1, "deleted": true}, {"id": 2, "algorithm": "PDQ"}, 5, {"hash_digest": "x"}]'
    fake.faults = [None, body(b'{"results": ' + rows + b', "checkpoint": "1,1", "next": null}')]

    page = Kept().run(client(fake)).pages[0]

    assert [(r.key, r.deleted) for r in page.records] == [("1", True)]
    assert page.unreadable == 3


@pytest.mark.parametrize(("password", "well"), [(PASSWORD, True), ("wrong", False)])
def test_the_doctor(fake: FakeTat, password: str, well: bool) -> None:
    findings = client(fake, password).probe()

    assert (findings[0].what, findings[0].well) == ("connection", True)
    assert (findings[-1].what, findings[-1].well) == ("credentials", well)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), max_size=12))
def test_after_any_history_the_kept_is_the_model(history: list[tuple[int, bool, int]]) -> None:
    """Adds, changes, deletes; runs that break off after some pages and go on later, or never do."""
    fake = FakeTat(2)
    kept = Kept()
    with fake.running():
        exchange = client(fake)
        for at, (number, gone, pages) in enumerate(history, 100):
            fake.put(Row(number, f"{at:032x}", float(at), "MD5", deleted=gone))
            if pages:
                kept.run(exchange, most=pages if pages < 3 else None)
        kept.run(exchange)

    model = {str(r.id): {("md5", r.digest)} for r in fake.rows.values() if not r.deleted}
    assert kept.prints() == model
