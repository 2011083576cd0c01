"""People who sign in: accounts, passkeys and one-time codes, sessions, roles.

Promises: passwords are stored as argon2id, tokens and recovery codes as hashes, secrets of one-time codes
sealed; a session that is ended, or whose account is disabled, opens nothing from the next request on, on any
node; who guesses is slowed, the team is not locked out; every change is audited as ``person:<id>``. Takes a
``Connection`` in the caller's transaction, and the time. Gives ``Person``s and ``Session``s. Must never show
or log a password, token or secret.

``docs/console.md`` describes it for operators.
"""

from nightlamp.accounts.attempts import TooFastError
from nightlamp.accounts.entrance import Entered, Entrance, RefusedError, Whence
from nightlamp.accounts.handshakes import invite
from nightlamp.accounts.passkeys import Passkey, Site
from nightlamp.accounts.people import (
    THEMES,
    Account,
    add,
    disable,
    enable,
    every,
    get,
    named,
    normal,
    prefer,
    reset,
    set_roles,
    vouched,
)
from nightlamp.accounts.person import ROLES, Person
from nightlamp.accounts.provider import Provider, Vouched
from nightlamp.accounts.sessions import Session
from nightlamp.accounts.tokens import Token
from nightlamp.settings.console import Role

__all__ = [
    "ROLES",
    "THEMES",
    "Account",
    "Entered",
    "Entrance",
    "Passkey",
    "Person",
    "Provider",
    "RefusedError",
    "Role",
    "Session",
    "Site",
    "Token",
    "TooFastError",
    "Vouched",
    "Whence",
    "add",
    "disable",
    "enable",
    "every",
    "get",
    "invite",
    "named",
    "normal",
    "prefer",
    "reset",
    "set_roles",
    "vouched",
]
