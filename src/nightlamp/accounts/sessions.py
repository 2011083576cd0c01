"""Sessions: begun at sign-in with a new token, read from the database at each request, ended at once.

Nothing is cached, so a session that is ended on one node is ended on all with the next request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Connection, delete, insert, or_, select, update

from nightlamp.accounts.person import Person, person_of
from nightlamp.accounts.tables import account, session
from nightlamp.accounts.tokens import Token
from nightlamp.store import new_id

Stage = Literal["second", "setup", "full"]
Method = Literal["password", "passkey", "codes", "recovery", "provider", "link"]
SEEN_EVERY = timedelta(minutes=1)
_HALF_WAY = timedelta(minutes=15)
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """One session.

    Args:
        stage: ``full`` opens pages; the others only what completes the sign-in.
        method: how it began.
        address, browser: whence; as the browser says.
    """

    id: str
    person: Person
    stage: Stage
    method: Method
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    browser: str


def start(
    connection: Connection,
    account_id: str,
    *,
    stage: Stage,
    method: Method,
    now: datetime,
    life: timedelta,
    address: str = "",
    browser: str = "",
    provider_session: str = "",
) -> Token:
    """Begin a session, and forget those that ended long ago.

    Args:
        provider_session: what the OpenID provider calls it (``sid``), if it says so.
    """
    token = Token.new()
    values = {
        "id": new_id(),
        "digest": token.digest("session"),
        "account": account_id,
        "stage": stage,
        "method": method,
        "created_at": now,
        "seen_at": now,
        "expires_at": now + (life if stage == "full" else min(life, _HALF_WAY)),
        "address": address[:45],
        "browser": browser[:100],
        "provider_session": _digest(provider_session) if provider_session else None,
    }
    connection.execute(delete(session).where(session.c.expires_at < now - _KEPT))
    connection.execute(insert(session).values(values))
    return token


def find(connection: Connection, token: Token, *, now: datetime, idle: timedelta) -> Session | None:
    """The session of a token, if it is alive."""
    mine = session.c.digest == token.digest("session")
    found = _alive(connection, mine, now, idle)
    return found[0] if found else None


def every(connection: Connection, account_id: str, *, now: datetime, idle: timedelta) -> list[Session]:
    """The living sessions of a person, the newest first."""
    return _alive(connection, session.c.account == account_id, now, idle)


def touch(connection: Connection, session_id: str, *, now: datetime) -> None:
    """Note that it was used; every ``SEEN_EVERY`` is often enough."""
    connection.execute(update(session).where(session.c.id == session_id).values(seen_at=now))


def end(connection: Connection, account_id: str, session_id: str, *, now: datetime) -> bool:
    """End one session of a person; True if it was alive."""
    mine = (session.c.id == session_id) & (session.c.account == account_id) & session.c.ended_at.is_(None)
    return bool(connection.execute(update(session).where(mine).values(ended_at=now)).rowcount)


def end_all(connection: Connection, account_id: str, *, now: datetime, but: str = "") -> int:
    """End all sessions of a person, ``but`` one; how many there were."""
    mine = (session.c.account == account_id) & (session.c.id != but) & session.c.ended_at.is_(None)
    return connection.execute(update(session).where(mine).values(ended_at=now)).rowcount


def end_at_provider(
    connection: Connection, issuer: str, *, subject: str, provider_session: str, now: datetime
) -> dict[str, int]:
    """End what an OpenID provider says is over: how many sessions, by account.

    Args:
        connection: in a transaction that may write.
        issuer: the provider.
        subject: whose; ``""``: it does not say.
        provider_session: which one alone; ``""``: all. One whose name it never told us is ended too.
        now: the time.
    """
    s, a = session.c, account.c
    query = select(s.id, s.account).join(account, a.id == s.account)
    query = query.where(a.issuer == issuer, s.method == "provider", s.ended_at.is_(None))
    if subject:
        query = query.where(a.subject == subject)
    if provider_session:
        named = s.provider_session == _digest(provider_session)
        query = query.where(or_(named, s.provider_session.is_(None)) if subject else named)
    elif not subject:
        return {}
    found: dict[str, int] = {}
    for session_id, account_id in connection.execute(query).all():
        if end(connection, account_id, session_id, now=now):
            found[account_id] = found.get(account_id, 0) + 1
    return found


def _digest(provider_session: str) -> bytes:
    return hashlib.sha256(provider_session.encode()).digest()


def _alive(connection: Connection, which: Any, now: datetime, idle: timedelta) -> list[Session]:
    s = session.c
    query = (
        select(
            account,
            s.id.label("session_id"),
            s.stage,
            s.method,
            s.created_at.label("begun_at"),
            s.seen_at,
            s.expires_at,
            s.address,
            s.browser,
        )
        .join(session, s.account == account.c.id)
        .where(which, s.ended_at.is_(None), account.c.disabled_at.is_(None))
        .where(s.expires_at > now, s.seen_at > now - idle)
        .order_by(s.created_at.desc())
    )
    return [
        Session(
            row.session_id,
            person_of(row),
            cast("Stage", row.stage),
            cast("Method", row.method),
            row.begun_at,
            row.seen_at,
            row.expires_at,
            row.address,
            row.browser,
        )
        for row in connection.execute(query)
    ]
