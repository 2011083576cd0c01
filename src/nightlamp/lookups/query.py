"""What is asked about an item, and what a service says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from nightlamp.values import Fingerprint, Unchecked

QueryKind = Literal["content", "url", "fingerprints"]


@dataclass(frozen=True, slots=True)
class Query:
    """One item.

    Args:
        kind: what was handed in; the content of a fetched URL is there, too.
        media_type: by content, ``""`` if unknown.
        size: bytes of the content; 0 if there is none.
        read: gives the content; None if there is none.
        fingerprints: as far as known.
        url: where it is, if that was handed in.
    """

    kind: QueryKind
    media_type: str = ""
    size: int = 0
    read: Callable[[], bytes] | None = field(default=None, repr=False)
    fingerprints: tuple[Fingerprint, ...] = field(default=(), repr=False)
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What a service says of an item; several are added up.

    Args:
        scores: by name, 0 … 1.
        unchecked: what it could not tell, under its name.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    unchecked: tuple[Unchecked, ...] = ()

    def __add__(self, other: Said) -> Said:
        """Both together."""
        return Said({**self.scores, **other.scores}, (*self.unchecked, *other.unchecked))


NOTHING = Said()


class Service(Protocol):
    """A client of one service; used by several threads at once.

    Attributes:
        name: of the service, as in ``Unchecked.what``.
        most: queries in one call.
    """

    name: str
    most: int

    def takes(self, query: Query) -> bool:
        """Whether the operator wants it to be asked about such items at all."""

    def ask(self, queries: Sequence[Query]) -> Sequence[Said]:
        """One answer a query, in their order.

        Raises:
            ServiceError: nothing can be said of any of them.
        """


def unchecked(name: str, why: str, detail: str = "") -> Said:
    """Nothing is known, for this reason."""
    return Said({}, (Unchecked(name, why, detail),))


def unfit(name: str, query: Query, most_bytes: int, types: Collection[str] | None = None) -> Said | None:
    """Why an item's content is not sent: there is none, it is of another type or too large; else ``None``."""
    if query.read is None:
        return unchecked(name, "not applicable", "the item has no content")
    if types is not None and query.media_type not in types:
        return unchecked(name, "not applicable", "not of a type that it takes")
    if query.size > most_bytes:
        return unchecked(name, "too large", f"more than {most_bytes:,} bytes")
    return None
