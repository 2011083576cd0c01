from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightlamp.errors import PolicyError
from nightlamp.policy import PROFILES, Context, Origin, Statement, load_cases, profile, run_cases

CASES = Path(__file__).parent / "cases"
HEAD = "nightlamp-policy-cases: 1\npolicy: us\ncases:\n"


@pytest.mark.parametrize("name", PROFILES)
def test_a_shipped_policy_does_what_its_cases_say(name: str) -> None:
    asked, cases = load_cases((CASES / f"{name}.yaml").read_text("utf-8"))

    assert asked == name
    assert [outcome for outcome in run_cases(cases, profile(name)) if outcome.wrong] == []


@pytest.mark.parametrize("name", PROFILES)
def test_the_cases_of_a_shipped_policy_reach_every_rule(name: str) -> None:
    _, cases = load_cases((CASES / f"{name}.yaml").read_text("utf-8"))

    reached = {outcome.verdict.rule for outcome in run_cases(cases, profile(name))}

    assert reached == {rule.id for rule in profile(name).rules}


def test_a_case_that_is_wrong_says_every_difference() -> None:
    given = "given: {matches: [{bank: hotline, exact: true}]}"
    expect = "expect: {action: review, rule: near, reason: stopncii, hold: P2Y, two_person: true}"
    _, cases = load_cases(f"{HEAD}  - name: a\n    {given}\n    {expect}\n")

    (outcome,) = run_cases(cases, profile("us"))

    assert [wrong.split(":")[0] for wrong in outcome.wrong] == [
        "action",
        "rule",
        "hold",
        "two_person",
        "reason",
    ]
    assert "action: expected review, got block" in outcome.wrong


def test_all_facts_can_be_given() -> None:
    _, (case,) = load_cases(
        HEAD
        + """
  - name: everything
    given:
      item: {media_type: image/png, size: 5, width: 1, height: 2, frames: 3}
      origin: {assessment: ai, statements: [{says: ai, evidence: c2pa, forgeable: false}]}
      scores: {adult: 0.5, other: 1}
      actor: {items: 1, matches: 2, reviews: 3, blocks: 4}
      context: {service: chat, room: a, submitted_at: 2026-04-07T00:00:00Z, late: true}
      jurisdiction: UK
    expect: {action: allow}
"""
    )

    facts = case.facts
    assert facts.item.frames == 3
    assert facts.origin == Origin("ai", (Statement("ai", "c2pa", forgeable=False),))
    assert facts.scores == {"adult": 0.5, "other": 1.0}
    assert facts.actor.blocks == 4
    assert facts.context == Context("chat", "a", datetime(2026, 4, 7, tzinfo=UTC), late=True)
    assert facts.jurisdiction == "UK"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cases: []", "cases:1:1: the first line must be the format version. Try: nightlamp-policy-cases: 1"),
        ("nightlamp-policy-cases: 1\ncases: []", "cases:2:8: 'cases' is a list with at least one case"),
        (HEAD + "  - name: a\n", "cases:4:5: a case needs 'expect'"),
        (HEAD + "  - name: a\n    expect: {rule: x}\n", "cases:5:13: 'expect' needs 'action'"),
        (
            HEAD + "  - name: a\n    expcet: {}\n",
            "cases:5:5: there is no 'expcet'. Try: did you mean 'expect'?",
        ),
        (
            HEAD + "  - name: a\n    given:\n      matches: [{bnak: x}]\n    expect: {action: allow}\n",
            "cases:6:18: there is no 'bnak'. Try: did you mean 'bank'?",
        ),
        (
            HEAD + "  - name: a\n    given:\n      matches: [{trust: top}]\n    expect: {action: allow}\n",
            "cases:6:25: 'trust' is one of low, medium, high",
        ),
        (
            HEAD + "  - name: a\n    given:\n      item: {size: big}\n    expect: {action: allow}\n",
            "cases:6:20: an int was expected",
        ),
        (
            HEAD + "  - name: a\n    given:\n      unchecked: [{what: pdq}]\n    expect: {action: allow}\n",
            "cases:6:19: 'why' is missing",
        ),
        ("a: &x [*x]", "cases:1:4: anchors and aliases are not offered. Try: write the value again"),
    ],
)
def test_a_mistake_in_a_cases_file_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(PolicyError) as error:
        load_cases(text)

    assert str(error.value) == told
