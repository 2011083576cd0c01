"""Feeds over the API: added, looked at, paused, removed; and what a key must not be able to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightlamp.feeds import FeedChange, NewFeed, change_feed, create_feed

from .conftest import Service


def given(**more: object) -> dict[str, object]:
    return {
        "name": "one",
        "kind": "list",
        "bank": "list",
        "config": {"url": "https://list.example/list.csv"},
        "secrets": {"token": "env:PLANTED_TOKEN"},
        **more,
    }


def test_a_feed_is_added_paused_resumed_and_removed(either: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_TOKEN", "hunter2")
    added = either.post("/v1/feeds", json=given())
    assert added.status_code == 201, added.text
    assert "hunter2" not in added.text
    assert added.json()["secrets"] == {"token": "env:PLANTED_TOKEN"}
    paused = either.post("/v1/feeds/one/pause", json={"why": "holidays"}).json()
    assert (paused["paused"], paused["paused_why"]) == ("person", "holidays")
    assert either.post("/v1/feeds/one/sync").status_code == 422
    assert either.post("/v1/feeds/one/resume", json={"accept_loss": True}).status_code == 422
    assert either.post("/v1/feeds/one/resume", json={}).json()["paused"] == ""
    assert [row["name"] for row in either.get("/v1/feeds").json()["feeds"]] == ["one"]
    assert either.post("/v1/feeds", json=given()).status_code == 422
    assert either.call("DELETE", "/v1/feeds/one").status_code == 204
    assert either.get("/v1/feeds/one").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"secrets": {"token": "hunter2"}},
        {"secrets": {"token": "file:/etc/hostname"}},
        {"secrets": {"token": "env:NIGHTLAMP_DATABASE_URL"}},
        {"config": {"url": "https://user:hunter2@list.example/"}},
        {"kind": "unknown"},
        {"config": {"url": "file://["}},
        {"config": {"url": "file:///etc/passwd?/../../lists/x"}},
        {"kind": "vics", "config": {"path": "/etc/x\0", "profile": "us"}, "secrets": {}},
    ],
    ids=[
        "a secret itself",
        "a file of elsewhere",
        "the service's own",
        "a URL with a password",
        "kind",
        "no URL",
        "a path that hides behind a query",
        "NUL",
    ],
)
def test_what_must_not_be_is_refused(service: Service, wrong: dict[str, object]) -> None:
    refused = service.post("/v1/feeds", json=given(**wrong))
    assert refused.status_code == 422
    assert "hunter2" not in refused.text
    assert service.get("/v1/feeds").json() == {"feeds": []}


def test_a_feed_is_changed_and_what_is_not_named_stays(either: Service) -> None:
    either.post("/v1/feeds", json=given())
    changed = either.call("PATCH", "/v1/feeds/one", json={"every": 7200, "feedback": True}).json()
    assert (changed["every"], changed["feedback"], changed["max_loss"]) == (7200, True, 0.2)
    assert changed["secrets"] == {"token": "env:PLANTED_TOKEN"}
    config = {"url": "https://list.example/other.csv"}
    assert either.call("PATCH", "/v1/feeds/one", json={"config": config}).json()["config"] == config
    for wrong in (
        {"every": 1},
        {"config": {"no": "such"}},
        {"secrets": {"token": "hunter2"}},
        {"name": "two"},
    ):
        refused = either.call("PATCH", "/v1/feeds/one", json=wrong)
        assert refused.status_code == 422
        assert "hunter2" not in refused.text
    assert either.call("PATCH", "/v1/feeds/none", json={"every": 7200}).status_code == 404


def test_a_secret_of_elsewhere_is_not_sent_to_another_address(service: Service, tmp_path: Path) -> None:
    # given a feed that somebody at the machine has added, with a file that no key may name
    new = NewFeed(**given(secrets={"token": f"file:{tmp_path}/secret"}))  # type: ignore[arg-type]
    service.node.change(lambda c: create_feed(c, new, actor="operator:ada"))
    # when a key changes what has nothing to do with it, that is taken; another address is not
    same = {"every": 7200, "config": new.config, "secrets": new.secrets}
    assert service.call("PATCH", "/v1/feeds/one", json=same).status_code == 200
    away = {"config": {"url": "https://evil.example/"}}
    assert service.call("PATCH", "/v1/feeds/one", json=away).status_code == 422
    assert service.get("/v1/feeds/one").json()["config"] == new.config
    # unless the secret is another one too
    own = {**away, "secrets": {"token": "env:OTHER"}}
    assert service.call("PATCH", "/v1/feeds/one", json=own).status_code == 200


def test_a_secret_of_elsewhere_is_not_brought_back_by_a_change_that_was_overtaken(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"file:{tmp_path}/secret"
    new = NewFeed(**given(secrets={"token": secret}))  # type: ignore[arg-type]
    service.node.change(lambda c: create_feed(c, new, actor="operator:ada"))
    elsewhere = FeedChange({"url": "https://elsewhere.example/list"}, {"token": "env:PLANTED_TOKEN"})
    change = service.node.change

    def overtaken(work: Any) -> Any:
        change(lambda c: change_feed(c, "one", elsewhere, actor="somebody quicker"))
        return change(work)

    monkeypatch.setattr(service.node, "change", overtaken)
    same = {"secrets": {"token": secret}}  # was well while the feed asked the operator's place
    assert service.call("PATCH", "/v1/feeds/one", json=same).status_code == 422
    assert service.get("/v1/feeds/one").json()["secrets"] == {"token": "env:PLANTED_TOKEN"}


def test_only_admins_see_feeds(service: Service) -> None:
    for scope in ("submit", "read", "review", "audit"):
        key = service.key(scope)
        assert service.get("/v1/feeds", key).status_code == 403
        assert service.post("/v1/feeds", key, json=given()).status_code == 403


def test_a_bank_that_is_behind_makes_the_node_degraded(service: Service, tmp_path: Path) -> None:
    service.post("/v1/feeds", json=given())
    with service.node.engine.begin() as connection:
        from datetime import timedelta

        from sqlalchemy import update

        from nightlamp.feeds.tables import feed
        from nightlamp.store import utc_now

        connection.execute(update(feed).values(last_ok_at=utc_now() - timedelta(hours=26)))
    service.node.following.look()
    key = service.key("submit", "read")
    fingerprints = {"fingerprints": [{"signal": "md5", "value": "0" * 32}]}
    verdict = service.post("/v1/fingerprints", key, json=fingerprints).json()["verdict"]
    assert verdict["action"] == "allow"  # the shipped policies accept it
    assert {"what": "feed one", "why": "stale", "detail": "bank list is 26 h behind"} in verdict["unchecked"]
    assert "not checked: feed one (stale: bank list is 26 h behind)" in verdict["reasons"]
    told = service.get("/v1/health/ready").json()
    [check] = [each for each in told["checks"] if each["check"] == "feeds"]
    assert "bank list is 26 h behind" in check["detail"]
    [check] = [
        each for each in service.get("/v1/health/ready", None).json()["checks"] if each["check"] == "feeds"
    ]
    assert "list" not in check.get("detail", "")
    assert 'nightlamp_feed_behind_seconds{bank="list",feed="one"} 936' in service.get("/metrics").text
    assert "nightlamp_feed" not in service.get("/metrics", None).text
