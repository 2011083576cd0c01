"""What a scan found in all: counted from rows, so that a continued scan counts the earlier ones alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from nightlamp.scan.row import Row

ROWS = "rows"  # what `without` calls a list's rows that could not be read


@dataclass(slots=True)
class Totals:
    """Counts over the rows of a scan.

    Args:
        without: what the operator accepts as not checked.
        items, bytes: how many, and their sizes. Members of archives count beside their archive.
        earlier: items of ``items`` that an earlier run had done.
        hits: items that matched a bank, benign filters aside.
        open: items of which something could not be checked, beyond what is accepted.
        benign: known files.
        actions: items by verdict.
        banks: items by bank that they matched.
        unchecked: items by (what, why) of what could not be checked, the accepted too.
        passed_over: what is no content: links, special files.
        bad_rows: rows of the lists that could not be read, so that no item was checked against them.
    """

    without: Collection[str] = ()
    items: int = 0
    bytes: int = 0
    earlier: int = 0
    hits: int = 0
    open: int = 0
    benign: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    banks: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[tuple[str, str]] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    bad_rows: int = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Count these too."""
        for row in rows:
            self.items += 1
            self.bytes += row.size
            self.hits += row.hit
            self.open += bool(row.open_questions(self.without))
            self.benign += row.benign
            self.actions[row.action] += 1
            self.banks.update({match.bank for match in row.matches})
            self.unchecked.update({(u.what, u.why) for u in row.unchecked})

    @property
    def status(self) -> int:
        """The exit status: 1 something matched, else 2 something could not be checked, else 0."""
        if self.hits:
            return 1
        return 2 if self.open or (self.bad_rows and ROWS not in self.without) else 0

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {
            "items": self.items,
            "bytes": self.bytes,
            "hits": self.hits,
            "not_checked": self.open,
            "benign": self.benign,
            "actions": dict(sorted(self.actions.items())),
            "banks": dict(sorted(self.banks.items())),
            "unchecked": [
                {"what": what, "why": why, "items": n} for (what, why), n in sorted(self.unchecked.items())
            ],
            "passed_over": dict(sorted(self.passed_over.items())),
            "bad_rows": self.bad_rows,
        }
