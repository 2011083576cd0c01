"""A policy: rules tried from top to bottom. ``Policy`` is the short way to write the usual ones.

Both are plain values: they compare, pickle and hash. What the CEL engine makes of them is kept beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nightlamp.policy.checking import Learnt, check
from nightlamp.policy.expression import ExpressionError, Node, parse
from nightlamp.policy.reasons import placeholders
from nightlamp.values import NO_HANDLING, Action, Handling, Verdict

SEVERITY: dict[Action, int] = {"allow": 0, "review": 1, "block": 2}
_EVERYTHING_UNKNOWN = Learnt(loops=1)


@dataclass(frozen=True)
class Rule:
    """One rule of a policy.

    Args:
        id: unique in its policy.
        when: a CEL expression over the fields of ``schema``.
        then: the verdict's action where it is true.
        reason: one line for people; ``{fields}`` in braces are filled in. ``""``: the evidence speaks alone.
        handling: what follows for the people and the vault.
    """

    id: str
    when: str
    then: Action
    reason: str = ""
    handling: Handling = NO_HANDLING

    @cached_property
    def tree(self) -> Node | None:
        """The expression as a tree; None if it cannot be read."""
        try:
            return parse(self.when)
        except ExpressionError:
            return None

    @cached_property
    def learnt(self) -> Learnt:
        """What the expression asks about."""
        return check(self.tree) if self.tree is not None else _EVERYTHING_UNKNOWN

    @cached_property
    def program(self) -> Any:
        """The compiled expression; None if it cannot be trusted, which makes the rule fail, never pass."""
        import cel

        if self.tree is None or any(problem.severity == "error" for problem in self.learnt.problems):
            return None
        try:
            return cel.compile(self.when)
        except Exception:  # noqa: BLE001 - the engine tells its parser's mistakes in several ways
            return None

    def __getstate__(self) -> dict[str, object]:
        """The fields alone: a compiled expression does not travel between processes."""
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Rules:
    """A policy file, read.

    Args:
        name: the policy's own.
        rules: the first whose ``when`` is true gives the verdict; none: ``review``.
        jurisdiction: free text; what ``jurisdiction`` means to a rule where the facts do not say.
        without: what the operator knows not to be checked and accepts: names as in
            ``Unchecked.what``, and ``feeds`` for every feed. It is still said in the verdict, but no rule
            sees it.
    """

    name: str
    rules: tuple[Rule, ...]
    jurisdiction: str = ""
    without: frozenset[str] = frozenset()

    def accepts(self, what: str) -> bool:
        """Whether the operator accepts that this, as ``Unchecked.what`` has it, is not checked."""
        return what in self.without or (what.startswith("feed ") and "feeds" in self.without)

    @cached_property
    def uses(self) -> frozenset[tuple[str, str]]:
        """The (record, field) pairs that any rule asks about."""
        return frozenset(pair for rule in self.rules for pair in rule.learnt.uses)

    @cached_property
    def asked(self) -> Mapping[str, tuple[str, ...]]:
        """``uses`` by record; a record that no rule asks about is not in it."""
        records = sorted({record for record, _ in self.uses})
        return {of: tuple(sorted(name for record, name in self.uses if record == of)) for of in records}

    @cached_property
    def of_findings_alone(self) -> bool:
        """Whether neither rules nor reasons ask of anything but matches and what is unchecked."""
        findings = {("facts", "matches"), ("facts", "unchecked"), ("facts", "item"), ("item", "known")}
        asks = {pair for pair in self.uses if pair[0] not in ("match", "unchecked")}
        names = {name.split(".")[0] for rule in self.rules for _, name in placeholders(rule.reason)}
        return asks <= findings and names <= {"matches", "unchecked"}

    @cached_property
    def kept(self) -> dict[str, Verdict]:
        """Where ``decide`` keeps the verdict that most items get."""
        return {}

    @cached_property
    def counts(self) -> frozenset[str]:
        """The records that some rule counts; lists of others may be handed over without repetition."""
        return frozenset(name for rule in self.rules for name in rule.learnt.counts)

    def __getstate__(self) -> dict[str, object]:
        """The fields alone, see ``Rule``."""
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Policy:
    """What each kind of match leads to: five switches that stand for a policy's rules.

    A match in a benign bank (equal digests only) makes the item a *known file*: then nothing that could not
    be examined matters, and a perceptual match alone leads to ``review`` at most. An equal digest in any
    other bank outweighs it.

    Args:
        exact: for an equal md5, sha1, sha256 or other digest.
        near: for a perceptual match within the signal's radius.
        low_trust: for any match in a bank of low trust, instead of the two above.
        unchecked: for an item of which something could not be examined; ``allow`` is not on offer.
        without: what the operator knows not to be checked and accepts: names as in ``Unchecked.what``. It is
            still said in the verdict, but does not change the action.
    """

    exact: Action = "block"
    near: Action = "block"
    low_trust: Action = "review"
    unchecked: Literal["review", "block"] = "review"
    without: frozenset[str] = frozenset()

    @cached_property
    def rules(self) -> Rules:
        """The switches as rules, the gravest action first, so that the first hit is the gravest."""
        kinds: Iterable[tuple[str, str, Action]] = (
            ("exact", "matches.exists(m, m.exact && m.trust != 'low')", self.exact),
            ("near", "!item.known && matches.exists(m, !m.exact && m.trust != 'low')", self.near),
            ("low-trust", "matches.exists(m, m.exact && m.trust == 'low')", self.low_trust),
            ("low-trust-near", "!item.known && matches.exists(m, m.trust == 'low')", self.low_trust),
            ("near-known", "matches.exists(m, !m.exact && m.trust != 'low')", _softened(self.near)),
            ("low-trust-near-known", "matches.exists(m, m.trust == 'low')", _softened(self.low_trust)),
            ("unchecked", "unchecked != []", self.unchecked),
        )
        ordered = sorted(kinds, key=lambda kind: -SEVERITY[kind[2]])
        strict = [Rule(name, when, then) for name, when, then in ordered if then != "allow"]
        return Rules("built-in", (*strict, Rule("nothing-found", "true", "allow")), "", self.without)

    def __getstate__(self) -> dict[str, object]:
        """The switches alone, see ``Rule``."""
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}


def _softened(action: Action) -> Action:
    return min(action, "review", key=SEVERITY.__getitem__)
