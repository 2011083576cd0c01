"""/v1/reports: from a draft to an approved report, and who may."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Service, digest, picture, service, start, workers  # noqa: F401 (fixtures)

from nightlamp.reports.cybertip import as_json

from .model import minimal


@pytest.fixture
def held(service: Service) -> str:  # noqa: F811
    """An item whose content is in the vault."""
    data = picture()
    service.bank("list", digest("md5", data))
    return service.submit(data).json()["id"]


def draft(service: Service, *items: str, **more: Any) -> dict[str, Any]:  # noqa: F811
    body = {"document": as_json(minimal()), "items": [{"item": each} for each in items], **more}
    answer = service.post("/v1/reports", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_report_is_drafted_changed_approved_and_taken_back(service: Service, held: str) -> None:  # noqa: F811
    made = draft(service, held)
    assert (made["state"], made["faults"], made["files"][0]["item"]) == ("draft", [], held)
    assert made["files"][0]["details"]["fileViewedByEsp"] is False
    path = f"/v1/reports/{made['id']}"

    lie = {"fileViewedByEsp": True, "publiclyAvailable": True}
    change = {"version": 1, "document": made["document"], "files": {made["files"][0]["id"]: lie}}
    changed = service.call("PUT", path, json=change).json()
    assert changed["version"] == 2
    assert changed["files"][0]["details"] == {
        "fileViewedByEsp": False, "exifViewedByEsp": False, "publiclyAvailable": True
    }  # fmt: skip

    assert service.post(f"{path}/approve", json={"version": 1}).status_code == 409
    assert service.post(f"{path}/approve", json={"version": 2}).json()["state"] == "approved"
    assert service.post(f"{path}/retract", json={"reason": "a mistake"}).json()["state"] == "retracted"
    assert service.get(f"{path}/calls").json() == {"calls": []}
    assert [each["id"] for each in service.get("/v1/reports").json()["reports"]] == [made["id"]]
    assert service.get("/v1/reports/standing").json()["states"]["retracted"] == 1


def test_what_is_wrong_is_a_problem_that_names_the_field(service: Service) -> None:  # noqa: F811
    answer = service.post("/v1/reports", json={"document": {"incidentSummary": {"incidentType": "no"}}})
    assert (answer.status_code, answer.json()["where"]) == (422, "incidentSummary.incidentType")
    made = draft(service)
    empty = service.call("PUT", f"/v1/reports/{made['id']}", json={"version": 1, "document": {}}).json()
    assert {each["where"] for each in empty["faults"]} == {"incidentSummary", "internetDetails", "reporter"}
    refused = service.post(f"/v1/reports/{made['id']}/approve", json={"version": 2})
    assert (refused.status_code, refused.json()["where"]) == (422, "incidentSummary")
    assert service.get("/v1/reports/nothing").status_code == 404


def test_two_keys_must_approve_where_two_people_are_asked_for(start: Any, sqlite_url: str) -> None:  # noqa: F811
    service = start(sqlite_url, reports={"approvals": 2})  # noqa: F811
    made = draft(service)
    path = f"/v1/reports/{made['id']}/approve"
    one, two = (service.key("report", name) for name in ("read", "audit"))
    assert service.post(path, one, json={"version": 1}).json()["state"] == "draft"
    assert service.post(path, one, json={"version": 1}).status_code == 403
    assert service.post(path, two, json={"version": 1}).json()["state"] == "approved"


@pytest.mark.parametrize("scope", ["submit", "read", "review", "disclose", "audit"])
def test_other_keys_see_nothing_of_reports(service: Service, scope: str) -> None:  # noqa: F811
    made = draft(service)
    for path in ("", "/standing", f"/{made['id']}", f"/{made['id']}/calls"):
        assert service.get(f"/v1/reports{path}", service.key(scope)).status_code == 403


def test_a_node_without_credentials_drafts_and_sends_nothing(service: Service) -> None:  # noqa: F811
    names = {loop.name for loop in service.node.supervisor.loops}
    assert "reconciliation" in names
    assert "reports" not in names
    service.run("reconciliation")


def test_a_node_with_credentials_and_the_key_has_the_loop(start: Any, sqlite_url: str) -> None:  # noqa: F811
    made = start(sqlite_url, reports={"username": "u", "password": "p"})
    assert "reports" in {loop.name for loop in made.node.supervisor.loops}
    made.run("reports")  # nothing is approved: nothing is asked


RULES = """
nightlamp-policy: 1
name: sure
rules:
  - id: exact
    when: matches.exists(m, m.exact && !m.disputed)
    then: block
    reason: "An equal copy."
    hold: P1Y
    confirms: true
  - id: rest
    when: "true"
    then: review
    reason: "A person looks."
"""


def test_what_a_rule_confirms_is_drafted_by_the_nodes_loops(service: Service) -> None:  # noqa: F811
    made = service.post("/v1/policies", json={"text": RULES}).json()
    tried = service.post("/v1/policies/dry-run", json={"policy": made["id"]})
    assert tried.status_code == 200, tried.text
    assert service.post(f"/v1/policies/{made['id']}/activate").status_code == 200
    data = picture()
    service.bank("list", digest("md5", data))
    verdict = service.submit(data).json()["verdict"]
    assert (verdict["action"], verdict["confirms"]) == ("block", True)
    service.run("cases")
    service.run("rules")
    [row] = service.get("/v1/reports", service.key("report")).json()["reports"]
    assert (row["state"], row["rule"], row["decision"]) == ("draft", "exact", None)
    [case] = service.get("/v1/cases").json()["cases"]
    assert (case["id"], case["state"]) == (row["case"], "open")


def test_a_hold_is_not_destroyed_under_a_report_but_on_purpose(service: Service, held: str) -> None:  # noqa: F811
    made = draft(service, held)
    order = {"object": made["files"][0]["object"], "request": "FBI 7"}
    refused = service.post("/v1/holds/destroy", service.key("admin"), json=order)
    assert (refused.status_code, made["id"] in refused.json()["detail"]) == (409, True)
    assert "finish or retract" in refused.json()["hint"]
    done = service.post("/v1/holds/destroy", service.key("admin"), json=order | {"despite_reports": True})
    assert done.json() == {"destroyed": True}
