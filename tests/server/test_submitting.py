from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

import pytest

from .conftest import Service, Start, digest, picture


def send(service: Service, how: str, data: bytes, key: str = "", **fields: str):
    """The same item by each way in."""
    if how == "form":
        return service.submit(data, key, **fields)
    if how == "raw":
        return service.post(
            "/v1/items", key, content=data, params=fields, headers={"content-type": "image/png"}
        )
    item = {"content": base64.b64encode(data).decode(), **fields}
    return service.post("/v1/items/batch", key, json={"items": [item]})


@pytest.mark.parametrize("how", ["form", "raw", "batch"])
def test_every_way_in_gives_the_same_verdict(either: Service, how: str) -> None:
    # given a listed picture and another
    data, other = picture(1), picture(2)
    either.bank("list", digest("sha256", data))

    # when both come in
    answers = [
        send(either, how, each, platform_id=f"p{at}", actor="a") for at, each in enumerate((data, other))
    ]

    # then one is blocked and the other allowed, and both are there
    assert [answer.status_code for answer in answers] == [200, 200]
    told = [a.json()["results"][0] if how == "batch" else a.json() for a in answers]
    assert [each["action"] for each in told] == ["block", "allow"]
    assert told[0]["verdict"]["matches"][0]["entry_id"] == "list-entry-0"
    items = either.get("/v1/items").json()["items"]
    assert [item["platform_id"] for item in items] == ["p1", "p0"]
    assert [item["held"] for item in items] == [False, True]


@pytest.mark.parametrize("scope", ["submit", "submit+audit", "submit+admin"])
def test_a_key_that_may_not_read_gets_the_constant_shape(service: Service, scope: str) -> None:
    data = picture()
    service.bank("list", digest("md5", data))
    key = service.key(*scope.split("+"))
    for body in (data, picture(3)):
        answer = service.submit(body, key)
        assert set(answer.json()) == {"id", "state", "action"}
        stored = service.get(f"/v1/items/{answer.json()['id']}", key)
        assert stored.json() == answer.json()
        late = service.submit(body, key, mode="async")
        assert late.status_code == 202
        assert late.json() == {"id": late.json()["id"], "state": "pending", "action": None}
    for how, content in (("form", data), ("raw", data), ("batch", data)):
        assert "list" not in send(service, how, content, key).text
    told = service.post(
        "/v1/fingerprints", key, json={"fingerprints": [{"signal": "md5", "value": digest("md5", data)[1]}]}
    )
    assert set(told.json()) == {"id", "state", "action"}


def test_answers_to_listed_and_unlisted_content_have_the_same_headers_and_length(service: Service) -> None:
    data = picture()
    service.bank("list", digest("md5", data))
    key = service.key("submit")
    listed, other = service.submit(data, key), service.submit(picture(5), key)
    assert listed.json()["action"] == "block"
    assert other.json()["action"] == "allow"
    assert len(listed.content) == len(other.content)
    assert set(listed.headers) == set(other.headers)
    pending = [service.submit(each, key, mode="async") for each in (data, picture(5))]
    assert len(pending[0].content) == len(pending[1].content)


def test_a_submit_key_sees_no_items_of_others(service: Service) -> None:
    theirs = service.submit(picture()).json()["id"]
    answer = service.get(f"/v1/items/{theirs}", service.key("submit"))
    missing = service.get("/v1/items/0198a9e2-7c1f-7d3a-9f57-1f9b4d1c2e3f", service.key("submit"))
    assert answer.status_code == missing.status_code == 404
    assert {**answer.json(), "request_id": ""} == {**missing.json(), "request_id": ""}


def test_entry_ids_are_for_reviewers(service: Service) -> None:
    data = picture()
    service.bank("list", digest("md5", data))
    item = service.submit(data).json()["id"]
    for scope, seen in (("read", False), ("review", True)):
        told = service.get(f"/v1/items/{item}/verdicts", service.key(scope)).json()
        assert ("entry_id" in told["verdicts"][0]["matches"][0]) is seen
        for path in ("/v1/verdicts", "/v1/matches"):
            assert ("list-entry-0" in service.get(path, service.key(scope)).text) is seen


def test_the_same_request_again_is_answered_as_before(either: Service) -> None:
    data = picture()
    first = either.submit(data, idempotency_key="one", platform_id="p")
    again = either.submit(data, idempotency_key="one", platform_id="p")
    assert again.json() == {**first.json(), "replayed": True}
    other = either.submit(data, idempotency_key="one", platform_id="q")
    assert (other.status_code, other.json()["type"]) == (409, "urn:nightlamp:problem:conflict")
    batch = {"items": [{"content": base64.b64encode(data).decode(), "idempotency_key": "two"}] * 3}
    told = either.post("/v1/items/batch", json=batch).json()["results"]
    assert len({each["id"] for each in told}) == 1
    assert len(either.get("/v1/items").json()["items"]) == 2


def test_in_a_batch_each_item_has_its_own_answer(service: Service) -> None:
    data = picture()
    service.bank("list", digest("md5", data))
    good = {"content": base64.b64encode(data).decode(), "platform_id": "a"}
    bad = {"content": "no base64!", "platform_id": "b"}
    url = {"url": "https://example.com/x.jpg"}
    wrong = {"url": "gopher://example.com"}
    told = service.post("/v1/items/batch", json={"items": [good, bad, url, wrong, good]}).json()["results"]
    assert [each.get("action") for each in told] == ["block", None, None, None, "block"]
    assert [each.get("state") for each in told] == ["done", None, "pending", None, "done"]
    assert told[1]["problem"]["status"] == told[3]["problem"]["status"] == 422


@pytest.mark.parametrize("how", ["form", "batch", "fingerprints"])
def test_a_text_may_be_as_long_as_the_document_says(service: Service, how: str) -> None:
    service.bank("hosts", ("url-host", "bad.example"))
    link = " https://bad.example"

    def told(characters: int) -> dict:
        text = "\N{FISH}" * (characters - len(link)) + link  # 4 bytes each
        if how == "fingerprints":
            return service.post("/v1/fingerprints", json={"text": text}).json()
        answer = send(service, how, picture(), text=text).json()
        return answer["results"][0] if "results" in answer else answer

    assert told(100_000)["action"] == "block"
    assert told(100_001)["type"] == "urn:nightlamp:problem:invalid"


def test_content_in_a_batch_has_the_limits_of_uploads(start: Start, sqlite_url: str, tmp_path: Path) -> None:
    limits = {"memory_bytes": 20_000, "most_bytes": 300_000, "spool_dir": tmp_path / "not there"}
    service = start(sqlite_url, intake=limits)
    sizes = (10_000, 100_000, 300_001)
    batch = {"items": [{"content": base64.b64encode(bytes(size)).decode()} for size in sizes]}

    small, spooled, huge = service.post("/v1/items/batch", json=batch).json()["results"]

    assert small["state"] == "done"
    assert spooled["problem"]["type"] == "urn:nightlamp:problem:unavailable"
    assert huge["problem"]["type"] == "urn:nightlamp:problem:too-large"


def test_fingerprints_and_urls_are_matched_in_batches(service: Service) -> None:
    service.bank("hashes", ("pdq", "0f" * 32), ("url-host", "bad.example"))
    items = [
        {"fingerprints": [{"signal": "pdq", "value": "0f" * 31 + "0e", "quality": 80}], "platform_id": "1"},
        {"fingerprints": [{"signal": "pdq", "value": "f0" * 32, "quality": 80}], "platform_id": "2"},
        {"text": "see www.bad.example/x", "platform_id": "3"},
        {"fingerprints": [{"signal": "pdq", "value": "short"}], "platform_id": "4"},
        {"fingerprints": [{"signal": "photodna", "value": "QUJD"}], "platform_id": "5"},
    ]
    told = service.post("/v1/fingerprints/batch", json={"items": items}).json()["results"]
    assert [each.get("action") for each in told] == ["block", "allow", "block", None, "review"]
    assert told[3]["problem"]["type"].endswith(":invalid")
    assert "short" not in json.dumps(told[3])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"url": "https://e.example/x", "extra": 1}, "extra"),
        ({}, "url"),
        ({"url": "https://e.example/x", "submitted_at": "2026-01-01T00:00:00"}, "timezone"),
        ({"url": "https://e.example/x", "port": 70000}, "port"),
        ({"url": "https://e.example/x", "actor": "a\u0000b"}, "actor"),
        ({"url": "file:///etc/passwd"}, "url"),
    ],
)
def test_items_that_make_no_sense_are_refused_with_the_place(service: Service, body: dict, why: str) -> None:
    answer = service.post("/v1/items", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert why in answer.text
    assert service.get("/v1/items").json()["items"] == []


def test_limits_on_bytes(start: Start, sqlite_url: str) -> None:
    service = start(sqlite_url, intake={"most_bytes": 50_000, "memory_bytes": 1_000})
    assert service.submit(bytes(49_000)).status_code == 200
    for how in ("form", "raw"):
        answer = send(service, how, bytes(50_001))
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:nightlamp:problem:too-large")
    huge = service.post("/v1/items", content=b"", headers={"content-length": "9" * 15})
    assert huge.status_code == 413


def test_content_of_every_kind_is_examined_not_believed(service: Service) -> None:
    told = service.post("/v1/items", content=b"\xff\xd8\xffno picture", headers={"content-type": "image/png"})
    assert told.json()["action"] == "review"
    assert {u["why"] for u in told.json()["verdict"]["unchecked"]} == {"damaged"}
    text = service.post("/v1/items", content=b"hello", headers={"content-type": "image/png"})
    assert text.json()["action"] == "allow"


def test_without_workers_nothing_is_allowed_and_listed_digests_are_still_found(
    start: Start, sqlite_url: str
) -> None:
    # given a node whose workers do not start
    from nightlamp.errors import NightlampError

    class Broken(contextlib.nullcontext):
        def __enter__(self):
            raise NightlampError("no worker process could be started")

    service = start(sqlite_url, pool=Broken)
    data = picture()
    service.bank("list", digest("sha1", data))

    # then what is listed is blocked, what is not is reviewed, and readiness says why
    assert service.submit(data).json()["action"] == "block"
    told = service.submit(picture(4)).json()
    assert told["action"] == "review"
    assert [u["what"] for u in told["verdict"]["unchecked"]] == ["content"]
    ready = service.get("/v1/health/ready", None).json()
    assert ready["status"] == "degraded"
    assert [c["check"] for c in ready["checks"] if not c["well"]] == ["workers"]


def test_banks_out_of_date_mean_review_and_readiness_says_so(service: Service) -> None:
    service.bank("list")
    assert service.submit(picture()).json()["action"] == "allow"
    service.node.banks._now = lambda: 1e12  # no news of the database for ages
    told = service.submit(picture(), platform_id="later").json()
    assert told["action"] == "review"
    assert [(u["what"], u["why"]) for u in told["verdict"]["unchecked"]] == [("bank list", "out of date")]
    ready = service.get("/v1/health/ready").json()
    assert next(c for c in ready["checks"] if c["check"] == "banks")["detail"]
    assert "list" not in service.get("/v1/health/ready", None).text


def test_a_policy_that_cannot_be_read_means_review(service: Service) -> None:
    from sqlalchemy import update

    from nightlamp.banks.live import next_generation
    from nightlamp.intake.tables import policy

    def spoil(connection) -> None:
        connection.execute(update(policy).values(text="nightlamp-policy: 99"))
        next_generation(connection)

    service.node.policies._now = service.node.policies._now.__class__(None, service.node.policies._now.rules)
    service.node.change(spoil)
    told = service.submit(picture()).json()
    assert told["action"] == "review"
    assert told["verdict"]["policy"] is None
    assert [u["what"] for u in told["verdict"]["unchecked"]] == ["policy"]
    ready = service.get("/v1/health/ready").json()
    assert [c["check"] for c in ready["checks"] if not c["well"]] == ["policy"]


def test_a_vault_that_fails_is_a_503_that_tells_a_submitter_nothing(service: Service) -> None:
    data = picture()
    service.bank("list", digest("md5", data))
    service.node.vault.recipients = None
    told = service.submit(data, service.key("submit"))
    assert (told.status_code, told.headers["retry-after"]) == (503, "2")
    assert set(told.json()) == {"type", "title", "status", "request_id"}
    assert service.get("/v1/items").json()["items"] == []
    assert service.get("/v1/health/ready").json()["status"] == "degraded"
