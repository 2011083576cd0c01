"""Each service's client: clean answers are scores, everything else is not checked."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator

import pytest
from tests.fakes.exchanges.exchange import FakeExchange, body, garbage, half, silence, status
from tests.fakes.lookups.services import KEY, PASSWORD, USER, FakeArachnid, FakeGoogle, FakePhotoDna

from nightlamp.errors import ServiceError
from nightlamp.lookups import Query, Service
from nightlamp.lookups.arachnid import ArachnidShield, Way
from nightlamp.lookups.google import GoogleContentSafety
from nightlamp.lookups.photodna import PhotoDnaCloud
from nightlamp.outbound import Fetcher, Rules
from nightlamp.values import Fingerprint

CONTENT = b"harmless bytes"
PDQ = bytes(range(32))


def query(content: bytes | None = CONTENT, media_type: str = "image/jpeg", **rest: object) -> Query:
    read = None if content is None else lambda: content
    return Query("content", media_type, len(content or b""), read, **rest)  # type: ignore[arg-type]


def with_pdq(*values: bytes) -> Query:
    return query(None, fingerprints=tuple(Fingerprint("pdq", value, quality=100) for value in values))


@contextlib.contextmanager
def running(fake: FakeExchange) -> Iterator[FakeExchange]:
    with fake.running():
        yield fake


@pytest.fixture
def arachnid() -> Iterator[FakeArachnid]:
    with running(FakeArachnid()) as fake:
        yield fake  # type: ignore[misc]


@pytest.fixture
def photodna() -> Iterator[FakePhotoDna]:
    with running(FakePhotoDna()) as fake:
        yield fake  # type: ignore[misc]


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with running(FakeGoogle()) as fake:
        yield fake  # type: ignore[misc]


def shield(fake: FakeArachnid, way: Way = "media", **more: object) -> ArachnidShield:
    return ArachnidShield(fake.fetcher(), USER, PASSWORD, way, url=fake.url, **more)  # type: ignore[arg-type]


CLEAN = {"arachnid_csam": 0.0, "arachnid_harmful": 0.0, "arachnid_near": 0.0}


@pytest.mark.parametrize(
    ("answer", "scores", "why"),
    [
        ({"classification": "csam", "match_type": "exact"}, {**CLEAN, "arachnid_csam": 1.0}, None),
        (
            {"classification": "csam", "match_type": "near", "near_match_details": None},
            {**CLEAN, "arachnid_csam": 1.0, "arachnid_near": 1.0},
            None,
        ),
        (
            {"classification": "harmful-abusive-material", "match_type": "exact"},
            {**CLEAN, "arachnid_harmful": 1.0},
            None,
        ),
        ({"classification": "no-known-match", "match_type": None}, CLEAN, None),
        ({"classification": "no-known-match"}, CLEAN, None),
        ({"classification": "no-known-match", "match_type": "near"}, {}, "bad answer"),
        ({"classification": "something-new", "match_type": "exact"}, {}, "unknown classification"),
        ({"classification": None}, {}, "bad answer"),
        ({"classification": 5}, {}, "bad answer"),
    ],
)
@pytest.mark.parametrize("way", ["media", "url", "pdq"])
def test_arachnid_shield(
    arachnid: FakeArachnid, way: Way, answer: object, scores: dict[str, float], why: str | None
) -> None:
    key = {"media": CONTENT, "url": "https://x.example/a", "pdq": base64.b64encode(PDQ).decode()}[way]
    arachnid.known[key] = answer
    asked = Query(
        "url", "image/png", len(CONTENT), lambda: CONTENT, with_pdq(PDQ).fingerprints, "https://x.example/a"
    )

    said = shield(arachnid, way).ask([asked])[0]

    assert said.scores == scores
    assert [u.why for u in said.unchecked] == ([why] if why else [])
    if way == "media":
        assert arachnid.asked[0].headers["content-type"] == "image/png"


def test_arachnid_takes_many_hashes_at_once_and_a_null_for_no_match(arachnid: FakeArachnid) -> None:
    other = bytes(32)
    arachnid.known[base64.b64encode(PDQ).decode()] = {"classification": "csam", "match_type": "near"}
    arachnid.known[base64.b64encode(other).decode()] = None

    said = shield(arachnid, "pdq").ask([with_pdq(other), with_pdq(other, PDQ), query(None)])

    assert said[0].scores == CLEAN
    assert said[1].scores["arachnid_csam"] == 1.0
    assert (said[2].scores, said[2].unchecked[0].why) == ({}, "not applicable")
    assert len(arachnid.asked) == 1


def test_a_hash_that_arachnid_left_out_is_not_checked(arachnid: FakeArachnid) -> None:
    arachnid.faults = [body(b'{"scanned_hashes": {}}')]

    said = shield(arachnid, "pdq").ask([with_pdq(PDQ)])[0]

    assert (said.scores, said.unchecked[0].why) == ({}, "bad answer")


@pytest.mark.parametrize(
    ("answer", "scores", "why"),
    [
        ({"Status": {"Code": 3000}, "IsMatch": True}, {"photodna_match": 1.0}, None),
        ({"Status": {"Code": 3000}, "IsMatch": False}, {"photodna_match": 0.0}, None),
        ({"Status": {"Code": 3000}}, {}, "bad answer"),
        ({"Status": {"Code": 3000}, "IsMatch": "false"}, {}, "bad answer"),
        ({"Status": {"Code": 3002}, "IsMatch": False}, {}, "code 3002"),
        ({"Status": {"Code": 3206}, "IsMatch": False}, {}, "code 3206"),
        ({"Status": {"Code": 3209}}, {}, "code 3209"),
        ({"Status": {"Code": "3000"}, "IsMatch": False}, {}, "bad answer"),
        ({"IsMatch": False}, {}, "bad answer"),
        ({}, {}, "bad answer"),
    ],
)
def test_photodna_cloud(
    photodna: FakePhotoDna, answer: object, scores: dict[str, float], why: str | None
) -> None:
    photodna.known[CONTENT] = answer

    said = PhotoDnaCloud(photodna.fetcher(), KEY, url=photodna.url).ask([query()])[0]

    assert (said.scores, [u.why for u in said.unchecked]) == (scores, [why] if why else [])


def test_google_gives_priorities_by_position(google: FakeGoogle) -> None:
    names = ["VERY_LOW", "LOW", "MEDIUM", "HIGH", "VERY_HIGH", "IMMENSE"]
    pictures = [name.encode() for name in names]
    google.known = dict(zip(pictures, names, strict=True))
    asked = [query(data) for data in pictures]
    asked.insert(2, query(CONTENT, "video/mp4"))

    said = GoogleContentSafety(google.fetcher(), KEY, url=google.url).ask(asked)

    assert [each.scores.get("google_priority") for each in said] == [0.0, 0.25, None, 0.5, 0.75, 1.0, None]
    assert [u.why for each in said for u in each.unchecked] == ["not applicable", "unknown priority"]
    assert len(google.asked) == 1


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"reviewPriorities": []}', b'{"reviewPriorities": ["LOW", "LOW"]}']
)
def test_google_answers_for_each_picture_or_for_none(google: FakeGoogle, answer: bytes) -> None:
    google.faults = [body(answer)]

    with pytest.raises(ServiceError) as caught:
        GoogleContentSafety(google.fetcher(), KEY, url=google.url).ask([query()])

    assert caught.value.code == "bad answer"


SERVICES = ("arachnid", "photodna", "google")


def opened(name: str, fake: FakeExchange, key: str = "", **rules: object) -> Service:
    http = fake.fetcher(**rules)
    if name == "arachnid":
        return ArachnidShield(http, USER, key or PASSWORD, url=fake.url)
    if name == "photodna":
        return PhotoDnaCloud(http, key or KEY, url=fake.url)
    return GoogleContentSafety(http, key or KEY, url=fake.url)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (status(401), "credentials"),
        (status(429, Retry_After="7"), "limited"),
        (status(400), "refused"),
        (status(500), "unavailable"),
        (status(302, Location="https://elsewhere.example/"), "unavailable"),
        (half, "unavailable"),
        (garbage, "unavailable"),
        (body(b"[]"), "bad answer"),
        (body(b"<html>"), "bad answer"),
        (body(b'{"a":' * 50), "bad answer"),
        (body(b" " * (9 << 20)), "unavailable"),
    ],
)
@pytest.mark.parametrize("name", SERVICES)
def test_what_goes_wrong_is_never_clean(
    name: str, fault: object, code: str, request: pytest.FixtureRequest
) -> None:
    fake = request.getfixturevalue(name)
    fake.faults = [fault]

    with pytest.raises(ServiceError) as caught:
        opened(name, fake).ask([query()])

    assert caught.value.code == code
    assert caught.value.retry_after == (7.0 if code == "limited" else None)
    for secret in (KEY, PASSWORD, CONTENT.decode()):
        assert secret not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("name", SERVICES)
def test_silence_and_wrong_keys(name: str, request: pytest.FixtureRequest) -> None:
    fake = request.getfixturevalue(name)
    with pytest.raises(ServiceError) as caught:
        opened(name, fake, "wrong").ask([query()])
    assert caught.value.code == "credentials"

    fake.faults = [silence]
    with pytest.raises(ServiceError) as caught:
        opened(name, fake, seconds=0.3).ask([query()])
    assert caught.value.code == "unavailable"


@pytest.mark.parametrize("name", SERVICES)
def test_what_cannot_be_sent_is_not_checked(name: str, request: pytest.FixtureRequest) -> None:
    fake = request.getfixturevalue(name)
    service = opened(name, fake)
    service._most_bytes = 5  # type: ignore[attr-defined]

    assert [u.why for u in service.ask([query()])[0].unchecked] == ["too large"]
    assert [u.why for u in service.ask([query(None)])[0].unchecked] == ["not applicable"]
    assert fake.asked == []

    def gone() -> bytes:
        raise ValueError("closed")

    with pytest.raises(ServiceError):
        service.ask([Query("content", "image/jpeg", 1, gone)])


def test_an_address_inside_is_not_asked() -> None:
    service = PhotoDnaCloud(Fetcher(Rules()), KEY, url="http://169.254.169.254/")

    with pytest.raises(ServiceError) as caught:
        service.ask([query()])

    assert caught.value.code == "unavailable"
