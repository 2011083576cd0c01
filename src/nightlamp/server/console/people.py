"""People and their roles, for who administers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import accounts, audit
from nightlamp.accounts import ROLES, Person, sessions
from nightlamp.errors import AccessError
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, Visit, Visiting, need
from nightlamp.store import reading, utc_now

T = TypeVar("T")
router = APIRouter(prefix="/people")
Admin = Annotated[Person, Depends(need("admin"))]


@router.get("")
def show(request: Request, visit: Visiting, person: Admin) -> Response:  # noqa: ARG001 (a role is needed)
    """Everybody."""
    return _show(request, visit)


@router.post("")
def add(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:
    """Make an account, and a one-time link for its owner."""

    def make(connection: Connection) -> tuple[accounts.Account, accounts.Token]:
        now = utc_now()
        made = accounts.add(
            connection,
            form.get("name", ""),
            form.get("roles", "").split(),
            actor=person.actor,
            now=now,
            display=form.get("display", ""),
        )
        return made, accounts.invite(connection, made.id, now=now)

    return _with_link(request, visit, make)


@router.post("/{account_id}/roles")
def set_roles(request: Request, visit: Visiting, person: Admin, form: Posted, account_id: str) -> Response:
    """Give other roles."""
    roles = form.get("roles", "").split()
    return _change(
        request, visit, lambda c: accounts.set_roles(c, account_id, roles, actor=person.actor, now=utc_now())
    )


def _switching(change: Callable[..., object]) -> Callable[..., Response]:
    def switch(
        request: Request,
        visit: Visiting,
        person: Admin,
        form: Posted,  # noqa: ARG001 (it is checked)
        account_id: str,
    ) -> Response:
        return _change(request, visit, lambda c: change(c, account_id, actor=person.actor, now=utc_now()))

    return switch


# Let somebody in no more, from now on; and let them in again.
router.post("/{account_id}/disable")(_switching(accounts.disable))
router.post("/{account_id}/enable")(_switching(accounts.enable))


@router.post("/{account_id}/end-sessions")
def end_sessions(
    request: Request,
    visit: Visiting,
    person: Admin,
    form: Posted,  # noqa: ARG001
    account_id: str,
) -> Response:
    """End all sessions of somebody, on every node."""

    def end(connection: Connection) -> None:
        accounts.get(connection, account_id)
        now = utc_now()
        facts: dict[str, audit.Detail] = {"sessions": sessions.end_all(connection, account_id, now=now)}
        subject = f"person:{account_id}"
        audit.append(connection, person.actor, "account.sessions_ended", subject, facts, at=now)

    return _change(request, visit, end)


@router.post("/{account_id}/reset")
def reset(
    request: Request,
    visit: Visiting,
    person: Admin,
    form: Posted,  # noqa: ARG001
    account_id: str,
) -> Response:
    """Take password and factors away, and make a one-time link: for who has lost them."""

    def anew(connection: Connection) -> tuple[accounts.Account, accounts.Token]:
        now = utc_now()
        account = accounts.reset(connection, account_id, actor=person.actor, now=now)
        return account, accounts.invite(connection, account_id, now=now)

    return _with_link(request, visit, anew)


def _show(request: Request, visit: Visit, error: AccessError | None = None, **values: Any) -> Response:
    with reading(visit.node.engine) as connection:
        everybody = accounts.every(connection)
    said = refusal(error) if error else None
    shown = {"link": "", "invited": None, **values}
    return page(
        request,
        "people.html",
        status=422 if error else 200,
        people=everybody,
        all_roles=ROLES,
        error=said,
        **shown,
    )


def _change(request: Request, visit: Visit, work: Callable[[Connection], object]) -> Response:
    try:
        visit.node.writer.write(work)
    except AccessError as error:
        return _show(request, visit, error)
    return go("/people", "changed")


def _with_link(
    request: Request, visit: Visit, work: Callable[[Connection], tuple[accounts.Account, accounts.Token]]
) -> Response:
    try:
        account, token = visit.node.writer.write(work)
    except AccessError as error:
        return _show(request, visit, error)
    link = f"{visit.origin}/console/welcome?token={token.reveal()}"
    return _show(request, visit, link=link, invited=account.person)
