"""Accounts and their roles; every change is audited and stands in the caller's transaction."""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from nightlamp import audit
from nightlamp.accounts import sessions
from nightlamp.accounts.person import ROLES, Person, person_of
from nightlamp.accounts.tables import account, invitation, passkey, recovery_code
from nightlamp.errors import AccessError
from nightlamp.store import new_id

THEMES = ("auto", "light", "dark")
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Account:
    """What is stored of a person, without secrets; times are UTC.

    Args:
        password, codes: whether there is a password, and a secret of one-time codes.
        passkeys: how many.
        issuer: of the OpenID provider that vouches for them; ``""``: a local account.
    """

    person: Person
    password: bool
    codes: bool
    passkeys: int
    issuer: str
    created_at: datetime
    created_by: str
    disabled_at: datetime | None

    @property
    def id(self) -> str:
        """The person's."""
        return self.person.id

    @property
    def second_factor(self) -> bool:
        """Whether there is something besides the password."""
        return self.codes or self.passkeys > 0


def add(
    connection: Connection,
    name: str,
    roles: Iterable[str],
    *,
    actor: str,
    now: datetime,
    display: str = "",
    issuer: str = "",
    subject: str | None = None,
) -> Account:
    """Make an account, without a password.

    Raises:
        AccessError: the name is taken or malformed, a role is unknown, or there is none.
    """
    plain = normal(name)
    if not _NAME.fullmatch(plain):
        raise AccessError("must be 1 to 64 of a-z, 0-9 and . _ @ + -", where="name")
    if connection.scalar(select(account.c.id).where(account.c.name == plain)):
        raise AccessError("is taken", where="name")
    wanted = _checked(roles)
    values = {
        "id": new_id(),
        "name": plain,
        "display": (_storable(display).strip() or plain)[:200],
        "roles": wanted,
        "totp_step": 0,
        "issuer": issuer,
        "subject": subject,
        "language": "",
        "theme": "auto",
        "shortcuts": True,
        "created_at": now,
        "created_by": actor,
    }
    dialect = importlib.import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    # Another node may take the name between the look and this.
    if not connection.execute(dialect.insert(account).values(values).on_conflict_do_nothing()).rowcount:
        raise AccessError("is taken", where="name")
    facts: dict[str, audit.Detail] = {"roles": wanted, "local": not issuer}
    audit.append(connection, actor, "account.created", f"person:{values['id']}", facts, at=now)
    return get(connection, str(values["id"]))


def get(connection: Connection, account_id: str) -> Account:
    """One account.

    Raises:
        AccessError: there is none.
    """
    return _one(connection, account.c.id == account_id)


def named(connection: Connection, name: str) -> Account:
    """One account by its name.

    Raises:
        AccessError: there is none.
    """
    return _one(connection, account.c.name == normal(name))


def every(connection: Connection) -> list[Account]:
    """All accounts, disabled ones too, by name."""
    return [_account(row) for row in connection.execute(_query().order_by(account.c.name))]


def set_roles(
    connection: Connection, account_id: str, roles: Iterable[str], *, actor: str, now: datetime
) -> Account:
    """Give other roles; in force with the person's next request.

    Raises:
        AccessError: a role is unknown, there is none, or nobody would be left to administer.
    """
    before, wanted = get(connection, account_id), _checked(roles)
    if "admin" not in wanted:
        _not_the_last(connection, before)
    connection.execute(update(account).where(account.c.id == account_id).values(roles=wanted))
    facts: dict[str, audit.Detail] = {"before": _ordered(before.person.roles), "after": wanted}
    audit.append(connection, actor, "account.roles", f"person:{account_id}", facts, at=now)
    return get(connection, account_id)


def disable(connection: Connection, account_id: str, *, actor: str, now: datetime) -> Account:
    """Let the person in no more, and end every session of theirs.

    Raises:
        AccessError: there is none, or nobody would be left to administer.
    """
    _not_the_last(connection, get(connection, account_id))
    mine = (account.c.id == account_id) & account.c.disabled_at.is_(None)
    if connection.execute(update(account).where(mine).values(disabled_at=now)).rowcount:
        sessions.end_all(connection, account_id, now=now)
        audit.append(connection, actor, "account.disabled", f"person:{account_id}", at=now)
    return get(connection, account_id)


def enable(connection: Connection, account_id: str, *, actor: str, now: datetime) -> Account:
    """Let the person in again."""
    mine = (account.c.id == account_id) & account.c.disabled_at.is_not(None)
    if connection.execute(update(account).where(mine).values(disabled_at=None)).rowcount:
        audit.append(connection, actor, "account.enabled", f"person:{account_id}", at=now)
    return get(connection, account_id)


def reset(connection: Connection, account_id: str, *, actor: str, now: datetime) -> Account:
    """Take away password, codes, passkeys, open invitations and sessions: the person starts anew.

    Raises:
        AccessError: there is no such account, or a provider looks after it.
    """
    if get(connection, account_id).issuer:
        raise AccessError("the provider looks after this account", where="account")
    connection.execute(update(account).where(account.c.id == account_id).values(password=None, totp=None))
    for table in (passkey, recovery_code, invitation):
        connection.execute(table.delete().where(table.c.account == account_id))
    sessions.end_all(connection, account_id, now=now)
    audit.append(connection, actor, "account.reset", f"person:{account_id}", at=now)
    return get(connection, account_id)


def prefer(
    connection: Connection, person: Person, *, display: str, language: str, theme: str, shortcuts: bool
) -> None:
    """Store how a person wants the pages.

    Raises:
        AccessError: there is no such theme, or the name is empty or too long.
    """
    if theme not in THEMES or len(language) > 20:
        raise AccessError("there is no such theme or language", where="theme")
    if not 0 < len(display.strip()) <= 200:
        raise AccessError("must be 1 to 200 characters", where="display")
    values = {"display": display.strip(), "language": language, "theme": theme, "shortcuts": shortcuts}
    connection.execute(update(account).where(account.c.id == person.id).values(values))


def vouched(
    connection: Connection,
    issuer: str,
    subject: str,
    *,
    name: str,
    display: str,
    roles: Iterable[str],
    now: datetime,
) -> Account:
    """The account of a person for whom an OpenID provider vouches: made at first sight, roles as it says.

    A local account of the same name is another person: it is never taken over.

    Raises:
        AccessError: no role, or the account is disabled.
    """
    wanted = _checked(roles)
    theirs = _query().where(account.c.issuer == issuer, account.c.subject == subject)
    found = connection.execute(theirs).one_or_none()
    if found is None:
        plain = re.sub(r"[^a-z0-9._@+-]", "", normal(name))[:50].lstrip("._@+-") or "person"
        if connection.scalar(select(account.c.id).where(account.c.name == plain)):
            plain = f"{plain}-{new_id()[-8:]}"
        try:
            return add(
                connection,
                plain,
                wanted,
                actor="system",
                now=now,
                display=display,
                issuer=issuer,
                subject=subject,
            )
        except AccessError:
            found = connection.execute(theirs).one_or_none()
            if found is None:
                raise
        # The same person came in elsewhere at the same moment.
    known = _account(found)
    if known.disabled_at is not None:
        raise AccessError("the account is disabled", where="account")
    if _ordered(known.person.roles) != wanted:
        return set_roles(connection, known.id, wanted, actor="system", now=now)
    return known


def normal(name: str) -> str:
    """A name as it is stored and compared."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _storable(text: str) -> str:
    """Without what no database takes: NUL, and halves of characters."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def _checked(roles: Iterable[str]) -> list[str]:
    wanted = set(roles)
    if not wanted or not wanted <= set(ROLES):
        raise AccessError("an account has one or more known roles", where="roles", hint=", ".join(ROLES))
    return _ordered(wanted)


def _ordered(roles: Iterable[str]) -> list[str]:
    given = set(roles)
    return [role for role in ROLES if role in given]


def _not_the_last(connection: Connection, who: Account) -> None:
    """Refuse to leave nobody who may administer."""
    if who.disabled_at is not None or "admin" not in who.person.roles:
        return
    locked = select(account.c.id, account.c.roles).where(account.c.disabled_at.is_(None)).with_for_update()
    if not any("admin" in row.roles and row.id != who.id for row in connection.execute(locked)):
        raise AccessError("nobody would be left to administer", where="roles", hint="another admin first")


def _query() -> Any:
    passkeys = select(func.count()).where(passkey.c.account == account.c.id).scalar_subquery()
    return select(account, passkeys.label("passkeys"))


def _one(connection: Connection, which: Any) -> Account:
    row = connection.execute(_query().where(which)).one_or_none()
    if row is None:
        raise AccessError("there is no such account", where="account")
    return _account(row)


def _account(row: Row[Any]) -> Account:
    return Account(
        person_of(row),
        row.password is not None,
        row.totp is not None,
        row.passkeys,
        row.issuer,
        row.created_at,
        row.created_by,
        row.disabled_at,
    )
