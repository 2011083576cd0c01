"""The places of the console: what each role finds in its menu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nightlamp.accounts import Person, Role
from nightlamp.server.console.language import N_


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the menu.

    Args:
        path: below ``/console``.
        label: marked for translation.
        key: the shortcut that goes there.
        roles: who finds it; empty: everybody.
    """

    path: str
    label: str
    key: str
    roles: tuple[Role, ...] = ()


PLACES: Sequence[Place] = (
    Place("/", N_("Start"), "g h"),
    Place("/cases", N_("Cases"), "g c", ("reviewer", "lead")),
    Place("/lead", N_("Overview"), "g v", ("lead",)),
    Place("/reports", N_("Reports"), "g r", ("reporter", "lead")),
    Place("/exports", N_("Exports"), "g x", ("lead", "admin")),
    Place("/holds", N_("Holds"), "g t", ("lead", "reporter", "auditor", "admin")),
    Place("/figures", N_("Figures"), "g i", ("lead", "reporter", "auditor", "admin")),
    Place("/people", N_("People"), "g p", ("admin",)),
    Place("/keys", N_("API keys"), "g k", ("admin",)),
    Place("/banks", N_("Banks"), "g b", ("admin", "lead")),
    Place("/feeds", N_("Feeds"), "g f", ("admin", "lead")),
    Place("/policies", N_("Policies"), "g o", ("admin", "lead")),
    Place("/chain", N_("Audit log"), "g l", ("auditor", "admin")),
)


def places_of(person: Person) -> list[Place]:
    """What a person finds."""
    return [place for place in PLACES if not place.roles or person.may(*place.roles)]
