"""Connections to PostgreSQL that do not wait for a server which has fallen silent.

A server that is frozen, or a way to it that swallows everything, takes a question and never answers, and no
time-out of the system notices as long as somebody acknowledges what is sent. A slow statement looks alike. So
after some seconds of silence a second connection is tried: if the server takes it, the statement may go on,
however long; if it is silent there too, the first is given up.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

T = TypeVar("T")
_CONNECT = 5  # seconds that the second connection may take


class Watched(psycopg.Connection[Any]):
    """A connection that is given up when the server does not answer at all."""

    silence = 5.0
    _given: tuple[Any, dict[str, Any]]

    @classmethod
    def connect(cls, conninfo: str = "", *, silence: float = 5.0, **rest: Any) -> Self:  # type: ignore[override]
        """As psycopg's; ``silence``: seconds without an answer before the server is tried."""
        made = super().connect(conninfo, **rest)
        made.silence = silence
        made._given = (conninfo, {name: rest[name] for name in rest if name not in ("context", "autocommit")})
        return made

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Whatever is waited for passes here: statements, commits, rollbacks.

        Raises:
            OperationalError: the server has fallen silent; the connection is closed.
        """
        while True:
            try:
                return super().wait(gen, interval, self.silence if timeout is None else timeout)
            except errors._WaitTimeout:
                if timeout is not None:
                    raise
                if self._is_silent():
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server has fallen silent") from None

    def _is_silent(self) -> bool:
        conninfo, rest = self._given
        try:
            psycopg.connect(conninfo, **{**rest, "connect_timeout": _CONNECT}).close()
        except errors.ConnectionTimeout:
            return True
        except psycopg.Error:  # it is away, or said something: our own connection will notice
            return False
        return False
