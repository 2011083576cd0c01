"""Signing in and out."""

from __future__ import annotations

from typing import Annotated, cast
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from nightlamp.accounts import Entered, RefusedError, Token, TooFastError, handshakes
from nightlamp.errors import AccessError
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import (
    BACK_CHANNEL,
    Console,
    Form,
    Posted,
    SignInNeeded,
    Visit,
    Visiting,
    fields_of,
    half_way,
)
from nightlamp.server.problems import Problem
from nightlamp.store import utc_now

router = APIRouter()


@router.get("/sign-in")
def ask(request: Request, visit: Visiting, next: str = "") -> Response:  # noqa: A002 (the field's name)
    """The ways in."""
    if visit.person:
        return go("/")
    return _ask(request, visit, next)


@router.post("/sign-in")
def sign_in(request: Request, visit: Visiting, form: Posted) -> Response:
    """With a name and a password."""
    name, onward = form.get("name", ""), form.get("next", "")
    try:
        entered = visit.console.entrance.by_password(name, form.get("password", ""), visit.whence)
    except AccessError as error:
        return _ask(request, visit, onward, name, error)
    return _enter(visit, entered, onward)


@router.post("/sign-in/passkey/question")
def question(visit: Visiting, form: Posted) -> Response:  # noqa: ARG001 (it is checked)
    """What to ask a passkey."""
    return Response(
        visit.console.entrance.ask_passkey(visit.token, visit.site), media_type="application/json"
    )


@router.post("/sign-in/passkey")
def sign_in_by_passkey(request: Request, visit: Visiting, form: Posted) -> Response:
    """With a passkey, alone or after a password."""
    onward = form.get("next", "")
    try:
        entered = visit.console.entrance.by_passkey(
            visit.token, form.get("answer", ""), visit.site, visit.whence
        )
    except AccessError as error:
        return _ask(request, visit, onward, "", error)
    return _enter(visit, entered, onward)


@router.get("/sign-in/second")
def ask_second(request: Request, visit: Visiting, next: str = "") -> Response:  # noqa: A002
    """The second step."""
    return _ask_second(request, visit, next)


@router.post("/sign-in/second")
def second(request: Request, visit: Visiting, form: Posted) -> Response:
    """With a code."""
    if visit.session is None or visit.session.stage != "second":
        raise SignInNeeded("/console/sign-in")
    onward = form.get("next", "")
    try:
        entered = visit.console.entrance.by_code(visit.session, form.get("code", ""), visit.whence)
    except AccessError as error:
        return _ask_second(request, visit, onward, error)
    return _enter(visit, entered, onward)


@router.get("/sign-in/provider")
def to_provider(visit: Visiting) -> Response:
    """Off to the OpenID provider. A link, not a form: browsers hold a form's redirects to form-action."""
    provider = visit.console.provider
    if provider is None:
        raise Problem("not-found")
    place, kept = provider.begin(f"{visit.origin}/console/sign-in/back")
    visit.node.writer.write(lambda c: handshakes.keep(c, visit.token, "provider", kept, now=utc_now()))
    answer = Response(status_code=303, headers={"location": place})
    visit.hand_out(answer)
    return answer


@router.get("/sign-in/back")
def from_provider(request: Request, visit: Visiting) -> Response:
    """Back from the OpenID provider."""
    provider = visit.console.provider
    if provider is None:
        raise Problem("not-found")
    kept = visit.node.writer.write(lambda c: handshakes.take(c, visit.token, "provider", now=utc_now()))
    try:
        if kept is None:
            raise AccessError("the answer is not to our question", where="provider", hint="sign in again")
        given = dict(request.query_params)
        vouched = provider.finish(kept, given, f"{visit.origin}/console/sign-in/back")
        entered = visit.console.entrance.by_provider(vouched, visit.whence)
    except AccessError as error:
        return _ask(request, visit, "", "", error)
    return _enter(visit, entered, "")


@router.post(BACK_CHANNEL)
def from_provider_alone(request: Request, fields: Annotated[Form, Depends(fields_of)]) -> Response:
    """The OpenID provider says that somebody is signed out there (Back-Channel Logout 1.0)."""
    console = cast("Console", request.app.state.console)
    if console.provider is None:
        raise Problem("not-found")
    try:
        console.entrance.end_at_provider(console.provider.ended(fields.get("logout_token", "")))
    except AccessError as error:
        said = {"error": "invalid_request", "error_description": error.what}
        return JSONResponse(said, 400)
    return Response()


@router.post("/sign-out")
def sign_out(visit: Visiting, form: Posted) -> Response:  # noqa: ARG001 (it is checked)
    """End this session."""
    if visit.session:
        visit.console.entrance.leave(visit.session)
    answer = go("/sign-in", "signed-out")
    visit.forget(answer, "session")
    return answer


@router.get("/welcome")
def welcome(request: Request, visit: Visiting, token: str = "") -> Response:  # noqa: ARG001
    """What a one-time link opens. Looking at it does not use it up."""
    return page(request, "welcome.html", token=token)


@router.post("/welcome")
def choose_password(request: Request, visit: Visiting, form: Posted) -> Response:
    """Set the first password."""
    token = form.get("token", "")
    try:
        entered = visit.console.entrance.by_invitation(Token(token), form.get("password", ""), visit.whence)
    except AccessError as error:
        return page(request, "welcome.html", status=422, token=token, error=refusal(error))
    return _enter(visit, entered, "")


def _ask(
    request: Request, visit: Visit, onward: str, name: str = "", error: AccessError | None = None
) -> Response:
    values = {"next": onward, "name": name, "provider": visit.console.provider is not None}
    if error is not None:
        values["error"] = refusal(error)
    return page(request, "sign_in.html", status=_status(error), **values)


def _ask_second(request: Request, visit: Visit, onward: str, error: AccessError | None = None) -> Response:
    session = visit.session
    if session is None or session.stage != "second":
        raise SignInNeeded("/console/sign-in" if session is None else "/console/")
    with_codes = visit.console.entrance.has_codes(session)
    said = refusal(error) if error else None
    return page(request, "second.html", status=_status(error), next=onward, codes=with_codes, error=said)


def _status(error: AccessError | None) -> int:
    if isinstance(error, TooFastError):
        return 429
    return 200 if error is None else 401 if isinstance(error, RefusedError) else 422


def _enter(visit: Visit, entered: Entered, onward: str) -> Response:
    """Hand out the session's token, and go on."""
    local = onward.startswith("/console/") and "\\" not in onward and "//" not in onward
    if entered.stage == "full":
        answer = go(onward.removeprefix("/console") if local else "/")
    else:
        suffix = f"?next={quote(onward)}" if local and entered.stage == "second" else ""
        answer = go(half_way(entered.stage).removeprefix("/console") + suffix)
    visit.hand_out(answer, entered)
    return answer
