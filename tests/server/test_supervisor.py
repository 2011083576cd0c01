from __future__ import annotations

import io
import threading
import time

import pytest

from nightlamp.server.logs import configure
from nightlamp.server.supervisor import Loop, Supervisor, pause_of


@pytest.fixture(autouse=True)
def log() -> io.StringIO:
    out = io.StringIO()
    configure(out)
    return out


def test_a_loop_runs_again_at_once_while_there_is_more(log: io.StringIO) -> None:
    left, done = [5], threading.Event()

    def work() -> bool:
        left[0] -= 1
        if left[0] == 0:
            done.set()
        return left[0] > 0

    supervisor = Supervisor([Loop("work", 3600, work)])
    supervisor.start()
    assert done.wait(60)
    supervisor.stop(60)
    assert left == [0]


def test_a_loop_that_fails_is_said_to_and_goes_on(log: io.StringIO) -> None:
    fail, counts = [True], []

    def work() -> None:
        if fail[0]:
            raise ValueError("a secret")

    loop = Loop("work", 0.0, work)
    supervisor = Supervisor([loop], lambda name, result: counts.append(result))
    for _ in range(2):
        supervisor.run_once(loop)
        assert loop.why == ""
    supervisor.run_once(loop)
    assert "3 times" in loop.why
    assert "ValueError" in loop.why
    fail[0] = False
    supervisor.run_once(loop)
    assert loop.why == ""
    assert counts == ["failed"] * 3 + ["ok"]
    assert "loop recovered" in log.getvalue()
    assert "a secret" not in log.getvalue() + loop.why


@pytest.mark.parametrize(("every", "longest"), [(0.2, 1.0), (1.0, 5.0), (60.0, 5.0), (3600.0, 300.0)])
def test_what_fails_is_tried_again_soon_and_then_less_often(every: float, longest: float) -> None:
    loop = Loop("work", every, lambda: None, longest=longest)
    assert pause_of(loop) == every
    pauses = []
    for loop.failures in range(1, 2_000):
        pauses.append(pause_of(loop))
    assert pauses[0] <= 0.5
    assert pauses == sorted(pauses)
    assert pauses[-1] == longest


def test_runs_that_did_something_or_failed_are_told(log: io.StringIO) -> None:
    outcomes = iter([3, None, ValueError("a secret")])
    told = []

    def work() -> object:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    loop = Loop("work", 1.0, work)
    supervisor = Supervisor([loop], trace=lambda name, _, error: told.append((name, type(error))))
    for _ in range(3):
        supervisor.run_once(loop)
    assert told == [("work", type(None)), ("work", ValueError)]


def test_stopping_waits_for_the_run_that_is_going_on(log: io.StringIO) -> None:
    begun, finished = threading.Event(), []

    def work() -> None:
        begun.set()
        time.sleep(0.3)
        finished.append(True)

    supervisor = Supervisor([Loop("work", 0.01, work), Loop("idle", 3600, lambda: None)])
    supervisor.start()
    assert begun.wait(60)
    supervisor.stop(120)
    assert finished
    assert not [thread for thread in supervisor._threads if thread.is_alive()]
