"""What was shown to whom, how long, and how much of that is too much.

A reveal is stored before the pixels are given out, and its length when they are hidden again. One that was
given out and never ended counts for the person as the longest that a look lasts, but for reports as not seen:
they must not claim more than is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, func, insert, select, update

from nightlamp.audit import Detail, append
from nightlamp.cases.decision import FULL
from nightlamp.cases.records import get_case
from nightlamp.cases.tables import case_item, decision, reveal
from nightlamp.cases.terms import Limits
from nightlamp.errors import CaseError
from nightlamp.intake.tables import item as items
from nightlamp.intake.tables import match
from nightlamp.store import new_id

_SEVERE = 2  # A2 and B2; A1 and B1 are 3, all else 1
_LONGEST = 4 * 3600.0
_LOOK = 15.0  # seconds after which the page ends a look by itself, see review.js
_SEEN = 1.0  # seconds; a shorter look is a slip of the key: nobody has viewed the whole by it
_GOOD_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a person was shown since a time: reveals above level 0.

    Args:
        reveals: how many.
        seconds: how long all in all, at most: what was given out and not ended counts as the longest look.
        severe: how many of them showed something of severity 2 or 3, at level 2 or more.
        severity: sum of level × severity of each: 3 for A1 and B1 (a sex act), 2 for A2 and B2, 1 for the
            rest; as the person has classified it themselves, or else as a list's category says.
    """

    reveals: int
    seconds: float
    severe: int
    severity: int


@dataclass(frozen=True, slots=True)
class Viewed:
    """For reports: ``whole``: somebody saw every frame as it is; ``exif``: somebody saw its metadata."""

    whole: bool
    exif: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reveal shows: of which case and item, as in ``record_reveal``; ``object`` in the vault."""

    case: str
    item: str
    level: int
    frame: int | None
    object: str | None
    frames: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether more may be shown: ``soft``: yes, but they should know; ``hard``: no."""

    exposure: Exposure
    soft: bool
    hard: bool


def record_reveal(
    connection: Connection,
    case_id: str,
    item: str,
    *,
    by: str,
    level: int,
    frame: int | None,
    started_at: datetime,
    seconds: float = 0.0,
    exif: bool = False,
    limits: Limits | None = None,
    again: bool = False,
) -> str:
    """Store that an item is shown; commit it before the pixels are given out.

    Args:
        connection: in a transaction that may write.
        case_id: the case's.
        item: of the case.
        by: who has the case claimed; of a decided one, who may look ``again``.
        level: 0 (metadata alone) to ``FULL`` (the pixels as they are).
        frame: which one; None: every frame there is.
        started_at: when.
        seconds: if it is over already; else see ``end_reveal``.
        exif: its metadata are shown.
        limits: refuse what is above the hard ones.
        again: they may look at what is decided, for an appeal or a report.

    Returns:
        The reveal's id.

    Raises:
        CaseError: ``invalid``; ``not found``: it is not in the case; ``not yours``;
            ``decided``; ``limit``.
    """
    if not 0 <= level <= FULL or (frame is not None and frame < 0):
        raise CaseError("invalid", f"a level of 0 to {FULL}, a frame from 0", where="level")
    of = get_case(connection, case_id)
    if of.state == "decided" and not again:
        raise CaseError(
            "decided", "it is decided: nobody need look at it", hint="the lead may, for an appeal"
        )
    if of.state != "decided" and of.holder(started_at) != by:
        raise CaseError("not yours", "only who has the case may look", hint="claim it")
    mine = select(case_item.c.verdict).where(case_item.c.case == case_id, case_item.c.item == item)
    verdict = connection.scalar(mine)
    if verdict is None:
        raise CaseError("not found", "there is no such item in the case", where="item")
    if level and limits is not None and may_reveal(connection, by, now=started_at, limits=limits).hard:
        raise CaseError("limit", "the shift's limit is reached", where="person", hint="a break")
    row = {
        "id": new_id(),
        "case": case_id,
        "item": item,
        "by": by,
        "level": level,
        "frame": frame,
        "exif": exif,
        "started_at": started_at,
        "seconds": _length(seconds),
        "severity": _severity(connection, verdict),
    }
    connection.execute(insert(reveal).values(row))
    facts: dict[str, Detail] = {
        "reveal": str(row["id"]),
        "case": case_id,
        "level": level,
        "frame": frame,
        "exif": exif,
    }
    append(connection, by, "cases.revealed", f"item:{item}", facts, at=started_at)
    return str(row["id"])


def end_reveal(connection: Connection, reveal_id: str, *, by: str, seconds: float, now: datetime) -> None:
    """Say that a reveal is over; the first time counts, and only if its pixels were given out.

    Args:
        connection: in a transaction that may write.
        reveal_id: whose end it is.
        by: whose it is.
        seconds: how long it was shown, as the browser says; no longer than it can have been.
        now: the time.

    Raises:
        CaseError: ``not found``: there is none of theirs.
    """
    row = connection.execute(select(reveal).where(reveal.c.id == reveal_id).with_for_update()).one_or_none()
    if row is None or row.by != by:
        raise CaseError("not found", "there is no such reveal", where="reveal")
    if row.seconds or (row.level and row.handed_at is None):
        return
    lasted = _length(min(seconds, max((now - (row.handed_at or row.started_at)).total_seconds(), 0.0)))
    connection.execute(update(reveal).where(reveal.c.id == reveal_id).values(seconds=lasted))
    facts: dict[str, Detail] = {"reveal": reveal_id, "milliseconds": int(lasted * 1000)}
    append(connection, by, "cases.hidden", f"item:{row.item}", facts, at=now)


def exposure(connection: Connection, person: str, since: datetime) -> Exposure:
    """What ``person`` was shown since a time."""
    r, d = reveal.c, decision.c
    said = select(func.max(case((d.classification.in_(("A1", "B1")), 3), else_=2)))
    said = said.join(case_item, case_item.c.case == d.case).where(case_item.c.item == r.item, d.by == r.by)
    said = said.where(d.classification.is_not(None), d.undone_at.is_(None))
    severity = func.coalesce(said.scalar_subquery(), r.severity)
    unended = (r.seconds == 0) & r.handed_at.is_not(None)
    lasted = case((unended, _LOOK), else_=r.seconds)
    query = select(r.level, lasted.label("lasted"), severity.label("severity"))
    shown = query.where(r.by == person, r.started_at >= since, r.level > 0).subquery().c
    severe = case(((shown.severity >= _SEVERE) & (shown.level >= 2), 1), else_=0)
    counts = (func.count(), func.sum(shown.lasted), func.sum(severe), func.sum(shown.level * shown.severity))
    row = connection.execute(select(*counts)).one()
    return Exposure(int(row[0]), float(row[1] or 0), int(row[2] or 0), int(row[3] or 0))


def may_reveal(connection: Connection, person: str, *, now: datetime, limits: Limits) -> Allowance:
    """Whether ``person`` may be shown more in this shift."""
    seen = exposure(connection, person, now - limits.shift)

    def reached(reveals: int, seconds: float, severity: int) -> bool:
        of = ((seen.reveals, reveals), (seen.seconds, seconds), (seen.severity, severity))
        return any(limit and so_far >= limit for so_far, limit in of)

    hard = reached(limits.hard_reveals, limits.hard_seconds, limits.hard_severity)
    soft = reached(limits.soft_reveals, limits.soft_seconds, limits.soft_severity)
    return Allowance(seen, hard or soft, hard)


def highest_level(connection: Connection, item: str, person: str) -> int:
    """The highest level at which ``person`` was shown something of an item; 0: at none."""
    query = select(func.max(reveal.c.level)).where(reveal.c.item == item, reveal.c.by == person)
    return connection.scalar(query) or 0


def has_looked(connection: Connection, case_id: str, person: str) -> bool:
    """Whether ``person`` was shown any pixels of a case."""
    shown = select(reveal.c.id).join(case_item, case_item.c.item == reveal.c.item)
    mine = (case_item.c.case == case_id) & (reveal.c.by == person) & (reveal.c.level > 0)
    return connection.execute(shown.where(mine).limit(1)).first() is not None


def hand_out(connection: Connection, reveal_id: str, *, by: str, now: datetime) -> Shown | None:
    """What a reveal is to show; the first time only, and soon after it was stored.

    Args:
        connection: in a transaction that may write.
        reveal_id: whose pixels are asked for.
        by: whose it must be.
        now: the time.

    Returns:
        None: there is none, it was handed out already, or its time has passed.
    """
    r = reveal.c
    open_ = (r.id == reveal_id) & (r.by == by) & r.handed_at.is_(None) & (r.started_at > now - _GOOD_FOR)
    if not connection.execute(update(reveal).where(open_).values(handed_at=now)).rowcount:
        return None
    query = select(r.case, r.item, r.level, r.frame, items.c.object, items.c.frames)
    return Shown(*connection.execute(query.join(items, items.c.id == r.item).where(r.id == reveal_id)).one())


def record_stills(
    connection: Connection, reveal_id: str, shown: Shown, stills: Sequence[int], *, by: str, now: datetime
) -> None:
    """Say which frames stand in a strip; commit it before the pixels are given out.

    Args:
        connection: in a transaction that may write.
        reveal_id: the reveal's.
        shown: what was handed out for it.
        stills: the numbers of the frames.
        by: whose reveal it is.
        now: the time.
    """
    facts: dict[str, Detail] = {"reveal": reveal_id, "case": shown.case, "stills": list(stills)}
    append(connection, by, "cases.stills", f"item:{shown.item}", facts, at=now)


def viewed(connection: Connection, item: str) -> Viewed:
    """What of an item was seen by somebody here, for reports.

    The whole of it only if one and the same person saw every frame as it is, each for a second at least, and
    each reveal was ended. Of a video never: stills are not all of it, and its sound is not played.
    """
    query = select(items.c.frames, items.c.media_type).where(items.c.id == item)
    frames, media_type = connection.execute(query).one_or_none() or (0, "")
    r = reveal.c
    seen: dict[str, set[int | None]] = {}
    exif = False
    ended = select(r.by, r.level, r.frame, r.exif, r.seconds).where(r.item == item, r.seconds > 0)
    for row in connection.execute(ended):
        exif |= row.exif
        if row.level == FULL and row.seconds >= _SEEN:
            seen.setdefault(row.by, set()).add(row.frame)
    every = set(range(frames or 0))
    whole = any(None in of or (every and every <= of) for of in seen.values())
    whole = whole and not media_type.startswith("video/")
    return Viewed(bool(whole), exif)


def _length(seconds: float) -> float:
    if not 0 <= seconds < float("inf"):
        raise CaseError("invalid", "no length of time", where="seconds")
    return min(seconds, _LONGEST)


def _severity(connection: Connection, verdict: str) -> int:
    """What the lists say of it: 3 for A1 and B1 (a sex act), 2 for A2 and B2, 1 for all else."""
    categories = select(match.c.category).where(match.c.verdict == verdict, ~match.c.benign).distinct()
    marks = {text[-2:].upper() for text in connection.scalars(categories)}
    return 3 if marks & {"A1", "B1"} else 2 if marks & {"A2", "B2"} else 1
