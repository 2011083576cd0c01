"""Talking to a service that the operator has chosen: methods, headers, redirects, dates, pieces."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.fakes.raw_server import Conversation, answer
from tests.outbound.conftest import Serve, fetcher_for

from nightlamp.errors import OutboundError
from nightlamp.outbound import Outgoing


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_any_status_is_an_answer(method: str, serve: Serve) -> None:
    server = serve(answer(b"no", status="403 Forbidden", etag='"v1"', last_modified="then"))

    answered = fetcher_for(server).ask(
        method, f"http://127.0.0.1:{server.port}/", headers={"X-Key": "secret"}, body=b"body"
    )

    assert (answered.status, answered.body, answered.etag, answered.modified) == (403, b"no", '"v1"', "then")
    assert server.requests[0].line.startswith(method)
    assert server.requests[0].headers["x-key"] == "secret"
    assert server.requests[0].body == b"body"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_that_has_no_body_may_name_the_length_of_one(method: str, serve: Serve) -> None:
    server = serve(answer(status="304 Not Modified", content_length="999999"))

    answered = fetcher_for(server).ask(method, f"http://127.0.0.1:{server.port}/", most=10)

    assert (answered.status, answered.body) == (304, b"")


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("soon", None),
        ("9999999999999", 86400.0),
    ],
)
def test_a_wait_is_seconds_or_a_date_by_the_services_own_clock(
    wait: str, seconds: float | None, serve: Serve
) -> None:
    server = serve(answer(status="429 Too Many", retry_after=wait, date="Wed, 21 Oct 2015 07:28:00 GMT"))

    answered = fetcher_for(server).ask("GET", f"http://127.0.0.1:{server.port}/")

    assert answered.retry_after == seconds
    assert answered.date == datetime(2015, 10, 21, 7, 28, tzinfo=UTC)


def test_credentials_stay_with_the_origin_that_they_were_given_for(serve: Serve) -> None:
    other = serve(answer(b"there"))
    first = serve(answer(status="302 Found", location=f"http://127.0.0.1:{other.port}/x"))
    fetcher, url = fetcher_for(first, other), f"http://127.0.0.1:{first.port}/"

    not_followed = fetcher.ask("GET", url, headers={"Authorization": "secret"})
    followed = fetcher.ask("GET", url, headers={"Authorization": "secret"}, follow=True)

    assert (not_followed.status, not_followed.location) == (302, f"http://127.0.0.1:{other.port}/x")
    assert followed.body == b"there"
    assert "authorization" not in other.requests[0].headers


def test_a_body_comes_in_pieces_and_not_one_byte_more_than_allowed(serve: Serve) -> None:
    def script(conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4):
            conversation.send(b"4\r\nabcd\r\n")
        conversation.send(b"0\r\n\r\n")

    server = serve(script)
    url = f"http://127.0.0.1:{server.port}/"

    with fetcher_for(server).asking("GET", url) as whole:
        assert b"".join(whole.pieces(16)) == b"abcd" * 4
    with fetcher_for(server).asking("GET", url) as cut, pytest.raises(OutboundError) as caught:
        list(cut.pieces(15))

    assert caught.value.code == "too large"


def test_a_header_that_cannot_be_sent_is_refused_and_not_quoted(serve: Serve) -> None:
    server = serve(answer())

    with pytest.raises(OutboundError) as caught:
        fetcher_for(server).ask(
            "GET", f"http://127.0.0.1:{server.port}/", headers={"X-Key": "secret\r\nX-Other: 1"}
        )

    assert caught.value.code == "bad request"
    assert "secret" not in f"{caught.value!r}"
    assert server.requests == []


def test_a_streamed_body_arrives_whole_and_never_is_whole_in_memory(serve: Serve) -> None:
    server = serve(answer(b"taken"))
    pieces = [bytes([at]) * 1000 for at in range(50)]

    def fill(out: Callable[[bytes], object]) -> None:
        for piece in pieces:
            out(piece)

    fetcher, url = fetcher_for(server), f"http://127.0.0.1:{server.port}/"
    assert fetcher.ask("POST", url, body=Outgoing(50_000, fill)).body == b"taken"
    assert server.requests[0].body == b"".join(pieces)


@pytest.mark.parametrize("said", [49_999, 50_001])
def test_a_streamed_body_of_another_length_is_refused(said: int, serve: Serve) -> None:
    server = serve(answer(b"taken"))
    url = f"http://127.0.0.1:{server.port}/"
    with pytest.raises(OutboundError, match="not as long"):
        fetcher_for(server).ask("POST", url, body=Outgoing(said, lambda out: out(bytes(50_000)) and None))


def test_what_fails_while_a_body_is_written_gets_out(serve: Serve) -> None:
    server = serve(answer(b"taken"))

    def fill(out: Callable[[bytes], object]) -> None:
        out(b"some")
        raise LookupError("the source failed")

    with pytest.raises(LookupError):
        fetcher_for(server).ask("POST", f"http://127.0.0.1:{server.port}/", body=Outgoing(9, fill))
