from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from nightlamp.access import Scope
from nightlamp.audit import verify_export
from nightlamp.policy import profile_text

from .conftest import Service, digest, picture

STRICT = """\
nightlamp-policy: 1
name: strict
rules:
  - id: any
    when: matches != []
    then: block
    reason: "A match."
  - id: rest
    when: "true"
    then: review
    reason: "Everything else."
"""


def test_a_bank_is_made_changed_and_taken_away(either: Service) -> None:
    # given a bank with an entry
    data = picture()
    number = either.bank("one", digest("md5", data), category="csam", trust="high")
    assert either.submit(data).json()["action"] == "block"

    # when it is disabled, enabled, renamed and distrusted
    assert either.call("PATCH", f"/v1/banks/{number}", json={"enabled": False}).json()["enabled"] is False
    assert either.submit(data).json()["action"] == "allow"
    changed = either.call(
        "PATCH", f"/v1/banks/{number}", json={"enabled": True, "name": "two", "trust": "low"}
    )

    # then each is in force at once
    assert changed.json() | {"created_at": ""} == {
        "id": number, "name": "two", "source": "test", "category": "csam", "trust": "low",
        "benign": False, "enabled": True, "created_at": "", "entries": None,
    }  # fmt: skip
    assert either.submit(data).json()["action"] == "review"
    assert either.get(f"/v1/banks/{number}").json()["entries"] == {"md5": 1}
    assert [bank["name"] for bank in either.get("/v1/banks").json()["banks"]] == ["two"]
    assert either.post("/v1/banks", json={"name": "two"}).json()["type"].endswith(":conflict")
    assert either.call("DELETE", f"/v1/banks/{number}").status_code == 204
    assert either.get(f"/v1/banks/{number}").status_code == 404
    assert either.submit(data).json()["action"] == "allow"


def test_entries_are_added_flagged_listed_removed(either: Service) -> None:
    data = [picture(seed) for seed in range(4)]
    number = either.bank("one", *(digest("md5", each) for each in data))
    url = f"/v1/banks/{number}/entries"
    assert either.post(f"{url}/dispute", json={"ids": ["one-entry-0"]}).json() == {"changed": 1}
    assert either.submit(data[0]).json()["action"] == "review"
    assert either.post(f"{url}/dispute?disputed=false", json={"ids": ["one-entry-0"]}).json() == {
        "changed": 1
    }
    first = either.get(url, params={"limit": 3}).json()
    assert [entry["id"] for entry in first["entries"]] == [f"one-entry-{at}" for at in range(3)]
    rest = either.get(url, params={"limit": 3, "cursor": first["next"]}).json()
    assert (len(rest["entries"]), rest["next"]) == (1, None)
    value = {"signal": "md5", "value": digest("md5", data[1])[1]}
    gone = either.post(
        f"{url}/remove",
        json={"ids": ["one-entry-0"], "values": [value], "numbers": [first["entries"][2]["number"]]},
    )
    assert gone.json() == {"removed": 3}
    assert [either.submit(each).json()["action"] for each in data] == ["allow", "allow", "allow", "block"]


def test_a_list_is_imported_and_exported(either: Service) -> None:
    pictures = [picture(seed) for seed in range(3)]
    rows = "\n".join(digest("sha256", each)[1] for each in pictures) + "\nnot a hash\n"
    number = either.bank("one")
    url = f"/v1/banks/{number}"
    told = either.post(f"{url}/import", content=rows, params={"name": "list.txt", "signal": "sha256"})
    assert told.status_code == 200, told.text
    assert (told.json()["added"], told.json()["bad"]) == (3, 1)
    assert "not a hash" not in told.text
    assert [either.submit(each).json()["action"] for each in pictures] == ["block"] * 3
    exported = either.get(f"{url}/export", params={"format": "csv"}).text
    assert digest("sha256", pictures[0])[1] in exported
    again = either.bank("two")
    told = either.post(f"/v1/banks/{again}/import", content=exported, params={"name": "x.csv"}).json()
    assert told["added"] == 3
    broken = either.post(
        f"{url}/import", content=rows, params={"name": "list.txt", "signal": "sha256", "strict": "true"}
    )
    assert (broken.status_code, broken.json()["type"]) == (422, "urn:nightlamp:problem:list-invalid")
    assert either.post("/v1/banks/999/import", content=b"x").status_code == 404


def test_a_policy_is_linted_tried_activated_and_rolled_back(either: Service) -> None:
    # given some items under the default policy
    data = picture()
    either.bank("list", digest("md5", data))
    either.submit(data)
    for seed in range(1, 4):
        either.submit(picture(seed))

    # when another policy is tried
    broken = either.post("/v1/policies/lint", json={"text": STRICT.replace("matches", "machtes")}).json()
    assert [finding["line"] for finding in broken["findings"]] == [5]
    assert either.post("/v1/policies", json={"text": STRICT.replace("then", "than")}).status_code == 422
    stored = either.post("/v1/policies", json={"text": STRICT}).json()
    assert (stored["name"], stored["version"], stored["active"]) == ("strict", 1, False)
    tried = either.post("/v1/policies/dry-run", json={"policy": stored["id"]}).json()

    # then it is told what would change, and nothing has
    assert (tried["total"], tried["changed"]) == (4, 4)
    moved = {(each["before"], each["after"]): each["items"] for each in tried["moved"]}
    assert moved == {("allow", "review"): 3, ("block", "block"): 1}
    assert either.submit(picture(9)).json()["action"] == "allow"

    # and it is in force once it is activated, until it is rolled back
    assert either.post(f"/v1/policies/{stored['id']}/activate").json()["active"] is True
    assert either.submit(picture(9)).json()["action"] == "review"
    assert either.get("/v1/policies/active").json()["text"] == STRICT
    assert either.post("/v1/policies/roll-back").json()["name"] == "default"
    assert either.submit(picture(9)).json()["action"] == "allow"
    assert either.post("/v1/policies/roll-back").json()["type"].endswith(":conflict")
    listed = either.get("/v1/policies").json()["policies"]
    assert [(each["name"], each["active"]) for each in listed] == [("strict", False), ("default", True)]


def test_a_dry_run_of_the_policy_in_force_changes_nothing(service: Service) -> None:
    data = picture()
    service.bank("list", digest("md5", data), ("pdq", "0f" * 32))
    for each in (data, picture(2), b"\xff\xd8\xff broken", b"text"):
        service.submit(each)
    service.post("/v1/fingerprints", json={"fingerprints": [{"signal": "pdq", "value": "0f" * 32}]})
    told = service.post("/v1/policies/dry-run", json={"text": profile_text("default")}).json()
    assert (told["total"], told["changed"], told["changes"]) == (5, 0, [])
    assert {(each["before"], each["after"]) for each in told["moved"]} == {
        ("block", "block"), ("allow", "allow"), ("review", "review"),
    }  # fmt: skip


def test_keys_are_made_once_listed_without_secrets_and_revoked_at_once(either: Service) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = either.post(
        "/v1/keys", json={"name": "a", "scopes": ["read", "submit"], "rate": 5, "expires_at": until}
    )
    assert made.status_code == 201
    secret, identity = made.json()["secret"], made.json()["id"]
    assert either.get("/v1/items", secret).status_code == 200
    listed = either.get("/v1/keys")
    assert secret not in listed.text
    assert secret.split("_")[2] not in listed.text
    assert {key["name"] for key in listed.json()["keys"]} == {"first", "a"}
    assert either.call("DELETE", f"/v1/keys/{identity}").json()["revoked_at"]
    assert either.get("/v1/items", secret).status_code == 401
    assert either.call("DELETE", "/v1/keys/nobody").status_code == 404
    past = either.post(
        "/v1/keys", json={"name": "a", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}
    )
    assert past.status_code == 422


def test_every_step_is_in_the_audit_log_and_the_export_verifies(either: Service, tmp_path: Path) -> None:
    data = picture()
    either.bank("list", digest("md5", data))
    item = either.submit(data).json()["id"]
    records = either.get("/v1/audit", params={"limit": 500}).json()["records"]
    actions = [each["record"]["action"] for each in records]
    for action in (
        "key.created", "policy.added", "policy.activated", "banks.created", "banks.entries_added",
        "vault.kept", "vault.held", "item.decided",
    ):  # fmt: skip
        assert action in actions
    decided = next(each["record"] for each in records if each["record"]["action"] == "item.decided")
    assert decided["subject"] == f"item:{item}"
    assert decided["details"]["rule"] == "exact"
    page = either.get("/v1/audit", params={"limit": 2, "cursor": 1}).json()
    assert [each["sequence"] for each in page["records"]] == [2, 3]
    assert either.get("/v1/audit/verify").json()["intact"] is True
    exported = tmp_path / "audit.jsonl"
    exported.write_bytes(either.get("/v1/audit/export").content)
    report, _ = verify_export(exported)
    assert report.intact
    assert report.records == len(records)
    assert either.get("/v1/audit/export", params={"after": 10**6}).status_code == 404


ENDPOINTS = [
    ("POST", "/v1/items", {"submit"}),
    ("POST", "/v1/items/batch", {"submit"}),
    ("POST", "/v1/fingerprints", {"submit"}),
    ("POST", "/v1/fingerprints/batch", {"submit"}),
    ("GET", "/v1/items", {"read", "review"}),
    ("GET", "/v1/items/x", {"submit", "read", "review"}),
    ("GET", "/v1/items/x/verdicts", {"read", "review"}),
    ("GET", "/v1/verdicts", {"read", "review"}),
    ("GET", "/v1/matches", {"read", "review"}),
    ("GET", "/v1/cases", {"review"}),
    ("POST", "/v1/cases/next", {"review"}),
    ("GET", "/v1/cases/x", {"review"}),
    ("GET", "/v1/cases/x/items", {"review"}),
    ("GET", "/v1/cases/x/answers", {"review"}),
    ("POST", "/v1/cases/x/claim", {"review"}),
    ("POST", "/v1/cases/x/release", {"review"}),
    ("POST", "/v1/cases/x/decide", {"review"}),
    ("POST", "/v1/cases/x/undo", {"review"}),
    ("POST", "/v1/cases/x/split", {"review"}),
    ("POST", "/v1/cases/x/reopen", set()),  # it takes both review and admin
    ("GET", "/v1/banks", {"read", "admin"}),
    ("POST", "/v1/banks", {"admin"}),
    ("GET", "/v1/banks/1", {"read", "admin"}),
    ("PATCH", "/v1/banks/1", {"admin"}),
    ("DELETE", "/v1/banks/1", {"admin"}),
    ("GET", "/v1/banks/1/entries", {"admin"}),
    ("POST", "/v1/banks/1/entries", {"admin"}),
    ("POST", "/v1/banks/1/entries/remove", {"admin"}),
    ("POST", "/v1/banks/1/entries/dispute", {"admin"}),
    ("POST", "/v1/banks/1/import", {"admin"}),
    ("GET", "/v1/banks/1/export", {"admin"}),
    ("GET", "/v1/policies", {"read", "admin"}),
    ("GET", "/v1/policies/active", {"read", "admin"}),
    ("GET", "/v1/policies/1", {"read", "admin"}),
    ("POST", "/v1/policies", {"admin"}),
    ("POST", "/v1/policies/lint", {"read", "admin"}),
    ("POST", "/v1/policies/dry-run", {"admin"}),
    ("POST", "/v1/policies/roll-back", {"admin"}),
    ("POST", "/v1/policies/99/activate", {"admin"}),
    ("GET", "/v1/keys", {"admin"}),
    ("POST", "/v1/keys", {"admin"}),
    ("DELETE", "/v1/keys/x", {"admin"}),
    ("GET", "/v1/webhooks", {"admin"}),
    ("POST", "/v1/webhooks", {"admin"}),
    ("DELETE", "/v1/webhooks/x", {"admin"}),
    ("GET", "/v1/webhooks/x/deliveries", {"admin"}),
    ("POST", "/v1/webhooks/x/replay", {"admin"}),
    ("GET", "/v1/banks/1/changes", {"share"}),
    ("GET", "/v1/feeds", {"admin"}),
    ("POST", "/v1/feeds", {"admin"}),
    ("GET", "/v1/feeds/x", {"admin"}),
    ("PATCH", "/v1/feeds/x", {"admin"}),
    ("DELETE", "/v1/feeds/x", {"admin"}),
    ("POST", "/v1/feeds/x/sync", {"admin"}),
    ("POST", "/v1/feeds/x/pause", {"admin"}),
    ("POST", "/v1/feeds/x/resume", {"admin"}),
    ("POST", "/v1/feeds/x/doctor", {"admin"}),
    ("GET", "/v1/reports", {"report"}),
    ("GET", "/v1/reports/standing", {"report"}),
    ("POST", "/v1/reports", {"report"}),
    ("GET", "/v1/reports/x", {"report"}),
    ("GET", "/v1/reports/x/calls", {"report"}),
    ("PUT", "/v1/reports/x", {"report"}),
    ("POST", "/v1/reports/x/files", {"report"}),
    ("POST", "/v1/reports/x/approve", {"report"}),
    ("POST", "/v1/reports/x/send", {"report"}),
    ("POST", "/v1/reports/x/retract", {"report"}),
    ("POST", "/v1/reports/x/follow-up", {"report"}),
    ("GET", "/v1/packages", {"report", "disclose", "audit"}),
    ("GET", "/v1/packages/authorities", {"report", "disclose"}),
    ("POST", "/v1/packages", {"disclose"}),
    ("POST", "/v1/disclosures", {"disclose"}),
    ("GET", "/v1/exports", {"disclose", "audit"}),
    ("GET", "/v1/exports/x", {"disclose", "audit"}),
    ("POST", "/v1/exports/x/stop", {"disclose"}),
    ("GET", "/v1/holds", {"review", "report", "admin", "audit"}),
    ("POST", "/v1/holds", {"admin"}),
    ("POST", "/v1/holds/x/extend", {"admin"}),
    ("POST", "/v1/holds/x/release", {"admin"}),
    ("POST", "/v1/holds/destroy", {"admin"}),
    ("GET", "/v1/transparency", {"review", "report", "admin", "audit"}),
    ("GET", "/v1/audit", {"audit"}),
    ("GET", "/v1/audit/verify", {"audit"}),
    ("GET", "/v1/audit/export", {"audit"}),
]
OPEN = {"/v1/health/live", "/v1/health/ready", "/metrics"}


def test_every_endpoint_opens_to_its_scopes_alone(service: Service) -> None:
    # given a key for each scope
    scopes = get_args(Scope)
    keys = {scope: service.key(scope) for scope in scopes}

    # when every endpoint is asked with each, and with none
    for method, path, allowed in ENDPOINTS:
        assert service.call(method, path, None).status_code == 401, (method, path)
        assert service.call(method, path, "nlk_wrong").status_code == 401, (method, path)
        for scope in scopes:
            answer = service.call(method, path, keys[scope])
            # then those with the scope pass (whatever becomes of the empty request), the others do not
            refused = answer.status_code == 403
            assert refused is (scope not in allowed) or answer.status_code == 422, (method, path, scope)
            assert answer.status_code < 500


def test_the_list_of_endpoints_above_is_complete(service: Service) -> None:
    document = service.get("/v1/openapi.json", None).json()
    shapes = {
        (method.upper(), path) for path, of in document["paths"].items() for method in of if path not in OPEN
    }
    import re

    def like(path: str) -> str:
        for fixed in (
            "/v1/policies/active",
            "/v1/cases/next",
            "/v1/policies/lint",
            "/v1/policies/dry-run",
            "/v1/policies/roll-back",
        ):
            if path == fixed:
                return path
        return re.sub(r"/(x|\d+|\{\w+\})(?=/|$)", "/*", path)

    assert {(m, like(p)) for m, p in shapes} == {(m, like(p)) for m, p, _ in ENDPOINTS}


@pytest.mark.parametrize("path", sorted(OPEN))
def test_health_and_metrics_are_open_but_not_to_wrong_keys(service: Service, path: str) -> None:
    assert service.get(path, None).status_code == 200
    assert service.get(path, "nlk_wrong").status_code == 401


def test_metrics_tell_about_lists_to_those_who_may_read_alone(service: Service) -> None:
    data = picture()
    service.bank("secretlist", digest("md5", data))
    service.submit(data)
    open_page = service.get("/metrics", None).text
    assert "nightlamp_request_seconds" in open_page
    for word in ("secretlist", "verdicts", "block", "generation"):
        assert word not in open_page
        assert word not in service.get("/metrics", service.key("submit")).text
    inside = service.get("/metrics", service.key("read")).text
    assert 'nightlamp_bank_enabled{bank="secretlist"} 1.0' in inside
    assert 'nightlamp_verdicts_total{action="block",late="no"} 1.0' in inside


def test_rates_are_kept(service: Service) -> None:
    service.node.buckets._time = lambda: 0.0  # however long it takes
    made = service.post("/v1/keys", json={"name": "slow", "scopes": ["submit"], "rate": 1}).json()
    item = {"fingerprints": [{"signal": "md5", "value": "0" * 32}]}
    answers = [service.post("/v1/fingerprints", made["secret"], json=item) for _ in range(4)]
    assert [answer.status_code for answer in answers][:2] == [200, 200]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["type"] == "urn:nightlamp:problem:too-many"
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_pages_hold_every_item_once(service: Service) -> None:
    for at in range(7):
        service.post("/v1/fingerprints", json={"fingerprints": [{"signal": "md5", "value": f"{at:032x}"}]})
    for path, name in (("/v1/items", "items"), ("/v1/verdicts", "verdicts")):
        seen, cursor = [], None
        while True:
            params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            told = service.get(path, params=params).json()
            seen += [each["id"] for each in told[name]]
            cursor = told["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 7
        assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    ("call", "status", "kind"),
    [
        (("GET", "/v1/nothing"), 404, "not-found"),
        (("GET", "/"), 404, "not-found"),
        (("PUT", "/v1/items"), 405, "method-not-allowed"),
        (("GET", "/v1/items/no-such-item"), 404, "not-found"),
        (("GET", "/v1/banks/0"), 422, "invalid"),
        (("GET", "/v1/banks/99999999999999999999"), 422, "invalid"),
        (("GET", "/v1/items?limit=0"), 422, "invalid"),
        (("GET", "/v1/items?cursor=%00"), 422, "invalid"),
        (("POST", "/v1/banks", b"{"), 422, "invalid"),
        (("POST", "/v1/banks", b'{"name": "\\ud800"}'), 422, "invalid"),
        (("POST", "/v1/items", b"a=1", "application/x-www-form-urlencoded"), 415, "unsupported"),
        (("POST", "/v1/items", b"", "image/png"), 422, "invalid"),
        (("POST", "/v1/banks", b'{"name": "' + b"a" * 5_000_000 + b'"}'), 413, "too-large"),
        (("POST", "/v1/policies/99/activate"), 404, "not-found"),
        (("POST", "/v1/policies/dry-run", b"{}"), 422, "invalid"),
    ],
)
def test_every_error_is_a_problem(service: Service, call: tuple, status: int, kind: str) -> None:
    method, path, *rest = call
    headers = {"content-type": rest[1] if len(rest) > 1 else "application/json"}
    answer = service.call(method, path, content=rest[0] if rest else None, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["type"], told["status"]) == (f"urn:nightlamp:problem:{kind}", status)
    assert told["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("odd", ["a\x00b", "a\nb", "\x7f", ""])
def test_names_that_no_database_takes_are_refused(either: Service, odd: str) -> None:
    number = either.bank("one")
    value = "0" * 32
    for path, body in (
        ("/v1/banks", {"name": odd}),
        (f"/v1/banks/{number}/entries", {"entries": [{"signal": odd, "value": value}]}),
        (f"/v1/banks/{number}/entries/remove", {"values": [{"signal": odd, "value": value}]}),
        ("/v1/keys", {"name": odd, "scopes": ["read"]}),
    ):
        assert either.post(path, json=body).status_code == 422, path
    if odd:
        assert either.post(f"/v1/banks/{number}/entries/remove", json={"ids": [odd]}).status_code == 422


def test_a_key_is_revoked_at_once_even_if_a_change_of_a_bank_cannot_be_applied(service: Service) -> None:
    made = service.post("/v1/keys", json={"name": "reader", "scopes": ["read"]}).json()
    assert service.get("/v1/items", made["secret"]).status_code == 200

    def broken() -> None:
        raise RuntimeError("an entry that cannot be read")

    service.node.banks.poll = broken  # type: ignore[method-assign,assignment]
    service.call("DELETE", f"/v1/keys/{made['id']}")
    assert service.get("/v1/items", made["secret"]).status_code == 401


def test_a_bug_is_a_problem_that_tells_nothing_and_is_logged_by_its_place(service: Service) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("content of somebody")

    service.node.gate.refresh = broken  # type: ignore[method-assign]
    answer = service.post("/v1/banks", json={"name": "x"})
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:nightlamp:problem:internal")
    lines = [json.loads(line) for line in service.log.getvalue().splitlines()]
    [logged] = [line for line in lines if line.get("status") == 500]
    assert (logged["error"], logged["level"]) == ("RuntimeError", "error")
    assert logged["request_id"] == answer.json()["request_id"]
    assert "somebody" not in service.log.getvalue() + answer.text


def test_the_types_of_problems_are_documented() -> None:
    from nightlamp.server.problems import TYPES

    page = Path(__file__).parents[2] / "docs" / "api.md"
    text = page.read_text()
    for kind, (status, _) in TYPES.items():
        assert f"`{kind}`" in text
        assert str(status) in text
