"""One-time codes against RFC 6238's vectors; once each; recovery codes."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightlamp import accounts
from nightlamp.accounts import codes
from nightlamp.errors import AccessError, ConfigError

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
SECRET = b"12345678901234567890"


@pytest.fixture
def box(tmp_path):
    return codes.Box(tmp_path / "console.key")


@pytest.fixture
def person(engine):
    with engine.begin() as connection:
        return accounts.add(connection, "ada", ["reviewer"], actor="system", now=NOW).person


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds, code):
    assert codes.code_at(SECRET, seconds // codes.STEP) == code[-codes.DIGITS :]


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_wrong(steps, good):
    step = int(NOW.timestamp()) // codes.STEP + steps
    assert (codes.step_of(SECRET, codes.code_at(SECRET, step), NOW) == step) is good


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "٠١٢٣٤٥", "1" * 5000])
def test_what_is_no_code_is_refused(code):
    assert codes.step_of(SECRET, code, NOW) is None


def test_a_code_is_good_once_and_so_are_those_before_it(engine, box, person):
    step = int(NOW.timestamp()) // codes.STEP
    with engine.begin() as connection:
        codes.set_up(connection, box, person, SECRET, codes.code_at(SECRET, step - 1), now=NOW)
        again = codes.take(connection, box, person.id, codes.code_at(SECRET, step - 1), now=NOW)
        first = codes.take(connection, box, person.id, codes.code_at(SECRET, step + 1), now=NOW)
        second = codes.take(connection, box, person.id, codes.code_at(SECRET, step + 1), now=NOW)
        earlier = codes.take(connection, box, person.id, codes.code_at(SECRET, step), now=NOW)
    assert (again, first, second, earlier) == (False, True, False, False)


def test_a_wrong_code_sets_nothing_up(engine, box, person):
    with engine.begin() as connection, pytest.raises(AccessError):
        codes.set_up(connection, box, person, SECRET, "000000", now=NOW + timedelta(days=1))
    with engine.begin() as connection:
        assert not accounts.get(connection, person.id).codes


def test_recovery_codes_are_good_once_and_for_their_owner(engine, person):
    with engine.begin() as connection:
        other = accounts.add(connection, "bob", ["lead"], actor="system", now=NOW).person
        made = codes.new_recovery_codes(connection, person, now=NOW)
        assert len(set(made)) == codes.RECOVERY_CODES
        assert not codes.take_recovery(connection, other.id, made[0])
        assert codes.take_recovery(connection, person.id, made[0].upper().replace("-", " "))
        assert not codes.take_recovery(connection, person.id, made[0])
        assert codes.recovery_left(connection, person.id) == codes.RECOVERY_CODES - 1
        codes.new_recovery_codes(connection, person, now=NOW)
        assert not codes.take_recovery(connection, person.id, made[1])


def test_another_key_or_another_account_opens_nothing(box, tmp_path):
    sealed = box.seal(SECRET, "a")
    assert SECRET not in sealed
    assert codes.Box(tmp_path / "console.key").open(sealed, "a") == SECRET
    for wrong, account in ((box, "b"), (codes.Box(tmp_path / "other.key"), "a")):
        with pytest.raises(ConfigError):
            wrong.open(sealed, account)
    assert (tmp_path / "console.key").stat().st_mode & 0o077 == 0


def test_processes_that_start_at_once_take_one_key(tmp_path, monkeypatch):
    path, both = tmp_path / "console.key", threading.Barrier(2, timeout=60)
    link = os.link

    def together(part, name):
        assert len(Path(part).read_bytes()) == 32  # whoever sees the file sees all of it
        both.wait()
        link(part, name)

    monkeypatch.setattr(os, "link", together)
    boxes = [codes.Box(path), codes.Box(path)]
    with ThreadPoolExecutor(2) as pool:
        sealed = list(pool.map(lambda box: box.seal(SECRET, "a"), boxes))
    assert [boxes[1 - at].open(each, "a") for at, each in enumerate(sealed)] == [SECRET, SECRET]
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
