"""ThreatExchange against its fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.exchanges.exchange import body
from tests.fakes.exchanges.threatexchange import GROUP, TOKEN, FakeThreatExchange, Indicator, error
from tests.feeds.exchanges.conftest import Kept

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import Opinion
from nightlamp.feeds.exchanges.threatexchange import KIND, ThreatExchange, ThreatExchangeConfig

PDQ = "0c" * 32
Descriptor = dict[str, object]


@pytest.fixture
def fake() -> Iterator[FakeThreatExchange]:
    server = FakeThreatExchange()
    with server.running():
        yield server


def client(fake: FakeThreatExchange, token: str = TOKEN, **config: object) -> ThreatExchange:
    settings = {"privacy_group": GROUP, "page_size": 3, "url": fake.url, **config}
    made = KIND.open(
        ThreatExchangeConfig.model_validate(settings),
        {"access_token": Secret(token)},
        fake.fetcher(),
        fake.clock,
    )
    assert isinstance(made, ThreatExchange)
    return made


def failure(exchange: ThreatExchange, kept: Kept | None = None) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        (kept or Kept()).run(exchange)
    for secret in (PDQ, TOKEN, "abcdefgh"):
        assert secret not in f"{caught.value} {caught.value!r}"
    return caught.value


def test_every_type_comes_pictures_md5_too(fake: FakeThreatExchange) -> None:
    """The usual client takes HASH_MD5 only where a tag says that it is a video's."""
    kinds = {"HASH_PDQ": "pdq", "HASH_MD5": "md5", "HASH_VIDEO_MD5": "md5", "HASH_SHA256": "sha256"}
    kinds |= {"URI": "url", "RAW_URI": "url", "TREND_QUERY": "trend_query"}
    for kind in kinds:
        fake.put(Indicator(kind, "x:y", 100))

    kept = Kept().run(client(fake))

    assert kept.prints() == {f"{kind}:x:y": {(signal, "x:y")} for kind, signal in kinds.items()}


@pytest.mark.parametrize("gone", [{"should_delete": True}, {"descriptors": None}])
def test_an_indicator_goes_by_either_way(fake: FakeThreatExchange, gone: dict[str, object]) -> None:
    fake.put(Indicator("HASH_PDQ", PDQ, 100))
    fake.put(Indicator("HASH_PDQ", "other", 100))
    kept = Kept().run(client(fake))

    fake.put(Indicator("HASH_PDQ", PDQ, 200, **gone))  # type: ignore[arg-type]
    kept.run(client(fake))

    assert set(kept.records) == {"HASH_PDQ:other"}


@pytest.mark.parametrize(
    ("descriptors", "disputed"),
    [
        ([{"id": "1", "owner": {"id": "9"}, "status": "MALICIOUS"}], False),
        ([{"id": "1", "owner": {"id": "9"}, "status": "NON_MALICIOUS"}], True),
        ([{"id": "1", "owner": {"id": "9"}, "status": "UNKNOWN"}], False),
        ([{"id": "1"}], False),  # its owner cannot be seen at the moment; it is there all the same
        (
            [
                {"id": "1", "owner": {"id": "9"}, "status": "MALICIOUS"},
                {"id": "2", "owner": {"id": "8"}, "status": "NON_MALICIOUS"},
            ],
            True,
        ),
        (
            [
                {
                    "id": "1",
                    "owner": {"id": "9"},
                    "status": "MALICIOUS",
                    "reactions": [{"key": "DISAGREE_WITH_TAGS", "value": "7,6"}],
                }
            ],
            True,
        ),
        (  # what an owner says by a descriptor counts before its reactions
            [
                {
                    "id": "1",
                    "owner": {"id": "9"},
                    "status": "MALICIOUS",
                    "reactions": [{"key": "DISAGREE_WITH_TAGS", "value": "9"}],
                }
            ],
            False,
        ),
        (
            [
                {
                    "id": "1",
                    "owner": {"id": "9"},
                    "status": "UNKNOWN",
                    "reactions": [
                        {"key": "DISAGREE_WITH_TAGS", "value": "7"},
                        {"key": "HELPFUL", "value": "7"},
                    ],
                }
            ],
            False,
        ),
    ],
)
def test_opinions_that_differ_mark_an_indicator(
    fake: FakeThreatExchange, descriptors: list[Descriptor], disputed: bool
) -> None:
    fake.put(Indicator("HASH_PDQ", PDQ, 100, descriptors))

    kept = Kept().run(client(fake))

    assert [r.disputed for r in kept.records.values()] == [disputed]


def test_tags_are_the_category(fake: FakeThreatExchange) -> None:
    rows: list[Descriptor] = [
        {"id": "1", "tags": {"data": [{"text": "b"}, {"text": "a"}]}},
        {"id": "2", "tags": ["c"]},
        {"id": "3", "tags": None},
    ]
    fake.put(Indicator("HASH_PDQ", PDQ, 100, rows))

    assert [r.category for r in Kept().run(client(fake)).records.values()] == ["a, b, c"]


def test_links_are_asked_for_at_the_exchanges_own_address_and_kept_without_the_token(
    fake: FakeThreatExchange,
) -> None:
    for number in range(8):
        fake.put(Indicator("HASH_PDQ", str(number), 100 + number))

    kept = Kept().run(client(fake), most=1)
    cursor = kept.cursor
    kept.run(client(fake))

    assert len(kept.records) == 8
    assert TOKEN not in str(cursor)
    assert "12345678" not in str(cursor)
    assert all(asked.query["access_token"] == TOKEN for asked in fake.asked)
    assert kept.checkpoint["time"] == 107  # the newest comes first here: no page but the last may say so
    assert [p.checkpoint is None for p in kept.pages] == [True, True, False]


def test_the_next_run_begins_a_little_earlier(fake: FakeThreatExchange) -> None:
    fake.put(Indicator("HASH_PDQ", PDQ, 5_000))
    kept = Kept().run(client(fake))
    kept.run(client(fake))

    assert [a.query.get("start_time") for a in fake.asked] == [None, "4940"]


def test_eighty_five_days_without_a_run_are_too_long(fake: FakeThreatExchange) -> None:
    """Counted from the last run, not from the newest indicator: a quiet group is not stale."""
    fake.put(Indicator("HASH_PDQ", PDQ, 100))
    exchange = client(fake)
    kept = Kept().run(exchange)

    assert not exchange.stale(kept.checkpoint, fake.now + timedelta(days=84))
    assert exchange.stale(kept.checkpoint, fake.now + timedelta(days=86))


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (190, 400, "credentials"),
        (200, 403, "credentials"),
        (803, 400, "gone"),
        (613, 400, "limited"),
        (2, 400, "network"),
        (100, 400, "malformed"),
    ],
)
def test_the_graph_apis_own_errors(fake: FakeThreatExchange, code: int, status: int, kind: str) -> None:
    answer = error(code, status)
    fake.faults = [lambda conversation: fake.send(conversation, answer)]

    assert failure(client(fake)).kind == kind


def test_a_cursor_that_is_no_longer_taken_is_stale(fake: FakeThreatExchange) -> None:
    for number in range(8):
        fake.put(Indicator("HASH_PDQ", str(number), 100 + number))
    kept = Kept().run(client(fake), most=1)
    fake.faults = [lambda conversation: fake.send(conversation, error(100))]

    assert failure(client(fake), kept).kind == "stale"
    assert failure(client(fake), Kept(cursor="x")).kind == "stale"


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (b"{}", "malformed"),
        (b'{"data": {}}', "malformed"),
        (b'{"data": [], "paging": {"next": 5}}', "malformed"),
        (b'{"data": [], "paging": {"next": "https://x.example/?access_token=1"}}', "malformed"),
        (b'{"error": "x"}', "malformed"),
    ],
)
def test_what_is_no_page_is_no_empty_page(fake: FakeThreatExchange, page: bytes, kind: str) -> None:
    fake.faults = [body(page)]

    assert failure(client(fake)).kind == kind


def test_pages_that_never_end_do(fake: FakeThreatExchange) -> None:
    fake.faults = [body(b'{"data": [], "paging": {"next": "https://x.example/?after=1"}}')] * 3

    assert failure(client(fake)).kind == "hostile"


def test_reactions_to_others_descriptors(fake: FakeThreatExchange) -> None:
    rows: list[Descriptor] = [{"id": "11", "owner": {"id": "9"}}, {"id": "12", "owner": {"id": "12345678"}}]
    fake.put(Indicator("HASH_PDQ", PDQ, 100, rows))

    sent = client(fake).feedback(
        [
            Opinion("1", f"HASH_PDQ:{PDQ}", "affirmative"),
            Opinion("2", f"HASH_PDQ:{PDQ}", "negative", "not_csam"),
            Opinion("3", "HASH_PDQ:gone", "negative"),
        ]
    )

    assert [s.taken for s in sent] == [True, True, False]
    assert [(path, f["reactions"]) for path, f in fake.posts] == [
        ("/11/", "HELPFUL"),
        ("/11/", "DISAGREE_WITH_TAGS"),
    ]


def test_descriptors_of_our_own(fake: FakeThreatExchange) -> None:
    client(fake, feedback="descriptor").feedback([Opinion("1", f"HASH_PDQ:{PDQ}", "negative")])

    path, fields = fake.posts[0]
    assert path == "/threat_descriptors/"
    assert (fields["indicator"], fields["type"], fields["status"]) == (PDQ, "HASH_PDQ", "NON_MALICIOUS")
    assert (fields["privacy_type"], fields["privacy_members"]) == ("HAS_PRIVACY_GROUP", str(GROUP))


@pytest.mark.parametrize(
    ("config", "token", "last"),
    [
        ({}, TOKEN, ("list", True)),
        ({}, "12345678|wrong", ("credentials", False)),
        ({"privacy_group": 5}, TOKEN, ("environment", False)),
    ],
)
def test_the_doctor(
    fake: FakeThreatExchange, config: dict[str, object], token: str, last: tuple[str, bool]
) -> None:
    findings = client(fake, token, **config).probe()

    assert (findings[0].what, findings[0].well) == ("connection", True)
    assert (findings[-1].what, findings[-1].well) == last
    assert token not in str(findings)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_after_any_history_the_kept_is_the_model(history: list[tuple[int, int, int]]) -> None:
    """Adds, opinions, withdrawals of both kinds; runs that break off and go on later, or never do."""
    fake = FakeThreatExchange()
    kept = Kept()
    with fake.running():
        exchange = client(fake, page_size=2)
        for at, (number, state, pages) in enumerate(history, 100):
            status = {"status": "NON_MALICIOUS" if state == 1 else "MALICIOUS"}
            descriptors = None if state == 2 else [{"id": "1", "owner": {"id": "9"}, **status}]
            fake.put(Indicator("HASH_MD5", f"{number:032x}", at, descriptors, should_delete=state == 3))
            if pages:
                kept.run(exchange, most=pages if pages < 3 else None)
        while True:
            kept.run(exchange)
            if kept.cursor is None:
                break
        kept.run(exchange)  # what changed while a run was under way comes with the next

    alive = [i for i in fake.indicators.values() if i.descriptors and not i.should_delete]
    model = {f"HASH_MD5:{i.value}": i.descriptors[0]["status"] == "NON_MALICIOUS" for i in alive}  # type: ignore[index]
    assert {key: record.disputed for key, record in kept.records.items()} == model
