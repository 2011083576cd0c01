"""Editing a draft of a report, and what is said of its files, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import reports
from nightlamp.errors import ReportError
from nightlamp.reports import StoredFile, StoredReport
from nightlamp.reports.cybertip import Fault, FileDetails, Report
from nightlamp.server.console.language import N_
from nightlamp.server.console.pages import go, page
from nightlamp.server.console.report_form import MOST_INPUTS, Sent, as_form, only_stored, read
from nightlamp.server.console.reporting import Reporter
from nightlamp.server.console.visiting import Form, Posted, Visit, Visiting, number_of, same_person
from nightlamp.server.problems import Problem
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/reports")
_ALL_FILES = "file.publiclyAvailable"  # may be said of all at once


@router.get("/{report_id}/edit")
def ask(request: Request, visit: Visiting, person: Reporter, report_id: str) -> Response:  # noqa: ARG001
    """The draft as a form."""
    return _report(request, _stored(visit, report_id))


@router.post("/{report_id}/edit")
def edit(request: Request, visit: Visiting, person: Reporter, form: Posted, report_id: str) -> Response:
    """Store it; or show it again with a part more, or less."""
    same_person(form, person)
    stored = _stored(visit, report_id)
    document, sent = read(form, stored.document)
    if "add" in form or "remove" in form or sent.faults:
        return _report(request, stored, _Entered(document, sent, form))
    seen = set(form.get("seen", "").split("\n"))
    asks = [each for each in stored.asks if f"{each.where} {each.what}" not in seen]
    said = form.get("public", "")

    def work(connection: Connection) -> None:
        files = {
            each.id: replace(each.details, publicly_available=said == "yes")
            for each in (stored.files if said in ("yes", "no") else ())
        }
        reports.change(
            connection,
            report_id,
            document,
            version=number_of(form, "version"),
            by=person.actor,
            now=utc_now(),
            files=files,
            asks=asks,
            approvals=visit.node.settings.reports.approvals,
        )

    try:
        visit.node.writer.write(work)
    except ReportError as error:
        return _report(request, _stored(visit, report_id), _Entered(document, sent, form, error))
    return _done(request, report_id)


@router.get("/{report_id}/files/{file_id}")
def ask_file(
    request: Request,
    visit: Visiting,
    person: Reporter,  # noqa: ARG001 (a role is needed)
    report_id: str,
    file_id: str,
) -> Response:
    """What is said of a file, as a form."""
    stored = _stored(visit, report_id)
    return _file(request, stored, _file_of(stored, file_id))


@router.post("/{report_id}/files/{file_id}")
def edit_file(
    request: Request, visit: Visiting, person: Reporter, form: Posted, report_id: str, file_id: str
) -> Response:
    """Store what is said of a file; or show it again with a part more, or less."""
    same_person(form, person)
    stored = _stored(visit, report_id)
    file = _file_of(stored, file_id)
    details, sent = read(form, file.details)
    if "add" in form or "remove" in form or sent.faults:
        return _file(request, stored, file, _Entered(details, sent, form))

    def work(connection: Connection) -> None:
        now = reports.get_report(connection, report_id, lock=True)
        reports.change(
            connection,
            report_id,
            now.document,
            version=number_of(form, "version"),
            by=person.actor,
            now=utc_now(),
            files={file_id: details},
            approvals=visit.node.settings.reports.approvals,
        )

    try:
        visit.node.writer.write(work)
    except ReportError as error:
        stored = _stored(visit, report_id)
        return _file(request, stored, _file_of(stored, file_id), _Entered(details, sent, form, error))
    return _done(request, report_id)


@dataclass(frozen=True, slots=True)
class _Entered:
    """What somebody has sent that is not stored; ``error``: why it could not be."""

    document: Report | FileDetails
    sent: Sent
    form: Form
    error: ReportError | None = None

    @property
    def going_on(self) -> bool:
        """They want a part more, or less, and are not done."""
        return "add" in self.form or "remove" in self.form

    @property
    def refused(self) -> bool:
        """They wanted it to be stored."""
        return self.error is not None or (bool(self.sent.faults) and not self.going_on)


def _report(request: Request, stored: StoredReport, entered: _Entered | None = None) -> Response:
    faults = [each for each in stored.faults if not each.where.startswith("file[")]
    form = entered.form if entered else {}
    values: dict[str, Any] = {
        "path": f"/reports/{stored.id}/edit",
        "asks": stored.asks,
        "seen": form.get("seen", "").split("\n"),
        "files": len(stored.files),
        "public": form.get("public", ""),
        "ask_public": any(each.where == _ALL_FILES for each in stored.asks),
    }
    return _page(request, "report_edit.html", stored, stored.document, faults, entered, values)


def _file(
    request: Request, stored: StoredReport, file: StoredFile, entered: _Entered | None = None
) -> Response:
    mine = f"file[{stored.files.index(file) + 1}]."
    faults = [
        Fault(each.where.removeprefix(mine), each.what, each.missing)
        for each in stored.faults
        if each.where.startswith(mine)
    ]
    values = {"path": f"/reports/{stored.id}/files/{file.id}", "file": file}
    return _page(request, "report_file.html", stored, file.details, faults, entered, values)


def _page(
    request: Request,
    template: str,
    stored: StoredReport,
    now: Report | FileDetails,
    faults: Sequence[Fault],
    entered: _Entered | None,
    values: dict[str, Any],
) -> Response:
    """The form: of what is stored; or of what was entered, and beside it what is stored by now."""
    changed = entered is not None and number_of(entered.form, "version") != stored.version
    made = as_form(
        entered.document if entered else now,
        faults=() if entered else faults,
        asks=stored.asks,
        sent=entered.sent if entered else None,
        stored=now if changed else None,
    )
    values |= {
        "report": stored,
        "made": made,
        "editable": stored.state in ("draft", "person"),
        "too_long": made.count() > MOST_INPUTS,
        "unreadable": entered.sent.faults if entered else (),
        "changed": changed,
        "only_stored": only_stored(made, now) if changed else [],
        "fresh": entered.sent.added if entered else "",
    }
    if entered is None or not entered.refused:
        return page(request, template, **values)
    said = None
    if entered.error is not None:
        hint = N_("nothing was stored, and what you have entered stands below")
        said = {"where": "", "what": entered.error.what, "hint": hint}
    answer = page(request, template, status=422, error=said, **values)
    answer.headers["hx-reswap"] = "outerHTML show:window:top"
    return answer


def _stored(visit: Visit, report_id: str) -> StoredReport:
    with reading(visit.node.engine) as connection:
        return reports.get_report(connection, report_id)


def _file_of(stored: StoredReport, file_id: str) -> StoredFile:
    found = next((each for each in stored.files if each.id == file_id), None)
    if found is None:
        raise Problem("not-found")
    return found


def _done(request: Request, report_id: str) -> Response:
    if not request.headers.get("hx-request"):
        return go(f"/reports/{report_id}", "changed")
    return Response(status_code=204, headers={"hx-redirect": f"/console/reports/{report_id}?done=changed"})
