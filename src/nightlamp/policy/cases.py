"""Test cases of a policy, as a YAML file beside it: given facts, the expected verdict.

::

    nightlamp-policy-cases: 1
    policy: us                  # a profile, or a file beside this one
    cases:
      - name: an equal digest is blocked
        given:
          matches: [{bank: ncmec, exact: true}]
        expect: {action: block, rule: exact}
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, cast

from nightlamp.errors import PolicyError
from nightlamp.policy import document as yaml
from nightlamp.policy.decide import decide
from nightlamp.policy.facts import Actor, Context, Facts, Item, Origin, Statement
from nightlamp.policy.rules import Policy, Rules
from nightlamp.policy.schema import RECORDS
from nightlamp.values import AS_IS, Bank, Fingerprint, Match, Trust, Unchecked, Verdict

FORMAT = 1
T = TypeVar("T")
_EXPECT = ("action", "rule", "reason", "hold", "priority", "queue", "two_person", "confirms")
_BOOL = ("two_person", "confirms")
_SHOWN_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "double": (int, float), "bool": (bool,)}


@dataclass(frozen=True, slots=True)
class Case:
    """One case; of what it expects, ``reason`` must occur in one of the reasons, the rest be equal."""

    name: str
    line: int
    facts: Facts
    expect: dict[str, str | bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case; ``wrong`` tells each difference, ``()`` is a pass."""

    case: Case
    verdict: Verdict
    wrong: tuple[str, ...]


def load_cases(text: str, *, where: str = "cases") -> tuple[str, list[Case]]:
    """The name of the policy that the file asks for (``""`` if it does not) and its cases.

    Raises:
        PolicyError: the file cannot be read; with line and column.
    """
    try:
        root = yaml.read(text)
        top = _mapping(root, ("nightlamp-policy-cases", "policy", "cases"))
        if getattr(top.get("nightlamp-policy-cases"), "value", None) != FORMAT:
            raise _error(
                root, "the first line must be the format version", f"nightlamp-policy-cases: {FORMAT}"
            )
        listed = top.get("cases")
        if not isinstance(listed, yaml.Listing) or not listed.items:
            raise _error(listed or root, "'cases' is a list with at least one case")
        policy = str(_scalar(top["policy"], "string")) if "policy" in top else ""
        return policy, [_case(node) for node in listed.items]
    except yaml.DocumentError as error:
        at = f"{where}:{error.line}:{error.column}"
        raise PolicyError(error.what, where=at, hint=error.hint) from None


def run_cases(cases: Iterable[Case], policy: Policy | Rules) -> list[Outcome]:
    """Decide every case and compare with what it expects."""
    return [_outcome(case, decide(case.facts, policy)) for case in cases]


def _outcome(case: Case, verdict: Verdict) -> Outcome:
    handling = verdict.handling
    got: dict[str, str | bool] = {
        "action": verdict.action,
        "rule": verdict.rule,
        "hold": str(handling.hold or "none"),
        "priority": handling.priority,
        "queue": handling.queue,
        "two_person": handling.two_person,
        "confirms": handling.confirms,
    }
    wrong = [
        f"{name}: expected {wanted}, got {got[name]}"
        for name, wanted in case.expect.items()
        if name != "reason" and got[name] != wanted
    ]
    reason = str(case.expect.get("reason", ""))
    if not any(reason in told for told in (*verdict.reasons, "")[: len(verdict.reasons) or 1]):
        wrong.append(f"reason: {reason!r} is in none of {list(verdict.reasons)}")
    return Outcome(case, verdict, tuple(wrong))


def _case(node: yaml.Node) -> Case:
    parts = _mapping(node, ("name", "given", "expect"))
    for needed in ("name", "expect"):
        if needed not in parts:
            raise _error(node, f"a case needs {needed!r}")
    wanted = _mapping(parts["expect"], _EXPECT)
    if "action" not in wanted:
        raise _error(parts["expect"], "'expect' needs 'action'")
    expect = {
        name: cast("str | bool", _scalar(value, "bool" if name in _BOOL else "string"))
        for name, value in wanted.items()
    }
    facts = _facts(parts["given"]) if "given" in parts else Facts()
    return Case(str(_scalar(parts["name"], "string")), node.line, facts, expect)


def _facts(node: yaml.Node) -> Facts:
    given = _mapping(node, tuple(RECORDS["facts"]))
    item = _values(given.get("item"), "item")
    origin = _mapping(given["origin"], ("assessment", "statements")) if "origin" in given else {}
    matches = [_match(_values(each, "match", "benign")) for each in _items(given.get("matches"))]
    if item.pop("known", False):
        matches.append(_match({"bank": "known files", "exact": True, "benign": True}))
    scores = given.get("scores")
    if scores is not None and not isinstance(scores, yaml.Mapping):
        raise _error(scores, "'scores' is a mapping from names to numbers")
    return Facts(
        tuple(matches),
        tuple(Unchecked(**_needed(each, "unchecked")) for each in _items(given.get("unchecked"))),
        _built(Item, item),
        Origin(
            str(_scalar(origin["assessment"], "string")) if "assessment" in origin else "",
            tuple(_built(Statement, _needed(each, "statement")) for each in _items(origin.get("statements"))),
        ),
        {name: float(cast(float, _scalar(v, "double"))) for name, v in scores.items.items()}
        if scores
        else {},
        _built(Actor, _values(given.get("actor"), "actor")),
        _built(Context, _values(given.get("context"), "context")),
        str(_scalar(given["jurisdiction"], "string")) if "jurisdiction" in given else "",
    )


def _match(given: dict[str, Any]) -> Match:
    """A match as a rule would see it; by default a perceptual one at distance 0, medium trust."""
    exact, of_bank = given.get("exact", False), given.get("bank_category", "")
    category = given.get("category", of_bank)
    trust = cast(Trust, given.get("trust", "medium"))
    bank = Bank(
        given.get("bank", "a bank"), given.get("source", ""), of_bank, trust, given.get("benign", False)
    )
    signal = given.get("signal", "sha256" if exact else "pdq")
    quality = None if exact else 100
    fingerprint = Fingerprint(signal, b"", given.get("view", AS_IS), given.get("frame", 0), quality)
    distance = 0 if exact else given.get("distance", 0)
    return Match(fingerprint, bank, "", category, distance, given.get("disputed", False))


def _values(node: yaml.Node | None, record: str, *more: str) -> dict[str, Any]:
    """The record's fields that are given, checked; ``more`` are further bools."""
    if node is None:
        return {}
    known = RECORDS[record]
    given = _mapping(node, (*known, *more))
    found: dict[str, Any] = {}
    for name, value in given.items():
        found[name] = _scalar(value, known[name].type.name if name in known else "bool")
        if name in known and known[name].values and found[name] not in known[name].values:
            raise _error(value, f"{name!r} is one of {', '.join(known[name].values)}")
    return found


def _needed(node: yaml.Node, record: str) -> dict[str, Any]:
    given = _values(node, record)
    for name, field in RECORDS[record].items():
        if name not in given and field.type.name != "bool":
            raise _error(node, f"{name!r} is missing")
    return given


def _built(kind: type[T], given: dict[str, Any]) -> T:
    names = {field.name for field in fields(cast(Any, kind))}
    return kind(**{name: value for name, value in given.items() if name in names})


def _items(node: yaml.Node | None) -> tuple[yaml.Node, ...]:
    if node is None:
        return ()
    if not isinstance(node, yaml.Listing):
        raise _error(node, "a list was expected", "write [ ]")
    return node.items


def _mapping(node: yaml.Node, known: tuple[str, ...]) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.Mapping):
        raise _error(node, "a mapping was expected", "write key: value")
    for name, key in node.keys.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(known)
            raise _error(key, f"there is no {name[:40]!r}", hint)
    return node.items


def _scalar(node: yaml.Node, kind: str) -> str | int | float | bool | datetime:
    value = node.value if isinstance(node, yaml.Scalar) else None
    if kind == "timestamp" and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment
        raise _error(node, "no moment with a time zone", "write e.g. 2026-04-07T00:00:00Z")
    wanted = _SHOWN_TYPES.get(kind, (str,))
    if value is None or not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
        raise _error(node, f"{'an' if kind == 'int' else 'a'} {kind} was expected")
    return value


def _error(node: yaml.Node, what: str, hint: Literal[""] | str = "") -> yaml.DocumentError:
    return yaml.DocumentError(what, node.line, node.column, hint)
