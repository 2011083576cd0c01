"""Ways in that are shut while somebody is half-way through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nightlamp import accounts
from nightlamp.accounts import Entrance, RefusedError, Whence, codes, passwords, sessions
from nightlamp.errors import AccessError
from nightlamp.settings.console import ConsoleSettings
from nightlamp.store import Writer

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
BY = {"actor": "person:boss", "now": NOW}
HOME = Whence("192.0.2.1")
PASSWORD = "correct horse battery"


@pytest.fixture
def writer(engine):
    with Writer(engine) as made:
        yield made


@pytest.fixture
def entrance(engine, writer, tmp_path):
    box = codes.Box(tmp_path / "key")
    return Entrance(engine, writer.write, box, ConsoleSettings(), clock=lambda: NOW)


@pytest.fixture
def ada(writer):
    def make(connection):
        made = accounts.add(connection, "ada", ["reviewer"], **BY)
        passwords.store(connection, made.person, passwords.hashed(PASSWORD, "ada"), now=NOW)
        return made

    return writer.write(make)


def reset(writer, account):
    writer.write(lambda c: accounts.reset(c, account.id, **BY))


def test_a_code_completes_no_session_that_was_ended_meanwhile(entrance, writer, ada, engine, tmp_path):
    secret, box = codes.new_secret(), codes.Box(tmp_path / "key")
    step = int(NOW.timestamp()) // codes.STEP
    earlier = datetime.fromtimestamp((step - 2) * codes.STEP, UTC)
    first = codes.code_at(secret, step - 2)
    writer.write(lambda c: codes.set_up(c, box, ada.person, secret, first, now=earlier))
    half_way = entrance.session(entrance.by_password("ada", PASSWORD, HOME).token)
    assert half_way.stage == "second"

    writer.write(lambda c: sessions.end_all(c, ada.id, now=NOW))

    with pytest.raises(RefusedError):
        entrance.by_code(half_way, codes.code_at(secret, step), HOME)
    again = entrance.session(entrance.by_password("ada", PASSWORD, HOME).token)
    assert entrance.by_code(again, codes.code_at(secret, step), HOME).stage == "full"  # it was not used up


def test_a_factor_completes_no_session_that_was_ended_meanwhile(entrance, writer, ada):
    half_way = entrance.session(entrance.by_password("ada", PASSWORD, HOME).token)
    assert half_way.stage == "setup"

    reset(writer, ada)

    with pytest.raises(AccessError):
        writer.write(lambda c: entrance.complete(c, half_way, HOME))


def test_a_password_that_is_taken_away_while_it_is_checked_lets_nobody_in(entrance, writer, ada, monkeypatch):
    right = passwords.right

    def slow(stored, password):
        found = right(stored, password)
        reset(writer, ada)
        return found

    monkeypatch.setattr(passwords, "right", slow)
    with pytest.raises(RefusedError):
        entrance.by_password("ada", PASSWORD, HOME)
