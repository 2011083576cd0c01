"""Decisions as opinions on the list entries that brought the content up.

An opinion is about the entry, so only what matches it closely says something: content that is merely similar
to an entry and was cleared does not make the entry wrong. Nor does a decision say anything of an item that
nobody saw, and that is in its case by its actor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from nightlamp.cases.decision import FinalDecision
from nightlamp.cases.tables import case_item
from nightlamp.cases.terms import Terms
from nightlamp.cases.unseen import unseen
from nightlamp.intake.tables import match

AFFIRMED_WITHIN = 8  # bits, of perceptual matches
_MOST = 1_000  # entries of one case

# connection, bank, the source's id, opinion, reason, id of the decision
Queue = Callable[[Connection, str, str, Literal["affirmative", "negative"], str, str], object]


@dataclass(frozen=True, slots=True)
class Feedback:
    """A consumer of final decisions.

    Args:
        queue: keeps an opinion until its exchange has it; knows which banks have one.
        radius: bits within which pictures are one case.
    """

    queue: Queue
    radius: int = Terms().radius

    def __call__(self, connection: Connection, final: FinalDecision) -> None:
        """Queue an opinion on each entry that the case's items match closely."""
        if final.finding not in ("csam", "not_csam"):
            return
        confirmed = final.finding == "csam"
        within = AFFIRMED_WITHIN if confirmed else 0
        for bank, entry_id in _entries(connection, final, within, self.radius):
            opinion: Literal["affirmative", "negative"] = "affirmative" if confirmed else "negative"
            self.queue(connection, bank, entry_id, opinion, final.reason, final.decision)


def _entries(
    connection: Connection, final: FinalDecision, within: int, radius: int
) -> Iterator[tuple[str, str]]:
    m = match.c
    of_case = case_item.c.verdict == m.verdict
    query = select(m.bank, m.entry_id).join(case_item, of_case).where(case_item.c.case == final.case)
    if hidden := unseen(connection, final.case, radius):
        query = query.where(case_item.c.item.not_in(hidden))
    query = query.where(~m.benign, m.distance <= within).distinct().order_by(m.bank, m.entry_id)
    for row in connection.execute(query.limit(_MOST)).all():
        yield row.bank, row.entry_id
