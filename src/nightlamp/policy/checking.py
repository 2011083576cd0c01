"""Check an expression against the fields that there are: names, types, values that a field never has.

It also learns what the expression asks about, so that the engine hands over nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Literal as OneOf

from nightlamp.policy import expression as cel
from nightlamp.policy.schema import (
    BOOL,
    DOUBLE,
    DURATION,
    FACTS,
    INT,
    RECORDS,
    STRING,
    TIMESTAMP,
    Field,
    Type,
)

_GETTERS = {
    *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours"),
    *("getMinutes", "getSeconds"),
}
_STRING_TESTS = {"contains", "startsWith", "endsWith"}
_FUNCTIONS = {*_GETTERS, *_STRING_TESTS, *cel.MACROS, "size", "has", "int", "double", "timestamp", "duration"}
_HINTS = {
    "matches": "regular expressions are not offered: use startsWith, endsWith or contains",
    "lower": "values are compared as they are",
}
MAX_LOOPS = 2
_DURATION = re.compile(r"(\d{1,9}(\.\d{1,9})?(h|m|s|ms))+")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at an offset of an expression."""

    at: int
    what: str
    hint: str = ""
    severity: OneOf["error", "warning"] = "error"


@dataclass(slots=True)
class Learnt:
    """What is known of an expression once it was checked.

    Args:
        problems: in the order of the text.
        uses: (record, field) pairs that it asks about.
        counts: records whose lists it counts, filters or indexes, so that equal ones must not be folded.
        loops: how deep its loops over lists are nested.
    """

    problems: list[Problem] = field(default_factory=list)
    uses: set[tuple[str, str]] = field(default_factory=set)
    counts: set[str] = field(default_factory=set)
    loops: int = 0


def check(node: cel.Node, banks: Collection[str] | None = None) -> Learnt:
    """Check a rule's whole expression, which must be a bool.

    Args:
        node: from ``expression.parse``.
        banks: the names of all banks, if known: then a rule that names another is an error.
    """
    checker = _Checker(banks)
    result = checker.type_of(node, {})
    if result is not None and result != BOOL:
        checker.problem(node.at, f"a rule asks yes or no, but this is {_a(result)}", "compare it")
    checker.ask_for_guards()
    checker.learnt.problems.sort(key=lambda problem: problem.at)
    return checker.learnt


class _Checker:
    def __init__(self, banks: Collection[str] | None) -> None:
        self.banks = banks
        self.learnt = Learnt()
        self.depth = 0
        self.guarded: list[cel.Node] = []
        self.may_be_absent: list[tuple[cel.Node, int, str]] = []

    def problem(
        self, at: int, what: str, hint: str = "", severity: OneOf["error", "warning"] = "error"
    ) -> None:
        self.learnt.problems.append(Problem(at, what, hint, severity))

    def type_of(self, node: cel.Node, scope: Mapping[str, Type]) -> Type | None:
        """The node's type; None after a problem, so that one mistake is told once."""
        match node:
            case cel.Literal(value=value):
                return {bool: BOOL, int: INT, float: DOUBLE, str: STRING}[type(value)]
            case cel.Name():
                return self.name(node, scope)
            case cel.Select():
                return self.select(node, scope)
            case cel.Has():
                return self.has(node, scope)
            case cel.Index():
                return self.index(node, scope)
            case cel.Call():
                return self.call(node, scope)
            case cel.Loop():
                return self.loop(node, scope)
            case cel.Listing(items=items):
                types = [self.type_of(item, scope) for item in items]
                if len(set(types)) > 1 and None not in types:
                    self.problem(node.at, "a list of different types", "let all elements have one type")
                    return None
                return Type("list", types[0] if types else None)
            case cel.Not(of=of):
                self.want(of, BOOL, scope, "'!' takes a bool")
                return BOOL
            case cel.Minus(of=of):
                found = self.type_of(of, scope)
                if found not in (INT, DOUBLE, None):
                    self.problem(node.at, f"'-' takes a number, not {_a(found)}")
                return found
            case cel.Logic(sign=sign, terms=terms):
                for term in terms:
                    self.want(term, BOOL, scope, f"{sign!r} joins bools")
                return BOOL
            case cel.Choice(test=test, yes=yes, no=no):
                self.want(test, BOOL, scope, "'?' follows a bool")
                first, second = self.type_of(yes, scope), self.type_of(no, scope)
                if None not in (first, second) and first != second:
                    self.problem(node.at, f"one branch is {_a(first)}, the other {_a(second)}")
                    return None
                return first
            case cel.Binary():
                return self.binary(node, scope)
        raise AssertionError(node)

    def count(self, kind: Type | None) -> None:
        if kind and kind.of:
            self.learnt.counts.add(kind.of.name)

    def want(self, node: cel.Node, wanted: Type, scope: Mapping[str, Type], told: str) -> None:
        found = self.type_of(node, scope)
        if found not in (wanted, None):
            self.problem(node.at, f"{told}, not {_a(found)}")

    def name(self, node: cel.Name, scope: Mapping[str, Type]) -> Type | None:
        if node.name in scope:
            return scope[node.name]
        if node.name in FACTS:
            self.learnt.uses.add(("facts", node.name))
            return FACTS[node.name].type
        self.problem(node.at, f"there is no {node.name!r}", _close(node.name, [*FACTS, *scope]))
        return None

    def select(self, node: cel.Select, scope: Mapping[str, Type]) -> Type | None:
        of = self.type_of(node.of, scope)
        if of is None:
            return None
        if of.name == "map":
            self.may_be_absent.append((node, node.at, f"has({_told(node)})"))
            return of.of
        fields = RECORDS.get(of.name)
        if fields is None:
            hint = "ask .exists(x, x.… ) for any of them" if of.name == "list" else ""
            self.problem(node.at, f"{_a(of)} has no fields", hint)
            return None
        if node.name not in fields:
            self.problem(node.at, f"{_a(of)} has no {node.name!r}", _close(node.name, fields))
            return None
        self.learnt.uses.add((of.name, node.name))
        if fields[node.name].optional:
            self.may_be_absent.append((node, node.at, f"has({_told(node)})"))
        return fields[node.name].type

    def has(self, node: cel.Has, scope: Mapping[str, Type]) -> Type:
        absent = len(self.may_be_absent)
        problems = len(self.learnt.problems)
        self.select(node.what, scope)
        if len(self.may_be_absent) > absent:
            del self.may_be_absent[absent:]
            self.guarded.append(node.what)
        elif len(self.learnt.problems) == problems:
            self.problem(node.at, f"{_told(node.what)} is always there", "compare it instead", "warning")
        return BOOL

    def index(self, node: cel.Index, scope: Mapping[str, Type]) -> Type | None:
        of, key = self.type_of(node.of, scope), self.type_of(node.key, scope)
        if of is None or key is None:
            return None
        if of.name == "map" and key == STRING:
            self.may_be_absent.append((node, node.at, f"{_told(node.key)} in {_told(node.of)}"))
            return of.of
        if of.name == "list" and key == INT:
            self.count(of)
            self.problem(node.at, "the element may be absent", "ask .exists(x, …) instead", "warning")
            return of.of
        self.problem(node.at, f"{_a(of)} is not indexed by {_a(key)}")
        return None

    def call(self, node: cel.Call, scope: Mapping[str, Type]) -> Type | None:
        types = [self.type_of(argument, scope) for argument in node.arguments]
        if node.name not in _FUNCTIONS:
            hint = _HINTS.get(node.name) or _close(node.name, _FUNCTIONS)
            self.problem(node.at, f"there is no function {node.name!r}", hint)
            return None
        if None in types:
            return None
        names = tuple(kind.name for kind in types if kind)
        if node.name == "size" and names in (("string",), ("list",), ("map",)):
            self.count(types[0])
            return INT
        if node.method and node.name in _STRING_TESTS and names == ("string", "string"):
            return BOOL
        if node.method and node.name in _GETTERS and names == ("timestamp",):
            return INT
        if not node.method and node.name in ("int", "double") and names in (("int",), ("double",)):
            return INT if node.name == "int" else DOUBLE
        if not node.method and node.name in ("timestamp", "duration") and names == ("string",):
            return self.moment(node)
        takes = ", ".join(map(str, types[1:] if node.method else types)) or "nothing"
        self.problem(
            node.at,
            f"{node.name}() is not offered {'on ' + _a(types[0]) + ' ' if node.method else ''}with {takes}",
        )
        return None

    def moment(self, node: cel.Call) -> Type | None:
        text = node.arguments[0]
        if not (isinstance(text, cel.Literal) and isinstance(text.value, str)):
            self.problem(node.at, f"{node.name}() takes a text in quotes")
            return None
        if node.name == "duration":
            if not _DURATION.fullmatch(text.value):
                self.problem(text.at, "no duration", "write e.g. '36h' or '90m'")
            return DURATION
        try:
            moment = datetime.fromisoformat(text.value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or "T" not in text.value:
            self.problem(text.at, "no moment with a time zone", "write e.g. '2026-04-07T00:00:00Z'")
        return TIMESTAMP

    def loop(self, node: cel.Loop, scope: Mapping[str, Type]) -> Type | None:
        over = self.type_of(node.over, scope)
        if over is not None and (over.name != "list" or over.of is None):
            self.problem(node.at, f".{node.macro}() loops over a list, not {_a(over)}")
            over = None
        if node.variable in FACTS or node.variable in scope:
            self.problem(node.at, f"the loop variable {node.variable!r} hides a field", "choose another name")
        if node.macro not in ("exists", "all"):
            self.count(over)
        self.depth += 1
        if self.depth > MAX_LOOPS:
            self.problem(node.at, f"loops nested deeper than {MAX_LOOPS} levels", "split it in several rules")
        self.learnt.loops = max(self.learnt.loops, self.depth)
        element = over.of if over and over.of else None
        if element is None:
            self.depth -= 1
            return Type("list") if node.macro in ("filter", "map") else BOOL
        body = self.type_of(node.body, {**scope, node.variable: element})
        self.depth -= 1
        if node.macro == "map":
            return Type("list", body) if body else None
        if body not in (BOOL, None):
            self.problem(node.body.at, f".{node.macro}() asks yes or no of each, but this is {_a(body)}")
        return over if node.macro == "filter" else BOOL

    def binary(self, node: cel.Binary, scope: Mapping[str, Type]) -> Type | None:
        left, right = self.type_of(node.left, scope), self.type_of(node.right, scope)
        if left is None or right is None:
            return BOOL if node.sign in ("==", "!=", "<", "<=", ">", ">=", "in") else None
        result = _result(node.sign, left, right)
        if result is None:
            hint = "wrap the int in double(…)" if {left, right} == {INT, DOUBLE} else ""
            self.problem(node.at, f"{node.sign!r} is not offered between {_a(left)} and {_a(right)}", hint)
            return BOOL if node.sign in ("==", "!=", "<", "<=", ">", ">=", "in") else None
        if node.sign in ("/", "%") and isinstance(node.right, cel.Literal) and node.right.value == 0:
            self.problem(node.at, "division by zero")
        if _is_empty(node.left) or _is_empty(node.right):
            return result  # x == [] asks for emptiness alone
        if node.sign == "in" and right.name == "map":
            self.guarded.append(cel.Index(node.at, node.right, node.left))
        self.values(node, node.left, node.right, scope)
        self.values(node, node.right, node.left, scope)
        return result

    def values(self, node: cel.Binary, asked: cel.Node, given: cel.Node, scope: Mapping[str, Type]) -> None:
        """Compare the literals that a field is compared with to those that it can have."""
        if not isinstance(asked, cel.Select) or node.sign not in ("==", "!=", "in"):
            return
        literals = given.items if isinstance(given, cel.Listing) else (given,)
        record = self.quiet_type(asked.of, scope)
        found: Field | None = RECORDS.get(record.name, {}).get(asked.name) if record else None
        for literal in literals:
            if found is None or not (isinstance(literal, cel.Literal) and isinstance(literal.value, str)):
                continue
            if found.values and literal.value not in found.values:
                one_of = " or ".join(map(repr, found.values))
                self.problem(literal.at, f"{_told(asked)} is never {literal.value!r}", f"write {one_of}")
            elif (record, asked.name) == (Type("match"), "bank") and literal.value not in (
                self.banks if self.banks is not None else [literal.value]
            ):
                hint = _close(literal.value, self.banks or ())
                self.problem(literal.at, f"there is no bank {literal.value!r}", hint)

    def quiet_type(self, node: cel.Node, scope: Mapping[str, Type]) -> Type | None:
        """The type of a node that was checked before, without telling its problems again."""
        learnt, absent = self.learnt, list(self.may_be_absent)
        self.learnt = Learnt()
        found = self.type_of(node, scope)
        self.learnt, self.may_be_absent = learnt, absent
        return found

    def ask_for_guards(self) -> None:
        """Warn of what may be absent where the rule does not ask first: then the rule cannot be evaluated."""
        told: set[str] = set()
        for node, at, guard in self.may_be_absent:
            if not any(_same_place(node, known) for known in self.guarded) and guard not in told:
                told.add(guard)
                self.problem(at, f"{_told(node)} may be absent", f"ask first: {guard} && …", "warning")


def _result(sign: str, left: Type, right: Type) -> Type | None:
    numbers = {left, right} <= {INT, DOUBLE}
    if sign == "in":
        if right == Type("map", DOUBLE):
            return BOOL if left == STRING else None
        element = right.of if right.name == "list" else left
        return BOOL if right.name == "list" and element in (None, left) and left.name not in RECORDS else None
    if sign in ("==", "!="):
        same = left == right or (left.name == right.name == "list" and None in (left.of, right.of))
        plain = left.name not in RECORDS and left.name != "map" and not _of_records(left, right)
        return BOOL if numbers or (same and plain) else None
    if sign in ("<", "<=", ">", ">="):
        ordered = left == right and left in (STRING, TIMESTAMP, DURATION)
        return BOOL if numbers or ordered else None
    if left == right and (left == INT or (left == DOUBLE and sign != "%")):
        return left
    moments = {
        ("-", TIMESTAMP, TIMESTAMP): DURATION,
        ("-", TIMESTAMP, DURATION): TIMESTAMP,
        ("+", TIMESTAMP, DURATION): TIMESTAMP,
        ("+", STRING, STRING): STRING,
    }
    return moments.get((sign, left, right))


def _of_records(left: Type, right: Type) -> bool:
    """Two lists of records: only with ``[]`` can such a list be compared."""
    return left.of is not None and right.of is not None and left.of.name in RECORDS


def _is_empty(node: cel.Node) -> bool:
    return isinstance(node, cel.Listing) and not node.items


def _same_place(one: cel.Node, other: cel.Node) -> bool:
    """``scores.x`` and ``scores['x']`` are the same place."""

    def parts(node: cel.Node) -> tuple[object, ...]:
        match node:
            case cel.Select(of=of, name=name):
                return (*parts(of), name)
            case cel.Index(of=of, key=cel.Literal(value=key)):
                return (*parts(of), key)
            case _:
                return (node,)

    return parts(one) == parts(other)


def _told(node: cel.Node) -> str:
    match node:
        case cel.Name(name=name):
            return name
        case cel.Select(of=of, name=name):
            return f"{_told(of)}.{name}"
        case cel.Index(of=of, key=key):
            return f"{_told(of)}[{_told(key)}]"
        case cel.Literal(value=value):
            return repr(value)
        case _:
            return "…"


def _a(kind: Type | None) -> str:
    text = str(kind)
    return f"an {text}" if text[0] in "aeio" else f"a {text}"


def _close(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"did you mean {near[0]!r}?" if near else "known: " + (", ".join(sorted(known)[:20]) or "none")
