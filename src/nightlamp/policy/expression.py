"""Read a rule's ``when``: text of the Common Expression Language in, a small tree with positions out.

The tree is for the linter and for the limits; the CEL engine evaluates the text itself. What this reader does
not know is refused, so no expression reaches the engine that was not looked at: no regular expressions, no
bytes, no messages, nothing that is large or deep.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite

MAX_LENGTH = 2_000
MAX_NODES = 400
MAX_DEPTH = 24
MACROS = {"all", "exists", "exists_one", "filter", "map"}
_RESERVED = {
    *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop"),
    *("namespace", "package", "return", "var", "void", "while"),
}
_RELATIONS = {"<", "<=", ">", ">=", "==", "!=", "in"}
_TOKEN = re.compile(
    r"""(?P<space>[ \t\n\f\r]+|//[^\n]*)
      | (?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
      | (?P<int>\d+)
      | (?P<string>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
      | (?P<name>[A-Za-z_][A-Za-z_0-9]*)
      | (?P<sign>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]])""",
    re.VERBOSE,
)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t"}


class ExpressionError(Exception):
    """The expression is no CEL, or not of the part that a policy may use; ``at`` is an offset in its text."""

    def __init__(self, what: str, at: int, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.at, self.hint = what, at, hint


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression; ``at`` is its offset in the text and does not count in comparisons."""

    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """``true``, ``5``, ``0.5``, ``'text'``."""

    value: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A field of the whole, or the variable of a loop."""

    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """``of.name``."""

    of: Node
    name: str


@dataclass(frozen=True, slots=True)
class Has(Node):
    """``has(what)``."""

    what: Select


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``of[key]``."""

    of: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``name(arguments)``; a method's target is the first of them."""

    name: str
    arguments: tuple[Node, ...]
    method: bool


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """``over.macro(variable, body)``."""

    macro: str
    over: Node
    variable: str
    body: Node


@dataclass(frozen=True, slots=True)
class Listing(Node):
    """``[a, b]``."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """``!of``."""

    of: Node


@dataclass(frozen=True, slots=True)
class Minus(Node):
    """``-of``."""

    of: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``left sign right``: a comparison, ``in``, or arithmetic; ``at`` is the sign's offset."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """Terms joined by ``&&`` or by ``||``, flattened."""

    sign: str
    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """``test ? yes : no``."""

    test: Node
    yes: Node
    no: Node


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises:
        ExpressionError: it cannot be read, is too large or too deep, or uses what a policy may not.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"longer than {MAX_LENGTH:,} characters", MAX_LENGTH, "split it in several rules"
        )
    reader = _Reader(text)
    node = reader.expression()
    if reader.kind != "end":
        raise reader.unexpected("an operator")
    return node


class _Reader:
    """Recursive descent with one token of look-ahead; ``grown`` counts nodes, ``lower`` counts levels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0  # where the next token starts
        self.nodes = 0
        self.depth = 0
        self.kind, self.token, self.at = "", "", 0
        self.advance()

    def advance(self) -> None:
        while self.offset < len(self.text):
            found = _TOKEN.match(self.text, self.offset)
            if found is None:
                sign = self.text[self.offset]
                what = "a string without an end" if sign in "'\"" else f"{sign!r} means nothing here"
                raise ExpressionError(what, self.offset, "write '==' to compare" if sign == "=" else "")
            self.at, self.offset = self.offset, found.end()
            if found.lastgroup != "space":
                self.kind, self.token = str(found.lastgroup), found.group()
                return
        self.kind, self.token, self.at = "end", "", len(self.text)

    def accept(self, *signs: str) -> str:
        """The token, consumed, if it is one of the signs; else ``""``."""
        if self.token in signs and self.kind in ("sign", "name"):
            token = self.token
            self.advance()
            return token
        return ""

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise self.unexpected(repr(sign))

    def unexpected(self, wanted: str) -> ExpressionError:
        found = repr(self.token) if self.token else "the end"
        hint = {"and": "write '&&'", "or": "write '||'", "not": "write '!'"}
        if self.kind == "string" and self.at and self.text[self.at - 1].isalpha():
            return ExpressionError("strings take no prefix", self.at, "write a plain 'string'")
        return ExpressionError(f"{wanted} was expected, not {found}", self.at, hint.get(self.token, ""))

    def grown(self, node: Node) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ExpressionError(f"more than {MAX_NODES} terms", node.at, "split it in several rules")
        return node

    def lower(self, at: int) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH} levels", at, "split it in several rules")

    def deeper(self, read: Callable[[], Node]) -> Node:
        self.lower(self.at)
        node = read()
        self.depth -= 1
        return node

    def expression(self) -> Node:
        return self.deeper(self.choice)

    def choice(self) -> Node:
        test = self.logic("||", lambda: self.logic("&&", self.relation))
        at = self.at
        if not self.accept("?"):
            return test
        yes = self.logic("||", lambda: self.logic("&&", self.relation))
        self.expect(":")
        return self.grown(Choice(at, test, yes, self.expression()))

    def logic(self, sign: str, read: Callable[[], Node]) -> Node:
        at, terms = self.at, [read()]
        while self.accept(sign):
            terms.append(read())
        flat: list[Node] = []
        for term in terms:
            flat.extend(term.terms if isinstance(term, Logic) and term.sign == sign else [term])
        return self.grown(Logic(at, sign, tuple(flat))) if len(terms) > 1 else terms[0]

    def relation(self) -> Node:
        left = self.sum()
        at = self.at
        if sign := self.accept(*_RELATIONS):
            left = self.grown(Binary(at, sign, left, self.sum()))
            if self.token in _RELATIONS:
                raise ExpressionError("comparisons do not chain", self.at, "join two comparisons by '&&'")
        return left

    def sum(self) -> Node:
        return self.chain(("+", "-"), lambda: self.chain(("*", "/", "%"), self.unary))

    def chain(self, signs: tuple[str, ...], read: Callable[[], Node]) -> Node:
        left, before = read(), self.depth
        at = self.at
        while sign := self.accept(*signs):
            self.lower(at)  # a + b + c leans to the left: each further term lies a level deeper
            left = self.grown(Binary(at, sign, left, read()))
            at = self.at
        self.depth = before
        return left

    def unary(self) -> Node:
        at = self.at
        if self.accept("!"):
            return self.grown(Not(at, self.deeper(self.unary)))
        if self.accept("-"):
            if self.kind in ("int", "double"):
                return self.member(self.number(negative=True))
            return self.grown(Minus(at, self.deeper(self.unary)))
        return self.member(self.primary())

    def member(self, node: Node) -> Node:
        before = self.depth
        while self.token in (".", "[") and self.kind == "sign":
            at = self.at
            if self.accept("["):
                node = Index(at, node, self.expression())
                self.expect("]")
            else:
                self.advance()
                at, name = self.at, self.identifier(field_name=True)
                node = self.method(at, node, name) if self.accept("(") else Select(at, node, name)
            self.grown(node)
            self.lower(at)
        self.depth = before
        return node

    def method(self, at: int, target: Node, name: str) -> Node:
        if name not in MACROS:
            return Call(at, name, (target, *self.listed(")")), method=True)
        variable = self.identifier()
        self.expect(",")
        body = self.expression()
        self.expect(")")
        return Loop(at, name, target, variable, body)

    def primary(self) -> Node:
        at = self.at
        if self.kind in ("int", "double"):
            return self.number()
        if self.kind == "string":
            return self.grown(Literal(at, self.string()))
        if self.accept("("):
            node = self.expression()
            self.expect(")")
            return node
        if self.accept("["):
            return self.grown(Listing(at, tuple(self.listed("]"))))
        if self.kind != "name":
            raise self.unexpected("a value")
        if self.token in ("true", "false"):
            return self.grown(Literal(at, self.accept("true", "false") == "true"))
        name = self.identifier()
        if self.kind == "string":
            raise self.unexpected("an operator")
        if not self.accept("("):
            return self.grown(Name(at, name))
        arguments = tuple(self.listed(")"))
        if name != "has":
            return self.grown(Call(at, name, arguments, method=False))
        if len(arguments) != 1 or not isinstance(arguments[0], Select):
            raise ExpressionError("has() takes one field", at, "write has(context.submitted_at)")
        return self.grown(Has(at, arguments[0]))

    def listed(self, end: str) -> list[Node]:
        items: list[Node] = []
        while not self.accept(end):
            if items:
                self.expect(",")
            items.append(self.expression())
        return items

    def identifier(self, *, field_name: bool = False) -> str:
        if self.kind != "name":
            raise self.unexpected("a name")
        name, at = self.token, self.at
        if name in _RESERVED or (not field_name and name in ("true", "false", "null")):
            raise ExpressionError(f"{name!r} is not offered here", at)
        self.advance()
        return name

    def number(self, *, negative: bool = False) -> Node:
        at, token, sign = self.at, self.token, -1 if negative else 1
        value = sign * (int(token) if self.kind == "int" and len(token) < 20 else float(token))
        if self.kind == "int" and not (isinstance(value, int) and -(2**63) <= value < 2**63):
            raise ExpressionError("a whole number of more than 64 bits", at)
        if self.text[self.offset : self.offset + 1].isalnum():
            raise ExpressionError(f"{token} runs into a letter", self.offset, "write a plain number")
        if isinstance(value, float) and not isfinite(value):
            raise ExpressionError("a number that is too large", at)
        self.advance()
        return self.grown(Literal(at, value))

    def string(self) -> str:
        at, raw = self.at, self.token[1:-1]
        for found in re.finditer(r"\\(.)", raw):
            if found[1] not in _ESCAPES:
                raise ExpressionError(f"the escape {found[0]} is not offered", at + 1 + found.start())
        self.advance()
        return re.sub(r"\\(.)", lambda found: _ESCAPES[found[1]], raw)
