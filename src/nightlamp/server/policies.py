"""Policies: uploaded, linted, tried on past items, put in force, rolled back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse

from nightlamp.access import Principal
from nightlamp.banks.live import all_banks
from nightlamp.errors import IntakeError
from nightlamp.intake import (
    activate_policy,
    active_policy,
    add_policy,
    dry_run,
    get_policy,
    page_policies,
    roll_back_policy,
)
from nightlamp.policy import lint, load
from nightlamp.server import listings, shapes, telling
from nightlamp.server.asking import Asked, Limit, Number, need, page
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem
from nightlamp.store import reading, utc_now

router = APIRouter(tags=["policies"], prefix="/v1/policies")
ADMIN = Depends(need("admin"))
Admin = Annotated[Principal, ADMIN]
VIEWER = Depends(need("read", "admin"))
Which = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", dependencies=[VIEWER], responses=listings.of(listings.PolicyPage))
def list_policies(node: Asked, cursor: Number | None = None, limit: Limit = 50) -> JSONResponse:
    """Versions of policies, the newest first."""
    with reading(node.engine) as connection:
        found = page_policies(connection, before=cursor, limit=limit)
    return page("policies", [telling.policy(stored) for stored in found], limit, lambda: found[-1].id)


@router.get("/active", dependencies=[VIEWER])
def read_active(node: Asked) -> dict[str, Any]:
    """The policy in force."""
    with reading(node.engine) as connection:
        stored = active_policy(connection)
    if stored is None:
        raise IntakeError("not found", "no policy is in force", where="policy")
    return telling.policy(stored, text=True)


@router.get("/{number}", dependencies=[VIEWER])
def read_policy(node: Asked, number: Which) -> dict[str, Any]:
    """One version, with its text."""
    with reading(node.engine) as connection:
        return telling.policy(get_policy(connection, number), text=True)


@router.post("", status_code=201)
def upload_policy(node: Asked, principal: Admin, given: shapes.PolicyIn) -> dict[str, Any]:
    """Store a policy file as a new version. It is not in force before it is activated."""
    findings = _findings(node, given.text)
    if any(each["severity"] == "error" for each in findings):
        raise Problem("policy-invalid", errors=findings)
    stored = node.change(lambda c: add_policy(c, given.text, actor=principal.actor, now=utc_now()))
    return {**telling.policy(stored), "findings": findings}


@router.post("/lint", dependencies=[VIEWER])
def lint_policy(node: Asked, given: shapes.PolicyIn) -> dict[str, Any]:
    """All that is wrong with a policy file, with lines and columns; nothing is stored."""
    return {"findings": _findings(node, given.text)}


@router.post("/dry-run", dependencies=[ADMIN])
def try_policy(node: Asked, given: shapes.DryRunIn) -> dict[str, Any]:
    """Decide past items under another policy, and say which would change; nothing is stored."""
    if (given.policy is None) == (not given.text):
        raise Problem("invalid", "either policy or text", where="body")
    with reading(node.engine) as connection:
        text = get_policy(connection, given.policy).text if given.policy is not None else given.text
        new = load(text)
        found = dry_run(connection, node.policies.current().rules, new, limit=given.limit)
    moved = [
        {"before": before, "after": after, "items": n} for (before, after), n in found.replay.moved.items()
    ]
    changes = [
        {
            "item": item,
            "before": {"action": change.before.action, "rule": change.before.rule},
            "after": {"action": change.after.action, "rule": change.after.rule},
        }
        for item, change in zip(found.items, found.replay.changes, strict=True)
    ]
    return {"total": found.replay.total, "changed": found.replay.changed, "moved": moved, "changes": changes}


@router.post("/roll-back")
def roll_back(node: Asked, principal: Admin) -> dict[str, Any]:
    """Put the policy in force again that was in force before this one."""
    return telling.policy(node.change(lambda c: roll_back_policy(c, actor=principal.actor, now=utc_now())))


@router.post("/{number}/activate")
def activate(node: Asked, principal: Admin, number: Which) -> dict[str, Any]:
    """Put a policy in force: here when the answer comes, on other nodes within a second."""
    return telling.policy(
        node.change(lambda c: activate_policy(c, number, actor=principal.actor, now=utc_now()))
    )


def _findings(node: Node, text: str) -> list[dict[str, Any]]:
    with reading(node.engine) as connection:
        banks = [stored.bank.name for stored in all_banks(connection)]
    known = lint(text, banks or None)
    fields = ("line", "column", "severity", "what", "hint")
    return [{name: getattr(finding, name) for name in fields} for finding in known]
