"""StopNCII against its fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.exchanges.exchange import body
from tests.fakes.exchanges.stopncii import FEEDBACK, FETCH, SUBSCRIPTION, FakeStopNcii, Hash
from tests.feeds.exchanges.conftest import Kept

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import Opinion
from nightlamp.feeds.exchanges.stopncii import KIND, StopNcii, StopNciiConfig

PDQ = "0c" * 32


@pytest.fixture
def fake() -> Iterator[FakeStopNcii]:
    server = FakeStopNcii()
    with server.running():
        yield server


def client(fake: FakeStopNcii, **secrets: str) -> StopNcii:
    keys = {"fetch_key": FETCH, "subscription_key": SUBSCRIPTION, "feedback_key": FEEDBACK, **secrets}
    made = KIND.open(
        StopNciiConfig(url=fake.url),
        {name: Secret(text) for name, text in keys.items() if text},
        fake.fetcher(),
        fake.clock,
    )
    assert isinstance(made, StopNcii)
    return made


def failure(exchange: StopNcii, kept: Kept | None = None) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        (kept or Kept()).run(exchange)
    for secret in (PDQ, FETCH, SUBSCRIPTION):
        assert secret not in f"{caught.value} {caught.value!r}"
    return caught.value


@pytest.mark.parametrize("status", ["Withdrawn", "Deleted"])
def test_a_withdrawn_hash_is_withdrawn(fake: FakeStopNcii, status: str) -> None:
    """The usual client compares the hash to the status, and keeps it for good."""
    fake.put(Hash("ImagePDQ", PDQ, 100))
    fake.put(Hash("ImagePDQ", "0d" * 32, 100))
    kept = Kept().run(client(fake))
    assert len(kept.records) == 2

    fake.put(Hash("ImagePDQ", PDQ, 200, status))
    kept.run(client(fake))

    assert kept.prints() == {f"ImagePDQ:{'0d' * 32}": {("pdq", "0d" * 32)}}


def test_every_kind_of_signal_comes(fake: FakeStopNcii) -> None:
    kinds = {"ImagePDQ": "pdq", "VideoMD5": "md5", "VideoTMK": "tmk_pdqf", "URL": "url", "New": "new"}
    for kind in kinds:
        fake.put(Hash(kind, "value", 100))

    kept = Kept().run(client(fake))

    assert {key: next(iter(p))[0] for key, p in kept.prints().items()} == {
        f"{kind}:value": signal for kind, signal in kinds.items()
    }


def test_a_vote_against_and_a_status_that_nobody_knows_mark_it(fake: FakeStopNcii) -> None:
    fake.put(Hash("ImagePDQ", "1", 100, votes=[{"source": "x", "feedbackValue": "Blocked", "tags": []}]))
    fake.put(Hash("ImagePDQ", "2", 100, votes=[{"source": "x", "feedbackValue": "NotBlocked", "tags": []}]))
    fake.put(Hash("ImagePDQ", "3", 100, "Reconsidered"))

    kept = Kept().run(client(fake))

    assert {key for key, r in kept.records.items() if r.disputed} == {"ImagePDQ:2", "ImagePDQ:3"}


def test_the_next_run_begins_where_the_exchange_says(fake: FakeStopNcii) -> None:
    for number in range(7):
        fake.put(Hash("ImagePDQ", str(number), 100 + number))
    exchange = client(fake)

    kept = Kept().run(exchange)
    kept.run(exchange)

    assert [p.checkpoint is None for p in kept.pages] == [True, True, False, False]
    assert [a.query["startTimestamp"] for a in fake.asked] == ["10", "10", "10", "106"]
    assert kept.checkpoint["timestamp"] == 106


def test_a_token_that_is_no_longer_taken_is_stale(fake: FakeStopNcii) -> None:
    for number in range(7):
        fake.put(Hash("ImagePDQ", str(number), 100 + number))
    kept = Kept().run(client(fake), most=1)

    fake.epoch += 1

    assert failure(client(fake), kept).kind == "stale"


def test_thirty_days_without_a_run_are_too_long(fake: FakeStopNcii) -> None:
    exchange = client(fake)
    kept = Kept().run(exchange)

    assert not exchange.stale(kept.checkpoint, fake.now + timedelta(days=29))
    assert exchange.stale(kept.checkpoint, fake.now + timedelta(days=31))


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (b"{}", "malformed"),
        (b"[]", "malformed"),
        (b'{"hashRecords": []}', "malformed"),
        (b'{"hashRecords": [], "hasMoreRecords": true}', "malformed"),
        (b'{"hashRecords": [], "hasMoreRecords": false}', "malformed"),
        (b'{"hashRecords": [], "hasMoreRecords": false, "nextSetTimestamp": -1}', "malformed"),
        (b'{"hashRecords": [], "hashRecords": []}', "hostile"),
        (b'{"hashRecords":' + b"[" * 40 + b"]" * 40 + b"}", "hostile"),
        (b"<html>", "malformed"),
    ],
)
def test_what_is_no_page_is_no_empty_page(fake: FakeStopNcii, page: bytes, kind: str) -> None:
    fake.faults = [body(page)]

    assert failure(client(fake)).kind == kind


def test_pages_that_never_end_do(fake: FakeStopNcii) -> None:
    page = b'{"hashRecords": [], "hasMoreRecords": true, "nextPageToken": "t"}'
    fake.faults = [body(page)] * 3

    assert failure(client(fake)).kind == "hostile"


def test_rows_that_cannot_be_read_are_counted_and_the_others_taken(fake: FakeStopNcii) -> None:
    good = '{"signalType": "ImagePDQ", "hashValue": "x", "hashStatus": "Active", "caseNumbers": {}}'
    rows = f'[{good}, null, 7, {{}}, {{"signalType": "ImagePDQ", "hashValue": 3, "hashStatus": "Active"}}]'
    fake.faults = [
        body(f'{{"hashRecords": {rows}, "hasMoreRecords": false, "nextSetTimestamp": 5}}'.encode())
    ]

    kept = Kept().run(client(fake))

    assert (set(kept.records), kept.pages[0].unreadable) == ({"ImagePDQ:x"}, 4)


def test_opinions_are_sent_together(fake: FakeStopNcii) -> None:
    opinions = [
        Opinion("1", f"ImagePDQ:{PDQ}", "affirmative"),
        Opinion("2", "URL:https://x.example/a:b", "negative", "not_intimate"),
        Opinion("3", "Text:sha256=aa", "affirmative"),
    ]

    sent = client(fake).feedback(opinions)
    without = client(fake, feedback_key="").feedback(opinions[:1])

    assert [s.taken for s in sent] == [True, True, False]
    assert fake.sent == [
        {"tags": [], "feedbackValue": "Blocked", "hashValue": PDQ},
        {"tags": ["not_intimate"], "feedbackValue": "NotBlocked", "hashValue": "https://x.example/a:b"},
    ]
    assert (without[0].taken, "feedback_key" in without[0].words) == (False, True)


@pytest.mark.parametrize(
    ("secrets", "last"),
    [({}, ("credentials", True)), ({"fetch_key": "wrong"}, ("credentials", False))],
)
def test_the_doctor(fake: FakeStopNcii, secrets: dict[str, str], last: tuple[str, bool]) -> None:
    findings = client(fake, **secrets).probe()

    assert (findings[0].what, findings[0].well) == ("connection", True)
    assert (findings[-1].what, findings[-1].well) == last


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), max_size=25))
def test_after_any_history_the_kept_is_the_model(history: list[tuple[int, bool, int]]) -> None:
    fake = FakeStopNcii(2)
    kept = Kept()
    with fake.running():
        for at, (number, gone, pages) in enumerate(history, 100):
            fake.put(Hash("VideoMD5", str(number), at, "Withdrawn" if gone else "Active"))
            if pages:
                kept.run(client(fake), most=pages if pages < 3 else None)
        while True:
            kept.run(client(fake))
            if kept.cursor is None:
                break
        kept.run(client(fake))  # what changed while a run was under way comes with the next

    assert set(kept.records) == {f"VideoMD5:{h.value}" for h in fake.hashes.values() if h.status == "Active"}
