"""``nightlamp feed`` from the outside."""

from __future__ import annotations

import json
import os
import time

import pytest
from click.testing import CliRunner

from nightlamp.cli import app


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("NIGHTLAMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PLANTED_TOKEN", "hunter2")
    monkeypatch.delenv("NIGHTLAMP_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, status: int | None = 0) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert status is None or result.exit_code == status, result.output
        assert "hunter2" not in result.output
        return result.output

    call("db", "upgrade")
    return call


def test_a_list_in_a_file_is_followed_to_the_end(run, tmp_path):
    path = tmp_path / "list.csv"
    rows = [f"{n:032x},id{n},A1" for n in range(1, 21)]

    def write(rows: list[str], age: int) -> None:
        path.write_text("md5,id,category\n" + "\n".join(rows) + "\n")
        os.utime(path, (time.time() - age,) * 2)  # a file that has just changed may still be written

    write(rows, 7200)
    run(
        "feed",
        "add",
        "one",
        "--kind",
        "list",
        "--bank",
        "mine",
        "--set",
        f"url=file://{path}",
        "--every",
        "15m",
    )
    assert "not run yet" in run("feed", "list")
    assert "20 fingerprints added, 0 removed" in run("feed", "sync", "one")
    assert "in step; 0 fingerprints added" in run("feed", "sync", "one")
    write(rows[:10], 3600)
    held = run("feed", "sync", "one", status=None)
    assert "it would lose 10 of 20 fingerprints" in held
    assert "has stopped" in run("feed", "doctor", "one", status=1)
    run("feed", "resume", "one", "--accept-loss")
    assert "10 removed" in run("feed", "sync", "one")
    assert "fingerprints" in run("feed", "show", "one")
    run("feed", "pause", "one", "--why", "holidays")
    assert "paused" in run("feed", "list")
    assert "removed one" in run("feed", "remove", "one", "--yes")
    assert "one" not in run("feed", "list")


def test_secrets_are_named_not_given(run):
    add = ("feed", "add", "one", "--kind", "list", "--bank", "b", "--set", "url=https://list.example/l.csv")
    assert "not a reference" in run(*add, "--secret", "token=a-secret-itself", status=None)
    run(*add, "--secret", "token=env:PLANTED_TOKEN")
    assert "env:PLANTED_TOKEN" in run("feed", "show", "one", "--json")
    assert "ncmec" in run("feed", "kinds")


def test_what_is_named_is_changed_and_the_rest_stays(run):
    add = ("feed", "add", "one", "--kind", "list", "--bank", "b", "--set", "url=https://list.example/l.csv")
    run(*add, "--set", "signal=md5", "--secret", "token=env:PLANTED_TOKEN")
    run("feed", "change", "one", "--every", "30m", "--stale-after", "never", "--feedback")
    told = json.loads(run("feed", "show", "one", "--json"))
    assert [told[key] for key in ("every", "stale_after", "feedback", "may_lose")] == [
        "30 min",
        "never",
        "yes",
        "20% a day",
    ]
    assert (told["set_signal"], told["secret_token"]) == ("md5", "env:PLANTED_TOKEN")
    run("feed", "change", "one", "--set", "signal=", "--set", "known=false", "--secret", "token=")
    told = json.loads(run("feed", "show", "one", "--json"))
    assert told["set_url"] == "https://list.example/l.csv"
    assert {"set_signal", "secret_token"}.isdisjoint(told)
    assert "a length of time" in run("feed", "change", "one", "--every", "often", status=None)
    assert "not a reference" in run("feed", "change", "one", "--secret", "token=hunter2", status=None)
    assert "no such feed" in run("feed", "change", "two", "--every", "30m", status=None)
