"""Nobody waits for ever: whatever breaks around an item, there is an answer, and the count is right."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from nightlamp.errors import IntakeError
from nightlamp.intake import threads
from nightlamp.lookups import Said

from .conftest import Node, digest, picture

PATIENCE = 60.0  # seconds; far more than it takes


def broken(*_: Any) -> Any:
    raise RuntimeError("planted")


@pytest.mark.parametrize("part", ["_watch", "_seen", "watch of the item"])
def test_who_watches_and_breaks_does_no_harm(lite: Node, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    data = picture()
    lite.add_bank("list", digest("md5", data))
    monkeypatch.setattr(lite.intake, *(("_follow", lambda: broken) if " " in part else (part, broken)))

    begun = [lite.begin(each) for each in (data, picture(1))]

    assert [each.result(PATIENCE).action for each in begun] == ["block", "allow"]
    lite.intake.close()  # waits until none is on its way
    assert lite.intake.load().items == 0


class Failing:
    """Look-up services whose answer is an error."""

    def ask(self, _: Any) -> Future[Said]:
        asked: Future[Said] = Future()
        asked.set_exception(RuntimeError("planted"))
        return asked


@pytest.mark.parametrize(("part", "breaks"), [("_follow", broken), ("_lookups", Failing())])
def test_what_breaks_on_the_way_fails_the_item(
    lite: Node, monkeypatch: pytest.MonkeyPatch, part: str, breaks: Any
) -> None:
    monkeypatch.setattr(lite.intake, part, breaks)
    begun = lite.begin(picture())
    with pytest.raises(IntakeError) as caught:
        begun.result(PATIENCE)
    assert caught.value.code == "unavailable"
    lite.intake.close()
    assert (lite.intake.load().items, lite.count("item")) == (0, 0)


def test_what_is_held_needs_no_thread_that_is_not_there_yet(
    lite: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = picture()
    lite.add_bank("list", digest("md5", data))
    monkeypatch.setattr(threading.Thread, "start", broken)
    assert lite.begin(data).result(PATIENCE).action == "block"
    monkeypatch.undo()
    assert lite.count("vault_object") == 1


def test_what_cannot_be_sealed_any_more_fails_and_its_companions_do_not(lite: Node) -> None:
    # given a listed picture, and that the process is ending: no pool takes anything
    held, other = picture(), picture(1)
    lite.add_bank("list", digest("md5", held))
    lite.intake._sealing.shutdown()

    # when it comes with others
    begun = [lite.begin(each) for each in (other, held, other)]

    # then it alone has failed, and nothing of it is there
    with pytest.raises(IntakeError):
        begun[1].result(PATIENCE)
    assert [begun[at].result(PATIENCE).action for at in (0, 2)] == ["allow", "allow"]
    assert (lite.count("item"), lite.count("vault_object")) == (2, 0)


def test_a_pool_that_cannot_be_had_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # given that the third thread cannot be started
    start, made = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        made.append(thread)
        if len(made) == 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)

    # then whoever wants the pool is told, and those that were started have ended
    with pytest.raises(RuntimeError):
        threads.started(4, "test")
    assert not any(thread.is_alive() for thread in made)
