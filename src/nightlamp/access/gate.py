"""A key's text in, a ``Principal`` out: checked against a copy of the keys that follows the database."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from nightlamp.access.keys import Key, Scope, Secret, every
from nightlamp.banks.live.counter import Mark, current_mark
from nightlamp.errors import AccessError
from nightlamp.store import Clock, reading, utc_now

_NOBODY = b"\0" * 32


class Refused(AccessError):  # noqa: N818 (an answer, not a fault)
    """The text is no key in force. It does not say why, and takes as long whatever the reason."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key in force.

    Args:
        key: its id.
        rate: items a second; None: no limit.
    """

    key: str
    scopes: frozenset[Scope]
    rate: float | None = None

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"key:{self.key}"

    def may(self, *scopes: Scope) -> bool:
        """Whether it has one of them."""
        return not self.scopes.isdisjoint(scopes)


class Gate:
    """The keys of the database, in memory.

    Call ``refresh`` after a change on this node, and every 200 ms or so for changes on others: it reads one
    number, and the keys only if that has moved. ``current`` is then the last time that it looked.

    Args:
        engine: where the keys are.
        clock: for expiry.
    """

    def __init__(self, engine: Engine, *, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._clock = clock
        self._keys: Mapping[str, tuple[Key, Principal]] = {}
        self._seen: Mark | None = None
        self._refreshing = threading.Lock()

    def refresh(self, newest: Mark | None = None) -> bool:
        """Look for changes; True if there were any.

        Args:
            newest: where the database was just seen to be: if that is known here, it is not asked.

        Raises:
            StoreError, SQLAlchemyError: the database does not answer; the keys stay as they were.
        """
        if newest is not None and newest == self._seen:
            return False
        with self._refreshing, reading(self._engine) as connection:
            seen = current_mark(connection)
            if seen == self._seen:
                return False
            self._keys = {key.id: (key, Principal(key.id, key.scopes, key.rate)) for key in every(connection)}
            self._seen = seen
            return True

    def admit(self, secret: Secret) -> Principal:
        """Who this key is.

        Raises:
            Refused: it is malformed, unknown, wrong, expired or revoked.
        """
        identity, digest = secret.parts() or ("", _NOBODY)
        key, principal = self._keys.get(identity, (None, None))
        same = hmac.compare_digest(digest, key.digest if key else bytes(31) + b"\1")
        if key is None or principal is None or not same or not key.in_force(self._clock()):
            raise Refused("no key in force", where="authorization", hint="Authorization: Bearer nlk_…")
        return principal
