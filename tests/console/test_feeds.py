"""Feeds in the console: added, changed, tried, released, removed; secrets by reference alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nightlamp.errors import FeedError
from nightlamp.feeds import EXCHANGES, NewFeed, all_feeds, create_feed, get_feed
from nightlamp.feeds.registry import kind_of
from nightlamp.server.console.feed_forms import config_in, seconds_in, settings_of, shown, span_of
from nightlamp.store import reading

from .conftest import House

FORM = {
    "kind": "list",
    "name": "daily",
    "bank": "a list",
    "category": "csam",
    "trust": "high",
    "every": "6h",
    "max_loss": "30",
    "set-url": "https://list.example/x.csv",
    "set-columns": "md5 = Hash\r\nid = Ref\r\n",
    "set-categories": "A = A1\r\nC =\r\n",
    "set-max_bytes": "1000",
    "secret-token": "env:LIST_TOKEN",
}


def feed_of(house: House, name: str) -> Any:
    with reading(house.node.engine) as connection:
        return get_feed(connection, name)


def test_a_feed_is_added_with_what_its_exchange_takes(house: House) -> None:
    browser = house.signed_in("admin")
    chosen = browser.get("/feeds/_new").text
    assert all(f"?kind={name}" in chosen for name in EXCHANGES)
    answer = browser.post("/feeds", FORM)
    assert answer.headers["location"] == "/console/feeds/daily?done=added", answer.text
    stored = feed_of(house, "daily")
    assert stored.config == {
        "url": "https://list.example/x.csv",
        "columns": {"md5": "Hash", "id": "Ref"},
        "categories": {"A": "A1", "C": None},
        "max_bytes": 1000,
        "known": False,
    }
    assert stored.secrets == {"token": "env:LIST_TOKEN"}
    assert (stored.every, stored.stale_after, stored.max_loss) == (21_600, 64_800, 0.3)
    shown_ = browser.get("/feeds/daily").text
    assert "env:LIST_TOKEN" in shown_
    assert "md5 = Hash\nid = Ref" in shown_


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secret-token": "hunter2"}, "not a reference to a secret"),
        ({"secret-token": "file:/etc/hostname"}, "feeds.secrets_dir"),
        ({"set-url": "file:///etc"}, "feeds.lists_dir"),
        ({"set-url": ""}, "Field required"),
        ({"set-columns": "md5 = a\nno pair"}, "name = value"),
        ({"every": "often"}, "a length of time"),
        ({"max_loss": "all"}, "per cent"),
        ({"name": "<b>"}, "lower-case"),
        ({"name": "stopped"}, "there is a feed of this name"),
        ({"kind": "none"}, "no such kind"),
        ({"bank": ""}, "name"),
    ],
)
def test_what_makes_no_sense_is_said_and_the_form_stands_as_it_was(
    house: House, wrong: dict[str, str], said: str
) -> None:
    answer = house.signed_in("admin").post("/feeds", {**FORM, **wrong})
    assert answer.status_code == 422
    assert said in answer.text
    if wrong.get("kind") is None:
        assert 'value="env:LIST_TOKEN"' in answer.text or "secret-token" in wrong
        assert '<option value="high" selected>' in answer.text
    with reading(house.node.engine) as connection:
        assert [each.name for each in all_feeds(connection)] == ["stopped"]


def test_a_feed_is_changed_and_keeps_what_the_form_did_not_touch(house: House) -> None:
    browser = house.signed_in("admin")
    browser.post("/feeds", FORM)
    before = feed_of(house, "daily")
    page = browser.get("/feeds/daily").text
    form = dict(re.findall(r'<input [^>]*name="((?:set|secret)-[\w-]+)"[^>]* value="([^"]*)"', page))
    form |= dict(re.findall(r'<textarea [^>]*name="(set-[\w-]+)"[^>]*>([^<]*)</textarea>', page))
    form.pop("set-known")  # a box that is not ticked
    times = {"every": "6h", "stale_after": "18h", "max_loss": "30"}
    assert browser.post("/feeds/daily", {**form, **times}).status_code == 303
    assert feed_of(house, "daily") == before  # as it stood
    assert browser.post("/feeds/daily", {**form, **times, "stale_after": "never"}).status_code == 303
    assert feed_of(house, "daily").stale_after == 0
    other = {**form, **times, "set-url": "https://list.example/y.csv", "feedback": "yes"}
    assert browser.post("/feeds/daily", other).status_code == 303
    changed = feed_of(house, "daily")
    assert (changed.config["url"], changed.feedback) == ("https://list.example/y.csv", True)
    refused = browser.post("/feeds/daily", {**other, "every": "1min", "max_loss": "900"})
    assert refused.status_code == 422
    assert feed_of(house, "daily") == changed


def test_a_feed_is_paused_and_goes_on(house: House) -> None:
    browser = house.signed_in("admin")
    browser.post("/feeds", FORM)
    assert browser.post("/feeds/daily/pause", {"why": "<i>holidays</i>"}).status_code == 303
    assert "&lt;i&gt;holidays" in browser.get("/feeds").text
    assert browser.post("/feeds/daily/run").status_code == 422  # it is paused
    assert browser.post("/feeds/daily/resume").status_code == 303
    assert browser.post("/feeds/daily/run").status_code == 303
    for path in ("", "/run", "/pause", "/resume", "/doctor", "/remove"):
        assert browser.post(f"/feeds/nobody{path}", {"named": "nobody"}).status_code == 404, path


@pytest.mark.parametrize("accept", [True, False])
def test_a_feed_that_stopped_asks_a_person(house: House, accept: bool) -> None:
    browser = house.signed_in("admin")
    page = browser.get("/feeds/stopped").text
    assert "It has stopped, and asks you" in page
    assert "900 of 1,000" in page
    assert browser.post("/feeds/stopped/run").status_code == 422
    answer = browser.post("/feeds/stopped/resume", {"accept": "yes"} if accept else {})
    assert answer.status_code == 303
    assert feed_of(house, "stopped").paused == ""
    assert browser.post("/feeds/stopped/resume", {"accept": "yes"}).status_code == 422  # nothing is asked


def test_the_doctor_tells_in_plain_words_and_without_secrets(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = house.signed_in("admin")
    browser.post("/feeds", FORM)
    told = browser.post("/feeds/daily/doctor").text
    assert "Not all is well" in told
    assert "the variable LIST_TOKEN is not set" in told
    monkeypatch.setenv("LIST_TOKEN", "hunter2")
    told = browser.post("/feeds/daily/doctor").text
    assert "env:LIST_TOKEN can be read" in told
    assert "hunter2" not in told


def test_a_feed_is_removed_by_its_name(house: House) -> None:
    browser = house.signed_in("admin")
    assert browser.post("/feeds/stopped/remove", {"named": "other"}).status_code == 422
    assert browser.post("/feeds/stopped/remove", {"named": "stopped"}).status_code == 303
    assert browser.get("/feeds/stopped").status_code == 404


def test_a_feed_whose_exchange_is_not_there_any_more_is_shown(house: House) -> None:
    from nightlamp.feeds.exchange import ExchangeConfig, Kind

    kinds = {"quiet": Kind("quiet", "Quiet", ExchangeConfig, lambda *_: None)}  # type: ignore[arg-type,return-value]
    new = NewFeed("gone", "quiet", "a-bank")
    house.node.change(lambda c: create_feed(c, new, actor="system", kinds=kinds))
    browser = house.signed_in("admin")
    assert "does not know such an exchange" in browser.get("/feeds/gone").text
    assert browser.post("/feeds/gone", {"every": "1h"}).status_code == 422
    assert browser.post("/feeds/gone/doctor").status_code == 200


@pytest.mark.parametrize("name", list(EXCHANGES))
def test_every_setting_of_every_kind_has_a_hint_and_a_shape(name: str) -> None:
    settings = settings_of(kind_of(name))
    assert [each.name for each in settings if not each.hint] == []
    required = [each.required for each in settings]
    assert required == sorted(required, reverse=True)


def test_a_config_becomes_a_form_and_the_same_config_again() -> None:
    settings = settings_of(kind_of("ncmec"))
    config = {"username": "acme", "members": [1, 2], "links": True, "reasons": {"*": "other"}}
    form = shown(settings, config)
    again = kind_of("ncmec").config.model_validate(config_in(form, settings))
    assert again == kind_of("ncmec").config.model_validate(config)
    vics = settings_of(kind_of("vics"))
    assert config_in({"set-path": "/x", "set-profile": "uk"}, vics)["profile"] == "uk"
    assert config_in({"set-path": "/x", "set-profile": "1 = A1"}, vics)["profile"] == {"1": "A1"}


@pytest.mark.parametrize("seconds", [60, 900, 5_400, 21_600, 86_400, 30 * 86_400])
def test_lengths_of_time_are_read_as_they_are_written(seconds: int) -> None:
    assert seconds_in(span_of(seconds), "every") == seconds
    with pytest.raises(FeedError):
        seconds_in("1 week", "every")
