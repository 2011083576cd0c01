"""One's own account: sessions, factors, and how the pages are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import audit
from nightlamp.accounts import THEMES, Person, codes, passkeys, passwords, prefer, sessions
from nightlamp.accounts.people import get
from nightlamp.errors import AccessError
from nightlamp.server.console.language import LANGUAGES
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, Visit, Visiting, fresh, need
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/account")
Anybody = Annotated[Person, Depends(need())]


@router.get("")
def show(request: Request, visit: Visiting, person: Anybody) -> Response:
    """All of it."""
    return _show(request, visit, person)


@router.post("/preferences")
def change_preferences(request: Request, visit: Visiting, person: Anybody, form: Posted) -> Response:
    """Name, language, theme, keys."""
    chosen = form.get("language", "")
    try:
        if chosen and chosen not in LANGUAGES:
            raise AccessError("there is no such language", where="language")
        visit.node.writer.write(
            lambda c: prefer(
                c,
                person,
                display=form.get("display", ""),
                language=chosen,
                theme=form.get("theme", "auto"),
                shortcuts="shortcuts" in form,
            )
        )
    except AccessError as error:
        return _show(request, visit, person, error)
    return go("/account", "changed")


@router.post("/password")
def change_password(request: Request, visit: Visiting, person: Anybody, form: Posted) -> Response:
    """A new password; every other session ends."""
    entrance = visit.console.entrance
    try:
        entrance.confirm(person, form.get("password", ""), visit.whence)
        new = passwords.hashed(form.get("new", ""), person.name)
    except AccessError as error:
        return _show(request, visit, person, error)

    def store(connection: Connection) -> None:
        now = utc_now()
        passwords.store(connection, person, new, now=now)
        sessions.end_all(connection, person.id, now=now, but=_own(visit))

    visit.node.writer.write(store)
    return go("/account", "changed")


@router.post("/sessions/{session_id}/end")
def end_session(visit: Visiting, person: Anybody, form: Posted, session_id: str) -> Response:  # noqa: ARG001
    """End one session of one's own, on every node."""
    return _end(visit, person, lambda c: int(sessions.end(c, person.id, session_id, now=utc_now())))


@router.post("/sessions/end-others")
def end_others(visit: Visiting, person: Anybody, form: Posted) -> Response:  # noqa: ARG001
    """End all sessions but this one."""
    return _end(visit, person, lambda c: sessions.end_all(c, person.id, now=utc_now(), but=_own(visit)))


@router.post("/passkeys/{passkey_id}/remove")
def remove_passkey(
    request: Request,
    visit: Visiting,
    person: Anybody,
    form: Posted,  # noqa: ARG001
    passkey_id: str,
) -> Response:
    """Forget a passkey."""
    return _take_away(request, visit, person, lambda c: passkeys.remove(c, person, passkey_id, now=utc_now()))


@router.post("/codes/remove")
def remove_codes(request: Request, visit: Visiting, person: Anybody, form: Posted) -> Response:  # noqa: ARG001
    """Take one-time codes away."""
    return _take_away(request, visit, person, lambda c: codes.remove(c, person, now=utc_now()))


@router.post("/recovery")
def new_recovery(request: Request, visit: Visiting, person: Anybody, form: Posted) -> Response:  # noqa: ARG001
    """New recovery codes."""
    try:
        fresh(visit)
    except AccessError as error:
        return _show(request, visit, person, error)
    shown = visit.node.writer.write(lambda c: codes.new_recovery_codes(c, person, now=utc_now()))
    return page(request, "recovery.html", codes=shown)


def _show(request: Request, visit: Visit, person: Person, error: AccessError | None = None) -> Response:
    now = utc_now()
    with reading(visit.node.engine) as connection:
        values: dict[str, Any] = {
            "account": get(connection, person.id),
            "passkeys": passkeys.every(connection, person.id),
            "sessions": sessions.every(connection, person.id, now=now, idle=visit.console.entrance.idle),
            "recovery": codes.recovery_left(connection, person.id),
        }
    values |= {"own": _own(visit), "languages": sorted(LANGUAGES), "themes": THEMES}
    if error is not None:
        values["error"] = refusal(error)
    return page(request, "account.html", status=422 if error else 200, **values)


def _own(visit: Visit) -> str:
    assert visit.session is not None
    return visit.session.id


def _end(visit: Visit, person: Person, work: Any) -> Response:
    def end(connection: Connection) -> None:
        if number := work(connection):
            subject = f"person:{person.id}"
            audit.append(connection, person.actor, "account.sessions_ended", subject, {"sessions": number})

    visit.node.writer.write(end)
    return go("/account", "ended")


def _take_away(request: Request, visit: Visit, person: Person, work: Any) -> Response:
    """Take away a factor, unless it is the last one of somebody who needs one."""

    def take(connection: Connection) -> None:
        work(connection)
        required = visit.console.settings.second_factor == "required"
        if required and not get(connection, person.id).second_factor:
            raise AccessError("a second factor is required", where="account", hint="add another one first")

    try:
        fresh(visit)
        visit.node.writer.write(take)
    except AccessError as error:
        return _show(request, visit, person, error)
    return go("/account", "removed")
