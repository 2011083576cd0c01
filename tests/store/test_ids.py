"""Ids: a UUIDv7 each, no two alike, also over threads and a fork."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from nightlamp.store import new_id


def test_each_is_a_uuid_of_its_own() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = [
            each for part in pool.map(lambda _: [new_id() for _ in range(2_000)], range(4)) for each in part
        ]
    assert len(set(made)) == len(made)
    for each in made[::97]:
        known = uuid.UUID(each)
        assert (str(known), known.version, known.variant) == (each, 7, uuid.RFC_4122)


def test_they_sort_by_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for milliseconds in (1, 2, 1 << 40):
        monkeypatch.setattr("time.time_ns", lambda ms=milliseconds: ms * 1_000_000)
        made.append(new_id())
    assert made == sorted(made)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_makes_none_of_its_parents() -> None:
    new_id()  # the random bytes of many are there
    out, into = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover
        os.write(into, new_id()[-17:].encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(into)
    with os.fdopen(out, "rb") as file:
        assert file.read().decode() != new_id()[-17:]
