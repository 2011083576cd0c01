"""Feeds: how the subscriptions to exchanges are, and what a person may do about them.

Whoever leads sees how they are; admins add, change, try, pause and remove them. No page shows a secret: there
are only references, and what a form names must lie where the settings say, as over the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import feeds
from nightlamp.accounts import Person
from nightlamp.banks.live import all_banks
from nightlamp.errors import BankError, FeedError
from nightlamp.feeds import EXCHANGES, FeedChange, Finding, Kind, NewFeed, StoredFeed
from nightlamp.server.console.feed_forms import (
    config_in,
    seconds_in,
    secrets_in,
    settings_of,
    shown,
    span_of,
)
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Form, Posted, Visit, Visiting, need
from nightlamp.server.feeds import changed, check_places
from nightlamp.server.problems import Problem
from nightlamp.store import reading, utc_now
from nightlamp.values import Trust

router = APIRouter(prefix="/feeds")
Admin = Annotated[Person, Depends(need("admin"))]
Viewer = Annotated[Person, Depends(need("admin", "lead"))]
_TRUST: tuple[Trust, ...] = ("low", "medium", "high")


@router.get("")
def show(request: Request, visit: Visiting, person: Viewer) -> Response:  # noqa: ARG001 (a role is needed)
    """All feeds."""
    return _list(request, visit)


@router.get("/_new")  # no feed can be called so
def ask(
    request: Request,
    visit: Visiting,
    person: Admin,  # noqa: ARG001
    kind: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """The kinds of exchanges; with one, what it needs."""
    return _ask(request, visit, kind)


@router.post("")
def add(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:
    """Add a feed; its first run begins within seconds."""
    try:
        kind = feeds.kind_of(form.get("kind", ""))
        new = _new(form, kind)
        check_places(visit.node, new.secrets, new.config)
        visit.node.change(lambda c: feeds.create_feed(c, new, actor=person.actor))
    except (FeedError, BankError) as error:
        return _ask(request, visit, form.get("kind", ""), form, error)
    return go(f"/feeds/{new.name}", "added")


@router.get("/{feed_name}")
def one(request: Request, visit: Visiting, person: Admin, feed_name: str) -> Response:  # noqa: ARG001
    """One feed: how it is, and what can be done."""
    return _show(request, visit, feed_name)


@router.post("/{feed_name}")
def change(request: Request, visit: Visiting, person: Admin, form: Posted, feed_name: str) -> Response:
    """Change it; name, kind and bank stay."""
    stored = _stored(visit, feed_name)
    try:
        wanted = _change_in(form, feeds.kind_of(stored.kind))
        visit.node.change(lambda c: changed(c, visit.node, feed_name, wanted, person.actor))
    except FeedError as error:
        return _show(request, visit, feed_name, error, kept=form)
    return go(f"/feeds/{feed_name}", "changed")


@router.post("/{feed_name}/pause")
def pause(request: Request, visit: Visiting, person: Admin, form: Posted, feed_name: str) -> Response:
    """Let a feed rest; what it holds goes on matching."""
    why = form.get("why", "").strip()
    return _order(
        request, visit, feed_name, lambda c: feeds.pause_feed(c, feed_name, actor=person.actor, why=why)
    )


@router.post("/{feed_name}/resume")
def resume(request: Request, visit: Visiting, person: Admin, form: Posted, feed_name: str) -> Response:
    """Let a feed go on; ``accept`` is said of a loss that had stopped it."""
    accepted = "accept" in form
    return _order(
        request,
        visit,
        feed_name,
        lambda c: feeds.resume_feed(c, feed_name, actor=person.actor, accept_loss=accepted),
    )


@router.post("/{feed_name}/run")
def run(request: Request, visit: Visiting, person: Admin, form: Posted, feed_name: str) -> Response:  # noqa: ARG001
    """Let a feed's next run begin at once."""
    return _order(request, visit, feed_name, lambda c: feeds.ask_now(c, feed_name, actor=person.actor))


@router.post("/{feed_name}/doctor")
def examine(request: Request, visit: Visiting, person: Admin, form: Posted, feed_name: str) -> Response:  # noqa: ARG001
    """Look at a feed and its exchange: what is wrong, in plain words. Changes nothing."""
    _stored(visit, feed_name)
    found = feeds.examine_feed(visit.node.engine, feed_name, visit.node.following.feeds.http)
    return _show(request, visit, feed_name, findings=found)


@router.post("/{feed_name}/remove")
def remove(request: Request, visit: Visiting, person: Admin, form: Posted, feed_name: str) -> Response:
    """End it: what it brought is taken out of force."""
    if form.get("named", "").strip() != feed_name:
        error = FeedError("type the feed's name to remove it", where="name")
        return _show(request, visit, feed_name, error)
    _stored(visit, feed_name)
    visit.node.change(lambda c: feeds.remove_feed(c, feed_name, actor=person.actor))
    return go("/feeds", "removed")


def _list(request: Request, visit: Visit) -> Response:
    with reading(visit.node.engine) as connection:
        found = feeds.all_status(connection, utc_now())
    return page(request, "feeds.html", feeds=found)


def _ask(
    request: Request,
    visit: Visit,
    name: str,
    kept: Mapping[str, str] | None = None,
    error: FeedError | BankError | None = None,
) -> Response:
    kind = EXCHANGES.get(name)
    with reading(visit.node.engine) as connection:
        banks = [stored.bank.name for stored in all_banks(connection)]
    return page(
        request,
        "feed_new.html",
        status=422 if error else 200,
        error=refusal(error) if error else None,
        kinds=[] if kind else list(EXCHANGES.values()),
        kind=kind,
        settings=settings_of(kind) if kind else [],
        kept={"every": "1h", "max_loss": "20", "trust": "medium", **(kept or {})},
        banks=banks,
        trusts=_TRUST,
        **_folders(visit),
    )


def _show(
    request: Request,
    visit: Visit,
    name: str,
    error: FeedError | None = None,
    *,
    kept: Mapping[str, str] | None = None,
    findings: list[Finding] | None = None,
) -> Response:
    _stored(visit, name)
    with reading(visit.node.engine) as connection:
        status = next(each for each in feeds.all_status(connection, utc_now()) if each.feed.name == name)
    feed = status.feed
    kind = EXCHANGES.get(feed.kind)
    settings = settings_of(kind) if kind else []
    as_it_is = {
        "every": span_of(feed.every),
        "stale_after": span_of(feed.stale_after) if feed.stale_after else "never",
        "max_loss": f"{feed.max_loss * 100:g}",
        **({"feedback": "yes"} if feed.feedback else {}),
        **{f"secret-{name}": reference for name, reference in feed.secrets.items()},
        **shown(settings, feed.config),
    }
    return page(
        request,
        "feed.html",
        status=422 if error else 200,
        error=refusal(error) if error else None,
        each=status,
        feed=feed,
        kind=kind,
        settings=settings,
        kept=as_it_is if kept is None else kept,
        findings=findings,
        **_folders(visit),
    )


def _folders(visit: Visit) -> dict[str, Any]:
    """Where the files that a form names must lie."""
    of = visit.node.settings.feeds
    return {"secrets_dir": of.secrets_dir, "lists_dir": of.lists_dir}


def _order(request: Request, visit: Visit, name: str, work: Callable[[Connection], object]) -> Response:
    _stored(visit, name)
    try:
        visit.node.change(work)
    except FeedError as error:
        return _show(request, visit, name, error)
    return go(f"/feeds/{name}", "changed")


def _stored(visit: Visit, name: str) -> StoredFeed:
    with reading(visit.node.engine) as connection:
        try:
            return feeds.get_feed(connection, name)
        except FeedError:
            raise Problem("not-found") from None


def _new(form: Form, kind: Kind) -> NewFeed:
    stale = form.get("stale_after", "").strip()
    return NewFeed(
        form.get("name", "").strip(),
        kind.name,
        form.get("bank", "").strip(),
        config_in(form, settings_of(kind)),
        secrets_in(form, kind),
        every=seconds_in(form.get("every", ""), "every"),
        stale_after=_stale(stale) if stale else None,
        max_loss=_share(form.get("max_loss", "")),
        feedback="feedback" in form,
        category=form.get("category", "").strip(),
        trust=next((each for each in _TRUST if each == form.get("trust")), "medium"),
        benign="benign" in form,
    )


def _change_in(form: Form, kind: Kind) -> FeedChange:
    return FeedChange(
        config_in(form, settings_of(kind)),
        secrets_in(form, kind),
        seconds_in(form.get("every", ""), "every"),
        _stale(form.get("stale_after", "").strip()),
        _share(form.get("max_loss", "")),
        "feedback" in form,
    )


def _stale(text: str) -> int:
    return 0 if text == "never" else seconds_in(text, "stale_after")


def _share(text: str) -> float:
    try:
        return float(text.strip().removesuffix("%")) / 100
    except ValueError:
        raise FeedError("a number of per cent", where="max_loss") from None
