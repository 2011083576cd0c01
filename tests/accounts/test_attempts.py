"""Guessing is slowed; the team is not locked out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nightlamp.accounts import TooFastError, attempts

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


def guess(connection, name, address, now):
    """Try until let through; the seconds that it took."""
    waited = 0
    while True:
        try:
            attempts.reserve(connection, name, address, now=now + timedelta(seconds=waited))
        except TooFastError as error:
            waited += max(error.seconds, 1)
        else:
            return waited


def test_who_guesses_from_one_place_waits_longer_and_longer(engine):
    now, waits = NOW, []
    with engine.begin() as connection:
        for _ in range(20):
            waits.append(guess(connection, "ada", HOME, now))
            now += timedelta(seconds=waits[-1])
    assert waits[:5] == [0] * 5
    assert waits[5:] == sorted(waits[5:])
    assert 0 < waits[5] <= 2
    assert max(waits) == 900


def test_a_flood_on_an_account_from_everywhere_costs_its_owner_half_a_minute_at_most(engine):
    with engine.begin() as connection:
        now = NOW
        for number in range(200):
            now += timedelta(seconds=guess(connection, "ada", f"10.0.{number}.1", now))
        assert guess(connection, "ada", HOME, now) <= 30


def test_where_somebody_has_signed_in_before_a_flood_costs_nothing(engine):
    with engine.begin() as connection:
        attempts.reserve(connection, "ada", HOME, now=NOW)
        attempts.settle(connection, "ada", HOME, now=NOW)
        now = NOW
        for number in range(60):
            now += timedelta(seconds=guess(connection, "ada", f"10.0.{number}.1", now))
        assert guess(connection, "ada", HOME, now) == 0


def test_a_flood_from_the_teams_own_address_does_not_shut_the_team_out(engine):
    with engine.begin() as connection:
        for name in ("ada", "bob"):
            attempts.reserve(connection, name, HOME, now=NOW)
            attempts.settle(connection, name, HOME, now=NOW)
        now = NOW
        for number in range(100):
            now += timedelta(seconds=guess(connection, f"nobody-{number}", HOME, now))
        assert guess(connection, "ada", HOME, now) == 0
        assert guess(connection, "new", HOME, now) <= 30


def test_many_guesses_at_once_are_many(engine):
    with engine.begin() as connection:
        for _ in range(5):
            attempts.reserve(connection, "ada", HOME, now=NOW)
        with pytest.raises(TooFastError):
            attempts.reserve(connection, "ada", HOME, now=NOW)


def test_addresses_of_one_customer_are_one(engine):
    with engine.begin() as connection:
        for number in range(5):
            attempts.reserve(connection, "ada", f"2001:db8:0:1::{number:x}", now=NOW)
        with pytest.raises(TooFastError):
            attempts.reserve(connection, "ada", "2001:db8:0:1:ffff::9", now=NOW)
        attempts.reserve(connection, "ada", "2001:db8:0:2::1", now=NOW)


def test_failures_are_forgotten_after_an_hour(engine):
    with engine.begin() as connection:
        for _ in range(5):
            attempts.reserve(connection, "ada", HOME, now=NOW)
        attempts.reserve(connection, "ada", HOME, now=NOW + timedelta(hours=1, seconds=1))
        attempts.reserve(connection, "ada", HOME, now=NOW + timedelta(hours=1, seconds=1))


def test_a_good_attempt_takes_back_what_it_counted(engine):
    with engine.begin() as connection:
        for _ in range(100):
            attempts.reserve(connection, "ada", HOME, now=NOW)
            attempts.settle(connection, "ada", HOME, now=NOW)
        assert guess(connection, "ada", ELSEWHERE, NOW) == 0


@pytest.mark.parametrize("way", ["password", "passkey"])
def test_who_comes_in_takes_back_nothing_that_others_counted(engine, way):
    with engine.begin() as connection:
        if way == "password":
            attempts.reserve(connection, "ada", HOME, now=NOW)
            attempts.settle(connection, "ada", HOME, now=NOW)
        now = NOW
        for number in range(55):
            now += timedelta(seconds=guess(connection, f"nobody-{number}", HOME, now))
        for _ in range(55):
            if way == "password":
                attempts.reserve(connection, "ada", HOME, now=now)
                attempts.settle(connection, "ada", HOME, now=now)
            else:
                attempts.welcome(connection, "ada", HOME, now=now)
        assert guess(connection, "new", HOME, now) > 0
