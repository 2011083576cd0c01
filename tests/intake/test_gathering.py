"""How items gather into groups before they are looked up: only while others are in line for the workers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import pytest

from nightlamp.intake import Examiner, intake
from nightlamp.store import connect, metadata
from nightlamp.values import Examination

from .conftest import Node, build

LONG = 60.0


class Held:
    """A pool that examines when it is told to."""

    def __init__(self) -> None:
        self.line: list[Future[Examination]] = []

    def examine(self, source, *, received=None) -> Future[Examination]:
        self.line.append(Future())
        return self.line[-1]

    def let_through(self, count: int) -> None:
        """The first in line are examined."""
        ready, self.line = self.line[:count], self.line[count:]
        for each in ready:
            each.set_result(Examination("image/png", 1))


@pytest.fixture
def pool() -> Held:
    return Held()


@pytest.fixture
def held(sqlite_url: str, tmp_path: Path, pool: Held) -> Iterator[Node]:
    engine = connect(sqlite_url)
    metadata.create_all(engine)
    examiner = Examiner(lambda: contextlib.nullcontext(pool))
    assert examiner.start()
    node = build(engine, tmp_path, examiner)
    yield node
    pool.let_through(len(pool.line))
    node.intake.close()
    node.writer.close()
    engine.dispose()


def begun(node: Node, count: int) -> list[Future]:
    return [node.begin(bytes([at])) for at in range(count)]


def test_who_comes_early_waits_for_company_while_many_are_in_line(held, pool, monkeypatch) -> None:
    # given eight items with the workers, and as much time as it takes
    monkeypatch.setattr(intake, "_LINGER", LONG)
    waiting = begun(held, 8)
    # when one is examined, it waits for its lookup
    pool.let_through(1)
    assert not wait(waiting, 0.3).done
    assert held.intake.load().deciding == 1
    # then they are a group once they are more than those in line, but for the few that are being examined
    pool.let_through(2)
    assert not wait(waiting, 0.3).done
    pool.let_through(1)
    assert all(each.result(LONG) for each in waiting[:4])
    assert not any(each.done() for each in waiting[4:])


def test_nobody_waits_for_ever_for_those_in_line(held, pool) -> None:
    waiting = begun(held, 8)
    pool.let_through(1)
    assert waiting[0].result(LONG)
    assert not any(each.done() for each in waiting[1:])


def test_nobody_waits_where_nobody_is_in_line(held, pool, monkeypatch) -> None:
    monkeypatch.setattr(intake, "_LINGER", 1e6)
    for waiting in begun(held, 3):
        pool.let_through(1)
        assert waiting.result(LONG)


def test_what_still_gathers_is_finished_when_intake_closes(held, pool, monkeypatch) -> None:
    monkeypatch.setattr(intake, "_LINGER", LONG)
    waiting = begun(held, 20)
    pool.let_through(20)
    held.intake.close()
    assert all(each.result(0) for each in waiting)
