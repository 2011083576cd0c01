"""NCMEC's hash sharing against its fake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.exchanges.exchange import NOW, body, half, status
from tests.fakes.exchanges.ncmec import NAMESPACE, PASSWORD, USER, Entry, FakeNcmec
from tests.feeds.exchanges.conftest import Kept

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import NOT_FETCHED, Opinion
from nightlamp.feeds.exchanges import ncmec
from nightlamp.feeds.exchanges.ncmec import KIND, Ncmec
from nightlamp.feeds.exchanges.ncmec_config import ADDRESSES, Environment, NcmecConfig

MD5, SHA1, PDQ = "0a" * 16, "0b" * 20, "0c" * 32


@pytest.fixture
def fake() -> Iterator[FakeNcmec]:
    server = FakeNcmec()
    with server.running():
        yield server


def client(fake: FakeNcmec, password: str = PASSWORD, **config: object) -> Ncmec:
    given = NcmecConfig(username=USER, url=fake.url, **config)  # type: ignore[arg-type]
    made = KIND.open(given, {"password": Secret(password)}, fake.fetcher(), fake.clock)
    assert isinstance(made, Ncmec)
    return made


def entry(number: int, minutes_ago: float, **more: object) -> Entry:
    more.setdefault("fingerprints", {"md5": f"{number:032x}"})
    return Entry(42, f"e{number}", NOW - timedelta(minutes=minutes_ago), **more)  # type: ignore[arg-type]


def failure(exchange: Ncmec, kept: Kept | None = None) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        (kept or Kept()).run(exchange)
    for secret in (MD5, PASSWORD, "e1"):
        assert secret not in f"{caught.value} {caught.value!r}"
    return caught.value


def test_every_fingerprint_of_an_entry_comes_images_digests_too(fake: FakeNcmec) -> None:
    """The usual client drops image md5 and sha1, and video sha1."""
    prints = {"md5": MD5, "sha1": SHA1, "pdq": PDQ, "pdna": "AAAA", "netclean": "n"}
    fake.put(entry(1, 10, fingerprints=prints))
    fake.put(entry(2, 10, kind="video", fingerprints={"md5": MD5, "sha1": SHA1}, classification="B2"))

    kept = Kept().run(client(fake))

    assert kept.prints() == {
        "42-e1": {("md5", MD5), ("sha1", SHA1), ("pdq", PDQ), ("photodna", "AAAA"), ("netclean", "n")},
        "42-e2": {("md5", MD5), ("sha1", SHA1)},
    }
    assert {r.category for r in kept.records.values()} == {"A1", "B2"}
    assert MD5 not in repr(kept.pages)


def test_windows_are_utc_whatever_the_zone_of_the_host(
    fake: FakeNcmec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual client writes local time and calls it Z: a host in New York misses the last five hours."""
    fake.put(entry(1, 1))
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        kept = Kept().run(client(fake))
    finally:
        monkeypatch.undo()
        time.tzset()

    asked = next(a.query for a in fake.asked if a.path == "/v2/entries")
    assert asked == {"from": "1970-01-01T00:00:00Z", "to": "2024-03-10T11:59:55Z"}
    assert set(kept.records) == {"42-e1"}
    assert kept.checkpoint == {"to": "2024-03-10T11:59:55Z", "fetched": "2024-03-10T12:00:00Z"}


def test_a_downvoted_entry_is_kept_and_marked(fake: FakeNcmec) -> None:
    """The usual client takes every entry for agreed upon."""
    members = "<members><member id='1'>A</member></members>"
    votes = {
        1: "",
        2: f"<affirmativeFeedback type='MD5'>{members}</affirmativeFeedback>",
        3: f"<negativeFeedback><reasons><reason name='x'/>{members}</reasons></negativeFeedback>",
        4: f"<negativeFeedback><reasons><reason name='x'>{members}</reason></reasons></negativeFeedback>",
        5: "<negativeFeedback type='MD5'><reasons/></negativeFeedback>",
    }
    for number, feedback in votes.items():
        fake.put(entry(number, 10, feedback=feedback))

    kept = Kept().run(client(fake))

    assert {key for key, record in kept.records.items() if record.disputed} == {"42-e3", "42-e4"}


def test_tombstones_inside_the_lists_remove_and_a_new_state_replaces(fake: FakeNcmec) -> None:
    fake.put(entry(1, 50))
    fake.put(entry(2, 50, kind="video"))
    fake.put(entry(3, 50))
    kept = Kept().run(client(fake))
    assert set(kept.records) == {"42-e1", "42-e2", "42-e3"}

    fake.now += timedelta(hours=1)
    fake.put(entry(1, -30, deleted=True))
    fake.put(entry(2, -30, kind="video", deleted=True))
    fake.put(entry(3, -30, fingerprints={"md5": MD5}, classification="B1"))
    kept.run(client(fake))

    assert kept.prints() == {"42-e3": {("md5", MD5)}}
    assert kept.records["42-e3"].category == "B1"


def test_an_entry_that_stands_twice_on_a_page_counts_in_its_newest_state(fake: FakeNcmec) -> None:
    old, new = entry(1, 50, classification="A1"), entry(1, 20, classification="B2")
    page = f"<queryResult xmlns='{NAMESPACE}'><images>{new.xml()}{old.xml()}</images></queryResult>"
    fake.faults = [None, body(page.encode())]

    kept = Kept().run(client(fake))

    assert [r.category for p in kept.pages for r in p.records] == ["B2"]


def test_the_checkpoint_moves_only_once_a_whole_window_is_read(fake: FakeNcmec) -> None:
    for number in range(10):
        fake.put(entry(number, 10 + number))
    exchange = client(fake)

    pages = list(exchange.pages(None, None))

    assert [page.checkpoint is None for page in pages] == [True, True, True, False]
    assert [page.cursor is None for page in pages] == [False, False, False, True]
    assert pages[0].total == 10


@pytest.mark.parametrize("broken_off", [1, 2, 3])
def test_a_run_goes_on_within_the_same_window(fake: FakeNcmec, broken_off: int) -> None:
    for number in range(10):
        fake.put(entry(number, 10 + number))
    kept = Kept().run(client(fake), most=broken_off)
    window = kept.cursor["to"]
    seen = len(fake.asked)

    fake.now += timedelta(hours=2)  # a new run would end later; the link belongs to the old end
    fake.put(entry(99, -60))
    kept.run(client(fake))

    assert set(kept.records) == {f"42-e{n}" for n in (*range(10), 99)}
    first = next(a.query for a in fake.asked[seen:] if a.path == "/v2/entries")
    assert first["start"] == str(3 * broken_off)
    assert first["to"].startswith(window[:19])


def test_after_long_without_a_run_the_list_is_to_be_fetched_anew(fake: FakeNcmec) -> None:
    """How long tombstones are kept is not documented; a first run of old windows is not taken for it."""
    fake.put(entry(1, 10))
    exchange = client(fake, forgets_after=30)
    first = next(page.checkpoint for page in exchange.pages(None, None) if page.checkpoint)

    assert not exchange.stale({**first, "to": "1990-01-01T00:00:00Z"}, NOW + timedelta(days=29))
    assert exchange.stale(first, NOW + timedelta(days=31))
    assert not client(fake).stale(first, NOW + timedelta(days=89))
    assert client(fake).stale(first, NOW + timedelta(days=91))


def test_a_link_that_is_too_old_is_not_used_again(fake: FakeNcmec) -> None:
    for number in range(10):
        fake.put(entry(number, 10 + number))
    kept = Kept().run(client(fake), most=2)
    seen = len(fake.asked)

    fake.now += timedelta(hours=13)
    kept.run(client(fake))

    assert "start" not in next(a.query for a in fake.asked[seen:] if a.path == "/v2/entries")
    assert len(kept.records) == 10


@pytest.mark.parametrize("cursor", [{"start": "x"}, [], {"to": 3}, {"start": "2020-01-01T00:00:00"}])
def test_a_place_that_makes_no_sense_is_stale(fake: FakeNcmec, cursor: object) -> None:
    assert failure(client(fake), Kept(cursor=cursor)).kind == "stale"


def test_a_cursor_of_another_checkpoint_is_stale(fake: FakeNcmec) -> None:
    for number in range(10):
        fake.put(entry(number, 10 + number))
    kept = Kept().run(client(fake), most=1)
    kept.checkpoint = {"to": "2024-01-01T00:00:00Z"}

    assert failure(client(fake), kept).kind == "stale"


def test_large_windows_are_cut_until_they_can_be_read(
    fake: FakeNcmec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ncmec, "MOST_PER_WINDOW", 8)
    for number in range(60):
        fake.put(entry(number, 30 + number * 97))

    kept = Kept().run(client(fake))

    assert len(kept.records) == 60
    asked = [a.query for a in fake.asked if a.path == "/v2/entries" and "start" not in a.query]
    assert len(asked) > 5
    checkpoints = [p.checkpoint["to"] for p in kept.pages if p.checkpoint]
    assert checkpoints == sorted(checkpoints)
    assert checkpoints[-1] == "2024-03-10T11:59:55Z"


def test_only_chosen_members(fake: FakeNcmec) -> None:
    fake.put(entry(1, 10))
    fake.put(Entry(7, "x", NOW - timedelta(minutes=9), fingerprints={"md5": MD5}))

    assert set(Kept().run(client(fake, members=(7,))).records) == {"7-x"}


def test_fingerprints_behind_links_come_if_asked_for_and_installed(
    fake: FakeNcmec, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.blobs["/v2/blob/1"] = b"binary"
    fake.put(entry(1, 10, links={"videntifier": "/v2/blob/1", "tmk_pdqf": "/v2/blob/2"}))
    monkeypatch.setattr(ncmec, "installed", lambda: {"videntifier": SimpleNamespace(size=6)})

    without = Kept().run(client(fake))
    fetched = [path for path in fake.paths() if "blob" in path]
    with_links = Kept().run(client(fake, links=True))

    inline, other = ("md5", f"{1:032x}"), ("tmk_pdqf", NOT_FETCHED)
    assert without.prints() == {"42-e1": {inline, ("videntifier", NOT_FETCHED), other}}
    assert fetched == []
    assert with_links.prints() == {"42-e1": {inline, ("videntifier", b"binary"), other}}
    assert failure(client(fake, links=True, link_bytes=5)).kind == "hostile"


@pytest.mark.parametrize("link", ["https://evil.example/v2/x", "//evil.example/x", "/v1/x", "/v2/a b"])
def test_links_lead_nowhere_else(fake: FakeNcmec, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ncmec, "installed", lambda: {"videntifier": SimpleNamespace(size=6)})
    fake.put(entry(1, 10, links={"videntifier": link}))
    assert failure(client(fake, links=True)).kind == "hostile"

    page = f"<queryResult><images/><paging><next>{link}</next></paging></queryResult>"
    fake.faults = [None, body(page.encode())]
    assert failure(client(fake)).kind == "hostile"


def test_pages_that_never_end_do(fake: FakeNcmec) -> None:
    page = b"<queryResult><paging><next>/v2/entries?start=1</next></paging></queryResult>"
    fake.faults = [None, *[body(page)] * 5]

    assert failure(client(fake)).kind == "hostile"


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (b'<!DOCTYPE q [<!ENTITY a "b">]><queryResult/>', "hostile"),
        (b"<queryResult>" + b"<images>" * 50 + b"</images>" * 50 + b"</queryResult>", "hostile"),
        (b"<html><body>Please log in</body></html>", "malformed"),
        (b"<queryResult><images>", "malformed"),
        (b"{}", "malformed"),
        (b"", "malformed"),
    ],
)
def test_what_is_no_page_is_no_empty_page(fake: FakeNcmec, page: bytes, kind: str) -> None:
    fake.faults = [None, body(page)]

    assert failure(client(fake)).kind == kind


def test_entries_without_an_id_are_counted_and_the_others_taken(fake: FakeNcmec) -> None:
    fake.put(entry(1, 10))
    bad = "<image><id>x</id></image><image><member id='y'/></image>"
    page = f"<queryResult><images>{entry(1, 10).xml()}{bad}</images></queryResult>"
    fake.faults = [None, body(page.encode())]

    kept = Kept().run(client(fake))

    assert set(kept.records) == {"42-e1"}
    assert kept.pages[0].unreadable == 2


def test_an_answer_that_breaks_off_is_no_end(fake: FakeNcmec) -> None:
    for number in range(10):
        fake.put(entry(number, 10 + number))
    fake.faults = [None, None, half]
    kept = Kept()

    error = failure(client(fake), kept)
    kept.run(client(fake))

    assert error.kind == "network"
    assert len(kept.records) == 10


def test_a_clock_that_differs_is_said_before_anything_is_missed(fake: FakeNcmec) -> None:
    fake.skew = timedelta(minutes=7)
    error = failure(client(fake))
    assert (error.kind, "420 s behind" in error.what) == ("clock", True)

    fake.skew = -timedelta(minutes=2)  # bearable: windows end by the exchange's clock
    kept = Kept().run(client(fake))
    assert kept.checkpoint["to"] == "2024-03-10T11:57:55Z"


def test_opinions_are_sent_with_the_reason_that_ncmec_knows(fake: FakeNcmec) -> None:
    fake.put(entry(1, 10))
    exchange = client(fake, reasons={"not_csam": "Not child sexual abuse material"})

    sent = exchange.feedback(
        [
            Opinion("1", "42-e1", "affirmative"),
            Opinion("2", "42-e1", "negative", "not_csam"),
            Opinion("3", "42-e1", "negative", "unheard of"),
            Opinion("4", "42-none", "affirmative"),
            Opinion("5", "42-e1", "affirmative", "", ("pdq", "photodna")),
        ]
    )

    assert [(s.id, s.taken) for s in sent] == [
        ("1", True),
        ("2", True),
        ("3", False),
        ("4", False),
        ("5", True),
    ]
    assert "reasons=" in sent[2].words
    assert fake.votes == [
        ("42-e1/MD5", f'<feedbackSubmission xmlns="{NAMESPACE}"><affirmative/></feedbackSubmission>'),
        (
            "42-e1/MD5",
            f'<feedbackSubmission xmlns="{NAMESPACE}"><negative><reasonIds><guid>guid-1</guid></reasonIds>'
            "</negative></feedbackSubmission>",
        ),
        ("42-e1/PDNA", f'<feedbackSubmission xmlns="{NAMESPACE}"><affirmative/></feedbackSubmission>'),
    ]


def test_the_doctor_tells_who_we_are(fake: FakeNcmec) -> None:
    findings = client(fake).probe()

    assert [(f.what, f.well) for f in findings] == [
        ("connection", True),
        ("clock", True),
        ("credentials", True),
        ("environment", True),
        ("list", True),
        ("feedback", True),
    ]
    assert "poor quality" in findings[5].words
    assert "Example" in findings[3].words


def test_the_doctor_tells_wrong_credentials_from_those_of_another_environment(
    fake: FakeNcmec, monkeypatch: pytest.MonkeyPatch
) -> None:
    production = FakeNcmec()
    with production.running():
        addresses = {**ADDRESSES, "test-ngo": production.url, "ngo": fake.url}
        monkeypatch.setattr(ncmec, "ADDRESSES", addresses)
        ports = frozenset({production._server.port, fake._server.port})
        fetcher = type(fake.fetcher())(type(fake.fetcher().rules)(allow=("127.0.0.1/32",), ports=ports))

        def probe(refusing: FakeNcmec, password: str) -> object:
            config = NcmecConfig(username=USER, environment="ngo")
            refusing.faults = [status(401)]
            last = KIND.open(config, {"password": Secret(password)}, fetcher, fake.clock).probe()[-1]
            return last.what, last.kind, "test-ngo" in last.words

        assert probe(fake, PASSWORD) == ("environment", "environment", True)
        assert probe(fake, "wrong") == ("credentials", "credentials", False)


def test_every_environment_has_an_address_and_tests_are_the_default() -> None:
    assert NcmecConfig(username="x").environment.startswith("test-")
    assert set(ADDRESSES) == set(get_args(Environment))
    assert len(set(ADDRESSES.values())) == len(ADDRESSES)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.booleans(), st.integers(1, 300), st.integers(0, 3)), max_size=25
    ),
    st.integers(1, 4),
)
def test_after_any_history_the_kept_is_the_model(
    history: list[tuple[int, bool, int, int]], size: int
) -> None:
    """Adds, changes, deletes; runs that break off after some pages and go on later, or never do."""
    fake = FakeNcmec(size)
    kept = Kept()
    with fake.running():
        exchange = client(fake)
        for number, deleted, minutes, pages in history:
            fake.now += timedelta(minutes=minutes)
            at = fake.now - timedelta(seconds=10)
            prints = {"md5": f"{int(at.timestamp()):032x}"}
            fake.put(Entry(42, f"e{number}", at, fingerprints=prints, deleted=deleted))
            if pages:
                kept.run(exchange, most=pages if pages < 3 else None)
        fake.now += timedelta(minutes=10)
        while True:
            kept.run(exchange)
            if kept.cursor is None:
                break

    model = {f"42-{e.id}": {("md5", e.fingerprints["md5"])} for e in fake.entries.values() if not e.deleted}
    assert kept.prints() == model


def test_times_with_a_zone_of_their_own_are_understood() -> None:
    at = ncmec._milliseconds("2024-03-10T13:00:00.250+01:00")

    assert at == int(datetime(2024, 3, 10, 12, 0, 0, 250_000, tzinfo=UTC).timestamp() * 1000)
    assert ncmec._milliseconds("yesterday") == 0
