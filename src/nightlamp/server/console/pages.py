"""Turning a template into an answer."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from nightlamp import __version__
from nightlamp.errors import NightlampError
from nightlamp.server.console import language, text
from nightlamp.server.console.language import N_
from nightlamp.server.console.navigation import places_of
from nightlamp.server.console.visiting import Visit
from nightlamp.server.problems import TYPES, problem_of

# What a page says after a form has done its work; the address names one of them, and can say nothing else.
DONE = {
    "added": N_("Added."),
    "asked": N_("Asked for. Somebody else must authorise it now."),
    "changed": N_("Changed."),
    "ended": N_("Ended."),
    "removed": N_("Removed."),
    "reopened": N_("It waits again, to be decided anew."),
    "revoked": N_("Revoked."),
    "signed-out": N_("You are signed out."),
    "in-force": N_("In force now."),
}


@cache
def environment() -> Environment:
    """The templates, with every value escaped and made visible."""
    made = Environment(
        loader=PackageLoader("nightlamp.server.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=text.shown,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)  # type: ignore[attr-defined]
    # ``said`` translates a string that is not written in the template, whatever it holds.
    made.filters |= {"data": text.data, "when": text.when, "said": language.gettext}
    made.globals |= {"version": __version__}
    return made


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page.

    Args:
        request: that it answers.
        template: its file.
        status: of the answer.
        values: for the template; ``error`` is said above the content.
    """
    visit: Visit | None = getattr(request.state, "visit", None)
    person = visit.person if visit else None
    lang = language.choose(person.language if person else "", request.headers.get("accept-language", ""))
    shared = {
        "lang": lang,
        "person": person,
        "csrf": visit.csrf if visit else "",
        "cover_after": visit.console.settings.blank_minutes * 60 if visit else 0,
        "places": places_of(person) if person else [],
        "here": request.url.path.removeprefix("/console") or "/",
        "done": DONE.get(request.query_params.get("done", ""), ""),
        "error": None,
    }
    made = HTMLResponse(environment().get_template(template).render(shared | values), status)
    if visit and visit.fresh:
        visit.hand_out(made)
    return made


def failed(request: Request, error: Exception) -> Response:
    """The page of an error; what must not be said is not, as in the API."""
    problem = problem_of(error)
    if problem.status_code >= 500:
        request.scope["nightlamp.error"] = error
    values = {
        "title": TYPES[problem.kind][1] if problem.kind not in _TITLES else _TITLES[problem.kind],
        "problem": problem,
        "request_id": request.scope.get("nightlamp.request_id", ""),
    }
    made = page(request, "error.html", status=problem.status_code, **values)
    made.headers.update(dict(problem.headers or {}))
    return made


def go(path: str, done: str = "") -> Response:
    """Go on to another page, which says what was ``done``."""
    return RedirectResponse(f"/console{path}{f'?done={quote(done)}' if done else ''}", 303)


def refusal(error: NightlampError) -> dict[str, str]:
    """What a page says of a form that cannot be taken."""
    return {"where": error.where, "what": error.what, "hint": error.hint}


_TITLES = {"forbidden": N_("This is not for you"), "not-found": N_("There is no such page")}
