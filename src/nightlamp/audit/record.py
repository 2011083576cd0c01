"""One audit record: who did what to what, when, and the few facts that explain it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from nightlamp.audit import canonical
from nightlamp.errors import AuditError

Scalar = str | int | bool | None
Detail = Scalar | Sequence[Scalar]

VERSION = 1
_quoted = json.JSONEncoder(ensure_ascii=False).encode
_ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LIKE_A_HASH = re.compile(r"[0-9A-Fa-f]{32}")  # md5 and everything longer
_LONGEST_NAME, _LONGEST_TEXT, _LARGEST_DETAILS = 200, 1000, 8192


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that has not its place in the chain yet; see ``Record``. ``at``: None is now."""

    actor: str
    action: str
    subject: str
    details: Mapping[str, Detail] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What is chained.

    Args:
        sequence: 1, 2, 3 … without gaps.
        at: the writer's clock; says nothing about the order.
        actor: who: ``"key:…"``, ``"reviewer:…"``, ``"system"``; pseudonymous.
        action: ``"<part>.<what>"``, e.g. ``"vault.destroyed"``.
        subject: what it was done to, e.g. ``"item:…"``, ``"object:…"``.
        details: facts by name; numbers, flags, short words and ids.
    """

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, Detail]

    def as_object(self) -> dict[str, Any]:
        """The JSON object that is hashed, with its version."""
        return {
            "action": self.action,
            "actor": self.actor,
            "at": time_text(self.at),
            "details": {name: _plain(value) for name, value in self.details.items()},
            "sequence": self.sequence,
            "subject": self.subject,
            "v": VERSION,
        }


def written(sequence: int, at: datetime, actor: str, action: str, subject: str, details: str) -> bytes:
    """The canonical form of a ``Record`` whose fields were checked and whose details are in that form.

    The same bytes as ``canonical.encode(record.as_object())``, in a fifth of the time.
    """
    return (
        f'{{"action":"{action}","actor":{_quoted(actor)},"at":"{time_text(at)}","details":{details},'
        f'"sequence":{sequence},"subject":{_quoted(subject)},"v":{VERSION}}}'
    ).encode()


def time_text(moment: datetime) -> str:
    """``2026-11-24T21:30:00.000000Z``: always UTC, always six digits."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def check(actor: str, action: str, subject: str, details: Mapping[str, Detail]) -> None:
    """Refuse what may not stand in the log.

    Raises:
        AuditError: naming the field; never its value.
    """
    if not _ACTION.fullmatch(action):
        raise AuditError("an action is words joined by dots", where="action", hint="vault.destroyed")
    for where, text in (("actor", actor), ("action", action), ("subject", subject)):
        if not text or len(text) > _LONGEST_NAME:
            raise AuditError(f"must have 1 to {_LONGEST_NAME} characters", where=where)
        _check_text(where, text)
    for name, value in details.items():
        if not isinstance(name, str) or not _named(name):
            raise AuditError("a detail's name is lower-case letters, digits and _", where="details")
        for scalar in value if isinstance(value, list | tuple) else (value,):
            if isinstance(scalar, str):
                if _fault(scalar):
                    _check_text(f"details.{name}", scalar)
            elif scalar is not None and not isinstance(scalar, int):
                raise AuditError(
                    "a detail is text, an integer, a flag, nothing, or a list of these",
                    where=f"details.{name}",
                )
            elif scalar is not None and not -canonical.LARGEST <= scalar <= canonical.LARGEST:
                raise AuditError("an integer beyond 2**53 - 1", where=f"details.{name}")


def encode_details(details: Mapping[str, Detail]) -> str:
    """``details``, which were checked, in canonical form."""
    text = canonical.spelled({name: _plain(value) for name, value in details.items()})
    if len(text) > _LARGEST_DETAILS:
        raise AuditError(f"more than {_LARGEST_DETAILS} characters", where="details")
    return text


def _check_text(where: str, text: str) -> None:
    fault = _fault(text)
    if fault:
        raise AuditError(fault[0], where=where, hint=fault[1])


@lru_cache(4096)  # most texts of most records are the same few
def _fault(text: str) -> tuple[str, str] | None:
    """Why a text may not stand in the log, and what to do."""
    if len(text) > _LONGEST_TEXT:
        return f"more than {_LONGEST_TEXT} characters", ""
    if not text.isprintable():
        return "control characters have no place in the log", ""
    if _LIKE_A_HASH.search(text):
        return "looks like a hash value, which the log must not hold", "a pseudonymous id"
    return None


@lru_cache(256)
def _named(name: str) -> bool:
    return _KEY.fullmatch(name) is not None


def _plain(value: Detail) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
