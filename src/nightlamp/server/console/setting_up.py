"""Setting up a second factor: at the first sign-in, or later from one's own account's page."""

from __future__ import annotations

import io

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy import Connection

from nightlamp.accounts import Entered, Session, codes, handshakes, passkeys
from nightlamp.accounts.people import get
from nightlamp.errors import AccessError
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, SignInNeeded, Visit, Visiting, fresh
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/set-up")


@router.get("")
def choose(request: Request, visit: Visiting) -> Response:
    """Which one."""
    _session(visit)
    return page(request, "set_up.html", secret="", qr="")


@router.post("/codes")
def show_secret(request: Request, visit: Visiting, form: Posted) -> Response:  # noqa: ARG001 (it is checked)
    """A new secret of one-time codes: sealed until its owner shows a code of it."""
    person, secret = _session(visit).person, codes.new_secret()
    sealed = visit.console.box.seal(secret, person.id).hex()
    visit.node.writer.write(
        lambda c: handshakes.keep(c, visit.token, "codes", {"sealed": sealed}, now=utc_now())
    )
    return _show(request, secret, person.name)


@router.post("/codes/confirm")
def confirm_codes(request: Request, visit: Visiting, form: Posted) -> Response:
    """The first code."""
    session, box = _session(visit), visit.console.box

    def store(connection: Connection) -> tuple[Entered | None, list[str]] | bytes:
        now = utc_now()
        kept = handshakes.take(connection, visit.token, "codes", now=now)
        if kept is None:
            raise AccessError("the key is too old", where="code", hint="begin again")
        secret = box.open(bytes.fromhex(kept["sealed"]), session.person.id)
        first = not get(connection, session.person.id).second_factor
        try:
            codes.set_up(connection, box, session.person, secret, form.get("code", ""), now=now)
        except AccessError:
            handshakes.keep(connection, visit.token, "codes", kept, now=now)
            return secret
        return _completed(connection, visit, session, first)

    try:
        done = visit.node.writer.write(store)
    except AccessError as error:
        return page(request, "set_up.html", status=422, secret="", qr="", error=refusal(error))
    if isinstance(done, bytes):
        wrong = AccessError("is wrong", where="code", hint="the newest code; the phone's clock must be right")
        return _show(request, done, session.person.name, wrong)
    return _enter(request, visit, *done)


@router.post("/passkey/question")
def question(visit: Visiting, form: Posted) -> Response:  # noqa: ARG001 (it is checked)
    """What to make a passkey of."""
    person = _session(visit).person

    def ask(connection: Connection) -> str:
        asked, challenge = passkeys.registration(connection, person, visit.site)
        data = {"challenge": challenge.hex()}
        handshakes.keep(connection, visit.token, "new passkey", data, now=utc_now())
        return asked

    return Response(visit.node.writer.write(ask), media_type="application/json")


@router.post("/passkey")
def add_passkey(request: Request, visit: Visiting, form: Posted) -> Response:
    """The passkey that the browser made."""
    session = _session(visit)

    def store(connection: Connection) -> tuple[Entered | None, list[str]]:
        now = utc_now()
        asked = handshakes.take(connection, visit.token, "new passkey", now=now)
        if asked is None:
            raise AccessError("the question is too old", where="passkey", hint="try again")
        first = not get(connection, session.person.id).second_factor
        passkeys.register(
            connection,
            session.person,
            form.get("label", ""),
            form.get("answer", ""),
            bytes.fromhex(asked["challenge"]),
            visit.site,
            now=now,
        )
        return _completed(connection, visit, session, first)

    try:
        done = visit.node.writer.write(store)
    except AccessError as error:
        return page(request, "set_up.html", status=422, secret="", qr="", error=refusal(error))
    return _enter(request, visit, *done)


def _session(visit: Visit) -> Session:
    """Whose second factor it is: anybody's who is signed in, or would be with one."""
    if visit.session is None or visit.session.stage == "second":
        raise SignInNeeded("/console/sign-in")
    with reading(visit.node.engine) as connection:
        account = get(connection, visit.session.person.id)
    if account.issuer:
        raise AccessError("the provider asks for the second factor", where="account")
    if visit.session.stage == "setup" and account.second_factor:  # set up meanwhile, in another session
        raise SignInNeeded("/console/sign-in")
    fresh(visit)
    return visit.session


def _completed(
    connection: Connection, visit: Visit, session: Session, first: bool
) -> tuple[Entered | None, list[str]]:
    """Recovery codes with the first factor, and a session that opens everything."""
    shown = codes.new_recovery_codes(connection, session.person, now=utc_now()) if first else []
    if session.stage == "full":
        return None, shown
    return visit.console.entrance.complete(connection, session, visit.whence), shown


def _enter(request: Request, visit: Visit, entered: Entered | None, shown: list[str]) -> Response:
    answer = page(request, "recovery.html", codes=shown) if shown else go("/account", "added")
    if entered is not None:
        visit.hand_out(answer, entered)
    return answer


def _show(request: Request, secret: bytes, name: str, error: AccessError | None = None) -> Response:
    import segno

    out = io.BytesIO()
    segno.make(codes.secret_url(secret, name), error="m").save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, svgclass=None, lineclass=None
    )
    qr = Markup(out.getvalue().decode())  # noqa: S704 (drawn here, of a key and a plain name)
    said = refusal(error) if error else None
    text = codes.secret_text(secret)
    return page(request, "set_up.html", status=422 if error else 200, secret=text, qr=qr, error=said)
