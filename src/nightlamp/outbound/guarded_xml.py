"""XML that somebody else wrote → elements, one by one: no DTD, no entities, bounded depth, size and text.

Expat alone resolves nothing from outside, but takes a DTD with its entities; here a DTD ends the document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from nightlamp.outbound.guarded_json import HostileError

MAX_DEPTH = 32
MAX_TEXT = 1 << 20  # characters of one element's own text, or of one attribute
MAX_NODES = 100_000  # elements within one that is given out


@dataclass(slots=True)
class Element:
    """An element without its namespace.

    Args:
        name: the local name.
        attributes: by local name.
        text: directly inside, without the texts of children.
    """

    name: str
    attributes: dict[str, str] = field(repr=False)
    text: str = field(default="", repr=False)
    children: list[Element] = field(default_factory=list, repr=False)

    def child(self, name: str) -> Element | None:
        """The first child of that name."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def text_of(self, name: str) -> str:
        """The text of the first child of that name, without blanks around it; ``""`` if there is none."""
        found = self.child(name)
        return "" if found is None else found.text.strip()

    def walk(self) -> Iterator[Element]:
        """This element and everything in it."""
        yield self
        for child in self.children:
            yield from child.walk()


def elements(
    pieces: Iterable[bytes], names: Collection[str], root: Collection[str] = (), depth: int = MAX_DEPTH
) -> Iterator[Element]:
    """The outermost elements of these names, in the order of the document; nothing else is held.

    Args:
        pieces: of the document; the caller has bounded their sum.
        names: local names.
        root: local names that the document's root may have; any, if empty.
        depth: elements within one another, at most.

    Raises:
        ValueError: no well-formed XML; ``HostileError`` if it has a DTD or breaks a limit. Never quotes it.
    """
    reading = _Reading(frozenset(names), frozenset(root), depth)
    for piece in pieces:
        reading.take(piece, last=False)
        yield from reading.done()
    reading.take(b"", last=True)
    yield from reading.done()


class _Reading:
    def __init__(self, names: frozenset[str], root: frozenset[str], depth: int) -> None:
        self._names, self._root, self._depth = names, root, depth
        self._at = 0
        self._nodes = 0
        self._open: list[Element] = []
        self._texts: list[tuple[list[str], int]] = []  # of each open element: pieces, and their length
        self._found: list[Element] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def take(self, piece: bytes, last: bool) -> None:
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError:
            raise ValueError("not well-formed XML") from None
        except LookupError:
            raise ValueError("XML in an unknown encoding") from None

    def done(self) -> list[Element]:
        found, self._found = self._found, []
        return found

    def _doctype(self, *_: object) -> None:
        raise HostileError("XML with a DTD")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        inside = self._open
        if self._at == 0 and self._root and name not in self._root:
            raise ValueError("XML of another kind")
        self._at += 1
        if self._at > self._depth:
            raise HostileError("nested too deep")
        if not inside and name not in self._names:
            return
        self._nodes = self._nodes + 1 if inside else 1
        if self._nodes > MAX_NODES:
            raise HostileError("an element of absurd size")
        if attributes:
            if max(map(len, attributes.values())) > MAX_TEXT:
                raise HostileError("an element of absurd size")
            attributes = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = Element(name, attributes)
        if inside:
            inside[-1].children.append(element)
        inside.append(element)
        self._texts.append(([], 0))

    def _end(self, _: str) -> None:
        self._at -= 1
        if self._open:
            element = self._open.pop()
            element.text = "".join(self._texts.pop()[0])
            if not self._open:
                self._found.append(element)

    def _text(self, text: str) -> None:
        if self._open:
            pieces, length = self._texts[-1]
            length += len(text)
            if length > MAX_TEXT:
                raise HostileError("an element of absurd size")
            pieces.append(text)
            self._texts[-1] = pieces, length
