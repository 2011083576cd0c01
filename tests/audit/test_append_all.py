from __future__ import annotations

import pytest
from sqlalchemy import Engine

from nightlamp.audit import Draft, PublicKeys, append, append_all, verify_log
from nightlamp.audit.log import links
from nightlamp.errors import AuditError
from nightlamp.store import reading


def test_many_records_at_once_are_a_chain_like_one_by_one(engine: Engine) -> None:
    drafts = [Draft("system", "item.decided", f"item:{at}", {"n": at}) for at in range(5)]
    with engine.begin() as connection:
        first = append(connection, "system", "item.decided", "item:x")
        placed = append_all(connection, drafts)
        last = append(connection, "system", "item.decided", "item:y")
        assert append_all(connection, []) == []
    assert [first.sequence, *(each.sequence for each in placed), last.sequence] == list(range(1, 8))
    with reading(engine) as connection:
        stored = list(links(connection))
        assert verify_log(connection, PublicKeys.of([])).intact
    assert [link.hash for link in stored] == [first.hash, *(each.hash for each in placed), last.hash]
    assert [link.record["subject"] for link in stored[1:-1]] == [draft.subject for draft in drafts]


def test_one_that_may_not_stand_in_the_log_means_that_none_is_written(engine: Engine) -> None:
    good, bad = Draft("system", "item.decided", "item:1"), Draft("system", "item.decided", "0" * 32)
    with pytest.raises(AuditError), engine.begin() as connection:
        append_all(connection, [good, bad])
    with reading(engine) as connection:
        assert list(links(connection)) == []
