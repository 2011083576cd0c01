"""Calls about policies, keys, webhooks, the audit log and the service's health."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from nightlamp.client.answers import (
    AuditRecord,
    AuditReport,
    Delivery,
    DryRun,
    Finding,
    Health,
    Key,
    Policy,
    Scope,
    Webhook,
)
from nightlamp.client.call import Call, Download, Paged
from nightlamp.client.making import called, listed, nothing, number, one, quoted, some

if TYPE_CHECKING:
    import httpx


def policies(*, limit: int = 500) -> Paged[Policy]:
    """Versions of policies, the newest first."""
    return listed("/v1/policies", "policies", Policy, limit=limit)


def policy(policy_id: int | None = None) -> Call[Policy]:
    """One version with its text; by default the one in force."""
    which = "active" if policy_id is None else int(policy_id)
    return called("GET", f"/v1/policies/{which}", one(Policy))


def add_policy(text: str) -> Call[Policy]:
    """Store a policy file (YAML) as a new version; it is not in force before it is activated."""
    return called("POST", "/v1/policies", one(Policy), {"text": text}, again=False)


def lint_policy(text: str) -> Call[tuple[Finding, ...]]:
    """All that is wrong with a policy file; nothing is stored."""
    return called("POST", "/v1/policies/lint", some("findings", Finding), {"text": text})


def try_policy(policy_id: int | None = None, *, text: str | None = None, limit: int = 10_000) -> Call[DryRun]:
    """Decide the newest items under another policy, and say which would change; nothing is stored."""
    which: dict[str, object] = {"text": text} if policy_id is None else {"policy": policy_id}
    return called("POST", "/v1/policies/dry-run", one(DryRun), {**which, "limit": limit})


def activate_policy(policy_id: int) -> Call[Policy]:
    """Put a policy in force: here when this returns, on other nodes within a second."""
    return called("POST", f"/v1/policies/{int(policy_id)}/activate", one(Policy), again=False)


def roll_back_policy() -> Call[Policy]:
    """Put the policy in force again that was in force before this one."""
    return called("POST", "/v1/policies/roll-back", one(Policy), again=False)


def keys() -> Call[tuple[Key, ...]]:
    """All keys, revoked ones too."""
    return called("GET", "/v1/keys", some("keys", Key))


def create_key(
    name: str, scopes: Iterable[Scope], *, expires_at: datetime | None = None, rate: float | None = None
) -> Call[Key]:
    """Make a key; its ``secret`` is in this answer and never again. ``rate``: items a second on each node."""
    told = {"name": name, "scopes": list(scopes), "rate": rate}
    expires = expires_at.isoformat() if expires_at is not None else None
    return called("POST", "/v1/keys", one(Key), {**told, "expires_at": expires}, again=False)


def revoke_key(key_id: str) -> Call[Key]:
    """Revoke a key."""
    return called("DELETE", f"/v1/keys/{quoted(key_id)}", one(Key))


def webhooks() -> Call[tuple[Webhook, ...]]:
    """All endpoints."""
    return called("GET", "/v1/webhooks", some("webhooks", Webhook))


def create_webhook(url: str, *, every: bool = False) -> Call[Webhook]:
    """Make an endpoint; its ``secret`` is in this answer and never again.

    Args:
        url: where to.
        every: it also gets verdicts that a submitter waited for.
    """
    return called("POST", "/v1/webhooks", one(Webhook), {"url": url, "every": every}, again=False)


def remove_webhook(webhook_id: str) -> Call[None]:
    """Put an endpoint out of use."""
    return called("DELETE", f"/v1/webhooks/{quoted(webhook_id)}", nothing, again=False)


def deliveries(webhook_id: str, *, state: str | None = None, limit: int = 500) -> Paged[Delivery]:
    """An endpoint's messages, the newest first."""
    path = f"/v1/webhooks/{quoted(webhook_id)}/deliveries"
    return listed(path, "deliveries", Delivery, limit=limit, state=state)


def replay_deliveries(
    webhook_id: str, *, since: datetime | None = None, delivery: str | None = None
) -> Call[int]:
    """Send messages again, all ``since`` or one ``delivery``, with the ids that they had; how many."""
    told = {"since": since.isoformat()} if since is not None else {"delivery": delivery or ""}
    return called("POST", f"/v1/webhooks/{quoted(webhook_id)}/replay", number("replayed"), told, again=False)


def audit(*, after: int = 0, limit: int = 500) -> Paged[AuditRecord]:
    """Records of the audit log, the oldest first, from behind a sequence number."""
    return listed("/v1/audit", "records", AuditRecord, limit=limit, cursor=after)


def verify_audit() -> Call[AuditReport]:
    """Check the whole audit log; it takes time in proportion to its length."""
    return called("GET", "/v1/audit/verify", one(AuditReport))


def export_audit(*, after: int = 0) -> Download:
    """The audit log as a file that ``nightlamp audit verify`` checks offline."""
    return Download(Call("GET", "/v1/audit/export", nothing, query={"after": str(after)} if after else {}))


def health() -> Call[Health]:
    """How the node is; ``unavailable`` if it takes no requests."""
    return called("GET", "/v1/health/ready", one(Health))


def metrics() -> Call[str]:
    """The metrics for Prometheus; those about lists and verdicts for a key with the scope read alone."""

    def text(response: httpx.Response) -> str:
        return response.text

    return called("GET", "/metrics", text)
