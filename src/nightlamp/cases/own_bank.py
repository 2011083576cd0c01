"""Decisions as entries of the operator's own banks: what was confirmed once is found again.

Confirmed: digests of every item, and perceptual prints of pictures. Frames of what moves stay out: one of
them alone may show nothing. Cleared: what the own bank says of the same content is disputed, and its digests
go into a benign bank, which makes a file *known* and silences no list. What nobody
saw, and is in the case by its actor alone, goes into neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from nightlamp.banks import Entry
from nightlamp.banks.live import (
    add_entries,
    all_banks,
    create_bank,
    find_entries,
    get_entries,
    remove_entries,
    set_disputed,
)
from nightlamp.cases.decision import FinalDecision
from nightlamp.cases.tables import case_print
from nightlamp.cases.terms import Terms
from nightlamp.cases.unseen import unseen
from nightlamp.signals import installed
from nightlamp.values import Bank

SOURCE = "decided here"
_ACTOR = "system"
_AT_ONCE = 1_000  # items


@dataclass(frozen=True, slots=True)
class OwnBanks:
    """A consumer of final decisions.

    Args:
        confirmed, cleared: names of the banks, made when they are first needed; ``""``: none.
        radius: bits within which pictures are one case.
    """

    confirmed: str = "own"
    cleared: str = "cleared"
    radius: int = Terms().radius

    def __call__(self, connection: Connection, final: FinalDecision) -> None:
        """Write what a decision says into the banks."""
        if final.finding not in ("csam", "not_csam"):
            return
        hidden = unseen(connection, final.case, self.radius)
        items = [each for each in final.items if each not in hidden]
        for first in range(0, len(items), _AT_ONCE):
            prints = _prints(connection, items[first : first + _AT_ONCE])
            digests = [(signal, value) for signal, value in prints if installed()[signal].index == "exact"]
            if final.finding == "csam":
                self._add(connection, self.confirmed, False, prints, final)
                self._withdraw(connection, self.cleared, digests)
            else:
                self._add(connection, self.cleared, True, digests, final)
                self._dispute(connection, self.confirmed, prints)

    def _add(
        self,
        connection: Connection,
        name: str,
        benign: bool,
        prints: Sequence[tuple[str, bytes]],
        final: FinalDecision,
    ) -> None:
        """Add what is not there, and take back what somebody disputed."""
        if not name or not prints:
            return
        number = _number(connection, name)
        if number is None:
            category = "" if benign else "csam"
            new = Bank(name, SOURCE, category, "high", benign)
            number = create_bank(connection, new, actor=_ACTOR).id
        there = get_entries(connection, find_entries(connection, number, values=prints))
        if disputed := [each.id for each in there.values() if each.disputed]:
            set_disputed(connection, number, disputed, False, actor=_ACTOR)
        known = {(each.signal, each.value) for each in there.values()}
        category = "" if benign else final.classification or "csam"
        entries = [
            Entry(signal, value, f"case {final.case}", category)
            for signal, value in prints
            if (signal, value) not in known
        ]
        if entries:
            add_entries(connection, number, entries, actor=_ACTOR)

    def _dispute(self, connection: Connection, name: str, prints: Sequence[tuple[str, bytes]]) -> None:
        number = _number(connection, name)
        if number is not None and (ids := find_entries(connection, number, values=prints)):
            set_disputed(connection, number, ids, True, actor=_ACTOR)

    def _withdraw(self, connection: Connection, name: str, digests: Sequence[tuple[str, bytes]]) -> None:
        number = _number(connection, name)
        if number is not None and (ids := find_entries(connection, number, values=digests)):
            remove_entries(connection, number, ids, actor=_ACTOR)


def _number(connection: Connection, name: str) -> int | None:
    return next((each.id for each in all_banks(connection) if each.bank.name == name), None)


def _prints(connection: Connection, items: Sequence[str]) -> list[tuple[str, bytes]]:
    """Digests of these items, and perceptual prints of those that are stills; each once."""
    p = case_print.c
    signals = installed()
    found: dict[tuple[str, bytes], None] = {}
    query = select(p.signal, p.value, p.of).where(p.item.in_(items)).order_by(p.id)
    for signal, value, of in connection.execute(query):
        known = signals.get(signal)
        if known is not None and (known.of_bytes or (known.of_frame and of == 1)):
            found[signal, bytes(value)] = None
    return list(found)
