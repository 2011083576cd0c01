"""Who acts, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, get_args

from sqlalchemy import Row

from nightlamp.settings.console import Role

ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts.

    Args:
        id: of the account, as the audit log names it.
        name: to sign in with; plain ASCII.
        roles: what the person may do.
        display: as the person is called; may hold anything.
        language: of the pages; ``""``: as the browser asks.
        theme: one of ``THEMES``.
        shortcuts: whether single keys do something.
    """

    id: str
    name: str
    roles: frozenset[Role]
    display: str = ""
    language: str = ""
    theme: str = "auto"
    shortcuts: bool = True

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return f"person:{self.id}"

    def may(self, *roles: Role) -> bool:
        """Whether they have one of the roles."""
        return not self.roles.isdisjoint(roles)


def person_of(row: Row[Any]) -> Person:
    """The person of a row that has the account's columns."""
    return Person(
        row.id,
        row.name,
        cast("frozenset[Role]", frozenset(row.roles)),
        row.display,
        row.language,
        row.theme,
        row.shortcuts,
    )
