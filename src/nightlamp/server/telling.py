"""What is told of stored things, as plain JSON, each for who may see it.

Submissions and listings are told by the thousand, so they are not sent through the models of ``shapes``.
"""

from __future__ import annotations

from typing import Any

from nightlamp.access import Key
from nightlamp.audit import Link
from nightlamp.banks.live import StoredBank
from nightlamp.intake import Delivery, Outcome, Ruling, StoredItem, StoredPolicy, Webhook
from nightlamp.origin import to_json
from nightlamp.values import Match


def short(outcome: Outcome) -> dict[str, Any]:
    """The constant shape."""
    answered = outcome.wait or outcome.ruling is None
    done = outcome.ruling is not None and answered
    return {
        "id": outcome.item,
        "state": outcome.state if done else "pending",
        "action": outcome.action if done else None,
    }


def full(outcome: Outcome, review: bool) -> dict[str, Any]:
    """An outcome for those who may read."""
    told = verdict(outcome.ruling, review) if outcome.ruling is not None else None
    state = {"id": outcome.item, "state": outcome.state, "action": outcome.action}
    return {**state, "verdict": told, "replayed": outcome.replayed}


def verdict(ruling: Ruling, review: bool) -> dict[str, Any]:
    """A verdict for those who may read; ``review``: with the entries' ids."""
    given = ruling.verdict
    handling = given.handling
    return {
        "id": ruling.id,
        "item": ruling.item,
        "action": given.action,
        "rule": given.rule,
        "reasons": list(given.reasons),
        "unchecked": [{"what": u.what, "why": u.why, "detail": u.detail} for u in given.unchecked],
        "known": given.benign,
        "policy": ruling.policy,
        "generation": ruling.generation,
        "late": ruling.late,
        "hold": str(handling.hold) if handling.hold is not None else None,
        "priority": handling.priority,
        "queue": handling.queue,
        "two_person": handling.two_person,
        "confirms": handling.confirms,
        "decided_at": ruling.decided_at.isoformat(),
        "match_count": ruling.matches,
        "matches": [match(each, review) for each in given.matches[:200]],
        "scores": dict(ruling.scores),
    }


def match(found: Match, review: bool) -> dict[str, Any]:
    """A match for those who may read."""
    told = {
        "bank": found.bank.name,
        "source": found.bank.source,
        "category": found.category,
        "trust": found.bank.trust,
        "benign": found.bank.benign,
        "signal": found.fingerprint.signal,
        "distance": found.distance,
        "exact": found.exact,
        "view": found.fingerprint.view,
        "frame": found.fingerprint.frame,
        "seconds": found.fingerprint.seconds,
        "disputed": found.disputed,
    }
    return {**told, "entry_id": found.entry_id} if review else told


def short_item(stored: StoredItem) -> dict[str, Any]:
    """The constant shape of a stored item."""
    return {"id": stored.id, "state": stored.state, "action": stored.action}


def full_item(stored: StoredItem) -> dict[str, Any]:
    """A stored item for those who may read."""
    plain = ("id", "state", "action", "kind", "platform_id", "actor", "media_type", "size", "width", "height")
    return {
        **{name: getattr(stored, name) for name in (*plain, "frames", "url", "verdict")},
        "context": stored.where.as_json(),
        "held": stored.object is not None,
        "received_at": stored.received_at.isoformat(),
    }


def item_with_origin(stored: StoredItem) -> dict[str, Any]:
    """The same, with what its content says of how it was made; what is sealed is not shown."""
    return full_item(stored) | {"origin": to_json(stored.origin) if stored.origin is not None else None}


def bank(stored: StoredBank, entries: dict[str, int] | None = None) -> dict[str, Any]:
    """A bank."""
    of = stored.bank
    return {
        "id": stored.id,
        "name": of.name,
        "source": of.source,
        "category": of.category,
        "trust": of.trust,
        "benign": of.benign,
        "enabled": stored.enabled,
        "created_at": stored.created_at.isoformat(),
        "entries": entries,
    }


def policy(stored: StoredPolicy, text: bool = False) -> dict[str, Any]:
    """A version of a policy."""
    told: dict[str, Any] = {
        "id": stored.id,
        "name": stored.name,
        "version": stored.version,
        "active": stored.active,
        "created_at": stored.created_at.isoformat(),
        "created_by": stored.created_by,
    }
    return {**told, "text": stored.text} if text else told


def key(stored: Key) -> dict[str, Any]:
    """An API key, without its secret."""
    return {
        "id": stored.id,
        "name": stored.name,
        "scopes": sorted(stored.scopes),
        "rate": stored.rate,
        "created_at": stored.created_at.isoformat(),
        "created_by": stored.created_by,
        "expires_at": stored.expires_at.isoformat() if stored.expires_at else None,
        "revoked_at": stored.revoked_at.isoformat() if stored.revoked_at else None,
    }


def webhook(stored: Webhook) -> dict[str, Any]:
    """An endpoint, without its secret."""
    return {
        "id": stored.id,
        "url": stored.url,
        "every": stored.every,
        "created_at": stored.created_at.isoformat(),
        "disabled_at": stored.disabled_at.isoformat() if stored.disabled_at else None,
        "disabled_why": stored.disabled_why,
    }


def delivery(stored: Delivery) -> dict[str, Any]:
    """A message to an endpoint."""
    return {
        "id": stored.id,
        "item": stored.item,
        "state": stored.state,
        "attempts": stored.attempts,
        "last": stored.last,
        "created_at": stored.created_at.isoformat(),
        "due": stored.due.isoformat(),
        "delivered_at": stored.delivered_at.isoformat() if stored.delivered_at else None,
    }


def record(link: Link) -> dict[str, Any]:
    """An audit record with its hash; ``record`` is null if it cannot be read."""
    return {"sequence": link.sequence, "hash": link.hash, "record": link.record}
