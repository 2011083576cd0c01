"""Exactly one finished report, or a clear 'needs a person', whatever crashes and fails."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from nightlamp.cases import Opener
from nightlamp.errors import CaseError, ReportError
from nightlamp.reports import approve, remember, send_again
from nightlamp.reports.fake import Desk

from .conftest import Office
from .crashing import Crash, DyingWriter, Fate, node, run
from .test_by_rule import CSAM, Shop


def test_any_crash_and_any_fault_lead_to_one_finished_report(office: Office) -> None:
    ends = Counter(run(office, seed)[0] for seed in range(60))
    assert ends["finished"] > 40
    assert ends["retracted"] > 0


def test_and_so_they_do_on_either_database(either: Office) -> None:
    ends = Counter(run(either, seed)[0] for seed in range(60, 66))
    assert ends["finished"] > 3


def decided(office: Office, seed: int) -> list[str]:
    """A person's decision, with a node that dies at any commit from the item's case to the sent report."""
    fate = Fate(seed)
    desk = Desk(clock=office.clock, first=100_000 * seed + 1)
    shop = Shop(office)
    shop.policy(confirms=False)
    actor = f"u-{seed}"
    items = [shop.submit(actor) for _ in range(fate.draw.randint(1, 3))]
    writer: Any = DyingWriter(office.writer, fate)

    def approved(report: str, version: int) -> None:
        writer.write(lambda c: approve(c, report, version=version, by="person:b", now=office.clock()))

    def step() -> None:
        opener = Opener(office.engine, writer, confirmed=remember, clock=office.clock)
        while opener.run_once():
            pass
        while case := shop.undecided():
            shop.answer(case, CSAM, apply=False, writer=writer)
        shop.apply(writer)
        for each in shop.reports(actor):
            if each.state == "draft":
                approved(each.id, each.version)
            elif each.state == "person":  # who looks at it, and says: go on
                office.writer.write(
                    lambda c, of=each.id: send_again(c, of, by="person:b", now=office.clock())
                )
        sender = node(office, desk, fate)
        while sender.run_once():
            pass

    for _ in range(200):
        with suppress(Crash, ReportError, CaseError):
            step()
        office.clock.move(minutes=fate.draw.choice((2, 16, 70)))
        mine = shop.reports(actor)
        if mine and not shop.waiting() and {each.state for each in mine} == {"finished"}:
            break
    what = f"seed {seed}: {[(each.state, each.why) for each in mine]} after {fate.happened}"
    assert [each.state for each in mine] == ["finished"], what
    assert [each.id for each in desk.finished] == [mine[0].remote], what
    assert sorted(file.item or "" for file in mine[0].files) == sorted(items), what
    return fate.happened


def test_a_persons_decision_is_one_finished_report_whatever_crashes(either: Office) -> None:
    happened = [each for seed in range(4) for each in decided(either, seed)]
    assert {"before a commit", "after a commit"} <= {each.removesuffix(" (sleeps)") for each in happened}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thousands_of_schedules(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    struck: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for seed in range(1000, 4000):
        end, happened = run(office, seed)
        ends[end] += 1
        struck.update(happened)
    with capsys.disabled():
        print(dict(ends), sum(struck.values()), "faults and crashes of", len(struck), "kinds")
    assert ends["finished"] > 2000


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hundreds_of_decisions(office: Office) -> None:
    for seed in range(100, 400):
        decided(office, seed)
