"""Reads XMP with expat, bounded: no DTD, no entities, no more elements or depth than real packets have.

Properties come out flat, by namespace and name: structures and lists are not rebuilt, since no statement
needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.parsers import expat

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
MM = "http://ns.adobe.com/xap/1.0/mm/"
EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
AUX = "http://ns.adobe.com/exif/1.0/aux/"
EXIF_EX = "http://cipa.jp/exif/1.0/"
DC = "http://purl.org/dc/elements/1.1/"
TERMS = "http://purl.org/dc/terms/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
AIGC = "http://www.tc260.org.cn/ns/AIGC/1.0/"

_DEPTH = 100
_ELEMENTS = 50_000
_VALUES = 2_000

Properties = dict[tuple[str, str], list[str]]


class _Refused(Exception):  # noqa: N818
    pass


def read(packets: Iterable[bytes]) -> tuple[Properties, str]:
    """(properties, why some could not be read: ``""``, ``"damaged"``, ``"forbidden"`` or ``"too large"``).

    What was read before a packet turned out bad is kept.
    """
    found: Properties = {}
    problem = ""
    for packet in packets:
        try:
            _Packet(found).read(packet)
        except expat.ExpatError:
            problem = problem or "damaged"
        except _Refused as refused:
            problem = str(refused)
    return found, problem


class _Packet:
    def __init__(self, found: Properties) -> None:
        self.found = found
        self.path: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.elements = 0

    def read(self, packet: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.text.append
        parser.Parse(packet.strip(b"\0 \r\n\t"), True)

    def _doctype(self, *_: Any) -> None:
        raise _Refused("forbidden")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > _ELEMENTS or len(self.path) >= _DEPTH:
            raise _Refused("too large")
        self.text.clear()
        self.path.append(_split(name))
        for attribute, value in attributes.items():
            key = _split(attribute)
            if key == (RDF, "resource"):
                key = self._property()
            if key[0] not in (RDF, "", "http://www.w3.org/XML/1998/namespace"):
                self._add(key, value)

    def _end(self, _: str) -> None:
        text = "".join(self.text).strip()
        if text:
            self._add(self._property(), text)
        self.text.clear()
        self.path.pop()

    def _property(self) -> tuple[str, str]:
        """The innermost element that is no list or list item."""
        return next((key for key in reversed(self.path) if key[0] != RDF), ("", ""))

    def _add(self, key: tuple[str, str], value: str) -> None:
        values = self.found.setdefault(key, [])
        if len(values) < _VALUES:
            values.append(value)


def _split(name: str) -> tuple[str, str]:
    space, _, local = name.rpartition(" ")
    return space, local
