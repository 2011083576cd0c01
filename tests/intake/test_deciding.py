"""What the decider does when something that it needs is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from nightlamp.intake import Where, activate_policy, add_policy
from nightlamp.values import Fingerprint

from .conftest import Node, digest, picture

REPEATED = """\
nightlamp-policy: 1
name: repeated
rules:
  - id: again
    when: actor.blocks >= 2 && context.service == 'chat'
    then: review
    reason: "Blocked {actor.blocks} times before."
  - id: exact
    when: matches.exists(m, m.exact)
    then: block
    reason: "Listed."
  - id: unchecked
    when: unchecked != []
    then: review
    reason: "Not checked: {unchecked.what}."
  - id: rest
    when: "true"
    then: allow
    reason: "Nothing."
"""


@pytest.fixture
def repeated(node: Node) -> Node:
    with node.engine.begin() as connection:
        stored = add_policy(connection, REPEATED, actor="t", now=node.now[0])
        activate_policy(connection, stored.id, actor="t", now=node.now[0])
    node.policies.refresh()
    return node


def test_the_policy_sees_the_actors_last_thirty_days_and_where_the_item_came_in(repeated: Node) -> None:
    node = repeated
    data = picture()
    node.add_bank("list", digest("md5", data))
    chat = Where(service="chat")
    assert [node.submit(data, actor="a").action for _ in range(2)] == ["block", "block"]
    assert node.submit(picture(2), actor="a", where=chat).action == "review"
    assert node.submit(picture(2), actor="a").action == "allow"
    assert node.submit(picture(2), actor="b", where=chat).action == "allow"
    assert node.submit(picture(2), where=chat).action == "allow"
    told = node.submit(picture(3), actor="a", where=chat).ruling
    assert (told.history.blocks, told.history.items, told.history.matches) == (2, 4, 2)
    node.now[0] += timedelta(days=31)
    assert node.submit(picture(2), actor="a", where=chat).action == "allow"


def test_an_unknown_history_is_not_checked(repeated: Node) -> None:
    repeated.decider._engine = _Away()
    told = repeated.submit(picture(), actor="a")
    assert told.action == "review"
    assert [(u.what, u.why) for u in told.ruling.verdict.unchecked] == [("actor", "unavailable")]


class _Away:
    """An engine whose database is gone."""

    def connect(self):
        raise ConnectionError


def test_one_fingerprint_that_cannot_be_looked_up_does_not_spoil_the_others(lite: Node) -> None:
    data = picture()
    lite.add_bank("list", digest("md5", data), ("pdq", bytes(32)))
    from nightlamp.intake import Submission

    begun = [
        lite.intake.begin(Submission("k", fingerprints=(f,)))
        for f in (
            Fingerprint(*digest("md5", data)),
            Fingerprint("pdq", b"short", quality=90),
            Fingerprint("md5", bytes(16)),
        )
    ]
    outcomes = [future.result() for future in begun]
    assert [outcome.action for outcome in outcomes] == ["block", "review", "allow"]
    assert [(u.what, u.why) for u in outcomes[1].ruling.verdict.unchecked] == [("pdq", "malformed")]


def test_banks_that_cannot_be_asked_are_not_checked(lite: Node) -> None:
    lite.add_bank("list", digest("md5", picture()))
    spoilt = replace(lite.banks.current(), shelves={"md5": None})

    class Spoilt:
        def current(self):
            return spoilt

    lite.decider._banks = Spoilt()
    told = lite.submit(picture())
    assert told.action == "review"
    assert [(u.what, u.why) for u in told.ruling.verdict.unchecked] == [("banks", "lookup failed")]


def test_before_anything_is_loaded_nothing_is_allowed(lite: Node) -> None:
    from nightlamp.banks.live import LiveBanks
    from nightlamp.intake import ActivePolicy

    lite.decider._banks = LiveBanks(lite.engine)
    told = lite.submit(picture())
    assert told.action == "review"
    assert [u.what for u in told.ruling.verdict.unchecked] == ["banks"]
    lite.decider._policies = ActivePolicy(lite.engine)
    told = lite.submit(picture())
    assert told.action == "review"
    assert {u.what for u in told.ruling.verdict.unchecked} == {"banks", "policy"}
