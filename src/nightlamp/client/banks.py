"""Calls about banks and their entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nightlamp.client.answers import Added, Bank, Imported, StoredEntry
from nightlamp.client.bodies import Content, body
from nightlamp.client.call import Call, Download, Paged
from nightlamp.client.making import called, listed, nothing, number, one, query_of, some
from nightlamp.values import Trust


@dataclass(frozen=True, slots=True)
class Entry:
    """A hash for a bank. Its ``repr`` shows the signal alone.

    Args:
        signal: e.g. ``"pdq"``.
        value: as in a hash list, e.g. hexadecimal; of a URL signal, the URL.
        id: the source's own.
        category: by default the bank's.
    """

    signal: str
    value: str = field(repr=False)
    id: str = field(default="", repr=False)
    category: str = ""

    def as_json(self) -> dict[str, str]:
        """As the service takes it."""
        return {"signal": self.signal, "value": self.value, "id": self.id, "category": self.category}


def banks() -> Call[tuple[Bank, ...]]:
    """All banks."""
    return called("GET", "/v1/banks", some("banks", Bank))


def bank(bank_id: int) -> Call[Bank]:
    """One bank, with its entries counted."""
    return called("GET", _path(bank_id), one(Bank))


def create_bank(
    name: str,
    *,
    source: str = "",
    category: str = "",
    trust: Trust = "medium",
    benign: bool = False,
    enabled: bool = True,
) -> Call[Bank]:
    """Make an empty bank; ``conflict`` if the name is taken."""
    told = {"name": name, "source": source, "category": category, "trust": trust}
    return called("POST", "/v1/banks", one(Bank), {**told, "benign": benign, "enabled": enabled}, again=False)


def change_bank(
    bank_id: int, *, name: str | None = None, trust: Trust | None = None, enabled: bool | None = None
) -> Call[Bank]:
    """Rename a bank, set its trust, enable or disable it; what is None stays."""
    told = {"name": name, "trust": trust, "enabled": enabled}
    changes = {field: value for field, value in told.items() if value is not None}
    return called("PATCH", _path(bank_id), one(Bank), changes)


def delete_bank(bank_id: int) -> Call[None]:
    """Take a bank away for good."""
    return called("DELETE", _path(bank_id), nothing, again=False)


def entries(bank_id: int, *, limit: int = 500) -> Paged[StoredEntry]:
    """A bank's entries in force, without their values."""
    return listed(f"{_path(bank_id)}/entries", "entries", StoredEntry, limit=limit)


def add_entries(bank_id: int, entries: Iterable[Entry]) -> Call[Added]:
    """Add up to 10,000 entries; they are in force when this returns, on other nodes within a second."""
    told = {"entries": [entry.as_json() for entry in entries]}
    return called("POST", f"{_path(bank_id)}/entries", one(Added), told)


def remove_entries(
    bank_id: int, *, numbers: Sequence[int] = (), ids: Sequence[str] = (), values: Iterable[Entry] = ()
) -> Call[int]:
    """Take entries out of force, by number, by the source's id or by value; how many there were."""
    return called("POST", f"{_path(bank_id)}/entries/remove", number("removed"), _named(numbers, ids, values))


def dispute_entries(
    bank_id: int,
    *,
    disputed: bool = True,
    numbers: Sequence[int] = (),
    ids: Sequence[str] = (),
    values: Iterable[Entry] = (),
) -> Call[int]:
    """Flag entries as disputed, or take the flag away; how many changed."""
    path = f"{_path(bank_id)}/entries/dispute"
    query = query_of({"disputed": disputed})
    return called("POST", path, number("changed"), _named(numbers, ids, values), query=query)


def import_list(
    bank_id: int,
    content: Content,
    *,
    name: str = "list",
    format: str | None = None,  # noqa: A002 (as the service calls it)
    signal: str | None = None,
    profile: str | None = None,
    strict: bool = False,
) -> Call[Imported]:
    """Import a hash list, streamed. If it breaks off, import it again: the rest is added.

    Args:
        bank_id: where to.
        content: the list: bytes, a path or an open file.
        name: of the list, for people.
        format, signal, profile, strict: as the options of ``nightlamp bank inspect``.
    """
    query = {"name": name, "format": format, "signal": signal, "profile": profile, "strict": strict}
    path = f"{_path(bank_id)}/import"
    return Call("POST", path, one(Imported), query=query_of(query), body=body(content))


def export_bank(bank_id: int, format: Literal["csv", "jsonl"] = "csv") -> Download:  # noqa: A002
    """All entries in force, with their values, as a list that can be imported: a secret."""
    return Download(
        Call("GET", f"{_path(bank_id)}/export", nothing, query={"format": format}, again=True),
    )


def _path(bank_id: int) -> str:
    return f"/v1/banks/{int(bank_id)}"


def _named(numbers: Sequence[int], ids: Sequence[str], values: Iterable[Entry]) -> dict[str, Any]:
    return {"numbers": list(numbers), "ids": list(ids), "values": [entry.as_json() for entry in values]}
