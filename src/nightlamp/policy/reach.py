"""Can a rule ever be reached? Sound, not complete: what is claimed here holds; not everything is found.

A condition becomes a list of *cases* joined by "or", each a list of *atoms* joined by "and". A case is
covered by another if each atom of the other follows from one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from typing import TypeAlias

from nightlamp.policy import expression as cel

Case: TypeAlias = tuple[cel.Node, ...]
Value: TypeAlias = bool | int | float | str | Fraction | None

_MOST_CASES = 16
_OPPOSITE = {"==": "!=", "!=": "=="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
NOTHING_UNCHECKED = cel.Binary(
    0, "==", cel.Call(0, "size", (cel.Name(0, "unchecked"),), method=False), cel.Literal(0, 0)
)
KNOWN_FILE = cel.Select(0, cel.Name(0, "item"), "known")


def cases(node: cel.Node) -> list[Case]:
    """The cases of a condition; those that can never be are left out, so ``[]`` is a condition never met."""
    return [case for case in _split(_plain(node)) if not _impossible(case)]


def covered(some: Sequence[Case], by: Sequence[Case]) -> bool:
    """Whether each of some cases lies within one of the others."""
    return all(any(_within(case, other) for other in by) for case in some)


def something_unchecked(of: Sequence[Case]) -> list[Case]:
    """The cases in which something may be unchecked; a known file has nothing left to check."""
    safe = [(NOTHING_UNCHECKED,), (KNOWN_FILE,)]
    return [case for case in of if not covered([case], safe)]


def with_unchecked(case: Case) -> Case:
    """The case, and something is unchecked."""
    return (*case, replace(NOTHING_UNCHECKED, sign=">=", right=cel.Literal(0, 1)))


def _plain(node: cel.Node, *, negated: bool = False) -> cel.Node:
    """The same condition with '!' pushed inwards, literals to the right, and emptiness in one spelling."""
    match node:
        case cel.Not(of=of):
            return _plain(of, negated=not negated)
        case cel.Literal(value=bool(value)):
            return cel.Literal(node.at, value != negated)
        case cel.Logic(sign=sign, terms=terms):
            sign = {"&&": "||", "||": "&&"}[sign] if negated else sign
            return cel.Logic(node.at, sign, tuple(_plain(term, negated=negated) for term in terms))
        case cel.Loop(macro="exists" | "all" as macro, body=body):
            kind = {"all": "exists", "exists": "all"}[macro] if negated else macro
            inner = _plain(_renamed(body, node.variable), negated=negated)
            loop = cel.Loop(node.at, kind, node.over, "·", inner)
            return _forms(loop)[1] if kind == "exists" and inner == cel.Literal(0, True) else loop
        case cel.Binary(sign=sign, left=left, right=right):
            if isinstance(left, cel.Literal | cel.Listing) and sign in _MIRRORED:
                left, right, sign = right, left, _MIRRORED[sign]
            if right == cel.Listing(0, ()) and sign in ("==", "!="):
                left, right = cel.Call(0, "size", (left,), method=False), cel.Literal(0, 0)
            if negated and sign in _OPPOSITE:
                sign, negated = _OPPOSITE[sign], False
            plain = cel.Binary(node.at, sign, _term(left), right)
            return _counted(plain, negated) or cel.Not(node.at, plain)
        case _:
            return cel.Not(node.at, node) if negated else node


def _counted(node: cel.Binary, negated: bool) -> cel.Node | None:
    """A comparison of a size with a number as ``==``, ``!=``, ``<=`` or ``>=``; others as they are."""
    size = isinstance(node.left, cel.Call) and node.left.name == "size"
    if not size or not isinstance(node.right, cel.Literal) or not isinstance(node.right.value, int):
        return None if negated else node
    sign, number = node.sign, int(node.right.value)
    if negated:
        sign = {"<": ">=", ">=": "<", ">": "<=", "<=": ">"}[sign]
    sign, number = {"<": ("<=", number - 1), ">": (">=", number + 1)}.get(sign, (sign, number))
    if number == 0 and sign in ("!=", "<="):
        sign, number = (">=", 1) if sign == "!=" else ("==", 0)
    return cel.Binary(node.at, sign, node.left, cel.Literal(node.at, number))


def _term(node: cel.Node) -> cel.Node:
    """``x.size()`` as ``size(x)``, so that both are one term."""
    return replace(node, method=False) if isinstance(node, cel.Call) and node.name == "size" else node


def _renamed(node: cel.Node, variable: str) -> cel.Node:
    """A loop's body with its variable under a common name, that of an outer loop one dot longer."""
    match node:
        case cel.Name(name=name):
            return cel.Name(node.at, "·" if name == variable else f"{name}·" if name[0] == "·" else name)
        case cel.Select(of=of):
            return replace(node, of=_renamed(of, variable))
        case cel.Has(what=what):
            return cel.Has(node.at, cel.Select(what.at, _renamed(what.of, variable), what.name))
        case cel.Index(of=of, key=key):
            return cel.Index(node.at, _renamed(of, variable), _renamed(key, variable))
        case cel.Call(arguments=arguments):
            return replace(node, arguments=tuple(_renamed(argument, variable) for argument in arguments))
        case cel.Loop(over=over, body=body):
            return replace(node, over=_renamed(over, variable), body=_renamed(body, variable))
        case cel.Listing(items=items):
            return cel.Listing(node.at, tuple(_renamed(item, variable) for item in items))
        case cel.Not(of=of) | cel.Minus(of=of):
            return type(node)(node.at, _renamed(of, variable))
        case cel.Binary(sign=sign, left=left, right=right):
            return cel.Binary(node.at, sign, _renamed(left, variable), _renamed(right, variable))
        case cel.Logic(sign=sign, terms=terms):
            return cel.Logic(node.at, sign, tuple(_renamed(term, variable) for term in terms))
        case cel.Choice(test=test, yes=yes, no=no):
            return cel.Choice(node.at, *(_renamed(part, variable) for part in (test, yes, no)))
        case _:
            return node


def _split(node: cel.Node) -> list[Case]:
    if isinstance(node, cel.Literal) and isinstance(node.value, bool):
        return [()] if node.value else []
    if isinstance(node, cel.Logic) and node.sign == "||":
        found = [case for term in node.terms for case in _split(term)]
        return found if len(found) <= _MOST_CASES else [(node,)]
    if isinstance(node, cel.Logic):
        parts = [_split(term) for term in node.terms]
        count = 1
        for part in parts:
            count *= len(part)
        if count > _MOST_CASES:
            return [(node,)]
        return [tuple(atom for case in chosen for atom in case) for chosen in product(*parts)]
    return [(node,)]


def _within(case: Case, other: Case) -> bool:
    return all(any(_follows(atom, mine) for mine in case) for atom in other)


def _impossible(case: Case) -> bool:
    atoms = [form for atom in case for form in _forms(atom)]
    return any(
        isinstance(atom, cel.Loop) and atom.macro == "exists" and not cases(atom.body) for atom in case
    ) or any(_exclude(one, other) for i, one in enumerate(atoms) for other in atoms[i + 1 :])


def _forms(atom: cel.Node) -> list[cel.Node]:
    """The atom, and what follows from it at once."""
    if isinstance(atom, cel.Loop) and atom.macro == "exists":
        size = cel.Call(0, "size", (atom.over,), method=False)
        return [atom, cel.Binary(0, ">=", size, cel.Literal(0, 1))]
    return [atom]


def _follows(atom: cel.Node, given: cel.Node) -> bool:
    """Whether the atom is true wherever the given one is."""
    for form in _forms(given):
        if atom == form:
            return True
        match form, atom:
            case cel.Loop(macro=first, over=one, body=body), cel.Loop(macro=second, over=two, body=wider):
                if first == second and one == two and covered(cases(body), cases(wider)):
                    return True
            case cel.Binary(left=one), cel.Binary(left=two):
                if one == two and _compared(form) and _compared(atom) and _subset(form, atom):
                    return True
    return False


def _exclude(one: cel.Node, other: cel.Node) -> bool:
    match one, other:
        case (cel.Not(of=of), atom) | (atom, cel.Not(of=of)) if atom == of:
            return True
        case cel.Binary(left=left), cel.Binary(left=right) if left == right:
            return (
                _compared(one)
                and _compared(other)
                and not any(_holds(one, value) and _holds(other, value) for value in _samples(one, other))
            )
    return False


def _compared(node: cel.Node) -> bool:
    """Whether it compares something with literals in a way that ``_holds`` understands."""
    given = _given(node) if isinstance(node, cel.Binary) and node.sign in {*_MIRRORED, "in"} else None
    if given is None or not isinstance(node, cel.Binary):
        return False
    return node.sign in ("==", "!=", "in") or isinstance(given[0], int | float)


def _given(node: cel.Binary) -> tuple[bool | int | float | str, ...] | None:
    items = node.right.items if isinstance(node.right, cel.Listing) else (node.right,)
    if isinstance(node.right, cel.Listing) != (node.sign == "in"):
        return None
    values = tuple(item.value for item in items if isinstance(item, cel.Literal))
    return values if len(values) == len(items) else None


def _subset(narrow: cel.Node, wide: cel.Node) -> bool:
    return all(_holds(wide, value) for value in _samples(narrow, wide) if _holds(narrow, value))


def _samples(*nodes: cel.Node) -> list[Value]:
    """One value of every region into which the comparisons cut the line; None stands for any other text."""
    given = {value for node in nodes if isinstance(node, cel.Binary) for value in _given(node) or ()}
    numbers = sorted(Fraction(v) for v in given if isinstance(v, int | float) and not isinstance(v, bool))
    between = [(one + other) / 2 for one, other in pairwise(numbers)]
    edges = [numbers[0] - 1, numbers[-1] + 1] if numbers else []
    others: list[Value] = [value for value in given if isinstance(value, bool | str)]
    return [*numbers, *between, *edges, *others, None]


def _holds(node: cel.Node, value: Value) -> bool:
    assert isinstance(node, cel.Binary)
    given = _given(node) or ()
    if node.sign in ("==", "!=", "in"):
        return (value in given) == (node.sign != "!=")
    bound = given[0]
    if not isinstance(bound, int | float) or not isinstance(value, int | float | Fraction):
        return False
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[node.sign]
