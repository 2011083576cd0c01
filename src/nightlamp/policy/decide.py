"""Facts and a policy in, one verdict out: the first rule that is true gives it.

Two things no policy can switch off: what could not be examined is never allowed, and a rule that cannot be
evaluated never counts as "no". And a rule confirms alone only where none above it failed and no benign bank
knows the item.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from nightlamp.policy.facts import Facts
from nightlamp.policy.reasons import filled
from nightlamp.policy.rules import Policy, Rule, Rules
from nightlamp.policy.schema import FACTS, RECORDS, Type
from nightlamp.values import NO_HANDLING, Action, Match, Unchecked, Verdict

MAX_STEPS = 50_000
"""Of a rule's loops on one item: list length to the power of their nesting."""


def decide(facts: Facts, policy: Policy | Rules) -> Verdict:
    """The verdict on one item.

    Rules are tried from top to bottom. One that cannot be evaluated makes the verdict ``review`` at least;
    the rules after it may still block. ``allow`` while something is unchecked becomes ``review``, unless the
    policy accepts it or the item is a known file.

    Args:
        facts: what is known of the item.
        policy: switches or rules.
    """
    rules = policy.rules if isinstance(policy, Policy) else policy
    if not facts.matches and not facts.unchecked and rules.of_findings_alone:
        if "nothing found" not in rules.kept:
            rules.kept["nothing found"] = _decided(Facts(), rules)
        return rules.kept["nothing found"]
    return _decided(facts, rules)


def _decided(facts: Facts, rules: Rules) -> Verdict:
    seen = Seen(facts, rules)
    hit, failed = _first_hit(rules, seen)

    action: Action = hit.then if hit else "review"
    told = filled(hit.reason, seen) if hit else "no rule of the policy applies"
    decisive = hit
    if failed and action != "block":
        action, told, decisive = "review", "", failed[0]
    elif action == "allow" and seen.open:
        action, told = "review", "not everything could be checked, and the policy does not accept that"
    handling = decisive.handling if decisive else NO_HANDLING
    if handling.confirms and (failed or seen.known_by):  # in doubt, a person confirms
        handling = replace(handling, confirms=False)
    reasons = [told, *(f"policy rule {rule.id} could not be evaluated" for rule in failed), *_evidence(seen)]
    return Verdict(
        action,
        tuple(dict.fromkeys(reason for reason in reasons if reason)),
        tuple(sorted(facts.matches, key=_order)),
        tuple(facts.unchecked),
        bool(seen.known_by),
        decisive.id if decisive else "",
        handling,
    )


@dataclass(frozen=True)
class Seen:
    """The facts as a policy's rules see them."""

    facts: Facts
    rules: Rules

    @cached_property
    def hits(self) -> list[Match]:
        """Matches that count."""
        return self.facts.hits

    @cached_property
    def known_by(self) -> list[str]:
        """Benign banks that know the item by digest."""
        return self.facts.known_by

    @cached_property
    def open(self) -> list[Unchecked]:
        """What is unchecked and matters: the policy does not accept it, and the item is no known file."""
        if self.known_by:
            return []
        return [u for u in self.facts.unchecked if not self.rules.accepts(u.what)]

    @property
    def jurisdiction(self) -> str:
        """The item's, or the policy's."""
        return self.facts.jurisdiction or self.rules.jurisdiction

    def variables(self) -> dict[str, Any]:
        """What the CEL engine gets: the fields that some rule asks about, and no others."""
        return {
            name: self._plain(FACTS[name].type, FACTS[name].get(self))
            for name in self.rules.asked.get("facts", ())
        }

    def _plain(self, kind: Type, value: Any) -> Any:
        if kind.name == "list" and kind.of is not None:
            if kind.of.name not in RECORDS:
                return list(value)
            names = self.rules.asked.get(kind.of.name, ())
            rows: Any = [tuple(RECORDS[kind.of.name][name].get(each) for name in names) for each in value]
            # A frame in eight views gives eight matches that a rule cannot tell apart: one of them will do.
            rows = rows if kind.of.name in self.rules.counts else dict.fromkeys(rows)
            return [dict(zip(names, row, strict=True)) for row in rows]
        if kind.name == "map":
            return {key: float(number) for key, number in value.items()}
        if kind.name in RECORDS:
            fields = RECORDS[kind.name]
            plain = {
                name: self._plain(fields[name].type, fields[name].get(value))
                for name in self.rules.asked.get(kind.name, ())
            }
            return {name: field for name, field in plain.items() if field is not None}
        return value


def _first_hit(rules: Rules, seen: Seen) -> tuple[Rule | None, list[Rule]]:
    """The first rule that is true, and those before it that could not be evaluated."""
    failed: list[Rule] = []
    context, longest = _context(seen)
    for rule in rules.rules:
        answer = _answer(rule, context, longest)
        if answer is None:
            failed.append(rule)
        elif answer:
            return rule, failed
    return None, failed


def _context(seen: Seen) -> tuple[Any, int]:
    """The engine's variables and the length of the longest list; None if they cannot be made."""
    import cel

    try:
        variables = seen.variables()
        lists = [value for value in variables.values() if isinstance(value, list)]
        lists += [variables["origin"]["statements"]] if "statements" in variables.get("origin", ()) else []
        return cel.Context(variables), max(map(len, lists), default=0)
    except Exception:  # noqa: BLE001 - a fact of a wrong type: no rule can be evaluated
        return None, 0


def _answer(rule: Rule, context: Any, longest: int) -> bool | None:
    if rule.when == "true":
        return True
    if context is None or rule.program is None or longest**rule.learnt.loops > MAX_STEPS:
        return None
    try:
        answer = rule.program.execute(context)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - a panic of the engine is no Exception, and means "not evaluated" too
        return None
    return answer if isinstance(answer, bool) else None


def _evidence(seen: Seen) -> list[str]:
    """What was found and what could not be checked, a line each, the surest first."""
    found = Counter((not m.exact, m.bank.trust == "low", _told(m)) for m in seen.hits)
    lines = [
        told if count == 1 else f"{told} ({count} times)" for (_, _, told), count in sorted(found.items())
    ]
    if seen.known_by:
        return [*lines, f"a known file by {', '.join(seen.known_by)}"]
    return [*lines, *map(str, seen.facts.unchecked)]


def _told(match: Match) -> str:
    category = f" as {match.category}" if match.category else ""
    disputed = ", disputed" if match.disputed else ""
    if match.exact:
        return f"{match.fingerprint.signal} equal to an entry of {match.bank.name}{category}{disputed}"
    return (
        f"{match.fingerprint.signal} close to an entry of {match.bank.name}{category} "
        f"(distance {match.distance}, {match.fingerprint.view}{disputed})"
    )


def _order(match: Match) -> tuple[object, ...]:
    bank, fingerprint = match.bank, match.fingerprint
    return (
        match.distance,
        (bank.name, bank.source, bank.category, bank.trust, bank.benign),
        match.category,
        fingerprint.signal,
        fingerprint.frame,
        fingerprint.view,
        fingerprint.value,
        match.entry_id,
        match.disputed,
    )
