"""Exactly one finished report, or a clear 'needs a person', whatever crashes and fails."""

from __future__ import annotations

from collections import Counter

import pytest

from .conftest import Office
from .crashing import run


def test_any_crash_and_any_fault_lead_to_one_finished_report(office: Office) -> None:
    ends = Counter(run(office, seed)[0] for seed in range(60))
    assert ends["finished"] > 40
    assert ends["retracted"] > 0


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
