"""After a busy run, nothing secret is in logs, errors, metrics or problems."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import secrets

from tests.fakes.raw_server import RawServer, answer

from nightlamp.outbound import Fetcher, Rules

from .conftest import Start, digest, picture


def test_nothing_planted_comes_to_light(start: Start, database_url: str, capfd) -> None:
    from nightlamp.vault import Identity

    planted: dict[str, str] = {}

    def plant(name: str, text: str) -> str:
        planted[name] = text
        return text

    with contextlib.ExitStack() as stack:
        # given a node with a webhook, lists with known ids and values, and keys
        receiver = stack.enter_context(RawServer(answer(b"", "500 Oh")).running())
        fetcher = Fetcher(Rules(ports=frozenset({receiver.port}), allow=("127.0.0.1/32",), seconds=60))
        service = start(
            database_url, fetch=fetcher, post=fetcher, vault={"recipients": Identity.generate().public}
        )
        problems: list[str] = []

        def keep(response) -> None:
            if response.status_code >= 400:
                problems.append(response.text)

        words = plant("content", f"content-{secrets.token_hex(8)}")
        data = picture(1) + words.encode()
        number = service.bank("list", ("md5", plant("md5", digest("md5", data)[1])))
        entry_id = plant("entry id", "ent-" + secrets.token_hex(6))
        rows = [
            {"signal": "pdq", "value": plant("pdq", secrets.token_hex(32)), "id": entry_id},
            {"signal": "sha256", "value": plant("sha256", secrets.token_hex(32)), "id": entry_id},
        ]  # fmt: skip
        keep(service.post(f"/v1/banks/{number}/entries", json={"entries": rows}))
        hook = service.post(
            "/v1/webhooks",
            json={"url": f"http://127.0.0.1:{receiver.port}/{plant('hook', 'hook-' + secrets.token_hex(6))}"},
        )
        plant("webhook secret", hook.json()["secret"].removeprefix("whsec_"))
        for scope in ("submit", "read", "review", "admin", "audit"):
            plant(f"key {scope}", service.key(scope).split("_")[2])
        plant("admin key", service.admin.split("_")[2])
        query = plant("query", "query-" + secrets.token_hex(6))
        actor, ip = plant("actor", "actor-" + secrets.token_hex(6)), plant("ip", "203.0.113.77")
        url = plant("url", f"path-{secrets.token_hex(6)}")

        # when there is much to do, and much of it goes wrong
        for key in (service.admin, service.key("submit"), service.key("read")):
            keep(service.submit(data, key, actor=actor, ip=ip, text=f"https://example.com/{url}"))
            keep(service.post("/v1/items", key, content=data, params={"platform_id": query, "wrong": words}))
            keep(service.post("/v1/items", key, json={"url": f"http://127.0.0.1:{receiver.port}/{url}"}))
            keep(
                service.post(
                    "/v1/items",
                    key,
                    content=b'{"url": "' + words.encode(),
                    headers={"content-type": "application/json"},
                )
            )
            given = {"signal": "pdq", "value": planted["pdq"]}
            keep(service.post("/v1/fingerprints", key, json={"fingerprints": [given]}))
            keep(
                service.post(
                    "/v1/fingerprints", key, json={"fingerprints": [{**given, "value": planted["pdq"] + "0"}]}
                )
            )
            keep(service.post("/v1/fingerprints", key, json={"fingerprints": [given | {planted["pdq"]: 1}]}))
            batch = {
                "items": [{"content": base64.b64encode(data).decode(), "actor": actor}, {"content": words}]
            }
            keep(service.post("/v1/items/batch", key, json=batch))
            keep(service.get("/v1/items", key, params={"actor": actor, "limit": query}))
            keep(service.get(f"/v1/{query}", key))
            keep(
                service.post(
                    f"/v1/banks/{number}/import",
                    key,
                    content=f"md5\n{planted['sha256']}\n",
                    params={"name": query, "strict": "true"},
                )
            )
            keep(
                service.post(
                    f"/v1/banks/{number}/entries",
                    key,
                    json={"entries": [{"signal": "md5", "value": planted["sha256"]}]},
                )
            )
            keep(service.post("/v1/banks", key, json={"name": planted["sha256"]}))
        keep(service.get("/v1/items", "nlk_" + planted["admin key"]))
        keep(service.submit(data, idempotency_key=plant("idempotency", "idem-" + secrets.token_hex(6))))
        keep(service.submit(data[:-1], idempotency_key=planted["idempotency"]))
        logging.getLogger("some.library").error("failed with %s", words)
        service.node.decider.decide, decide = (
            (lambda *_: (_ for _ in ()).throw(ValueError(words))),
            service.node.decider.decide,
        )
        keep(service.submit(data))
        service.node.decider.decide = decide
        for loop in service.node.supervisor.loops:
            service.node.supervisor.run_once(loop)
        metrics = [service.get("/metrics", key).text for key in (None, service.admin)]
        ready = [service.get("/v1/health/ready", key).text for key in (None, service.admin)]

        # then none of it is in what others see
        posted = [request for request in receiver.requests if request.line.startswith("POST")]
        out, err = capfd.readouterr()
        pages = {
            "log": service.log.getvalue(), "problems": "\n".join(problems), "metrics": "\n".join(metrics),
            "readiness": "\n".join(ready), "output": out + err,
            "webhooks": "\n".join(str(r.headers) + r.body.decode() for r in posted),
        }  # fmt: skip
        assert len(problems) > 20
        assert len(pages["log"].splitlines()) > 40
        for name, text in planted.items():
            forms = {text, text.upper(), base64.b64encode(text.encode()).decode()}
            with contextlib.suppress(ValueError):
                forms |= {base64.b64encode(bytes.fromhex(text)).decode(), repr(bytes.fromhex(text))[2:-1]}
            for page, content in pages.items():
                assert not any(form in content for form in forms), f"{name} is in the {page}"
        for line in pages["log"].splitlines():
            assert isinstance(json.loads(line), dict)

        # and neither keys nor content are in the database, nor outside the vault's sealed files
        folder = service.node.settings.data_dir.parent
        stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert words.encode() not in stored
        for name in ("admin key", "key submit"):
            assert planted[name].encode() not in stored
        assert (
            hashlib.sha256(planted["admin key"].encode()).digest() in stored or "postgresql" in database_url
        )


def test_a_submitter_learns_nothing_of_lists_from_any_answer(start: Start, sqlite_url: str) -> None:
    service = start(sqlite_url)
    data = picture(1)
    service.bank("verysecretbank", digest("md5", data), category="verysecretcategory")
    key = service.key("submit")
    hashes = {"fingerprints": [{"signal": "md5", "value": digest("md5", data)[1]}]}
    answers = [
        service.submit(data, key),
        service.submit(data, key, mode="async"),
        service.submit(data, key, idempotency_key="a"),
        service.submit(data, key, idempotency_key="a"),
        service.post("/v1/fingerprints", key, json=hashes),
        service.get("/v1/banks", key),
        service.get("/v1/verdicts", key),
        service.get("/metrics", key),
        service.get("/v1/health/ready", key),
        service.get("/v1/openapi.json", key),
    ]  # fmt: skip
    for answer_ in answers:
        shown = answer_.text + str(answer_.headers)
        for word in ("verysecret", "entry-0", "exact", "md5 equal"):
            if answer_ is not answers[-1]:
                assert word not in shown
