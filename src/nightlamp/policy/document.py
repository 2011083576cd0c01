"""Read YAML that somebody wrote: a tree that knows where everything stands.

A small part of YAML 1.2: mappings, lists, texts, ``true`` and ``false``, numbers. Anchors, aliases, tags,
merge keys and several documents are refused, duplicate keys too, and so is what is large or deep: a file can
neither blow up nor mean something else than it seems to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class DocumentError(Exception):
    """The text cannot be read; ``line`` and ``column`` count from 1."""

    def __init__(self, what: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.line, self.column, self.hint = what, line, column, hint


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the document; ``line`` and ``column`` of its first character count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A text, a number or a bool.

    Args:
        value: as it was meant: a quoted ``"5"`` is a text.
        text: as a text.
        raw: as it stands in the file, quotes and line breaks included.
    """

    value: str | int | float | bool | None
    text: str
    raw: str

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column in the file of the character at ``offset`` of ``text``.

        YAML folds white space, so the characters before it that are none are counted off in the file.
        """
        start = self.raw.index("\n") if self.raw[:1] in ("|", ">") and "\n" in self.raw else 0
        start += self.raw[:1] in ("'", '"')
        if self.raw[:1] in ("'", '"') and ("\\" in self.raw or "''" in self.raw[1:-1]):
            return self.line, self.column  # escapes: characters cannot be counted off
        before = len(re.sub(r"\s", "", self.text[:offset]))
        for at in range(start, len(self.raw)):
            if not self.raw[at].isspace():
                if before == 0:
                    break
                before -= 1
        else:
            at = len(self.raw.rstrip())
        lines = self.raw[:at].split("\n")
        return self.line + len(lines) - 1, (self.column if len(lines) == 1 else 1) + len(lines[-1])


@dataclass(frozen=True, slots=True)
class Listing(Node):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping(Node):
    """A mapping from texts, with the place of every key."""

    items: dict[str, Node]
    keys: dict[str, Scalar]


def read(text: str) -> Node:
    """The tree of one document.

    Raises:
        DocumentError: it is no YAML, more than is offered here, too large or too deep.
    """
    import yaml

    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise DocumentError(f"larger than {MAX_BYTES:,} bytes", 1, 1)
    try:
        return _build(text, yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise DocumentError(f"no YAML: {error.problem}", line, column) from None
    except (yaml.YAMLError, ValueError, OverflowError):  # the last two: escapes and versions out of range
        raise DocumentError("no YAML: a character that may not stand in it", 1, 1) from None


def _build(text: str, events: Iterable[Any]) -> Node:
    """A tree from a stream of events, without recursion, so that depth is refused before it costs."""
    import yaml

    open_nodes: list[tuple[Any, list[Node]]] = []
    root: Node | None = None
    for event in events:
        line, column = _place(event)
        done: Node | None = None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise DocumentError("anchors and aliases are not offered", line, column, "write the value again")
        if getattr(event, "tag", None):
            raise DocumentError("tags are not offered", line, column, "leave it out")
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise DocumentError("a second document", line, column, "write one document a file")
        if isinstance(event, yaml.ScalarEvent):
            raw = _raw(text, event)
            plain = event.implicit[0] and event.style is None
            done = Scalar(line, column, _meant(event.value) if plain else event.value, event.value, raw)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(open_nodes) == MAX_DEPTH:
                raise DocumentError(f"nested deeper than {MAX_DEPTH} levels", line, column)
            open_nodes.append((event, []))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            start, children = open_nodes.pop()
            line, column = _place(start)
            is_list = isinstance(start, yaml.SequenceStartEvent)
            done = Listing(line, column, tuple(children)) if is_list else _mapping(line, column, children)
        if done is not None and open_nodes:
            open_nodes[-1][1].append(done)
        elif done is not None:
            root = done
    if root is None:
        raise DocumentError("nothing in it", 1, 1)
    return root


def _raw(text: str, event: Any) -> str:
    return text[event.start_mark.index : event.end_mark.index]


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _mapping(line: int, column: int, children: list[Node]) -> Mapping:
    items: dict[str, Node] = {}
    keys: dict[str, Scalar] = {}
    for key, value in zip(children[::2], children[1::2], strict=True):
        if not isinstance(key, Scalar):
            raise DocumentError("a key that is no text", key.line, key.column)
        if key.text == "<<":
            raise DocumentError("merge keys are not offered", key.line, key.column, "write the values again")
        if key.text in items:
            raise DocumentError(
                f"the key {key.text[:40]!r} a second time", key.line, key.column,
                f"it stands in line {keys[key.text].line} already",
            )  # fmt: skip
        items[key.text], keys[key.text] = value, key
    return Mapping(line, column, items, keys)


def _meant(text: str) -> str | int | float | bool | None:
    """An unquoted scalar's value by YAML 1.2: ``yes`` and ``on`` are texts, and so are dates."""
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "~", "null"):
        return None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    number = float(text) if found[2] or found[3] else int(text)
    return number if isfinite(number) else text
