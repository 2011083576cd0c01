"""Read a policy file: ``lint`` tells all that is wrong with it, ``load`` gives its rules or refuses it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, cast, get_args

from nightlamp.errors import PolicyError
from nightlamp.policy import document as yaml
from nightlamp.policy import reach, reasons
from nightlamp.policy.checking import check
from nightlamp.policy.expression import ExpressionError, parse
from nightlamp.policy.rules import Rule, Rules
from nightlamp.policy.schema import PRIORITIES
from nightlamp.values import Action, Handling, Hold, Priority

FORMAT = 1
MAX_RULES = 200
MAX_BYTES = 100_000
MAX_QUEUE = 100  # characters, as cases store it
_MOST_COVER = 400  # cases of earlier rules that a later one is compared with
_TOP = {
    "nightlamp-policy": True,
    "name": True,
    "rules": True,
    "jurisdiction": False,
    "accept_unchecked": False,
}
_RULE = {
    "id": True,
    "when": True,
    "then": True,
    "reason": True,
    "hold": False,
    "priority": False,
    "queue": False,
    "two_person": False,
    "confirms": False,
}
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PERIOD = re.compile(r"P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,3})W)?(?:(\d{1,5})D)?(?:T(\d{1,6})H)?")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What the linter has to say; ``line`` and ``column`` count from 1."""

    line: int
    column: int
    severity: Literal["error", "warning"]
    what: str
    hint: str = ""

    def __str__(self) -> str:
        """``12:9: error: what. Try: hint``."""
        told = f"{self.line}:{self.column}: {self.severity}: {self.what}"
        return f"{told}. Try: {self.hint}" if self.hint else told


def lint(text: str, banks: Collection[str] | None = None) -> list[Finding]:
    """All that is wrong with a policy file, from top to bottom.

    Args:
        text: of the file.
        banks: the names of all banks, if known: then a rule that names another is an error.
    """
    return _Reader(text, banks).findings


def load(text: str, *, where: str = "policy", banks: Collection[str] | None = None) -> Rules:
    """The rules of a policy file; warnings do not matter here.

    Args:
        text: of the file.
        where: the file's name, for the message.
        banks: see ``lint``.

    Raises:
        PolicyError: the file has errors; the message tells all, with line and column.
    """
    reader = _Reader(text, banks)
    errors = [finding for finding in reader.findings if finding.severity == "error"]
    if errors or reader.rules is None:
        told = "\n".join(f"{where}:{finding}" for finding in errors)
        raise PolicyError(f"{len(errors)} errors\n{told}", where=where, hint="nightlamp policy lint FILE")
    return reader.rules


class _Reader:
    """Walks a document once, gathers findings, and builds the rules as far as they can be built."""

    def __init__(self, text: str, banks: Collection[str] | None) -> None:
        self.banks = banks
        self.findings: list[Finding] = []
        self.rules: Rules | None = None
        try:
            if len(text) > MAX_BYTES:
                raise yaml.DocumentError(f"larger than {MAX_BYTES:,} characters", 1, 1, "split the policy")
            self.read(yaml.read(text))
        except yaml.DocumentError as error:
            self.findings.append(Finding(error.line, error.column, "error", error.what, error.hint))
        self.findings = sorted(dict.fromkeys(self.findings))

    def error(self, node: yaml.Node, what: str, hint: str = "") -> None:
        self.findings.append(Finding(node.line, node.column, "error", what, hint))

    def read(self, root: yaml.Node) -> None:
        top = self.keys(root, _TOP, "a policy")
        if "nightlamp-policy" in top and getattr(top["nightlamp-policy"], "value", None) != FORMAT:
            self.error(top["nightlamp-policy"], "an unknown format version", f"nightlamp-policy: {FORMAT}")
        name = self.text(top.get("name"), "name")
        jurisdiction = self.text(top.get("jurisdiction"), "jurisdiction")
        accepted = frozenset(self.texts(top.get("accept_unchecked"), "accept_unchecked"))
        if "content" in accepted:
            self.error(top["accept_unchecked"], "'content' means that nothing was examined", "leave it out")
        rules = list(self.read_rules(top.get("rules")))
        self.rules = Rules(name, tuple(rules), jurisdiction, accepted)

    def read_rules(self, node: yaml.Node | None) -> Iterator[Rule]:
        if not isinstance(node, yaml.Listing):
            if node is not None:
                self.error(node, "'rules' is a list")
            return
        if not node.items:
            self.error(node, "no rules", "end with a rule of when: true")
        if len(node.items) > MAX_RULES:
            self.error(node.items[MAX_RULES], f"more than {MAX_RULES} rules")
        ids: dict[str, int] = {}
        order = _Order(self)
        for item in node.items[:MAX_RULES]:
            fields = self.keys(item, _RULE, "a rule")
            rule = self.rule(fields)
            if rule.id in ids:
                hint = f"it is the rule in line {ids[rule.id]} already"
                self.error(fields["id"], f"the id {rule.id!r} a second time", hint)
            ids.setdefault(rule.id, item.line)
            order.next(rule, fields.get("when", item), fields.get("then", item))
            yield rule
        if node.items and not order.complete:
            last = node.items[-1]
            self.error(last, "the last rule must catch all that is left", "end with a rule of when: true")

    def rule(self, fields: dict[str, yaml.Node]) -> Rule:
        rule_id = self.text(fields.get("id"), "id")
        if rule_id and not _ID.fullmatch(rule_id):
            self.error(
                fields["id"], f"the id {rule_id[:40]!r}", "small letters, digits, '-' and '_', up to 64"
            )
        then = self.one_of(fields.get("then"), get_args(Action), "then", "review")
        hold = self.hold(fields.get("hold"))
        if then == "allow" and hold is not None:
            self.error(fields["hold"], "content that is allowed is never kept", "leave 'hold' out")
        queue = self.text(fields.get("queue"), "queue")
        if len(queue) > MAX_QUEUE:
            self.error(fields["queue"], "the name of a queue is too long", f"up to {MAX_QUEUE} characters")
        handling = Handling(
            hold,
            cast(Priority, self.one_of(fields.get("priority"), PRIORITIES, "priority", "normal")),
            queue,
            self.boolean(fields.get("two_person"), "two_person"),
            self.boolean(fields.get("confirms"), "confirms"),
        )
        rule = Rule(
            rule_id,
            self.when(fields.get("when")),
            cast(Action, then),
            self.reason(fields.get("reason")),
            handling,
        )
        if handling.confirms:
            self.confirming(rule, fields["confirms"])
        return rule

    def confirming(self, rule: Rule, node: yaml.Node) -> None:
        """A report that no person stands behind must at least stand on something."""
        if rule.then != "block":
            self.error(node, "only what is blocked can be confirmed by a rule", "then: block")
        if rule.handling.hold is None:
            self.error(node, "what is reported must be kept", "hold: P1Y")
        if rule.handling.two_person:
            self.error(node, "'two_person' asks for two people, 'confirms' for none", "leave one out")
        if not {("match", "exact"), ("match", "disputed")} <= rule.learnt.uses:
            told = "it confirms without asking for an equal digest that nobody disputes"
            hint = "matches.exists(m, m.exact && !m.disputed && …)"
            self.findings.append(Finding(node.line, node.column, "warning", told, hint))

    def when(self, node: yaml.Node | None) -> str:
        if isinstance(node, yaml.Scalar) and isinstance(node.value, bool):
            return node.text
        text = self.text(node, "when")
        if not text or not isinstance(node, yaml.Scalar):
            return "false"
        try:
            problems = check(parse(text), self.banks).problems
        except ExpressionError as error:
            self.findings.append(Finding(*node.place(error.at), "error", error.what, error.hint))
            return text
        for problem in problems:
            place = node.place(problem.at)
            self.findings.append(Finding(*place, problem.severity, problem.what, problem.hint))
        if (
            not any(problem.severity == "error" for problem in problems)
            and Rule("", text, "block").program is None
        ):
            self.error(node, "the CEL engine does not take this expression", "write it more plainly")
        return text

    def reason(self, node: yaml.Node | None) -> str:
        text = self.text(node, "reason")
        if isinstance(node, yaml.Scalar):
            for offset, name in reasons.placeholders(text):
                if not reasons.known(name):
                    hint = "write a field such as {matches.bank} or {item.media_type}"
                    told = f"the reason cannot name {name[:40]!r}"
                    self.findings.append(Finding(*node.place(offset), "error", told, hint))
            if not text.strip() or "\n" in text.strip() or len(text) > 300:
                self.error(node, "a reason is one line of up to 300 characters")
        return text.strip()

    def hold(self, node: yaml.Node | None) -> Hold | None:
        if node is None or getattr(node, "value", None) is False:
            return None
        if getattr(node, "value", None) is True:
            return Hold()
        found = _PERIOD.fullmatch(node.text) if isinstance(node, yaml.Scalar) else None
        years, months, weeks, days, hours = (int(part or 0) for part in found.groups()) if found else (0,) * 5
        hold = Hold(years * 12 + months, ((weeks * 7 + days) * 24 + hours) * 3600)
        if hold == Hold():
            self.error(node, "no period", "write P1Y, P6M or P30D, or true for 'until released'")
        return hold

    def keys(self, node: yaml.Node, known: dict[str, bool], what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.Mapping):
            self.error(node, f"{what} is a mapping", "write key: value")
            return {}
        for name, key in node.keys.items():
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(known)
                self.error(key, f"{what} has no {name[:40]!r}", hint)
        for name, needed in known.items():
            if needed and name not in node.items:
                self.error(node, f"{what} needs {name!r}")
        return {name: value for name, value in node.items.items() if name in known}

    def text(self, node: yaml.Node | None, name: str) -> str:
        if node is None:
            return ""
        if not isinstance(node, yaml.Scalar) or not isinstance(node.value, str):
            self.error(node, f"{name!r} is a text", "put it in quotes")
            return ""
        if not node.value:
            self.error(node, f"{name!r} is empty")
        if not node.value.translate({9: 32, 10: 32}).isprintable():
            self.error(node, f"a control character in {name!r}", "leave it out")
        return node.value

    def texts(self, node: yaml.Node | None, name: str) -> list[str]:
        if node is None:
            return []
        if not isinstance(node, yaml.Listing):
            self.error(node, f"{name!r} is a list of texts", "write [a, b]")
            return []
        return [self.text(item, name) for item in node.items]

    def boolean(self, node: yaml.Node | None, name: str) -> bool:
        value = getattr(node, "value", None)
        if node is not None and not isinstance(value, bool):
            self.error(node, f"{name!r} is true or false")
        return value is True

    def one_of(self, node: yaml.Node | None, known: Sequence[str], name: str, default: str) -> str:
        if node is None:
            return default
        value = getattr(node, "value", None)
        if value not in known:
            self.error(node, f"{name!r} is one of {', '.join(known)}")
            return default
        return str(value)


class _Order:
    """What the order of the rules tells: which are never reached, and what an ``allow`` may let pass."""

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader
        self.before: list[reach.Case] = []  # of all rules so far
        self.strict: list[reach.Case] = []  # of those that do not allow
        self.complete = False

    def next(self, rule: Rule, when: yaml.Node, then: yaml.Node) -> None:
        if rule.tree is None or any(problem.severity == "error" for problem in rule.learnt.problems):
            return
        cases = reach.cases(rule.tree)
        if self.complete:
            self.reader.error(
                when, "never reached: a rule above catches everything", "move it up, or drop it"
            )
        elif not cases:
            self.reader.error(when, "never true", "correct it, or drop the rule")
        elif reach.covered(cases, self.before):
            self.reader.error(when, "never reached: rules above catch all of it", "move it up, or drop it")
        elif rule.then == "allow":
            loose = [reach.with_unchecked(case) for case in reach.something_unchecked(cases)]
            if not reach.covered(loose, self.strict):
                told = "it allows although something may be unchecked"
                hint = "put a rule 'when: unchecked != []' above, or add '&& unchecked == []'"
                self.reader.error(then, told, hint)
        room = _MOST_COVER - len(self.before)
        self.before += cases[:room]
        if rule.then != "allow":
            self.strict += cases[:room]
        self.complete = self.complete or () in cases
