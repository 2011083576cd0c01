"""What is in a case by nothing but its actor, and was shown to nobody: no decision says what it shows."""

from __future__ import annotations

from sqlalchemy import Connection, exists, select

from nightlamp.cases.tables import case_item, case_print, reveal
from nightlamp.signals import installed


def unseen(connection: Connection, case_id: str) -> frozenset[str]:
    """Items that came by a burst and were never opened, and unopened copies of them alone."""
    i, r, p = case_item.c, reveal.c, case_print.c
    opened = exists().where(r.item == i.item, r.level > 0, r.handed_at.is_not(None))
    query = select(i.item, i.how).where(i.case == case_id, i.how.in_(("burst", "exact")), ~opened)
    how = {row.item: row.how for row in connection.execute(query)}
    found = {item for item, by in how.items() if by == "burst"}
    if not found or len(found) == len(how):
        return frozenset(found)
    digests = [name for name, signal in installed().items() if signal.index == "exact"]
    prints: dict[tuple[str, bytes], set[str]] = {}
    of_case = select(p.item, p.signal, p.value).join(case_item, i.item == p.item)
    for row in connection.execute(of_case.where(i.case == case_id, p.signal.in_(digests))):
        prints.setdefault((row.signal, bytes(row.value)), set()).add(row.item)
    for items in prints.values():
        if not items.isdisjoint(found) and items <= how.keys():
            found |= items
    return frozenset(found)
