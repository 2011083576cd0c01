"""What a feed knows of its source's entries, and how a page of new states changes that and the bank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from nightlamp.banks.live import GONE, Wanted, owned_rows, set_owned, weakens
from nightlamp.banks.live.entries import batches
from nightlamp.feeds.states import State, packed, tombstone, unpacked
from nightlamp.feeds.tables import feed_entry, feed_staged

VALUES_AT_ONCE = 20_000  # of one change of a bank


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose entries: the feed's number, its bank's, and its name in the audit log."""

    feed: int
    bank: int
    actor: str


@dataclass(frozen=True, slots=True)
class Change:
    """What work did: keys in force more or less, fingerprints added, removed and weakened (disputed now, or
    out of their category), the generation."""

    records: int = 0
    added: int = 0
    removed: int = 0
    generation: int = 0
    weakened: int = 0

    def __add__(self, other: Change) -> Change:
        """Both together."""
        return Change(
            self.records + other.records,
            self.added + other.added,
            self.removed + other.removed,
            max(self.generation, other.generation),
            self.weakened + other.weakened,
        )


def put_states(
    connection: Connection, owner: Owner, states: Mapping[str, State], now: datetime, *, force: bool = False
) -> Change:
    """Make these the newest states; an older version changes nothing, unless ``force``."""
    known = _known(connection, feed_entry, owner.feed, states)
    wanted: dict[str, Wanted] = {}
    rows: list[dict[str, Any]] = []
    records = 0
    for key, state in states.items():
        old = known.get(key)
        if old is not None:
            if not force and not state.beats(old.version):
                continue
            if old.digest == state.digest and old.version == state.version:
                continue
        rows.append(_row(owner.feed, key, state))
        if old is None or old.digest != state.digest:
            records += state.alive - (old.alive if old is not None else False)
            if old is not None or state.wanted.values:
                wanted[key] = state.wanted
    _upsert(connection, feed_entry, rows)
    change = Change(records)
    for some in _pieces(wanted):
        fresh = some.keys() - known.keys()
        kept = set_owned(connection, owner.bank, owner.feed, some, actor=owner.actor, fresh=fresh, now=now)
        change += Change(0, kept.added, kept.removed, kept.generation, kept.weakened)
    return change


def stage_states(connection: Connection, feed: int, states: Mapping[str, State]) -> None:
    """Note states of a whole list that is being fetched; nothing comes into force."""
    staged = _known(connection, feed_staged, feed, states)
    known = _known(connection, feed_entry, feed, states)
    rows = []
    for key, state in states.items():
        if key in staged and not state.beats(staged[key].version):
            continue
        same = key in known and known[key].digest == state.digest
        rows.append({**_row(feed, key, state), "state": None if same else packed(state.wanted)})
    _upsert(connection, feed_staged, rows)


def changed(connection: Connection, feed: int, after: str, limit: int) -> dict[str, State]:
    """What is staged and differs from what is known: the next ``limit`` keys behind ``after``."""
    s, e = feed_staged.c, feed_entry.c
    both = feed_staged.outerjoin(feed_entry, and_(e.feed == s.feed, e.key == s.key))
    differs = or_(e.key.is_(None), e.digest != s.digest, e.version != s.version)
    query = select(feed_staged).select_from(both).where(s.feed == feed, s.key > after, differs)
    rows = connection.execute(query.order_by(s.key).limit(limit))
    # A row without a state differs from what is known in its version alone.
    return {
        row.key: State(row.version, row.digest, row.alive, unpacked(row.state) if row.state else GONE)
        for row in rows
    }


def vanished(connection: Connection, feed: int, after: str, limit: int) -> dict[str, State]:
    """What is in force and not staged, as tombstones: the next ``limit`` keys behind ``after``."""
    s, e = feed_staged.c, feed_entry.c
    both = feed_entry.outerjoin(feed_staged, and_(s.feed == e.feed, s.key == e.key))
    query = select(e.key).select_from(both).where(e.feed == feed, e.key > after, e.alive.is_(True))
    keys = connection.scalars(query.where(s.key.is_(None)).order_by(e.key).limit(limit))
    return dict.fromkeys(keys, tombstone())


def count_lost(connection: Connection, owner: Owner, states: Mapping[str, State]) -> tuple[int, int]:
    """How many fingerprints in force these states would remove, and how many weaken."""
    known = _known(connection, feed_entry, owner.feed, states)
    touched = [key for key, row in known.items() if row.alive and row.digest != states[key].digest]
    lost = weakened = 0
    for key, rows in owned_rows(connection, owner.bank, owner.feed, touched).items():
        held = {(row.signal, row.value): row for row in rows}
        wanted = states[key].wanted
        kept = held.keys() & {(v.signal, v.value) for v in wanted.values}
        lost += len(held) - len(kept)
        weakened += sum(weakens(held[each], wanted) for each in kept)
    return lost, weakened


def count_staged(connection: Connection, feed: int) -> int:
    """Keys of the staged list that are not withdrawn."""
    s = feed_staged.c
    return connection.scalar(select(func.count()).where(s.feed == feed, s.alive.is_(True))) or 0


def any_entries(connection: Connection, feed: int) -> bool:
    """Whether anything is known of the source's entries, tombstones included."""
    return connection.scalar(select(feed_entry.c.key).where(feed_entry.c.feed == feed).limit(1)) is not None


def clear_staged(connection: Connection, feed: int, limit: int) -> int:
    """Throw away up to ``limit`` staged rows; how many there were."""
    s = feed_staged.c
    keys = connection.scalars(select(s.key).where(s.feed == feed).limit(limit)).all()
    for some in batches(keys):
        connection.execute(delete(feed_staged).where(s.feed == feed, s.key.in_(some)))
    return len(keys)


def clear_entries(connection: Connection, owner: Owner, limit: int, now: datetime) -> int:
    """Take up to ``limit`` keys of a removed feed out of force and forget them; how many there were."""
    e = feed_entry.c
    keys = connection.scalars(select(e.key).where(e.feed == owner.feed).limit(limit)).all()
    set_owned(connection, owner.bank, owner.feed, dict.fromkeys(keys, GONE), actor=owner.actor, now=now)
    for some in batches(keys):
        connection.execute(delete(feed_entry).where(e.feed == owner.feed, e.key.in_(some)))
    return len(keys)


def _known(connection: Connection, table: Table, feed: int, keys: Mapping[str, Any]) -> dict[str, Any]:
    c = table.c
    query = select(c.key, c.version, c.digest, c.alive).where(c.feed == feed)
    found: dict[str, Any] = {}
    for some in batches(keys):
        found |= {row.key: row for row in connection.execute(query.where(c.key.in_(some)))}
    return found


def _row(feed: int, key: str, state: State) -> dict[str, Any]:
    return {
        "feed": feed,
        "key": key,
        "version": state.version,
        "digest": state.digest,
        "alive": state.alive,
        "prints": len(state.wanted.values),
    }


def _upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    fields = {name: statement.excluded[name] for name in rows[0] if name not in ("feed", "key")}
    connection.execute(statement.on_conflict_do_update(index_elements=["feed", "key"], set_=fields), rows)


def _pieces(wanted: Mapping[str, Wanted]) -> Iterator[dict[str, Wanted]]:
    """Pieces of at most ``VALUES_AT_ONCE`` values."""
    piece: dict[str, Wanted] = {}
    values = 0
    for key, each in wanted.items():
        if piece and values + len(each.values) > VALUES_AT_ONCE:
            yield piece
            piece, values = {}, 0
        piece[key] = each
        values += len(each.values)
    if piece:
        yield piece
