"""``config``, ``db``, ``audit`` and ``vault`` from the outside."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from nightlamp import audit, vault
from nightlamp.cli import app
from nightlamp.settings import load
from nightlamp.store import connect


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs ``nightlamp …`` on a data folder of the test's own."""
    monkeypatch.setenv("NIGHTLAMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("NIGHTLAMP_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, status: int = 0) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == status, result.output
        return result.output

    return call


@pytest.fixture
def ready(run, tmp_path):
    """A service that is set up."""
    run("db", "upgrade")
    run("audit", "keygen")
    output = run("vault", "keygen", tmp_path / "vault.key")
    (tmp_path / "data" / "vault.pub").write_text(
        next(x for x in output.split() if x.startswith("age1")) + "\n"
    )
    return run


def kept(content: bytes = b"content") -> str:
    """Keep something; gives the object's id."""
    settings = load()
    engine = connect(settings.database_url)
    store = vault.open_vault(settings, engine)
    sealed = store.seal(content)
    with engine.begin() as connection:
        object_id = store.keep(connection, sealed, vault.HoldRequest("test", "US"), actor="key:test")
    engine.dispose()
    return object_id


def test_check_says_what_is_missing_and_then_that_nothing_is(run, ready, tmp_path):
    (tmp_path / "data" / "audit.key").rename(tmp_path / "aside")
    assert "FAILED  audit key" in run("config", "check", status=1)
    (tmp_path / "aside").rename(tmp_path / "data" / "audit.key")
    assert run("config", "check").count("ok ") == 4


def test_show_masks_secrets_and_says_where_values_come_from(run, monkeypatch):
    monkeypatch.setenv("NIGHTLAMP_DATABASE_URL", "postgresql://user:planted@host/base")
    for output in (run("config", "show"), run("config", "show", "--json")):
        assert "planted" not in output
        assert "NIGHTLAMP_DATABASE_URL" in output


def test_a_database_that_is_away_is_status_69_and_an_old_schema_78(run, monkeypatch, tmp_path):
    assert "db upgrade" in run("audit", "show", status=78)
    monkeypatch.setenv("NIGHTLAMP_DATABASE_URL", f"postgresql://user:planted@/base?host={tmp_path}")
    assert "planted" not in run("db", "check", status=69)


def test_the_log_is_verified_exported_and_verified_again(ready, tmp_path):
    kept()
    assert "covers 2 records" in ready("audit", "checkpoint")
    assert "intact: 2 records" in ready("audit", "verify")
    ready("audit", "export", "-o", tmp_path / "log.jsonl")
    public = tmp_path / "data" / "audit.key.pub"
    found = json.loads(ready("audit", "verify", tmp_path / "log.jsonl", "--public-key", public, "--json"))
    assert (found["intact"], found["signed"]) == (True, 2)
    # when a record is changed, in the file and in the database
    path = tmp_path / "log.jsonl"
    path.write_text(path.read_text().replace("vault.held", "vault.none"))
    assert "NOT INTACT, first at record 2" in ready("audit", "verify", path, status=1)
    engine = connect(load().database_url)
    with engine.begin() as connection:
        connection.execute(audit.log.audit_record.update().values(actor="nobody"))
    engine.dispose()
    assert "NOT INTACT" in ready("audit", "verify", status=1)
    assert "vault.kept" in ready("audit", "show")


def test_a_hold_is_shown_extended_and_released_and_the_object_destroyed(ready):
    object_id = kept()
    hold = ready("hold", "list", object_id).splitlines()[1].split()[0]
    assert "2099" in ready("hold", "extend", hold, "--until", "2099-01-01", "--reason", "request")
    ready("hold", "extend", hold, "--until", "2001-01-01", "--reason", "request", status=65)
    assert "0 destroyed" in ready("vault", "purge")
    ready("hold", "release", hold, "--reason", "request of the police")
    assert "1 destroyed" in ready("vault", "purge")
    assert "destroyed" in ready("vault", "status")
    assert "0 lost" in ready("vault", "reconcile")


def test_rekeying_asks_for_the_new_keys_in_the_settings_first(ready, tmp_path):
    object_id = kept(b"content")
    output = ready("vault", "keygen", tmp_path / "new.key")
    public = tmp_path / "new.pub"
    public.write_text(next(x for x in output.split() if x.startswith("age1")))
    arguments = ("vault", "rekey", "--identity", tmp_path / "vault.key", "--to", public)
    assert "still seal" in ready(*arguments, status=70)
    (tmp_path / "data" / "vault.pub").write_text(public.read_text())
    assert "1 sealed anew" in ready(*arguments)
    settings = load()
    engine = connect(settings.database_url)
    store = vault.open_vault(settings, engine)
    fresh = vault.Identity.read(tmp_path / "new.key")
    assert store.open(object_id, fresh, actor="a", why="b").data == b"content"
    engine.dispose()


def test_expired_content_waits_for_the_delay(ready, monkeypatch):
    kept()
    settings = load()
    engine = connect(settings.database_url)
    late = vault.open_vault(settings, engine, clock=lambda: audit.log.utc_now() + timedelta(days=400))
    assert vault.purge(late, delay=settings.vault.destroy_after).due == 1
    engine.dispose()
    assert "0 destroyed, 0 waiting" in ready("vault", "purge")  # the true clock: it is held


def test_strangers_are_named_adopted_and_removed_with_a_reason(ready):
    settings = load()
    engine = connect(settings.database_url)
    store = vault.open_vault(settings, engine)
    for content in (b"one", b"two"):
        store.enter(store.seal(content).name)
    assert "2 strangers" in ready("vault", "reconcile")
    assert ready("vault", "strangers").count("stored 20") == 2
    assert "--reason" in ready("vault", "strangers", "--remove", status=64)
    assert (
        ready("vault", "strangers", "--adopt-until", "2099-01-01", "--reason", "old backup").count("object")
        == 2
    )
    assert "0 lost, 0 failed, 0 strangers" in ready("vault", "reconcile")
    store.enter(store.seal(b"three").name)
    assert ready("vault", "strangers", "--remove", "--reason", "not ours").count("removed") == 1
    assert ready("vault", "strangers") == ""
    engine.dispose()
