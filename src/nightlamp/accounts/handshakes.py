"""What must be remembered between two requests of a browser, on whichever node: once, and not for long."""

from __future__ import annotations

import hashlib
import importlib
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Connection, delete, insert, select

from nightlamp.accounts.tables import handshake, invitation
from nightlamp.accounts.tokens import Token

Purpose = Literal["passkey", "new passkey", "codes", "provider"]
LIFE = timedelta(minutes=10)
INVITATION_LIFE = timedelta(hours=72)


def keep(
    connection: Connection, token: Token, purpose: Purpose, data: dict[str, Any], *, now: datetime
) -> None:
    """Remember ``data`` for whoever has the token; an earlier one of the same purpose is forgotten."""
    digest = token.digest(purpose)
    old = (handshake.c.digest == digest) | (handshake.c.expires_at < now)
    connection.execute(delete(handshake).where(old))
    dialect = importlib.import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    row = {"digest": digest, "data": data, "expires_at": now + LIFE}
    connection.execute(dialect.insert(handshake).on_conflict_do_nothing(), row)


def take(connection: Connection, token: Token, purpose: Purpose, *, now: datetime) -> dict[str, Any] | None:
    """What was remembered; asking again gives nothing."""
    mine = handshake.c.digest == token.digest(purpose)
    gone = connection.execute(
        delete(handshake).where(mine).returning(handshake.c.data, handshake.c.expires_at)
    ).one_or_none()
    return cast("dict[str, Any]", gone.data) if gone is not None and gone.expires_at > now else None


def first_time(connection: Connection, text: str, *, now: datetime, keep_for: timedelta) -> bool:
    """Whether nobody has asked this of ``text`` for so long; an answer that the next one does not get."""
    connection.execute(delete(handshake).where(handshake.c.expires_at < now))
    dialect = importlib.import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    digest = hashlib.sha256(f"once:{text}".encode()).digest()
    row = {"digest": digest, "data": {}, "expires_at": now + keep_for}
    made = dialect.insert(handshake).on_conflict_do_nothing().returning(handshake.c.digest)
    return connection.execute(made, row).first() is not None


def invite(connection: Connection, account_id: str, *, now: datetime) -> Token:
    """A token that lets its holder choose the account's password, once; earlier ones are good no more."""
    token = Token.new()
    connection.execute(delete(invitation).where(invitation.c.account == account_id))
    row = {"digest": token.digest("invitation"), "account": account_id, "expires_at": now + INVITATION_LIFE}
    connection.execute(insert(invitation).values(row))
    return token


def invited(connection: Connection, token: Token, *, now: datetime) -> bool:
    """Whether a token invites anybody; it is not used up."""
    mine = (invitation.c.digest == token.digest("invitation")) & (invitation.c.expires_at > now)
    return connection.scalar(select(invitation.c.account).where(mine)) is not None


def accept(connection: Connection, token: Token, *, now: datetime) -> str | None:
    """The account that a token invites to; then it is used up."""
    mine = invitation.c.digest == token.digest("invitation")
    gone = connection.execute(
        delete(invitation).where(mine).returning(invitation.c.account, invitation.c.expires_at)
    ).one_or_none()
    return cast("str", gone.account) if gone is not None and gone.expires_at > now else None
