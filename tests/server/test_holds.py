"""/v1/holds: listed, asked for, extended, ended; destruction on request."""

from __future__ import annotations

import pytest

from .conftest import Service, digest, picture


@pytest.fixture
def kept(service: Service) -> str:
    """The object of an item that is held."""
    data = picture()
    service.bank("list", digest("md5", data))
    item = service.submit(data).json()["id"]
    holds = service.get("/v1/holds").json()["holds"]
    assert len(holds) == 1
    assert item
    return str(holds[0]["object"])


def test_a_legal_request_is_placed_extended_and_released(service: Service, kept: str) -> None:
    asked = {"object": kept, "process": "warrant 1", "until": "2099-01-01T00:00:00Z"}
    made = service.post("/v1/holds", json=asked)
    assert made.status_code == 201
    hold = made.json()
    assert hold["legal"]
    later = {"until": "2100-01-01T00:00:00Z", "reason": "renewed"}
    assert service.post(f"/v1/holds/{hold['id']}/extend", json=later).status_code == 204
    first = service.get("/v1/holds?limit=1").json()
    second = service.get(f"/v1/holds?limit=1&cursor={first['next']}").json()
    assert [second["holds"][0][name] for name in ("id", "expires")] == [hold["id"], "2100-01-01T00:00:00Z"]
    order = {"object": kept, "request": "order 1"}
    assert service.post("/v1/holds/destroy", json=order).status_code == 409
    ended = service.post(f"/v1/holds/{hold['id']}/release", json={"reason": "withdrawn"})
    assert ended.status_code == 204
    assert service.post("/v1/holds/destroy", json=order).json() == {"destroyed": True}
    assert service.get("/v1/holds").json()["holds"] == []
    assert all(each["released"] for each in service.get(f"/v1/holds?object={kept}").json()["holds"])


def test_what_makes_no_sense_is_a_problem(service: Service, kept: str) -> None:
    past = {"object": kept, "process": "w", "until": "2000-01-01T00:00:00Z"}
    assert service.post("/v1/holds", json=past).status_code == 409
    naive = {"object": kept, "process": "w", "until": "2099-01-01T00:00:00"}
    assert service.post("/v1/holds", json=naive).status_code == 422
    assert service.post("/v1/holds/nothing/release", json={"reason": "x"}).status_code == 409


@pytest.mark.parametrize("scope", ["submit", "read", "review", "audit"])
def test_only_admins_change_holds(service: Service, kept: str, scope: str) -> None:
    key = service.key(scope)
    assert service.post("/v1/holds/destroy", key, json={"object": kept, "request": "r"}).status_code == 403
    assert service.get("/v1/holds", key).status_code == (200 if scope in ("review", "audit") else 403)
