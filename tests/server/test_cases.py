"""Cases through the API, from the submission to the operator's own bank."""

from __future__ import annotations

from .conftest import Service, digest, picture


def test_a_case_from_the_verdict_to_the_own_bank(service: Service) -> None:
    # given an item that a list knows, and two reviewers
    data = picture(1)
    service.bank("hotline", digest("sha256", data))
    item = service.submit(data).json()["id"]
    service.run("cases")
    ann, ben = service.key("review"), service.key("review", "read")
    # when one takes the next case
    case = service.call("POST", "/v1/cases/next", ann, json={}).json()["case"]
    dossier = service.get(f"/v1/cases/{case['id']}", ann).json()
    assert [each["id"] for each in dossier["items"]] == [item]
    assert dossier["hits"][0]["match"]["bank"] == "hotline"
    # then the other cannot
    refused = service.call("POST", f"/v1/cases/{case['id']}/claim", ben)
    assert (refused.status_code, refused.json()["code"]) == (409, "not yours")
    # and a stale or senseless answer is refused
    path = f"/v1/cases/{case['id']}/decide"
    good = {"version": case["version"], "finding": "csam", "classification": "A1"}
    stale = service.call("POST", path, ann, json=good | {"version": 99})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    assert service.call("POST", path, ann, json=good | {"reason": "nonsense"}).status_code == 422
    # but a good one counts, once
    decided = service.call("POST", path, ann, json=good).json()
    assert decided["case"]["state"] == "decided"
    assert service.call("POST", path, ann, json=good).json() == decided
    undone = service.call(
        "POST", f"/v1/cases/{case['id']}/undo", ann, json={"decision": decided["answer"]["id"]}
    ).json()
    assert undone["state"] == "open"
    again = service.call("POST", path, ann, json=good | {"version": undone["version"]}).json()
    answers = service.get(f"/v1/cases/{case['id']}/answers", ben).json()["answers"]
    assert [bool(each["undone_at"]) for each in answers] == [True, False]
    assert service.get("/v1/cases?state=decided", ben).json()["cases"][0]["decision"] == again["answer"]["id"]
    assert service.get("/v1/cases", ben).json()["cases"] == []
    assert service.call("POST", "/v1/cases/next", ben, json={}).json() == {"case": None}


def test_a_lead_opens_a_decided_case_again(service: Service) -> None:
    data = picture(2)
    service.bank("hotline", digest("sha256", data))
    service.submit(data)
    service.run("cases")
    ann, lead = service.key("review"), service.key("review", "admin")
    case = service.call("POST", "/v1/cases/next", ann, json={}).json()["case"]
    path = f"/v1/cases/{case['id']}"
    answer = {"version": case["version"], "finding": "csam", "classification": "A1"}
    decided = service.call("POST", f"{path}/decide", ann, json=answer).json()["case"]
    asked = {"version": decided["version"], "reason": "an appeal"}
    # neither a reviewer, nor an admin who does not review
    for key in (ann, service.key("admin")):
        assert service.call("POST", f"{path}/reopen", key, json=asked).status_code == 403
    assert service.call("POST", f"{path}/reopen", lead, json=asked | {"reason": " "}).status_code == 422
    opened = service.call("POST", f"{path}/reopen", lead, json=asked).json()
    assert (opened["state"], opened["round"], opened["decision"]) == ("open", 2, None)
    late = service.call("POST", f"{path}/reopen", lead, json=asked)
    assert (late.status_code, late.json()["code"]) == (409, "stale")
