"""What was grouped wrongly becomes a case of its own, and comes back if that was a slip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, literal, or_, select, update

from nightlamp.audit import append
from nightlamp.cases.claims import ready
from nightlamp.cases.decision import Case
from nightlamp.cases.records import change_case, count_items, get_case, lock_case, standing
from nightlamp.cases.tables import case_item, case_key, case_split, reveal, review_case
from nightlamp.cases.terms import UNDO
from nightlamp.errors import CaseError
from nightlamp.store import new_id


@dataclass(frozen=True, slots=True)
class Split:
    """Items that were split off: into ``case``, out of ``origin``; how many they were."""

    case: str
    origin: str
    items: int


def split(
    connection: Connection,
    case_id: str,
    items: Sequence[str],
    *,
    by: str,
    version: int,
    now: datetime,
) -> Case:
    """Make a case of its own of what does not belong to the others; nobody has answered it yet.

    Returns:
        The new case, which nobody has claimed.

    Raises:
        CaseError: as ``decide``; ``invalid``: an item is not in the case, or all are; somebody has answered.
    """
    case = ready(connection, case_id, by, version, now)
    if standing(connection, case):
        raise CaseError("invalid", "somebody has answered already", hint="escalate it")
    chosen = sorted(set(items))
    mine = (_I.case == case.id) & _I.item.in_(chosen)
    count = connection.scalar(select(func.count()).select_from(case_item).where(mine))
    if not chosen or count != len(chosen) or count == case.items:
        raise CaseError("invalid", "some of the case's items, not all", where="items")
    new = new_id()
    connection.execute(
        insert(review_case).from_select(
            _COPIED, select(*(_other_value(name, new, now) for name in _COPIED)).where(_C.id == case.id)
        )
    )
    first = connection.execute(select(_I.how, _I.distance).where(_I.item == chosen[0])).one()
    kept = {"case": new, "origin": case.id, "by": by, "at": now, "item": chosen[0]}
    connection.execute(insert(case_split).values(**kept, how=first.how, distance=first.distance))
    connection.execute(update(case_item).where(mine).values(case=new))
    leading = update(case_item).where(_I.item == chosen[0])
    connection.execute(leading.values(how="split", distance=None))
    change_case(connection, case, "items were split off")
    count_items(connection, [case.id, new])
    append(connection, by, "cases.split", f"case:{case.id}", {"into": new, "items": count}, at=now)
    return get_case(connection, new)


def unsplit(connection: Connection, case_id: str, *, by: str, now: datetime, undo: timedelta = UNDO) -> Case:
    """Take back that ``case_id`` was split off, as long as nobody has begun with it; it is no case then.

    Returns:
        The case that the items are in again.

    Raises:
        CaseError: ``not found``; ``not yours``: somebody else has split it off, or has the other case now;
            ``decided``: it is too late; ``stale``: somebody has begun with one of them.
    """
    row = connection.execute(select(case_split).where(_S.case == case_id)).one_or_none()
    if row is None:
        raise CaseError("not found", "it was not split off, or is back already")
    case, new = (lock_case(connection, each) for each in (row.origin, case_id))  # the older one first
    if row.by != by:
        raise CaseError("not yours", "somebody else has split it off")
    if now >= row.at + undo:
        raise CaseError("decided", "it is too late to take it back", hint="decide both cases")
    if case.state != "open" or standing(connection, case):
        raise CaseError("stale", "somebody has answered", changed=case.changed)
    if case.holder(now) not in (None, by):
        raise CaseError("not yours", "somebody else has it now", hint="the next case")
    looked = connection.scalar(select(exists().where(reveal.c.case == new.id)))
    if new.version != 1 or new.holder(now) is not None or looked:
        raise CaseError("stale", "somebody has begun with it", changed=new.changed, hint="decide both cases")
    connection.execute(
        update(case_item).where(_I.item == row.item).values(how=row.how, distance=row.distance)
    )
    connection.execute(update(case_item).where(_I.case == new.id).values(case=case.id))
    connection.execute(update(case_key).where(case_key.c.case == new.id).values(case=case.id))
    connection.execute(delete(case_split).where(_S.case == new.id))
    connection.execute(delete(review_case).where(_C.id == new.id))
    change_case(connection, case, "items that were split off are back")
    count_items(connection, [case.id])
    append(connection, by, "cases.split_undone", f"case:{case.id}", {"from": new.id}, at=now)
    return get_case(connection, case.id)


def unsplittable(
    connection: Connection, case_id: str, *, by: str, now: datetime, undo: timedelta = UNDO
) -> list[Split]:
    """What ``by`` has split off a case so short a time ago that it can be taken back, the last first."""
    query = select(_S.case, _S.origin, _C["items"]).join(review_case, _C.id == _S.case)
    mine = (_S.origin == case_id) & (_S.by == by) & (_S.at > now - undo) & (_C.version == 1)
    return [Split(*row) for row in connection.execute(query.where(mine).order_by(_S.at.desc()))]


def how_many(connection: Connection, case_id: str) -> dict[str, int]:
    """How many items came into a case in which way, the most first."""
    query = select(_I.how, func.count()).where(_I.case == case_id).group_by(_I.how)
    return dict(map(tuple, connection.execute(query.order_by(func.count().desc(), _I.how))))


def items_among(
    connection: Connection, case_id: str, items: Sequence[str], hows: Sequence[str] = ()
) -> list[str]:
    """Those of ``items`` that are in a case, and all of its items that came in one of the ways ``hows``."""
    wanted = or_(_I.item.in_(items), _I.how.in_(hows))
    return list(connection.scalars(select(_I.item).where(_I.case == case_id, wanted)))


_C = review_case.c
_I = case_item.c
_S = case_split.c
_COPIED = [column.name for column in _C if column.name not in ("claimed_by", "claimed_at", "claim_until")]


def _other_value(name: str, new: str, now: datetime) -> Any:
    other = {"id": new, "version": 1, "changed": "", "grown_at": now}
    return literal(other[name], _C[name].type) if name in other else _C[name]
