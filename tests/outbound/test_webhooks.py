"""Webhooks: signatures, retries, deliveries."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.raw_server import RawServer, answer
from tests.outbound.conftest import Serve, fetcher_for

from nightlamp.errors import WebhookError
from nightlamp.outbound import Outcome, Rules, Secret, deliver, next_attempt, sign, verify
from nightlamp.outbound.webhooks import SCHEDULE

# The example that implementations of Standard Webhooks test themselves with.
VECTOR = {
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "timestamp": 1614265330,
    "body": b'{"test": 2432232314}',
    "signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
ONE, TWO, THREE = (Secret(bytes([n]) * 32) for n in (1, 2, 3))
NOW = 1_700_000_000
BODY = b'{"type":"verdict"}'


def test_the_published_vector_signs_and_verifies() -> None:
    secret = Secret.parse(str(VECTOR["secret"]))

    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])

    assert headers == {
        "webhook-id": VECTOR["id"],
        "webhook-timestamp": "1614265330",
        "webhook-signature": VECTOR["signature"],
    }
    assert verify(headers, b'{"test": 2432232314}', [secret], now=1614265330) == VECTOR["id"]


def test_a_secret_survives_its_text_and_is_not_shown() -> None:
    secret = Secret.new()

    assert Secret.parse(secret.text()) == secret
    assert secret.text().startswith("whsec_")
    assert base64.b64encode(secret.key).decode() not in f"{secret} {secret!r}"
    assert Secret.new() != secret


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_?", "whsec_" + "QUFB" * 5, "whsec_" + "QUFB" * 30, "é"]
)
def test_a_bad_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        Secret.parse(text)


@pytest.mark.parametrize(
    ("signers", "known", "matches"),
    [
        ([ONE], [ONE], True),
        ([ONE, TWO], [ONE], True),
        ([TWO, ONE], [ONE], True),  # the sender changes over first
        ([ONE], [TWO, ONE], True),  # the receiver changes over first
        ([TWO, THREE], [ONE], False),
        ([ONE], [], False),
    ],
)
def test_secrets_can_be_changed_without_a_gap(
    signers: list[Secret], known: list[Secret], matches: bool
) -> None:
    headers = sign("msg_1", NOW, BODY, signers)

    if matches:
        assert verify(headers, BODY, known, NOW) == "msg_1"
    else:
        with pytest.raises(WebhookError) as caught:
            verify(headers, BODY, known, NOW)
        assert caught.value.code == "no match"


@given(st.binary(max_size=60), st.integers(0, 2**33), st.data())
def test_nothing_signed_can_be_changed(body: bytes, timestamp: int, data: st.DataObject) -> None:
    headers = sign("msg_1", timestamp, body, [ONE])
    part = data.draw(st.sampled_from(["body", "webhook-id", "webhook-timestamp", "webhook-signature"]))
    if part == "body":
        body = data.draw(st.binary(max_size=60).filter(lambda other: other != body))
    elif part == "webhook-timestamp":
        headers[part] = str(data.draw(st.integers(0, 2**33).filter(lambda other: other != timestamp)))
    else:
        place = data.draw(st.integers(0, len(headers[part]) - 2))  # the last digit of base64 has spare bits
        letter = data.draw(st.sampled_from("abc123_+/=, é"))
        changed = headers[part][:place] + letter + headers[part][place + 1 :]
        headers[part] = changed if changed != headers[part] else "v1,"

    with pytest.raises(WebhookError):
        verify(headers, body, [ONE], now=int(headers["webhook-timestamp"]))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"webhook-id": None}, "missing"),
        ({"webhook-timestamp": None}, "missing"),
        ({"webhook-signature": None}, "missing"),
        ({"webhook-id": "msg.1"}, "malformed"),
        ({"webhook-timestamp": "1e9"}, "malformed"),
        ({"webhook-timestamp": "-1"}, "malformed"),
        ({"webhook-timestamp": "9" * 5000}, "malformed"),
        ({"webhook-timestamp": str(NOW - 301)}, "too old"),
        ({"webhook-timestamp": str(NOW + 301)}, "too new"),
        ({"webhook-signature": ""}, "no match"),
        ({"webhook-signature": "v1a,x v2,y"}, "no match"),
        ({"webhook-signature": "v1, " * 100_000}, "no match"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, str | None], code: str) -> None:
    headers = {**sign("msg_1", NOW, BODY, [ONE]), **change}

    with pytest.raises(WebhookError) as caught:
        verify({name: value for name, value in headers.items() if value is not None}, BODY, [ONE], NOW)

    assert caught.value.code == code


def test_header_names_come_in_any_case_and_the_tolerance_is_as_asked() -> None:
    headers = {name.title(): value for name, value in sign("msg_1", NOW, BODY, [ONE]).items()}

    assert verify(headers, BODY, [ONE], NOW + 300) == "msg_1"
    assert verify(headers, BODY, [ONE], NOW + 900, tolerance=900) == "msg_1"


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\r\nx: y", "x" * 129])
def test_an_id_that_could_be_read_in_two_ways_is_not_signed(message_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        sign(message_id, NOW, BODY, [ONE])


@given(st.integers(1, len(SCHEDULE)), st.text(max_size=20))
def test_waits_follow_the_schedule_within_a_fifth(attempt: int, seed: str) -> None:
    wait = next_attempt(attempt, seed)

    assert wait is not None
    assert 0.8 * SCHEDULE[attempt - 1] <= wait <= 1.2 * SCHEDULE[attempt - 1]
    assert next_attempt(attempt, seed) == wait


def test_waits_of_different_messages_spread_out() -> None:
    waits = {round(next_attempt(2, f"msg_{n}") or 0) for n in range(200)}

    assert len(waits) > 50


def test_retries_end_and_heed_the_receiver() -> None:
    assert next_attempt(len(SCHEDULE) + 1, "msg_1") is None
    assert next_attempt(1, "msg_1", at_least=3600) == 3600
    assert next_attempt(9, "msg_1", at_least=1) == next_attempt(9, "msg_1")
    with pytest.raises(ValueError, match="first"):
        next_attempt(0, "msg_1")


def test_a_delivery_can_be_verified_by_its_receiver(serve: Serve) -> None:
    server = serve(answer(status="204 No Content"))

    outcome = deliver(
        fetcher_for(server),
        f"http://127.0.0.1:{server.port}/hook?tenant=1",
        BODY,
        [TWO, ONE],
        message_id="msg_1",
        now=NOW + 0.7,
    )

    assert outcome == Outcome("delivered", "status 204")
    request = server.requests[0]
    assert request.line == "POST /hook?tenant=1 HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.body == BODY
    assert verify(request.headers, request.body, [ONE], NOW) == "msg_1"


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        ("200 OK", {}, Outcome("delivered", "status 200")),
        ("202 Accepted", {}, Outcome("delivered", "status 202")),
        ("302 Found", {"location": "/elsewhere"}, Outcome("retry", "status 302")),
        ("400 Bad Request", {}, Outcome("retry", "status 400")),
        ("404 Not Found", {}, Outcome("retry", "status 404")),
        ("410 Gone", {}, Outcome("gone", "status 410")),
        ("429 Too Many Requests", {"retry_after": "120"}, Outcome("retry", "status 429", 120)),
        ("503 Unavailable", {"retry_after": "9" * 999}, Outcome("retry", "status 503", 86_400)),
        ("503 Unavailable", {"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, Outcome("retry", "status 503")),
        ("503 Unavailable", {"retry_after": "-5"}, Outcome("retry", "status 503")),
    ],
)
def test_outcomes_are_by_the_receivers_status(
    status: str, headers: dict[str, str], outcome: Outcome, serve: Serve
) -> None:
    server = serve(answer(b"body", status=status, **headers))

    assert attempt_at(server) == outcome
    assert len(server.requests) == 1


def attempt_at(server: RawServer, url: str | None = None, **rules: object) -> Outcome:
    fetcher = fetcher_for(server, **rules)  # type: ignore[arg-type]
    return deliver(
        fetcher, url or f"http://127.0.0.1:{server.port}/", BODY, [ONE], message_id="msg_1", now=NOW
    )


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("http://127.0.0.2/", Outcome("refused", "refused")),
        ("http://169.254.169.254/", Outcome("refused", "refused")),
        ("ftp://example.com/", Outcome("refused", "invalid url")),
        ("http://nowhere.example/", Outcome("retry", "unreachable")),
    ],
)
def test_an_endpoint_that_the_rules_forbid_is_refused_and_a_missing_one_retried(
    url: str, outcome: Outcome, serve: Serve
) -> None:
    assert attempt_at(serve(answer()), url) == outcome


def test_a_receiver_that_does_not_answer_is_asked_again_later(serve: Serve) -> None:
    assert attempt_at(serve(answer(), silent=True), seconds=0.3) == Outcome("retry", "timeout")


def test_a_large_payload_arrives_whole(serve: Serve) -> None:
    server = serve(answer())
    payload = b"x" * 3_000_000

    outcome = deliver(
        fetcher_for(server), f"http://127.0.0.1:{server.port}/", payload, [ONE], message_id="a", now=NOW
    )

    assert outcome.kind == "delivered"
    assert server.requests[0].body == payload


def test_rules_are_values() -> None:
    assert Rules() == Rules()
    assert Rules(allow=("10.0.0.0/8",)) != Rules()
