"""An authority that takes packages: its profile, and what it wants to be said. A plug-in brings others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from nightlamp.errors import ReportError
from nightlamp.reports.document import Document
from nightlamp.values import Hold
from nightlamp.vault import term

GROUP = "nightlamp.authorities"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of an authority.

    Args:
        name: short, lower-case.
        title: for people.
        jurisdiction: whose law; a short name.
        transport: how a report gets there, in a sentence that is true today.
        duties: what the operator must know; shown with every package.
        instead: authorities whose finished report makes one to this one needless.
        retention: how long that law has content kept; None: as ``nightlamp.vault.term`` knows it.
    """

    name: str
    title: str
    jurisdiction: str
    transport: str
    duties: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    retention: Hold | None = None

    def term(self, start: datetime) -> datetime:
        """Until when content is held that is reported at ``start``.

        Raises:
            VaultError: it has no retention, and no term is known for its jurisdiction.
        """
        end = self.retention.until(start) if self.retention is not None else None
        return end or term(self.jurisdiction, start)


@runtime_checkable
class Authority(Protocol):
    """What a plug-in gives, as one value under the entry point group ``nightlamp.authorities``.

    ``nightlamp.reports.authorities.conformance`` says whether it keeps its promises.
    """

    @property
    def profile(self) -> Profile:
        """What is known of it."""

    def faults(self, document: Document) -> Sequence[str]:
        """What stands in the way of this report, in plain words; nothing: it can be made."""

    def prepare(self, document: Document) -> Document:
        """The document as this authority wants it. Adds notes; leaves out nothing that was found."""


@cache
def authorities() -> Mapping[str, Authority]:
    """All by name: ours, then those of plug-ins; read once a process.

    Raises:
        ReportError: a plug-in cannot be imported, is no ``Authority``, or takes a name that is taken.
    """
    from nightlamp.reports.authorities.generic import GENERIC
    from nightlamp.reports.authorities.nca import NCA

    found: dict[str, Authority] = {each.profile.name: each for each in (GENERIC, NCA)}
    for entry in entry_points(group=GROUP):
        where = f"authority {entry.name!r} of {entry.value}"
        try:
            made = entry.load()
        except Exception as error:
            what = f"the plug-in cannot be imported ({type(error).__name__})"
            raise ReportError("invalid", what, where=where, hint="reinstall or uninstall it") from error
        if not isinstance(made, Authority):
            raise ReportError("invalid", "the plug-in is no authority", where=where)
        if made.profile.name in found:
            raise ReportError("invalid", "two plug-ins bring this authority", where=where)
        found[made.profile.name] = made
    return MappingProxyType(found)


def authority_named(name: str) -> Authority:
    """The authority of that name.

    Raises:
        ReportError: there is none.
    """
    found = authorities().get(name)
    if found is None:
        hint = "one of " + ", ".join(authorities())
        raise ReportError("not found", "no such authority", where="authority", hint=hint)
    return found
