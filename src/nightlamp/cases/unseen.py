"""What is in a case by nothing but its actor, and was shown to nobody: no decision says what it shows."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, exists, select

from nightlamp.cases.prints import SIGNAL, Prints
from nightlamp.cases.tables import case_item, case_print, reveal
from nightlamp.cases.terms import Terms
from nightlamp.signals import installed


def unseen(connection: Connection, case_id: str, radius: int = Terms().radius) -> frozenset[str]:
    """Items that came by a burst and were never opened, and what nobody opened that is there for those alone:
    the same content, or content that looks like it within ``radius``.
    """
    i, r = case_item.c, reveal.c
    opened = exists().where(r.item == i.item, r.level > 0, r.handed_at.is_not(None))
    query = select(i.item, i.how, opened.label("opened")).where(i.case == case_id)
    rows = connection.execute(query).all()
    bursts = {row.item for row in rows if row.how == "burst" and not row.opened}
    followed = {row.item: row.how for row in rows if row.how in _FOLLOWING and not row.opened}
    if not bursts or not followed:
        return frozenset(bursts)
    links = _links(connection, case_id, followed, radius)
    seen = {row.item for row in rows} - bursts - followed.keys()
    _spread(seen, links, set(followed))
    _spread(bursts, links, followed.keys() - seen)
    return frozenset(bursts)


_FOLLOWING = ("exact", "near", "video")


def _spread(items: set[str], links: dict[str, set[str]], among: set[str]) -> None:
    """Add to ``items`` what of ``among`` is linked with them, and so on."""
    edge = items
    while edge:
        edge = {each for each in among - items if not links[each].isdisjoint(edge)}
        items |= edge


def _links(
    connection: Connection, case_id: str, followed: dict[str, str], radius: int
) -> dict[str, set[str]]:
    """Of each item that came for its content or its looks: the case's items that it shares them with."""
    i, p = case_item.c, case_print.c
    digests = {name for name, signal in installed().items() if signal.index == "exact"}
    of_case = select(p.id, p.item, p.signal, p.value, p.of).join(case_item, i.item == p.item)
    query = of_case.where(i.case == case_id, p.signal.in_({*digests, SIGNAL})).order_by(p.id)
    holders: defaultdict[tuple[str, bytes], set[str]] = defaultdict(set)
    frames: defaultdict[str, list[bytes]] = defaultdict(list)
    looks = Prints()
    for row in connection.execute(query):
        if row.signal in digests:
            holders[row.signal, bytes(row.value)].add(row.item)
        else:
            looks.add([row])
            frames[row.item].append(bytes(row.value))
    links: dict[str, set[str]] = {item: set() for item in followed}
    for items in holders.values():
        for item in items & links.keys():
            links[item] |= items
    for item, how in followed.items():
        if how != "exact":
            links[item] |= {each.item for each in looks.similar(frames[item], radius)}
    return links
