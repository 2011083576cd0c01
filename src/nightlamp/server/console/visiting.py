"""Who asks for a page: the browser's session, its person, and what its forms must carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, cast
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from fastapi.responses import Response

from nightlamp.accounts import Entered, Entrance, Person, Provider, Role, Session, Site, Token, Whence
from nightlamp.accounts.codes import Box
from nightlamp.accounts.sessions import Stage
from nightlamp.errors import AccessError
from nightlamp.server.gatekeeping import header
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem
from nightlamp.store import utc_now

_FIELDS = 2000
_FRESH = timedelta(minutes=15)
BACK_CHANNEL = "/sign-in/back-channel"
"""Where an OpenID provider says that somebody is signed out; no page of ours."""
_HERE = {"localhost", "127.0.0.1", "::1"}


class Console:
    """What the pages of one node share."""

    def __init__(self, node: Node, provider: Provider | None = None) -> None:
        settings = node.settings.console
        self.node = node
        self.settings = settings
        self.box = Box(settings.key_file or node.settings.data_dir / "console.key")
        self.entrance = Entrance(node.engine, node.writer.write, self.box, settings)
        self.provider = provider or (Provider(settings) if settings.oidc_issuer else None)

    def origin(self, scope: object) -> str:
        """Scheme, host and port of the pages: as set, or as the request names them."""
        if self.settings.url:
            return self.settings.url.lower()
        of = cast("dict[str, object]", scope)
        host = (header(of, b"host") or b"").decode("latin-1")
        return f"{of.get('scheme', 'http')}://{host}".lower()

    def safe(self, origin: str) -> bool:
        """Whether what goes over the wire is encrypted, or stays on this machine."""
        return origin.startswith("https://") or (urlsplit(origin).hostname or "") in _HERE


class SignInNeeded(Exception):  # noqa: N818 (an answer, not a fault)
    """The way to a page leads through ``place`` first."""

    def __init__(self, place: str) -> None:
        self.place = place


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a browser.

    Args:
        token: of its session, or of a visitor who has none; forms carry what is derived from it.
        fresh: the token was just made, and the answer must hand it out.
    """

    console: Console
    origin: str
    token: Token
    fresh: bool
    session: Session | None
    whence: Whence

    @property
    def node(self) -> Node:
        """The node that serves it."""
        return self.console.node

    @property
    def csrf(self) -> str:
        """What forms must carry."""
        return self.token.derived("form")

    @property
    def person(self) -> Person | None:
        """Who is signed in."""
        return self.session.person if self.session and self.session.stage == "full" else None

    @property
    def site(self) -> Site:
        """For whom passkeys are good."""
        return Site(self.origin, urlsplit(self.origin).hostname or "")

    def hand_out(self, response: Response, entered: Entered | None = None) -> None:
        """Give the browser the token of its session, or of its visit."""
        kind = "session" if entered else "visit"
        token = entered.token if entered else self.token
        self._set(response, kind, token.reveal())
        if entered:
            self.forget(response, "visit")

    def forget(self, response: Response, kind: str) -> None:
        """Take a token from the browser."""
        self._set(response, kind, "", max_age=0)

    def _set(self, response: Response, kind: str, value: str, max_age: int | None = None) -> None:
        response.set_cookie(
            _cookie(self.origin, kind),
            value,
            max_age=max_age,
            path="/",
            secure=self.origin.startswith("https://"),
            httponly=True,
            samesite="lax",  # strict would lose the way back from an OpenID provider
        )


def visit_of(request: Request) -> Visit:
    """Who asks. A thread's work: it reads the database."""
    console = cast("Console", request.app.state.console)
    origin = console.origin(request.scope)
    client = request.client.host if request.client else ""
    whence = Whence(client, request.headers.get("user-agent", ""))
    session, token = None, None
    given = request.cookies.get(_cookie(origin, "session"), "")
    if given:
        token = Token(given)
        session = console.entrance.session(token)
    fresh = False
    if session is None:
        visitor = request.cookies.get(_cookie(origin, "visit"), "")
        fresh = len(visitor) != 43
        token = Token.new() if fresh else Token(visitor)
    assert token is not None
    visit = Visit(console, origin, token, fresh, session, whence)
    request.state.visit = visit
    if visit.person:
        request.scope["nightlamp.person"] = visit.person.id
    return visit


Visiting = Annotated[Visit, Depends(visit_of)]


def need(*roles: Role) -> Callable[[Visit], Person]:
    """A dependency: a person who is signed in, with one of ``roles``; none given: with any."""

    def asked(visit: Visiting) -> Person:
        if visit.session is None:
            raise SignInNeeded("/console/sign-in")
        if visit.session.stage != "full":
            raise SignInNeeded(half_way(visit.session.stage))
        if roles and not visit.session.person.may(*roles):
            raise Problem("forbidden", "this page is not for your roles")
        return visit.session.person

    return asked


def fresh(visit: Visit) -> None:
    """Refuse to change factors in a session that began long ago: somebody else may sit there.

    Raises:
        AccessError: sign in again first.
    """
    if visit.session and utc_now() - visit.session.created_at > _FRESH:
        raise AccessError("only soon after signing in", where="account", hint="sign out, and in again")


def half_way(stage: Stage) -> str:
    """Where a sign-in goes on."""
    return "/console/sign-in/second" if stage == "second" else "/console/set-up"


Form = dict[str, str]


async def fields_of(request: Request) -> Form:
    """The fields of a form, whoever has sent it.

    Raises:
        Problem: it cannot be read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Problem("unsupported", "a form")
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
        if any("\x00" in value for _, value in pairs):
            raise ValueError("NUL")
    except ValueError:
        raise Problem("malformed", "no form that can be read") from None
    fields: Form = {}
    for name, value in pairs:  # several of one name, such as ticked boxes, are told apart by newlines
        fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields


async def form_of(request: Request, visit: Visiting) -> Form:
    """The fields of a form that one of our own pages has sent.

    Raises:
        Problem: it was not, or it cannot be read.
    """
    fields = await fields_of(request)
    given = request.headers.get("x-csrf") or fields.pop("csrf", "")
    if not _same(given, visit.csrf):
        raise Problem("forbidden", "the form is too old", hint="go back, reload the page, and send it again")
    return fields


Posted = Annotated[Form, Depends(form_of)]


def same_person(form: Form, person: Person) -> None:
    """Refuse a form that was on a page of somebody who was signed in before.

    Raises:
        Problem: ``person`` is somebody else.
    """
    if form.get("person", person.id) != person.id:
        raise Problem("forbidden", "somebody else has signed in", hint="reload the page")


def number_of(form: Form, name: str, default: str = "") -> int:
    """A number that one of our own pages has put into a form.

    Raises:
        Problem: there is none.
    """
    text = form.get(name, default)
    if not text.isdecimal() or len(text) > 9:
        raise Problem("malformed", "a number", where=name)
    return int(text)


def _same(given: str, wanted: str) -> bool:
    import hmac

    return hmac.compare_digest(given.encode(), wanted.encode())


def _cookie(origin: str, kind: str) -> str:
    """With TLS, a name that no other host and no page without TLS can set."""
    return f"__Host-nightlamp-{kind}" if origin.startswith("https://") else f"nightlamp-{kind}"
