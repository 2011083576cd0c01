"""The two clients without a service: what is sent, what is retried, and what is never shown."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.looping import run as run_loop

from nightlamp.client import AsyncClient, Client, ClientError, Retry
from nightlamp.client.call import Call
from nightlamp.values import Fingerprint

KEY = "nlk_planted_secret_key"
OUTCOME = {"id": "i1", "state": "done", "action": "allow", "brand new": 1}
Answer = httpx.Response | type[httpx.HTTPError]


class Answers:
    """Answers in turn, and keeps what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.Response):  # a new one each time: a response is read once
            if isinstance(answer.stream, httpx.ByteStream):
                headers = {k: v for k, v in answer.headers.items() if k in ("retry-after", "content-type")}
                return httpx.Response(answer.status_code, content=answer.content, headers=headers)
            return answer
        raise answer("broken, and it quotes planted-hash", request=request)

    @property
    def names(self) -> list[str]:
        return [request.headers["idempotency-key"] for request in self.requests]


def ok(**more: Any) -> httpx.Response:
    return httpx.Response(200, json={**OUTCOME, **more})


def fails(status: int, retry_after: str = "", **problem: Any) -> httpx.Response:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return httpx.Response(status, json=problem, headers=headers)


def run(do: Callable[[Any], Any], answers: Answers, asynchronous: bool, **options: Any) -> Any:
    """Do something with one of the clients."""
    options = {"retry": Retry(attempts=4, first=0.001), "transport": httpx.MockTransport(answers), **options}
    if not asynchronous:
        with Client("http://nightlamp.test", KEY, **options) as client:
            return do(client)

    async def go() -> Any:
        async with AsyncClient("http://nightlamp.test", KEY, **options) as client:
            return await do(client)

    return run_loop(go())


both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "asyncio"])


def test_both_clients_have_the_same_methods_and_say_how_they_are_called() -> None:
    def methods(client: type) -> dict[str, str]:
        public = {name: value for name, value in vars(client).items() if not name.startswith("_")}
        return {name: str(inspect.signature(value)).split(" -> ")[0] for name, value in public.items()}

    assert methods(Client) == methods(AsyncClient)
    for name in methods(Client):
        assert getattr(Client, name).__doc__, name
    assert list(inspect.signature(Client.create_bank).parameters)[:2] == ["self", "name"]


@both
@pytest.mark.parametrize(
    "broken",
    [
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.WriteError,
        httpx.RemoteProtocolError,
        fails(429, "0"),
        fails(502),
        fails(503, "0", type="urn:nightlamp:problem:unavailable"),
        fails(503, type="urn:nightlamp:problem:undecided"),
        fails(504),
    ],
    ids=str,
)
def test_a_submission_is_sent_again_under_the_same_name(asynchronous: bool, broken: Answer) -> None:
    answers = Answers(broken, broken, ok())
    outcome = run(lambda client: client.submit(b"content"), answers, asynchronous)
    assert (outcome.id, outcome.action) == ("i1", "allow")
    assert len(set(answers.names)) == 1
    assert len(answers.names[0]) == 32
    assert len({request.content for request in answers.requests}) == 1
    assert len(answers.requests) == 3


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500])
def test_what_will_not_change_is_not_sent_again(asynchronous: bool, status: int) -> None:
    answers = Answers(fails(status, detail="no", where="body", hint="yes"))
    with pytest.raises(ClientError) as caught:
        run(lambda client: client.submit(b"content"), answers, asynchronous)
    assert caught.value.status == status
    assert str(caught.value) == "body: no. Try: yes"


@both
def test_a_stream_that_cannot_go_back_is_sent_once(asynchronous: bool) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    answers = Answers(httpx.ReadError, ok())
    with pytest.raises(ClientError):
        run(lambda client: client.submit(Pipe(b"content")), answers, asynchronous)
    assert len(answers.requests) == 1
    never_reached = Answers(httpx.ConnectError, ok())
    assert run(lambda client: client.submit(Pipe(b"content")), never_reached, asynchronous).id == "i1"


@both
def test_it_waits_for_as_long_as_it_is_told_but_not_for_ever(asynchronous: bool) -> None:
    answers = Answers(fails(429, "3600"))
    with pytest.raises(ClientError) as caught:
        run(lambda client: client.submit(b"content"), answers, asynchronous)
    assert (caught.value.code, caught.value.retry_after) == ("too many", 3600.0)


@both
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="planted-hash"),
        httpx.Response(200, json={"id": "planted-hash"}),
        httpx.Response(200, json={**OUTCOME, "state": 7}),
        httpx.Response(200, json=["planted-hash"]),
        httpx.Response(500, text="planted-hash"),
        fails(422, errors=[{"where": ["body", "x"], "what": "is wrong"}]),
        httpx.ReadError,
        httpx.LocalProtocolError,
    ],
    ids=str,
)
def test_nothing_secret_is_shown(asynchronous: bool, answer: Answer) -> None:
    # given content, hashes, a key and answers with planted secrets
    def do(client: Any) -> Any:
        shown.append(repr(client))
        return client.submit_fingerprints(
            [Fingerprint("md5", b"planted-hash-val")], actor="planted-actor", ip="10.9.8.7"
        )

    shown: list[str] = []
    with pytest.raises(ClientError) as caught:
        run(do, Answers(*[answer] * 4), asynchronous)

    # then neither the error, nor what led to it, nor the variables in its traceback show them
    error = caught.value
    shown += [repr(error), str(error), repr(vars(error))]
    assert error.__context__ is None
    assert error.__cause__ is None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/client/" in frame.f_code.co_filename and "/src/" in frame.f_code.co_filename:
            shown += [repr(value) for value in frame.f_locals.values()]
    for secret in ("planted", b"planted-hash-val".hex(), "10.9.8.7"):
        assert secret not in "\n".join(shown)


def test_a_key_or_an_address_that_cannot_be_right_is_refused_without_being_shown() -> None:
    for address, key in (
        ("nightlamp.test", KEY),
        ("ftp://nightlamp.test", KEY),
        ("https://planted:secret@nightlamp.test", KEY),
        ("https://nightlamp.test", "planted secret"),
        ("https://nightlamp.test", "planted\r\nsecret"),
        ("https://nightlamp.test", ""),
    ):
        with pytest.raises(ValueError, match=r"address|key") as caught:
            Client(address, key)
        assert "planted" not in str(caught.value)


def test_an_address_may_have_a_path() -> None:
    answers = Answers(ok())
    with Client("http://proxy.test/nightlamp/", KEY, transport=httpx.MockTransport(answers)) as client:
        client.submit(b"content")
    assert str(answers.requests[0].url) == "http://proxy.test/nightlamp/v1/items"


def test_ids_cannot_lead_to_another_path() -> None:
    answers = Answers(fails(404))
    with pytest.raises(ClientError):
        run(lambda client: client.item("../keys?x=1"), answers, False)
    assert answers.requests[0].url.raw_path == b"/v1/items/..%2Fkeys%3Fx%3D1"


def test_a_misspelt_word_is_noticed() -> None:
    with pytest.raises(TypeError, match="platfrom_id"):
        run(lambda client: client.submit(b"x", platfrom_id="1"), Answers(), False)


def test_a_download_that_breaks_off_is_an_error() -> None:
    class Breaks(httpx.SyncByteStream):
        def __iter__(self):
            yield b"half"
            raise httpx.ReadError("planted")

    answers = Answers(httpx.Response(200, stream=Breaks()))
    pieces = []
    with pytest.raises(ClientError) as caught:
        run(lambda client: pieces.extend(client.export_bank(1)), answers, False)
    assert caught.value.code == "unreachable"
    assert pieces == [b"half"]


def test_the_client_is_light() -> None:
    code = (
        "import sys, nightlamp.client; "
        "heavy = {'numpy', 'numba', 'sqlalchemy', 'fastapi', 'pydantic', 'PIL', 'nightlamp.outbound'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_call_shows_no_more_than_where_it_goes() -> None:
    call = Call("POST", "/v1/items", lambda response: None, query={"q": "planted"}, headers={"h": "planted"})
    assert "planted" not in repr(call)
