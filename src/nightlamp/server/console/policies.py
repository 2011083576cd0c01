"""Policies: written, checked, tried on past items, put in force, rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from nightlamp.accounts import Person
from nightlamp.banks.live import all_banks
from nightlamp.errors import IntakeError, NightlampError, PolicyError
from nightlamp.intake import (
    DryRun,
    activate_policy,
    active_policy,
    add_policy,
    dry_run,
    get_policy,
    page_policies,
    roll_back_policy,
)
from nightlamp.policy import lint, load
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, Visit, Visiting, need
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/policies")
Admin = Annotated[Person, Depends(need("admin"))]
Viewer = Annotated[Person, Depends(need("admin", "lead"))]
Which = Annotated[int, Path(ge=1, le=2**31 - 1)]
_TRIED, _LISTED = 10_000, 50
_SHOWN = 20  # items that would be treated differently
_LINES = 400  # of the difference of two texts


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a text before it is stored.

    Args:
        diff: against the text in force, as lines of a unified diff; empty: the same, or none is in force.
        tried: only if it has no errors.
    """

    findings: list[Any]
    diff: list[str]
    tried: DryRun | None

    @property
    def sound(self) -> bool:
        """Whether it could be stored."""
        return not any(finding.severity == "error" for finding in self.findings)


@router.get("")
def show(request: Request, visit: Visiting, person: Viewer, after: int | None = None) -> Response:  # noqa: ARG001
    """All versions, the newest first, and room for another."""
    return _show(request, visit, before=after)


@router.get("/{number}")
def show_one(request: Request, visit: Visiting, person: Viewer, number: Which) -> Response:  # noqa: ARG001
    """One version."""
    with reading(visit.node.engine) as connection:
        stored = get_policy(connection, number)
    return page(request, "policy.html", policy=stored, draft=_drafted(visit, stored.text))


@router.post("/check")
def check(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:  # noqa: ARG001
    """What is wrong with a text, and what it would have said to past items; nothing is stored."""
    text = form.get("text", "")
    return _show(request, visit, text=text, draft=_drafted(visit, text))


@router.post("")
def add(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:
    """Store a text as a new version; it is not in force yet."""
    text = form.get("text", "").replace("\r\n", "\n")
    draft = _drafted(visit, text)
    if not draft.sound:
        return _show(request, visit, text=text, draft=draft, status=422)
    try:
        stored = visit.node.change(lambda c: add_policy(c, text, actor=person.actor, now=utc_now()))
    except PolicyError as error:
        return _show(request, visit, text=text, error=error)
    return go(f"/policies/{stored.id}", "added")


@router.post("/roll-back")
def roll_back(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:  # noqa: ARG001
    """The policy that was in force before this one."""
    try:
        visit.node.change(lambda c: roll_back_policy(c, actor=person.actor, now=utc_now()))
    except IntakeError as error:
        return _show(request, visit, error=error)
    return go("/policies", "in-force")


@router.post("/{number}/activate")
def activate(visit: Visiting, person: Admin, form: Posted, number: Which) -> Response:  # noqa: ARG001
    """Put a version in force."""
    visit.node.change(lambda c: activate_policy(c, number, actor=person.actor, now=utc_now()))
    return go("/policies", "in-force")


def _show(
    request: Request,
    visit: Visit,
    *,
    before: int | None = None,
    text: str = "",
    draft: Draft | None = None,
    error: NightlampError | None = None,
    status: int = 200,
) -> Response:
    with reading(visit.node.engine) as connection:
        stored = page_policies(connection, before=before, limit=_LISTED)
        active = active_policy(connection)
    values: dict[str, Any] = {
        "policies": stored,
        "next": stored[-1].id if len(stored) == _LISTED else None,
        "first": before is None,
        "text": text or (active.text if active else ""),
        "draft": draft,
    }
    if error is not None:
        values["error"], status = refusal(error), 422
    return page(request, "policies.html", status=status, **values)


def _drafted(visit: Visit, text: str) -> Draft:
    with reading(visit.node.engine) as connection:
        names = [stored.bank.name for stored in all_banks(connection)]
        force = active_policy(connection)
        diff = _diff(force.text, text) if force is not None else []
        draft = Draft(list(lint(text, names or None)), diff, None)
        if not draft.sound:
            return draft
        now = visit.node.policies.current().rules
        tried = dry_run(connection, now, load(text), limit=_TRIED, keep=_SHOWN)
        return Draft(draft.findings, diff, tried)


def _diff(before: str, after: str) -> list[str]:
    lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return list(islice(lines, 2, _LINES + 2))  # without the names of files
