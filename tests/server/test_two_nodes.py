"""Two nodes on one database: what one changes is in force on the other, and no work is done twice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.fakes.raw_server import RawServer, answer

from nightlamp.outbound import Fetcher, Rules

from .conftest import Service, Start, digest, picture

STRICT = """\
nightlamp-policy: 1
name: strict
rules:
  - id: rest
    when: "true"
    then: review
    reason: "All."
"""
Pair = Callable[..., tuple[Service, Service]]


@pytest.fixture
def pair(start: Start, database_url: str) -> Pair:
    from nightlamp.vault import Identity

    recipients = {"recipients": Identity.generate().public}

    def begin(**parts) -> tuple[Service, Service]:
        one = start(database_url, vault=recipients, **parts)
        return one, start(database_url, admin=one.admin, vault=recipients, **parts)

    return begin


def test_changes_made_on_one_are_in_force_on_the_other_after_a_look(pair: Pair) -> None:
    one, two = pair()
    data = picture()
    one.bank("list", digest("md5", data))
    secret = one.key("read")
    policy = one.post("/v1/policies", json={"text": STRICT}).json()
    one.post(f"/v1/policies/{policy['id']}/activate")
    assert two.submit(data).json()["action"] == "allow"
    assert two.get("/v1/items", secret).status_code == 401

    two.run("changes")

    assert two.get("/v1/items", secret).status_code == 200
    told = two.submit(data).json()["verdict"]
    assert (told["action"], told["policy"], told["match_count"]) == ("review", policy["id"], 1)
    identity = secret.split("_")[1]
    one.call("DELETE", f"/v1/keys/{identity}")
    two.run("changes")
    assert two.get("/v1/items", secret).status_code == 401


def test_the_same_request_to_both_is_one_item(pair: Pair) -> None:
    one, two = pair()
    data = picture()
    one.bank("list", digest("md5", data))
    two.run("changes")

    def send(at: int):
        return (one, two)[at % 2].submit(data, idempotency_key="k").json()

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(send, range(12)))
    assert len({each["id"] for each in told}) == 1
    assert {each["action"] for each in told} == {"block"}
    assert len(one.get("/v1/items").json()["items"]) == 1
    assert one.get("/v1/audit/verify").json()["intact"]


def test_the_same_request_to_both_at_the_same_moment_is_one_item(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair()
    meeting = threading.Barrier(2, timeout=60)
    for each in (one, two):

        def looked(entries, look=each.node.intake._not_answered_before):
            fresh = look(entries)
            assert len(fresh) == 1
            meeting.wait()  # neither finds the other's answer: both go on to write
            return fresh

        monkeypatch.setattr(each.node.intake, "_not_answered_before", looked)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda s: s.submit(picture(), idempotency_key="k").json(), (one, two)))
    assert told[0]["id"] == told[1]["id"]
    assert sorted(each["replayed"] for each in told) == [False, True]
    assert len(one.get("/v1/items").json()["items"]) == 1
    records = one.get("/v1/audit", params={"limit": 100}).json()["records"]
    assert [r["record"]["action"] for r in records].count("item.decided") == 1
    assert one.get("/v1/audit/verify").json()["intact"]


def test_urls_webhooks_and_late_hits_are_worked_on_once(pair: Pair) -> None:
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(RawServer(answer(picture())).running())
        receiver = stack.enter_context(RawServer(answer()).running())
        ports = frozenset({source.port, receiver.port})
        fetcher = Fetcher(Rules(ports=ports, allow=("127.0.0.1/32",), seconds=60))
        one, two = pair(fetch=fetcher, post=fetcher)
        one.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{receiver.port}/"})
        for at in range(6):
            one.post("/v1/items", json={"url": f"http://127.0.0.1:{source.port}/{at}"})

        def both(loop: str) -> None:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda service: service.run(loop), (one, two)))

        both("urls")
        assert len(source.requests) == 6
        both("webhooks")
        assert len({request.headers["webhook-id"] for request in receiver.requests}) == 6
        assert len(receiver.requests) == 6
        one.bank("list", digest("sha1", picture()))
        for _ in range(4):
            both("look-back")
        both("late")
        verdicts = one.get("/v1/verdicts", params={"limit": 100}).json()["verdicts"]
        assert len([v for v in verdicts if v["late"]]) == 6
        both("webhooks")
        assert len(receiver.requests) == 12
        assert one.get("/v1/audit/verify").json()["intact"]
