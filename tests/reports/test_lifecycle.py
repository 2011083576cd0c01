"""What people do with a report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nightlamp.errors import ReportError, VaultError
from nightlamp.reports import (
    NewFile,
    Reconciler,
    Sender,
    add_files,
    change,
    follow_up,
    page_reports,
    send_again,
    standing,
)
from nightlamp.reports.cybertip import FileDetails, Report
from nightlamp.store import reading
from nightlamp.vault.holds import holds

from .conftest import Office
from .model import minimal


def do(office: Office, function: Any, *arguments: Any, **rest: Any) -> Any:
    return office.writer.write(lambda c: function(c, *arguments, now=office.clock(), **rest))


def send(office: Office) -> None:
    sender = Sender(office.writer, office.client(), office.evidence, clock=office.clock)
    while sender.run_once():
        pass


def test_a_half_filled_draft_is_kept_and_says_what_is_missing(either: Office) -> None:
    made = either.draft(document=Report())
    with pytest.raises(ReportError) as refused:
        either.approve(made)
    assert (refused.value.where, refused.value.what) == ("incidentSummary", "must be given (and 2 more)")
    assert either.read(made).state == "draft"


def test_two_people_must_approve_where_two_are_asked_for(office: Office) -> None:
    made = office.draft(approvals=2)
    assert office.approve(made, "person:b").state == "draft"
    with pytest.raises(ReportError, match="twice"):
        office.approve(made, "person:b")
    assert office.approve(made, "person:c").state == "approved"


def test_a_change_asks_for_all_approvals_anew_and_a_stale_page_is_refused(office: Office) -> None:
    made = office.draft(approvals=2)
    office.approve(made, "person:b")
    changed = do(office, change, made, minimal(additional_info="more"), version=1, by="person:b")
    assert (changed.version, changed.approved_by) == (2, ())
    with pytest.raises(ReportError, match="version 2 by now"):
        do(office, change, made, minimal(), version=1, by="person:c")
    office.approve(made, "person:b")
    assert office.approve(made, "person:c").state == "approved"
    with pytest.raises(ReportError, match="cannot be changed"):
        do(office, change, made, minimal(), version=2, by="person:c")


def test_nobody_can_write_that_a_file_was_viewed(office: Office) -> None:
    made = office.draft()
    [file] = office.read(made).files
    lie = replace(FileDetails(), file_viewed_by_esp=True, exif_viewed_by_esp=True, publicly_available=True)
    changed = do(office, change, made, minimal(), version=1, by="person:b", files={file.id: lie})
    [now] = changed.files
    assert (now.details.file_viewed_by_esp, now.details.publicly_available) == (None, True)


def test_a_follow_up_names_the_report_that_it_adds_to(office: Office) -> None:
    first = office.approved()
    with pytest.raises(ReportError, match="only a finished report"):
        do(office, follow_up, first, by="person:a")
    send(office)
    number = office.read(first).remote
    second = do(office, follow_up, first, by="person:a")
    third_file = NewFile(office.objects[2], "item-2")
    do(office, add_files, second, [third_file], version=1, by="person:a")
    office.approve(second)
    send(office)
    found = office.read(second)
    assert (found.state, found.follows) == ("finished", first)
    sent = office.desk.reports[found.remote or 0].document
    assert [each.text for each in sent.walk() if each.name == "priorCTReports"] == [str(number)]


def test_files_are_held_from_the_draft_on(office: Office) -> None:
    made = office.draft(files=2)
    for file in office.read(made).files:
        with reading(office.engine) as connection:
            assert file.hold in {each.id for each in holds(connection, file.object)}


def test_what_the_vault_does_not_keep_cannot_be_drafted(office: Office) -> None:
    office.objects.insert(0, "a" * 26)
    with pytest.raises(VaultError):
        office.draft()
    with reading(office.engine) as connection:
        assert not page_reports(connection)


def test_the_same_file_twice_is_refused(office: Office) -> None:
    office.objects = [office.objects[0]] * 2
    with pytest.raises(ReportError, match="twice"):
        office.draft(files=2)


def test_only_what_stopped_or_is_on_its_way_can_be_sent(office: Office) -> None:
    made = office.draft()
    with pytest.raises(ReportError, match="a report that is draft"):
        do(office, send_again, made, by="person:a")
    with pytest.raises(ReportError, match="no such report"):
        do(office, send_again, "nothing", by="person:a")


def test_what_waits_too_long_is_named(office: Office) -> None:
    office.draft()
    office.approved()
    office.clock.move(hours=25)
    with reading(office.engine) as connection:
        found = standing(connection, now=office.clock(), draft_hours=24)
    assert (found.overdue, found.stuck, found.well) == (1, 1, False)
    looked = Reconciler(office.engine, office.writer, office.client, clock=office.clock).run_once()
    assert looked == found
    send(office)
    assert office.audited()[-1] == "report.finished"


def test_a_number_that_was_left_behind_is_taken_back(office: Office) -> None:
    from sqlalchemy import insert

    from nightlamp.reports.tables import report_opening

    made = office.approved()
    send(office)
    left = office.client().submit(minimal()).report_id
    row = {"host": "fake", "remote": left, "report": made, "opened_at": office.clock()}
    office.writer.write(lambda c: c.execute(insert(report_opening).values(row)) and None)

    found = Reconciler(office.engine, office.writer, office.client, clock=office.clock).run_once()

    assert found.well
    assert office.desk.reports[left or 0].state == "retracted"
