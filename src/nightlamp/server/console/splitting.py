"""Splitting a case: what does not belong to the others is ticked, and becomes a case of its own."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import cases
from nightlamp.accounts import Person
from nightlamp.errors import CaseError
from nightlamp.server.console.cases import Skip, items_of, moved, show_case
from nightlamp.server.console.desk import Reviewer, terms_of
from nightlamp.server.console.language import N_
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Form, Posted, Visit, Visiting, number_of, same_person
from nightlamp.server.problems import problem_of
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/cases")


@router.get("/{case_id}/split")
def ask(request: Request, visit: Visiting, person: Reviewer, case_id: str, skip: Skip = 0) -> Response:
    """Its items, to be ticked."""
    return _ask(request, visit, person, case_id, skip, {})


@router.post("/{case_id}/split")
def split(request: Request, visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:
    """Split off what is ticked; or show another page of items, with what is ticked so far."""
    same_person(form, person)
    if "skip" in form:
        return _ask(request, visit, person, case_id, number_of(form, "skip"), form)

    def work(connection: Connection) -> cases.Case:
        ticked = _listed(form, "item")
        chosen = set(cases.items_among(connection, case_id, (), _listed(form, "how"))) | set(ticked)
        version, now = number_of(form, "version"), utc_now()
        return cases.split(connection, case_id, list(chosen), by=person.actor, version=version, now=now)

    try:
        visit.node.writer.write(work)
    except CaseError as error:
        if error.code == "not found":
            raise
        return _ask(request, visit, person, case_id, number_of(form, "at", "0"), form, error)
    if not request.headers.get("hx-request"):
        return go(f"/cases/{case_id}")
    return moved(show_case(request, visit, person, case_id), f"/cases/{case_id}")


@router.post("/{case_id}/unsplit")
def unsplit(request: Request, visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:
    """Take a split back."""
    undo = terms_of(visit).undo
    new = form.get("case", "")
    try:
        visit.node.writer.write(lambda c: cases.unsplit(c, new, by=person.actor, now=utc_now(), undo=undo))
    except CaseError as error:
        return show_case(request, visit, person, case_id, error=error)
    return go(f"/cases/{case_id}", "changed")


def _ask(
    request: Request,
    visit: Visit,
    person: Person,
    case_id: str,
    skip: int,
    form: Form,
    error: CaseError | None = None,
) -> Response:
    now = utc_now()
    with reading(visit.node.engine) as connection:
        values = items_of(connection, visit, person, case_id, now, skip)
        ticked = set(cases.items_among(connection, case_id, _listed(form, "item")))
        hows = cases.how_many(connection, case_id)
    case, shown = values["case"], {each.id for each in values["items"]}
    values |= {
        "able": values["mine"] and case.state == "open",
        "ticking": True,
        "ticked": ticked,
        "elsewhere": sorted(ticked - shown),
        "hows": hows,
        "chosen_hows": _listed(form, "how"),
        "lease_seconds": int(terms_of(visit).lease.total_seconds()),
        "changed": error.changed if error else "",
    }
    if error is None:
        return page(request, "split.html", **values)
    said = refusal(error)
    if error.code == "stale":
        said["hint"] = N_("nothing was split, and what you ticked still is: look again, then send it")
    return page(request, "split.html", status=problem_of(error).status_code, error=said, **values)


def _listed(form: Form, name: str) -> list[str]:
    return form.get(name, "").split("\n") if form.get(name) else []
