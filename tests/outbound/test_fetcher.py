"""Fetching from hosts that are hostile, and through names and redirects that lead inside."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
import zlib

import pytest
import trustme
from tests.fakes.raw_server import Conversation, RawServer, Script, answer
from tests.fakes.resolver import FakeResolver
from tests.measured import peak_of
from tests.outbound.conftest import Serve, fetcher_for

from nightlamp.errors import OutboundError
from nightlamp.outbound import Fetcher, Rules

Attempts = list[tuple[str, int]]


def failure(fetcher: Fetcher, url: str) -> str:
    """The code with which a fetch fails; what the error may tell is checked on the way."""
    with pytest.raises(OutboundError) as caught:
        fetcher.fetch(url)
    assert caught.value.for_submitter == "the URL could not be fetched"
    assert "secret" not in f"{caught.value} {caught.value!r}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.code


def test_a_body_comes_back_as_it_was_sent(serve: Serve) -> None:
    server = serve(answer(b"bytes", content_type="image/png"))

    fetched = fetcher_for(server).fetch(f"http://127.0.0.1:{server.port}/a b?q=1&utm_source=x#top")

    assert fetched.body == b"bytes"
    assert fetched.claimed_type == "image/png"
    assert fetched.redirects == 0
    assert server.requests[0].line == "GET /a%20b?q=1&utm_source=x HTTP/1.1"
    assert "bytes" not in repr(fetched)


@pytest.mark.parametrize(
    "script",
    [answer(bytes(1 << 21)), answer(gzip.compress(bytes(1 << 21)), content_encoding="gzip")],
    ids=["as it is", "packed"],
)
def test_a_body_is_given_away_in_pieces(script: Script, serve: Serve) -> None:
    server = serve(script)
    taken: list[bytes] = []

    fetched = fetcher_for(server).fetch(f"http://127.0.0.1:{server.port}/", taken.append)

    assert (b"".join(taken), fetched.body) == (bytes(1 << 21), b"")
    assert max(map(len, taken)) <= 1 << 18


def test_the_request_says_nothing_of_us_but_what_it_must(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = serve(answer(b"x"))

    fetcher_for(server).fetch(f"http://user:password@127.0.0.1:{server.port}/")

    assert server.requests[0].headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "nightlamp",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
    }


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "invalid url"),
        ("http://exa mple/", "invalid url"),
        ("file:///etc/hosts", "invalid url"),
        ("gopher://127.0.0.1/", "invalid url"),
        ("http://127.0.0.1:22/secret", "refused"),
        ("http://127.0.0.1:0/secret", "refused"),
        ("http://127.0.0.2/secret", "refused"),
        ("http://nowhere.example/secret", "unreachable"),
        ("http://empty.example/secret", "unreachable"),
        ("http://garbage.example/secret", "refused"),
    ],
)
def test_what_may_not_be_asked_is_not(url: str, code: str, attempts: Attempts) -> None:
    resolver = FakeResolver({"empty.example": [], "garbage.example": ["secret"]})

    assert failure(fetcher_for(resolver=resolver), url) == code
    assert attempts == []


def test_operators_may_insist_on_https() -> None:
    assert failure(Fetcher(Rules(schemes=frozenset({"https"}))), "http://example.com/") == "refused"


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))  # keeps the port from others
        server = RawServer(answer(), port=mute.getsockname()[1])

        assert failure(fetcher_for(server), f"http://127.0.0.1:{server.port}/") == "unreachable"


# names


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.2"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:169.254.169.254"],
        ["fe80::1%lo"],
        ["127.0.0.1", "10.0.0.1"],  # one of them is permitted
        ["127.0.0.1", "8.8.8.8", "64:ff9b::a00:1"],
        ["8.8.8.8"] * 9 + ["10.0.0.1"],  # all are judged, also those that would not be tried
    ],
    ids=str,
)
def test_a_name_that_leads_inside_is_refused(addresses: list[str], attempts: Attempts) -> None:
    fetcher = fetcher_for(resolver=FakeResolver({"inside.example": addresses}))

    assert failure(fetcher, "http://inside.example/secret") == "refused"
    assert attempts == []


def test_the_address_that_was_judged_is_the_one_connected_to(serve: Serve, attempts: Attempts) -> None:
    # given a name that leads to a permitted address once, and inside from then on
    server = serve(answer(b"outside"))
    inside = serve(answer(b"inside"), host="127.0.0.2", port=server.port)
    resolver = FakeResolver({"rebind.example": [["127.0.0.1"], ["127.0.0.2"]]})

    # when it is fetched
    fetched = fetcher_for(server, resolver=resolver).fetch(f"http://rebind.example:{server.port}/")

    # then it was asked for once, and the first answer was used, under its name
    assert fetched.body == b"outside"
    assert resolver.asked == ["rebind.example"]
    assert attempts == [("127.0.0.1", server.port)]
    assert server.requests[0].headers["host"] == f"rebind.example:{server.port}"
    assert inside.connections == 0


def test_after_a_redirect_the_name_is_judged_again(serve: Serve) -> None:
    server = serve(answer(status="302 Found", location="/next"))
    inside = serve(answer(b"inside"), host="127.0.0.2", port=server.port)
    resolver = FakeResolver({"rebind.example": [["127.0.0.1"], ["127.0.0.2"]]})

    code = failure(fetcher_for(server, resolver=resolver), f"http://rebind.example:{server.port}/")

    assert code == "refused"
    assert inside.connections == 0


def test_the_next_address_is_tried_where_one_does_not_answer(serve: Serve) -> None:
    server = serve(answer(b"x"))
    resolver = FakeResolver({"two.example": ["127.0.0.9", "127.0.0.1"]})
    fetcher = fetcher_for(server, resolver=resolver, allow=("127.0.0.0/8",))

    assert fetcher.fetch(f"http://two.example:{server.port}/").body == b"x"


def test_a_name_server_that_does_not_answer_costs_the_time_and_no_more(serve: Serve) -> None:
    def resolve(host: str, port: int) -> list[str]:
        time.sleep(3)
        return ["127.0.0.1"]

    server = serve(answer(b"x"))
    fetcher = Fetcher(
        Rules(allow=("127.0.0.1/32",), ports=frozenset({server.port}), seconds=0.2), resolve=resolve
    )

    assert failure(fetcher, f"http://slow.example:{server.port}/") == "timeout"
    assert server.connections == 0


# redirects

METADATA = r"""
http://169.254.169.254/ //169.254.169.254/ \\169.254.169.254\ /\169.254.169.254/ http:\\169.254.169.254
http:////169.254.169.254 http://2852039166/ http://0xa9fea9fe/ http://0xA9.0xFE.0xA9.0xFE/ http://025177524776/
http://0251.0376.0251.0376/ http://169.254.43518/ http://169.16689662/ http://0000000000251.0xfe.43518/
http://169.254.169.254./ http://１６９.254.169.254/ http://169。254。169。254/ http://169%2E254.169.254/
http://%31%36%39.254.169.254/ http://[::ffff:169.254.169.254]/ http://[::ffff:a9fe:a9fe]/
http://[0:0:0:0:0:ffff:a9fe:a9fe]/ http://[::169.254.169.254]/ http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b:1::a9fe:a9fe]/ http://[2002:a9fe:a9fe::1]/ http://[fd00:ec2::254]/ http://[fe80::a9fe:a9fe]/
http://127.0.0.1@169.254.169.254/ http://127.0.0.1:80@169.254.169.254/ http://a#@169.254.169.254/
http://169.254.169.254#@127.0.0.1/ http://169.254.169.254\@127.0.0.1/ http://metadata.example/
http://METADATA.example./ http://100.100.100.200/ http://168.63.129.16/ http://192.0.0.192/ http://localhost/
http://127.0.0.2/ http://127.1.1.1/ http://0/ http://0.0.0.0/ http://[::]/ http://[::1]/ http://10.1/
""".split()  # noqa: SIM905


@pytest.mark.parametrize("location", METADATA)
def test_a_redirect_inside_is_refused_however_it_is_spelled(
    location: str, serve: Serve, attempts: Attempts
) -> None:
    server = serve(answer(status="307 Temporary Redirect", location=location))
    resolver = FakeResolver({"metadata.example": ["169.254.169.254"], "localhost": ["127.0.0.2"]})

    code = failure(fetcher_for(server, resolver=resolver), f"http://127.0.0.1:{server.port}/")

    # "http://a#@…" leads to a host named a
    assert code == ("unreachable" if "a#" in location else "refused")
    assert attempts == [("127.0.0.1", server.port)]


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("", "redirect"),
        ("file:///etc/hosts", "redirect"),
        ("javascript:x", "redirect"),
        ("http://", "redirect"),
        ("http://127.0.0.1:22/", "refused"),
        ("http://127.0.0.1:6379/", "refused"),
    ],
)
def test_a_redirect_elsewhere_is_refused(location: str, code: str, serve: Serve, attempts: Attempts) -> None:
    headers = {"location": location} if location else {}
    server = serve(answer(status="301 Moved Permanently", **headers))

    assert failure(fetcher_for(server), f"http://127.0.0.1:{server.port}/") == code
    assert len(attempts) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_without_anything_that_was_learnt(status: int, serve: Serve) -> None:
    def script(conversation: Conversation) -> None:
        if conversation.request.line == "GET /start/ HTTP/1.1":
            answer(status=f"{status} x", location="a/../../end?x", set_cookie="session=1")(conversation)
        else:
            answer(b"end")(conversation)

    server = serve(script)

    fetched = fetcher_for(server).fetch(f"http://user:password@127.0.0.1:{server.port}/start/")

    assert fetched.body == b"end"
    assert fetched.redirects == 1
    assert fetched.url.target == "/end?x"
    assert not {"cookie", "authorization", "referer"} & set(server.requests[1].headers)


def test_a_redirect_loop_ends(serve: Serve) -> None:
    server = serve(answer(status="302 Found", location="/again"))

    assert failure(fetcher_for(server, max_redirects=3), f"http://127.0.0.1:{server.port}/") == "redirect"
    assert len(server.requests) == 4


# answers


@pytest.mark.parametrize(
    "status", ["201 Created", "204 No Content", "206 Partial", "304 x", "404 x", "500 x"]
)
def test_another_status_is_no_item(status: str, serve: Serve) -> None:
    server = serve(answer(b"secret", status=status))

    assert failure(fetcher_for(server), f"http://127.0.0.1:{server.port}/") == "status"


def raw(*pieces: bytes) -> Script:
    def script(conversation: Conversation) -> None:
        for piece in pieces:
            conversation.send(piece)

    return script


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (raw(), "bad answer"),
        (raw(b"\x00\x01secret"), "bad answer"),
        (raw(b"SSH-2.0-secret\r\n"), "bad answer"),
        (raw(b"HTTP/1.1 200"), "bad answer"),
        (raw(b"HTTP/1.1 2OO OK\r\n\r\n"), "bad answer"),
        (raw(HEAD, b"Content-Length: 9\r\n\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Content-Length: -1\r\n\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Content-Length: x\r\n\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Content-Length: " + b"9" * 6000 + b"\r\n\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Content-Length: 999999999999\r\n\r\nsecret"), "too large"),
        (raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\n6\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Transfer-Encoding: gzip\r\n\r\nsecret"), "bad answer"),
        (raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nsecret"), "bad answer"),
        (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nsecret"), "bad answer"),
        (raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 9, HEAD, b"Content-Length: 0\r\n\r\n"), "bad answer"),
        (answer(b"secret", content_encoding="br"), "bad answer"),
        (answer(b"secret", content_encoding="gzip"), "bad answer"),
        (answer(gzip.compress(gzip.compress(b"secret")), content_encoding="gzip, gzip"), "bad answer"),
        (answer(gzip.compress(b"secret")[:-4], content_encoding="gzip"), "bad answer"),
        (answer(gzip.compress(b"x") + gzip.compress(b"secret"), content_encoding="gzip"), "bad answer"),
        (answer(gzip.compress(b"x") + b"secret", content_encoding="gzip"), "bad answer"),
    ],
)
def test_a_broken_answer_is_an_error_of_its_own(script: Script, code: str, serve: Serve) -> None:
    server = serve(script)

    assert failure(fetcher_for(server, seconds=60), f"http://127.0.0.1:{server.port}/") == code


@pytest.mark.parametrize(
    ("script", "body"),
    [
        (answer(b""), b""),
        (raw(HEAD, b"Content-Length: 4\r\n\r\nbodyand more"), b"body"),
        (raw(HEAD, b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody"), b"body"),
        (raw(HEAD, b"\r\nuntil the end"), b"until the end"),
        (raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"), b"body"),
        (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n", HEAD, b"Content-Length: 4\r\n\r\nbody"), b"body"),
        (answer(gzip.compress(b"body" * 999), content_encoding="GZIP"), b"body" * 999),
        (answer(zlib.compress(b"body"), content_encoding="deflate"), b"body"),
        (answer(b"", content_encoding="gzip"), b""),
    ],
)
def test_an_odd_but_whole_answer_is_read(script: Script, body: bytes, serve: Serve) -> None:
    server = serve(script)

    assert fetcher_for(server).fetch(f"http://127.0.0.1:{server.port}/").body == body


def endless(start: bytes, piece: bytes, pause: float = 0.0) -> Script:
    """A script that goes on for two minutes, and then ends well: only a limit of ours ends it earlier."""

    def script(conversation: Conversation) -> None:
        end = time.monotonic() + 120
        alive = conversation.send(start)
        while alive and time.monotonic() < end:
            alive = conversation.send(piece) and (not pause or conversation.wait(pause))

    return script


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (endless(b"", b"H", 0.05), "timeout"),
        (endless(HEAD, b"X: y\r\n", 0.05), "timeout"),
        (endless(HEAD + b"Content-Length: 900\r\n\r\n", b"x", 0.05), "timeout"),
        (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05), "timeout"),
        (endless(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10], b"", 0.05), "timeout"),
        (endless(HEAD, b"X: y\r\n" * 1000), "bad answer"),
        (endless(HEAD + b"X: ", b"y" * 1000), "bad answer"),
        (endless(b"", b"x" * 1000), "bad answer"),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "bad answer"),
        (endless(HEAD + b"\r\n", b"x" * 1000), "too large"),
        (
            endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
            "too large",
        ),
        (endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000), "bad answer"),
    ],
    ids=range(12),
)
def test_slow_and_endless_answers_end(script: Script, code: str, serve: Serve) -> None:
    server = serve(script)
    seconds = 0.3 if code == "timeout" else 60

    assert (
        failure(fetcher_for(server, seconds=seconds, max_bytes=100_000), f"http://127.0.0.1:{server.port}/")
        == code
    )
    assert server.conversations[0].sent < 20_000_000


def test_time_runs_through_redirects_too(serve: Serve) -> None:
    def script(conversation: Conversation) -> None:
        conversation.wait(0.2)
        answer(status="302 Found", location="/again")(conversation)

    server = serve(script)

    code = failure(fetcher_for(server, seconds=0.7, max_redirects=99), f"http://127.0.0.1:{server.port}/")

    assert code == "timeout"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_does_not_go_off(encoding: str, serve: Serve) -> None:
    # given 256 MB of zeros in 256 KB
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    server = serve(answer(bomb, content_encoding=encoding))
    fetcher = fetcher_for(server, max_bytes=1 << 20)

    # when it is fetched
    codes: list[str] = []
    limit = 8 << 20
    peak = peak_of(lambda: codes.append(failure(fetcher, f"http://127.0.0.1:{server.port}/")), limit)

    # then it stops at the limit
    assert set(codes) == {"too large"}
    assert peak < limit


# TLS


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls_speaks_under_the_name_and_not_the_address(serve: Serve, authority: trustme.CA) -> None:
    names: list[str | None] = []
    context = server_context(authority, "good.example")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = serve(answer(b"x"), tls=context)
    resolver = FakeResolver({"good.example": ["127.0.0.1"]})
    fetcher = fetcher_for(server, resolver=resolver, tls=client_context(authority))

    assert fetcher.fetch(f"https://good.example:{server.port}/").body == b"x"
    assert names == ["good.example"]
    assert server.requests[0].headers["host"] == f"good.example:{server.port}"


def test_an_address_may_have_a_certificate(serve: Serve, authority: trustme.CA) -> None:
    server = serve(answer(b"x"), tls=server_context(authority, "127.0.0.1"))

    fetcher = fetcher_for(server, tls=client_context(authority))

    assert fetcher.fetch(f"https://127.0.0.1:{server.port}/").body == b"x"


@pytest.mark.parametrize("name", ["other.example", "sub.good.example"])
def test_a_certificate_of_another_name_is_refused(name: str, serve: Serve, authority: trustme.CA) -> None:
    server = serve(answer(b"x"), tls=server_context(authority, "good.example"))
    resolver = FakeResolver({name: ["127.0.0.1"]})
    fetcher = fetcher_for(server, resolver=resolver, tls=client_context(authority))

    assert failure(fetcher, f"https://{name}:{server.port}/secret") == "tls"
    assert server.requests == []


def test_an_unknown_authority_is_refused(serve: Serve, authority: trustme.CA) -> None:
    server = serve(answer(b"x"), tls=server_context(authority, "good.example"))
    resolver = FakeResolver({"good.example": ["127.0.0.1"]})

    assert failure(fetcher_for(server, resolver=resolver), f"https://good.example:{server.port}/") == "tls"


def test_https_to_a_server_without_tls_is_refused(serve: Serve) -> None:
    server = serve(answer(b"x"))

    assert failure(fetcher_for(server, seconds=0.5), f"https://127.0.0.1:{server.port}/") in (
        "tls",
        "timeout",
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_costs_the_time_and_no_more(scheme: str, serve: Serve) -> None:
    server = serve(answer(b"x"), silent=True)

    code = failure(
        fetcher_for(server, seconds=0.4, connect_seconds=0.3), f"{scheme}://127.0.0.1:{server.port}/"
    )

    assert code == "timeout"


@pytest.mark.parametrize(("allowed", "code"), [(False, "refused"), (True, None)])
def test_https_redirects_to_http_only_if_allowed(
    allowed: bool, code: str | None, serve: Serve, authority: trustme.CA
) -> None:
    plain = serve(answer(b"plain"))
    location = f"http://127.0.0.1:{plain.port}/"
    server = serve(answer(status="302 Found", location=location), tls=server_context(authority, "127.0.0.1"))
    fetcher = fetcher_for(server, plain, tls=client_context(authority), allow_downgrade=allowed)
    url = f"https://127.0.0.1:{server.port}/"

    if code:
        assert failure(fetcher, url) == code
        assert plain.connections == 0
    else:
        assert fetcher.fetch(url).body == b"plain"


def test_a_context_that_checks_no_names_is_not_taken() -> None:
    with pytest.raises(ValueError, match="names"):
        Fetcher(tls=ssl._create_unverified_context())


def test_no_key_log_is_written_whatever_the_environment_says(
    serve: Serve, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", f"{tmp_path}/keys")

    assert Fetcher()._tls.keylog_filename is None
