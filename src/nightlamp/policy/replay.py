"""What would change: the same facts under two policies, for a dry run before a policy is switched on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from nightlamp.policy.decide import decide
from nightlamp.policy.facts import Facts
from nightlamp.policy.rules import Policy, Rules
from nightlamp.values import Action, Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """An item that the two policies treat differently.

    Args:
        index: of its facts in what was given.
        before, after: the verdicts; their action or their handling differs.
    """

    index: int
    before: Verdict
    after: Verdict


@dataclass(frozen=True, slots=True)
class Replay:
    """The difference between two policies over some facts.

    Args:
        total: how many facts.
        moved: (action before, action after) → how many, those that did not move included.
        changed: how many differ in action or in handling.
        changes: the first of them, up to ``keep``.
    """

    total: int
    moved: dict[tuple[Action, Action], int]
    changed: int
    changes: tuple[Change, ...]


def replay(old: Policy | Rules, new: Policy | Rules, facts: Iterable[Facts], *, keep: int = 1_000) -> Replay:
    """Decide every item twice and compare.

    Args:
        old, new: the policies.
        facts: of past items; read once, so a stream will do.
        keep: how many changes to return in full; all are counted.
    """
    moved: Counter[tuple[Action, Action]] = Counter()
    changes: list[Change] = []
    changed = 0
    for index, each in enumerate(facts):
        before, after = decide(each, old), decide(each, new)
        moved[before.action, after.action] += 1
        if (before.action, before.handling) != (after.action, after.handling):
            changed += 1
            if len(changes) < keep:
                changes.append(Change(index, before, after))
    return Replay(moved.total(), dict(moved), changed, tuple(changes))
