"""A node that dies or sleeps at any call and any commit, before it or after it, and a network that fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from nightlamp.errors import ReportError
from nightlamp.reports import Sender, retract, send_again
from nightlamp.reports.fake import FAULTS, Desk, Fault, Faulty
from nightlamp.reports.fake.desk import Response
from nightlamp.reports.journey import CLEAN_TRIES
from nightlamp.store import Writer

from .conftest import Office
from .model import Wire, minimal


class Crash(BaseException):
    """The process is gone: nothing of ours may catch it."""


class Fate:
    """What happens where, by a seed: at most so many bad things, so that it ends."""

    def __init__(self, seed: int, most: int = 14) -> None:
        self.draw = random.Random(seed)
        self.left = self.draw.randint(1, most)
        self.bad = self.draw.choice((0.1, 0.25, 0.5))
        self.nap: Callable[[], None] = lambda: None  # another node takes over in the meantime
        self.happened: list[str] = []

    def strikes(self, what: str) -> bool:
        if self.left > 0 and self.draw.random() < self.bad:
            self.left -= 1
            self.happened.append(what)
            return True
        return False

    def at(self, place: str) -> None:
        """A point where the process may die, or fall asleep."""
        if self.strikes(place):
            if self.draw.random() < 0.7:
                raise Crash
            self.happened[-1] += " (sleeps)"
            self.nap()

    def fault(self, path: str) -> Fault:
        chosen = self.draw.choice(FAULTS)
        return chosen if self.strikes(f"{path} {chosen}") else ""


class DyingWriter:
    """Commits, and dies before or after it."""

    def __init__(self, writer: Writer, fate: Fate) -> None:
        self._writer, self._fate = writer, fate

    def write(self, work: Callable[..., Any]) -> Any:
        self._fate.at("before a commit")
        result = self._writer.write(work)
        self._fate.at("after a commit")
        return result


def dying(answer: Callable[..., Response], fate: Fate) -> Callable[..., Response]:
    """A wire's other end; this side dies before the request is out, or when the answer is there."""

    def ask(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        fate.at(f"before {path}")
        response = answer(method, path, headers, body)
        fate.at(f"after {path}")
        return response

    return ask


def node(office: Office, desk: Desk, fate: Fate) -> Sender:
    wire = Wire(dying(Faulty(desk.answer, fate.fault).answer, fate))
    writer: Any = DyingWriter(office.writer, fate)
    return Sender(writer, office.client(wire), office.evidence, clock=office.clock, lease=60)


def run(office: Office, seed: int) -> tuple[str, list[str]]:
    """One report under one fate, to its end; raises ``AssertionError`` if the promise is broken."""
    fate = Fate(seed)
    desk = Desk(clock=office.clock, first=1000 * seed + 1)
    made = office.approved(
        files=fate.draw.randint(0, 2), document=minimal(additional_info=f"schedule {seed}")
    )
    takes_back = fate.draw.random() < 0.15

    def takeover() -> None:
        office.clock.move(seconds=fate.draw.choice((61, 61, 3600, 90_000)))
        with suppress(Crash, ReportError):
            node(office, desk, fate).run_once()

    fate.nap = takeover
    for _ in range(300):
        with suppress(Crash, ReportError):
            while node(office, desk, fate).run_once():
                pass
        if takes_back and fate.draw.random() < 0.3:
            takes_back = False
            with suppress(ReportError):
                office.writer.write(
                    lambda c: retract(c, made, by="person:a", reason="a mistake", now=office.clock())
                )
        if not office.moving():
            break
        office.clock.move(seconds=fate.draw.choice((61, 61, 1000, 3700, 90_000)))

    end = office.read(made)
    what = f"seed {seed}: {end.state} ({end.why}) after {fate.happened}"
    assert end.state in ("finished", "person", "retracted"), what
    assert len(desk.finished) <= 1, what
    assert (end.state == "finished") == bool(desk.finished) or end.state == "person", what
    if end.state == "person":
        assert end.why, what
        # a person says: go on; the network has come to its senses
        fate.left = 0
        office.writer.write(lambda c: send_again(c, made, by="person:b", now=office.clock()))
        while node(office, desk, fate).run_once():
            pass
        end = office.read(made)
        assert end.state == "finished", what
        assert len(desk.finished) == 1, what
        return "person", fate.happened
    if end.state == "finished":
        [finished] = desk.finished
        assert finished.id == end.remote, what
        for file in end.files:
            assert file.remote is not None, what
            assert finished.files[file.remote].details is not None, what
        # A copy of which nothing is said: only if something else made it, or it was begun anew often enough.
        made_it = any(each.endswith(("1000 after", "twice")) for each in fate.happened)
        assert len(finished.files) == len(end.files) or made_it or end.restarts >= CLEAN_TRIES, what
    return end.state, fate.happened
