"""What an item says of how it was made, from its bytes to who may read it."""

from __future__ import annotations

import contextlib
import io

import httpx
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select

from nightlamp.client import Client
from nightlamp.examine import Workers
from nightlamp.intake.tables import item
from nightlamp.origin import origin_of
from nightlamp.store import reading

from .conftest import Service, Start, digest, picture

PROMPT = "planted-prompt of a bowl of fruit"
POLICY = """\
nightlamp-policy: 1
name: made
rules:
  - id: made
    when: origin.assessment == 'declared AI-made'
    then: review
    reason: "It says: {origin.assessment}."
  - id: rest
    when: unchecked == []
    then: allow
    reason: "The rest."
  - id: unchecked
    when: "true"
    then: review
    reason: "Not checked."
"""


def generated(seed: int = 0) -> bytes:
    """A picture with the text of Stable Diffusion web UI."""
    with Image.open(io.BytesIO(picture(seed))) as drawn:
        info, out = PngInfo(), io.BytesIO()
        info.add_text("parameters", f"{PROMPT}\nSteps: 20, Sampler: Euler a, Seed: 42, Model: still-life")
        drawn.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def in_force(service: Service, text: str) -> None:
    stored = service.post("/v1/policies", json={"text": text}).json()
    assert service.post(f"/v1/policies/{stored['id']}/activate").status_code == 200


def test_an_item_says_how_it_was_made_to_those_who_may_read(either: Service) -> None:
    # given a policy that asks for it
    in_force(either, POLICY)
    submitter, reader = either.key("submit"), either.key("read")
    data = generated()

    # when such a picture and another come
    made = either.submit(data, submitter).json()
    other = either.submit(picture(1), submitter).json()
    assert (made["action"], other["action"]) == ("review", "allow")

    # then a reader sees what the core says of it, without the prompt
    told = either.get(f"/v1/items/{made['id']}", reader)
    found, core = told.json()["origin"], origin_of(data)
    assert (found["outcome"], found["sentence"]) == ("declared AI-made", core.sentence)
    assert [s["text"] for s in found["statements"]] == [s.text for s in core.statements]
    assert [s["fields"]["prompt"] for s in found["statements"] if "prompt" in s["fields"]] == [
        {"sealed": None}
    ]
    assert either.get(f"/v1/items/{other['id']}", reader).json()["origin"]["outcome"] == "unknown"

    # and a key that may only submit, and a listing, do not
    assert either.get(f"/v1/items/{made['id']}", submitter).json() == made
    assert all("origin" not in row for row in either.get("/v1/items", reader).json()["items"])

    # and the prompt is nowhere
    with reading(either.node.engine) as connection:
        stored = str(connection.execute(select(item)).all())
    assert "still-life" in stored  # a model's name is shown
    assert PROMPT not in stored + either.log.getvalue() + told.text
    assert either.get("/v1/audit/verify").json()["intact"]


def test_a_late_verdict_and_a_dry_run_know_the_origin(service: Service) -> None:
    in_force(service, POLICY)
    data = generated(3)
    made = service.submit(data).json()["id"]
    before = service.get(f"/v1/items/{made}").json()["origin"]

    # when an entry comes that it matches
    service.bank("list", digest("md5", data))
    for loop in ("look-back", "late"):
        service.run(loop)

    # then the policy has decided upon the same origin, and it stays
    late, first = service.get(f"/v1/items/{made}/verdicts").json()["verdicts"]
    assert (late["late"], late["rule"], first["rule"]) == (True, "made", "made")
    assert service.get(f"/v1/items/{made}").json()["origin"] == before
    tried = service.post("/v1/policies/dry-run", json={"text": POLICY.replace("review", "block")}).json()
    assert tried["changed"] == 1, tried


def test_who_does_not_ask_is_told_nothing(start: Start, sqlite_url: str) -> None:
    with Workers(1) as silent:
        service = start(sqlite_url, pool=lambda: contextlib.nullcontext(silent), origin={"enabled": False})
        content = service.submit(generated()).json()["id"]
    hashes = service.post(
        "/v1/fingerprints", json={"fingerprints": [{"signal": "md5", "value": "0" * 32}]}
    ).json()["id"]
    for each in (content, hashes):
        assert service.get(f"/v1/items/{each}").json()["origin"] is None


def test_an_origin_that_could_not_be_asked_is_not_checked(start: Start, sqlite_url: str) -> None:
    class Away:
        def __enter__(self) -> Away:
            raise OSError

        def __exit__(self, *_: object) -> None: ...

    service = start(sqlite_url, pool=Away)
    made = service.submit(generated()).json()["id"]
    found = service.get(f"/v1/items/{made}").json()["origin"]
    assert (found["outcome"], found["unchecked"][0]["why"]) == ("unknown", "crashed")


def test_the_client_gives_it_as_values(service: Service) -> None:
    made = service.submit(generated()).json()["id"]
    told = service.get(f"/v1/items/{made}").json()
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json=told))
    with Client("http://nightlamp.test", "nlk_key", transport=answers) as client:
        origin = client.item(made).origin
    assert origin is not None
    assert origin.outcome == "declared AI-made"
    assert {statement.says for statement in origin.statements} >= {"ai-made"}
    assert {statement.strength for statement in origin.statements} <= {"context", "weak", "declared"}
