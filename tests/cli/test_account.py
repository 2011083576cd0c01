"""``nightlamp account`` from the outside."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from nightlamp import accounts
from nightlamp.accounts import passwords
from nightlamp.cli import app
from nightlamp.settings import load
from nightlamp.store import connect, reading


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs ``nightlamp …`` on a database of the test's own."""
    monkeypatch.setenv("NIGHTLAMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("NIGHTLAMP_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, status: int = 0, typed: str = "") -> str:
        result = CliRunner().invoke(app, list(arguments), input=typed)
        assert result.exit_code == status, result.output
        return result.output

    call("db", "upgrade")
    return call


def stored(name: str) -> tuple[accounts.Account, str | None]:
    engine = connect(load().database_url)
    with reading(engine) as connection:
        found = accounts.named(connection, name), passwords.stored_of(connection, name)
    engine.dispose()
    return found[0], found[1][1] if found[1] else None


def test_the_first_admin_gets_a_link_that_works_once(run):
    output = run("account", "add", "Ada", "--role", "admin")
    assert re.search(r"^http://localhost:8700/console/welcome\?token=[\w-]{43}$", output, re.MULTILINE)
    account, password = stored("ada")
    assert account.person.roles == {"admin"}
    assert account.created_by.startswith("operator")
    assert password is None
    assert "ada" in run("account", "list")


def test_a_password_can_be_asked_for(run):
    typed = "correct horse battery\n" * 2
    output = run("account", "add", "ada", "--role", "lead", "--role", "reviewer", "--password", typed=typed)
    assert "correct horse" not in output
    assert passwords.right(stored("ada")[1], "correct horse battery")
    run("account", "add", "bob", "--role", "lead", "--password", typed="short\nshort\n", status=65)


def test_roles_disable_enable_reset(run):
    run("account", "add", "ada", "--role", "admin")
    run("account", "disable", "ada", status=65)  # nobody would be left
    run("account", "add", "bob", "--role", "admin", "--password", typed="correct horse battery\n" * 2)
    run("account", "roles", "ada", "--role", "auditor")
    assert stored("ada")[0].person.roles == {"auditor"}
    run("account", "disable", "ada")
    assert stored("ada")[0].disabled_at
    run("account", "enable", "ada")
    assert not stored("ada")[0].disabled_at
    assert "welcome?token=" in run("account", "reset", "bob")
    assert not stored("bob")[0].password


@pytest.mark.parametrize(
    "arguments", [("add", "ada", "--role", "root"), ("add", "a b", "--role", "lead"), ("disable", "nobody")]
)
def test_what_makes_no_sense_is_said(run, arguments):
    assert run("account", *arguments, status=65)
