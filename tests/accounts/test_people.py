"""Accounts: made, changed, disabled; and what is never possible."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from nightlamp import accounts
from nightlamp.accounts import passwords, sessions
from nightlamp.accounts.tables import session
from nightlamp.audit.log import links
from nightlamp.errors import AccessError
from nightlamp.store import connect

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
IDLE, LIFE = timedelta(minutes=20), timedelta(hours=10)
BY = {"actor": "person:boss", "now": NOW}


@pytest.fixture
def on_sqlite(sqlite_url):
    engine = connect(sqlite_url)
    yield engine
    engine.dispose()


def test_names_are_compared_without_case_and_look_alikes(engine):
    with engine.begin() as connection:
        made = accounts.add(connection, "  Ada ", ["reviewer", "lead"], **BY)
        assert made.person.name == "ada"
        assert accounts.named(connection, "ＡＤＡ").id == made.id
        with pytest.raises(AccessError, match="taken"):
            accounts.add(connection, "ADA", ["lead"], **BY)


@pytest.mark.parametrize("name", ["", "a b", "аda", "ada\u202e", "<b>", "-x", "x" * 65, "a\x00"])
def test_a_name_is_plain(on_sqlite, name):
    with on_sqlite.begin() as connection, pytest.raises(AccessError, match="name"):
        accounts.add(connection, name, ["lead"], **BY)


@pytest.mark.parametrize("roles", [[], ["root"], ["lead", "root"]])
def test_roles_are_known(on_sqlite, roles):
    with on_sqlite.begin() as connection, pytest.raises(AccessError, match="roles"):
        accounts.add(connection, "ada", roles, **BY)


def test_somebody_is_always_left_to_administer(engine):
    with engine.begin() as connection:
        ada = accounts.add(connection, "ada", ["admin"], **BY)
        for change in (
            lambda: accounts.disable(connection, ada.id, **BY),
            lambda: accounts.set_roles(connection, ada.id, ["lead"], **BY),
        ):
            with pytest.raises(AccessError, match="nobody would be left"):
                change()
        bob = accounts.add(connection, "bob", ["admin"], **BY)
        accounts.disable(connection, ada.id, **BY)
        with pytest.raises(AccessError, match="nobody would be left"):
            accounts.disable(connection, bob.id, **BY)


def test_who_is_disabled_has_no_session_and_gets_none(engine):
    with engine.begin() as connection:
        ada = accounts.add(connection, "ada", ["lead"], **BY)
        token = sessions.start(connection, ada.id, stage="full", method="password", now=NOW, life=LIFE)
        assert sessions.find(connection, token, now=NOW, idle=IDLE).person.name == "ada"
        accounts.disable(connection, ada.id, **BY)
        assert sessions.find(connection, token, now=NOW, idle=IDLE) is None
        assert passwords.stored_of(connection, "ada") is None
        accounts.enable(connection, ada.id, **BY)
        assert sessions.find(connection, token, now=NOW, idle=IDLE) is None


def test_sessions_end_by_themselves(engine):
    with engine.begin() as connection:
        ada = accounts.add(connection, "ada", ["lead"], **BY)
        token = sessions.start(connection, ada.id, stage="full", method="password", now=NOW, life=LIFE)
        alive = sessions.find(connection, token, now=NOW + IDLE - timedelta(seconds=1), idle=IDLE)
        assert sessions.find(connection, token, now=NOW + IDLE, idle=IDLE) is None
        for minutes in range(0, 600, 10):
            sessions.touch(connection, alive.id, now=NOW + timedelta(minutes=minutes))
        assert sessions.find(connection, token, now=NOW + LIFE - timedelta(seconds=1), idle=IDLE)
        assert sessions.find(connection, token, now=NOW + LIFE, idle=IDLE) is None


def test_one_ends_ones_own_sessions_alone(engine):
    with engine.begin() as connection:
        ada = accounts.add(connection, "ada", ["lead"], **BY)
        bob = accounts.add(connection, "bob", ["lead"], **BY)
        token = sessions.start(connection, bob.id, stage="full", method="password", now=NOW, life=LIFE)
        (his,) = sessions.every(connection, bob.id, now=NOW, idle=IDLE)
        assert not sessions.end(connection, ada.id, his.id, now=NOW)
        assert sessions.find(connection, token, now=NOW, idle=IDLE)
        assert sessions.end(connection, bob.id, his.id, now=NOW)


def test_the_database_holds_no_token(engine):
    with engine.begin() as connection:
        ada = accounts.add(connection, "ada", ["lead"], **BY)
        token = sessions.start(connection, ada.id, stage="full", method="password", now=NOW, life=LIFE)
        (row,) = connection.execute(session.select())
        assert token.reveal() not in str(row)
        assert token.reveal().encode() not in bytes(row.digest)
    assert token.reveal() not in repr(token)


def test_who_is_vouched_for_gets_an_account_and_never_somebody_elses(engine):
    with engine.begin() as connection:
        local = accounts.add(connection, "ada", ["admin"], **BY)
        given = {"name": "Ada", "display": "Ada \u202eL", "now": NOW}
        made = accounts.vouched(connection, "https://id.example", "1", roles=["reviewer"], **given)
        again = accounts.vouched(connection, "https://id.example", "1", roles=["lead"], **given)
        other = accounts.vouched(connection, "https://id.example", "2", roles=["lead"], **given)
        elsewhere = accounts.vouched(connection, "https://other.example", "1", roles=["lead"], **given)
        assert len({local.id, made.id, other.id, elsewhere.id}) == 4
        assert again.id == made.id
        assert again.person.roles == {"lead"}
        accounts.disable(connection, made.id, **BY)
        with pytest.raises(AccessError, match="disabled"):
            accounts.vouched(connection, "https://id.example", "1", roles=["lead"], **given)


def test_a_provider_may_call_people_anything(engine):
    names = ["<script>", "\u202e", "", "x" * 500, "..", "Ä Ö", "a\x00b", "\ud800"]
    with engine.begin() as connection:
        for number, name in enumerate(names):
            given = {"name": name, "display": name, "roles": ["lead"], "now": NOW}
            made = accounts.vouched(connection, "https://id.example", str(number), **given)
            assert made.person.name.isascii()
            assert made.person.name.isprintable()


def test_every_change_is_in_the_audit_log(engine):
    with engine.begin() as connection:
        ada = accounts.add(connection, "ada", ["lead"], **BY)
        accounts.set_roles(connection, ada.id, ["reviewer"], **BY)
        accounts.reset(connection, ada.id, **BY)
        accounts.disable(connection, ada.id, **BY)
        accounts.enable(connection, ada.id, **BY)
        told = [link.record for link in links(connection)]
    assert [record["action"] for record in told] == [
        "account.created",
        "account.roles",
        "account.reset",
        "account.disabled",
        "account.enabled",
    ]
    assert {record["subject"] for record in told} == {f"person:{ada.id}"}
    assert {record["actor"] for record in told} == {"person:boss"}
    assert "ada" not in str(told)


@pytest.mark.parametrize("password", ["short", "x" * 201, "aaaaaaaaaaaaaaaa", "ada-lovelace1"])
def test_a_poor_password_is_refused(password):
    with pytest.raises(AccessError, match="password"):
        passwords.hashed(password, "ada-lovelace")


def test_few_wait_in_line_for_a_hash():
    taken = 0
    while passwords._IN_LINE.acquire(blocking=False):
        taken += 1
    try:
        with pytest.raises(accounts.TooFastError):
            passwords.right(None, "anything at all")
    finally:
        passwords._IN_LINE.release(taken)
    assert taken == 8
    assert not passwords.right(None, "anything at all")


def test_a_password_is_right_or_not():
    stored = passwords.hashed("correct horse battery", "ada")
    assert stored.startswith("$argon2id$")
    assert passwords.right(stored, "correct horse battery")
    assert not passwords.right(stored, "correct horse batterx")
    assert not passwords.right(None, "nobody's")
    assert not passwords.right("garbage", "correct horse battery")


def test_who_comes_in_twice_at_once_for_the_first_time_gets_one_account(postgres_url):
    engine = connect(postgres_url)
    given = {"name": "ada", "display": "", "roles": ["lead"], "now": NOW}

    def come_in():
        with engine.begin() as connection:
            return accounts.vouched(connection, "https://id.example", "1", **given).id

    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            first = accounts.vouched(connection, "https://id.example", "1", **given).id
            second = pool.submit(come_in)
            while not second.done() and not connection.scalar(waiting):
                pass
        assert second.result() == first
    engine.dispose()
