"""What leaves the service: URL items and webhooks; and what comes late."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.raw_server import RawServer, Script, answer

from nightlamp.outbound import Fetcher, Rules, Secret, verify
from nightlamp.store import utc_now

from .conftest import Service, Start, digest, picture

Serve = Callable[[Script], RawServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(RawServer(script).running())


def fetcher_for(*servers: RawServer) -> Fetcher:
    ports = frozenset(server.port for server in servers)
    return Fetcher(Rules(ports=ports, allow=("127.0.0.1/32",), seconds=60))


def later(service: Service, **by: float) -> None:
    """Move the clock of everything that waits."""
    ahead = timedelta(**by)
    for part in (service.node.deliverer, service.node.urls):
        part._clock = lambda: utc_now() + ahead


def told(service: Service, item: str) -> dict:
    return service.get(f"/v1/items/{item}").json()


def test_a_url_is_fetched_examined_and_told_by_webhook(start: Start, database_url: str, serve: Serve) -> None:
    from nightlamp.vault import Identity

    # given a listed picture at a URL, and a webhook
    data = picture()
    source, receiver = serve(answer(data)), serve(answer())
    service = start(
        database_url,
        fetch=fetcher_for(source),
        post=fetcher_for(receiver),
        vault={"recipients": Identity.generate().public},
    )
    service.bank("list", digest("sha256", data))
    made = service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{receiver.port}/hook"}).json()
    url = f"http://127.0.0.1:{source.port}/a.png"

    # when the URL is submitted
    body = {"url": url, "platform_id": "p1", "actor": "a"}
    given = service.post("/v1/items", json=body, headers={"idempotency-key": "u"})
    again = service.post("/v1/items", json=body, headers={"idempotency-key": "u"})

    # then it is taken at once, once
    assert given.status_code == again.status_code == 202
    assert given.json()["id"] == again.json()["id"]
    item = given.json()["id"]
    assert (told(service, item)["state"], told(service, item)["action"]) == ("pending", None)

    # and fetched, blocked, held and told, with a signature that is good
    service.run("urls")
    assert (told(service, item)["state"], told(service, item)["action"]) == ("done", "block")
    assert told(service, item)["held"] is True
    assert told(service, item)["url"] == url
    service.run("webhooks")
    [request] = receiver.requests
    secret = Secret.parse(made["secret"])
    assert verify(request.headers, request.body, [secret], utc_now().timestamp())
    message = json.loads(request.body)
    assert {**message, "decided_at": ""} == {
        "type": "verdict", "id": item, "platform_id": "p1", "state": "done", "action": "block",
        "late": False, "decided_at": "",
    }  # fmt: skip
    [delivery] = service.get(f"/v1/webhooks/{made['id']}/deliveries").json()["deliveries"]
    assert (delivery["state"], delivery["attempts"], delivery["last"]) == ("delivered", 1, "status 200")
    service.run("urls")
    assert len(source.requests) == 1


def test_a_url_that_is_listed_is_blocked_though_it_is_not_there(start: Start, sqlite_url: str) -> None:
    service = start(sqlite_url)  # its rules forbid loopback
    service.bank("urls", ("url-host", "127.0.0.1"))
    item = service.post("/v1/items", json={"url": "http://127.0.0.1/x"}).json()["id"]
    service.run("urls")
    [verdict] = service.get(f"/v1/items/{item}/verdicts").json()["verdicts"]
    assert told(service, item)["state"] == "failed"
    assert verdict["action"] == "block"
    assert [(u["what"], u["why"]) for u in verdict["unchecked"]] == [("content", "not fetched")]


def test_what_is_fetched_is_spooled_as_uploads_are(
    start: Start, sqlite_url: str, serve: Serve, tmp_path: Path
) -> None:
    # given a little room in memory, and for what is larger a folder that is not there yet
    data, spool = picture(size=400), tmp_path / "spool"
    source = serve(answer(data))
    limits = {"memory_bytes": 20_000, "spool_dir": spool, "most_bytes": 500_000}
    service = start(sqlite_url, fetch=fetcher_for(source), intake=limits)
    service.bank("list", digest("md5", data))
    item = service.post("/v1/items", json={"url": f"http://127.0.0.1:{source.port}/"}).json()["id"]

    # when it is fetched, then it waits for room
    service.run("urls")
    assert len(source.requests) == 1
    assert (told(service, item)["state"], told(service, item)["action"]) == ("pending", None)

    # and once there is some, it is taken, and leaves nothing there
    spool.mkdir()
    later(service, minutes=1)
    service.run("urls")
    assert (told(service, item)["state"], told(service, item)["action"]) == ("done", "block")
    assert told(service, item)["size"] == len(data)
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_what_came_with_a_url_is_matched_too_when_its_content_has_come(
    start: Start, database_url: str, serve: Serve, there: bool
) -> None:
    from nightlamp.intake import Submission
    from nightlamp.values import Fingerprint
    from nightlamp.vault import Identity

    # given a URL that no list knows: with a listed link, with a listed digest, and with neither
    source = serve(answer(picture()) if there else answer(b"", "404 Not Found"))
    settings = {"vault": {"recipients": Identity.generate().public}}
    service = start(database_url, **settings)
    signal, value = digest("md5", b"another file")
    service.bank("list", ("url-host", "bad.example"), (signal, value))
    url = f"http://127.0.0.1:{source.port}/a.png"
    texts = ("see https://www.bad.example/x?y=1 there", "see https://good.example/")
    listed, harmless = (
        service.post("/v1/items", json={"url": url, "text": text}).json()["id"] for text in texts
    )
    prints = (Fingerprint(signal, bytes.fromhex(value)), Fingerprint("strange", b"x", quality=3))
    hashed = service.node.intake.submit(Submission("thekey", url=url, fingerprints=prints)).item

    # when the node is gone before it fetched them, and another has its database
    service.client.close()
    service = start(database_url, fetch=fetcher_for(source), admin=service.admin, **settings)
    for attempt in range(4):
        service.run("urls")
        later(service, minutes=20 * (attempt + 1))

    # then its verdicts stand on what came besides as well, and say what of it was not checked
    def matched(item: str) -> tuple[str, set[str], set[str]]:
        [verdict] = service.get(f"/v1/items/{item}/verdicts").json()["verdicts"]
        stored = told(service, item)
        assert stored["state"] == ("done" if there else "failed")
        unchecked = {u["what"] for u in verdict["unchecked"]}
        return stored["action"], {m["signal"] for m in verdict["matches"]}, unchecked - {"content"}

    assert matched(listed) == ("block", {"url-host"}, set())
    assert matched(hashed) == ("block", {"md5"}, {"strange"})
    assert matched(harmless) == ("allow" if there else "review", set(), set())


@pytest.mark.parametrize("tracking", [(), ("default", "ref"), ("ref",)])
def test_urls_are_looked_up_as_lists_have_them_and_without_the_operators_tracking(
    start: Start, sqlite_url: str, serve: Serve, tracking: tuple[str, ...]
) -> None:
    # given a list, a page, and another that leads to it with parameters of its own
    moved, page_itself = answer(b"", "302 Found", location="/page?id=1&utm_source=a&ref=b"), answer(picture())
    source = serve(lambda asked: (moved if "/from" in asked.request.line else page_itself)(asked))
    service = start(sqlite_url, fetch=fetcher_for(source), urls={"tracking": tracking})
    page = f"http://127.0.0.1:{source.port}/page?id=1"
    service.bank("urls", ("url", page), ("url", "http://bad.example/x?ref=b"))

    def action(text: str) -> str:
        answered = service.post("/v1/fingerprints", json={"fingerprints": [], "text": text})
        return answered.json()["action"]

    def fetched(url: str) -> str:
        item = service.post("/v1/items", json={"url": url}).json()["id"]
        service.run("urls")
        return told(service, item)["action"]

    # then the list's own spelling always matches
    assert action(f"see {page}&utm_source=a now") == "block"
    assert action("see http://bad.example/x?utm_source=a&ref=b now") == "block"
    assert fetched(f"{page}&utm_source=a") == "block"

    # and another parameter is in the way, unless the operator drops it
    own = "ref" in tracking
    assert action(f"see {page}&ref=b now") == ("block" if own else "allow")
    assert fetched(f"{page}&ref=b") == ("block" if own else "allow")
    both = "block" if own and "default" in tracking else "allow"
    assert action(f"see {page}&ref=b&utm_source=a now") == both
    assert fetched(f"http://127.0.0.1:{source.port}/from") == both


def test_a_url_that_cannot_be_had_is_tried_again_and_then_reviewed(
    start: Start, sqlite_url: str, serve: Serve
) -> None:
    source = serve(answer(b"", "503 Busy"))
    service = start(sqlite_url, fetch=fetcher_for(source))
    item = service.post("/v1/items", json={"url": f"http://127.0.0.1:{source.port}/"}).json()["id"]
    for attempt in range(1, 5):
        service.run("urls")
        assert len(source.requests) == attempt
        later(service, minutes=20 * attempt)
    assert (told(service, item)["state"], told(service, item)["action"]) == ("failed", "review")
    service.run("urls")
    assert len(source.requests) == 4


def test_forbidden_addresses_are_not_asked_and_not_allowed(
    start: Start, sqlite_url: str, serve: Serve
) -> None:
    inside = serve(answer(picture()))
    service = start(sqlite_url)
    for url in (
        f"http://127.0.0.1:{inside.port}/",
        f"http://localhost:{inside.port}/",
        "http://169.254.169.254/latest",
    ):
        item = service.post("/v1/items", json={"url": url}).json()["id"]
        service.run("urls")
        assert (told(service, item)["state"], told(service, item)["action"]) == ("failed", "review")
    assert inside.connections == 0


def test_a_lease_that_was_lost_gives_no_second_verdict(start: Start, sqlite_url: str, serve: Serve) -> None:
    # given a URL that one node fetches so slowly that another takes it over
    from sqlalchemy import update

    from nightlamp.intake.tables import fetch

    service: Service

    def slow(conversation) -> None:
        if len(source.requests) == 1:
            with service.node.engine.begin() as connection:
                connection.execute(update(fetch).values(lease="another"))
        answer(picture())(conversation)

    source = serve(slow)
    service = start(sqlite_url, fetch=fetcher_for(source))
    item = service.post("/v1/items", json={"url": f"http://127.0.0.1:{source.port}/"}).json()["id"]
    assert service.node.urls.run_once() == 1
    assert told(service, item)["state"] == "pending"
    later(service, minutes=10)  # the other is dead, its lease ends
    service.run("urls")
    assert told(service, item)["state"] == "done"
    assert len(service.get(f"/v1/items/{item}/verdicts").json()["verdicts"]) == 1


def test_a_webhook_is_tried_until_it_is_taken_and_sent_again_on_demand(
    start: Start, database_url: str, serve: Serve
) -> None:
    from nightlamp.vault import Identity

    # given a receiver that fails at first
    def unsteady(conversation) -> None:
        answer(b"", "500 Oh" if len(receiver.requests) < 3 else "204 Thanks")(conversation)

    receiver = serve(unsteady)
    service = start(
        database_url, post=fetcher_for(receiver), vault={"recipients": Identity.generate().public}
    )
    made = service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{receiver.port}/"}).json()
    given = service.submit(picture(), mode="async")
    assert given.status_code == 202

    # when it is told often enough
    for minutes in (0, 1, 20, 300):
        later(service, minutes=minutes)
        service.run("webhooks")

    # then it got the same message each time, and no more once it took it
    deliveries = f"/v1/webhooks/{made['id']}/deliveries"
    [delivery] = service.get(deliveries).json()["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 3)
    assert {request.headers["webhook-id"] for request in receiver.requests} == {delivery["id"]}
    assert len({request.body for request in receiver.requests}) == 1

    # and once more when it is asked for
    again = service.post(f"/v1/webhooks/{made['id']}/replay", json={"delivery": delivery["id"]})
    assert again.json() == {"replayed": 1}
    service.run("webhooks")
    assert len(receiver.requests) == 4
    everything = {"since": "2020-01-01T00:00:00Z"}
    assert service.post(f"/v1/webhooks/{made['id']}/replay", json=everything).json() == {"replayed": 1}
    assert service.post(f"/v1/webhooks/{made['id']}/replay", json={"delivery": "x"}).status_code == 404
    assert service.call("DELETE", f"/v1/webhooks/{made['id']}").status_code == 204
    [gone] = service.get(deliveries).json()["deliveries"]
    assert (gone["state"], gone["last"]) == ("dead", "removed")


def test_a_receiver_that_fails_gets_a_rest_and_does_not_hold_up_others(
    start: Start, sqlite_url: str, serve: Serve
) -> None:
    dead, well = serve(answer(b"", "500 Oh")), serve(answer())
    service = start(sqlite_url, post=fetcher_for(dead, well))
    for receiver in (dead, well):
        service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{receiver.port}/"})
    for seed in range(40):
        service.post(
            "/v1/fingerprints",
            json={"fingerprints": [{"signal": "md5", "value": f"{seed:032x}"}], "mode": "async"},
        )
    service.run("webhooks")
    assert len(well.requests) == 40
    assert len(dead.requests) < 40
    tried = len(dead.requests)
    service.run("webhooks")
    assert len(dead.requests) == tried


def test_a_receiver_that_wants_no_more_is_left_alone(start: Start, sqlite_url: str, serve: Serve) -> None:
    receiver = serve(answer(b"", "410 Gone"))
    service = start(sqlite_url, post=fetcher_for(receiver))
    service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{receiver.port}/"})
    for seed in range(2):
        service.submit(picture(seed), mode="async")
        service.run("webhooks")
    assert len(receiver.requests) == 1
    [webhook] = service.get("/v1/webhooks").json()["webhooks"]
    assert webhook["disabled_why"]


def test_webhooks_tell_of_what_was_not_answered_unless_they_want_everything(
    start: Start, sqlite_url: str, serve: Serve
) -> None:
    few, every = serve(answer()), serve(answer())
    service = start(sqlite_url, post=fetcher_for(few, every))
    service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{few.port}/"})
    service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{every.port}/", "every": True})
    service.submit(picture(1))
    service.submit(picture(2), mode="async")
    service.run("webhooks")
    assert (len(few.requests), len(every.requests)) == (1, 2)


def test_a_new_entry_finds_the_items_of_the_past(start: Start, database_url: str, serve: Serve) -> None:
    from nightlamp.vault import Identity

    # given items that passed, one of them blocked already
    receiver = serve(answer())
    service = start(
        database_url, post=fetcher_for(receiver), vault={"recipients": Identity.generate().public}
    )
    data, other = picture(1), picture(2)
    item = service.submit(data, platform_id="old", actor="a", service="chat").json()
    service.submit(other)
    assert item["action"] == "allow"
    service.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{receiver.port}/"})

    # when the entry comes
    service.bank("list", digest("sha1", data))
    for _ in range(3):
        service.run("look-back")
    service.run("late")

    # then that item has a second verdict, which is told
    verdicts = service.get(f"/v1/items/{item['id']}/verdicts").json()["verdicts"]
    assert [(v["action"], v["late"]) for v in verdicts] == [("block", True), ("allow", False)]
    assert told(service, item["id"])["action"] == "block"
    service.run("webhooks")
    [request] = receiver.requests
    message = json.loads(request.body)
    assert (message["id"], message["late"], message["platform_id"]) == (item["id"], True, "old")
    actions = [
        r["record"]["action"] for r in service.get("/v1/audit", params={"limit": 500}).json()["records"]
    ]
    assert actions.count("item.late") == 1
    service.run("look-back")
    service.run("late")
    assert len(service.get(f"/v1/items/{item['id']}/verdicts").json()["verdicts"]) == 2


def test_what_was_allowed_is_forgotten_in_time_and_the_rest_stays(start: Start, sqlite_url: str) -> None:
    service = start(sqlite_url, intake={"keep_days": 10})
    data = picture(1)
    service.bank("list", digest("md5", data))
    blocked = service.submit(data).json()["id"]
    allowed = service.submit(picture(2), idempotency_key="x").json()["id"]
    now = utc_now()
    for days in range(12):
        service.node.forgetting._clock = lambda days=days: now + timedelta(days=days)
        service.run("forgetting")
        assert service.get(f"/v1/items/{allowed}").status_code == (404 if days >= 10 else 200)
    assert told(service, blocked)["action"] == "block"
    from nightlamp.store import metadata, reading

    with reading(service.node.engine) as connection:
        for name in ("lookback_item", "idempotency"):
            assert connection.execute(metadata.tables[name].select()).all() == []


def test_a_clock_that_leaps_makes_nothing_be_forgotten(start: Start, sqlite_url: str) -> None:
    # given an allowed item, and a service that has been looking at its clock
    service = start(sqlite_url, intake={"keep_days": 10})
    allowed = service.submit(picture(2), idempotency_key="x").json()["id"]
    forgetting, now = service.node.forgetting, utc_now()

    def is_there_at(**ahead: float) -> bool:
        # Made anew: what it knows must be in the database, not in the process.
        service.node.forgetting.__init__(forgetting._writer, forgetting._keep)
        forgetting._clock = lambda: now + timedelta(**ahead)
        service.run("forgetting")
        return service.get(f"/v1/items/{allowed}").status_code == 200

    def clock_is_well() -> bool:
        checks = service.get("/v1/health/ready").json()["checks"]
        return next(check["well"] for check in checks if check["check"] == "clock")

    assert is_there_at(hours=0)
    assert clock_is_well()

    # when it leaps by a year, and again, and is put right: nothing is forgotten, and readiness says why
    for hours in (8_784, 8_784.5, 8_800, 8_807, 20_000, 20_020):
        assert is_there_at(hours=hours)
        assert not clock_is_well()
    for hours in (1, 24, 47, 70):
        assert is_there_at(hours=hours)
    assert clock_is_well()

    # when it has said so for a day, as after a long stop, it is believed
    assert is_there_at(days=50)
    assert is_there_at(days=50.6)
    assert not is_there_at(days=51.2)
    assert clock_is_well()
