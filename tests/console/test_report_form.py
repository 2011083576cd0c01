"""A report as a form, and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from nightlamp.reports.cybertip import Fault, FileDetails, Report, check
from nightlamp.reports.cybertip.choices import IncidentType
from nightlamp.reports.cybertip.model import (
    FileHash,
    IncidentSummary,
    InternetDetails,
    PersonOrUserReported,
    WebPageIncident,
)
from nightlamp.reports.cybertip.table import Part, rows
from nightlamp.server.console.report_form import NOT_EDITED, Section, as_form, only_stored, read
from nightlamp.server.console.report_words import WORDS

from ..reports.drawing import FILES, REPORTS


def sent(section: Section) -> dict[str, str]:
    """What a browser would send of a form that nobody has touched."""
    form = {section.name: section.marker} if section.path else {}
    for entry in section.entries:
        if entry.input != "flag" or entry.text == "yes":
            form[entry.name] = entry.text
    for inner in section.sections:
        form |= sent(inner)
    return form


def plain(value: Any) -> Any:
    """As a form can hold it: times in seconds, UTC; texts without white space around."""
    if isinstance(value, str):
        return type(value)(value.replace("\r\n", "\n").strip())
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0)
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    if hasattr(type(value), "__dataclass_fields__"):
        return replace(value, **{row.name: plain(getattr(value, row.name)) for row in rows(type(value))})
    return value


@settings(max_examples=25)
@given(REPORTS)
def test_a_report_comes_back_as_it_was(document):
    back, said = read(sent(as_form(document)), document)
    assert not said.faults
    assert back == plain(document)
    assert not check(back)


@settings(max_examples=25)
@given(FILES)
def test_what_no_person_says_of_a_file_is_in_no_form(details):
    form = as_form(details)
    shown = repr(form)
    assert not any(
        str(each.value) in shown for each in details.original_file_hash if len(str(each.value)) > 8
    )
    forged = sent(form) | {"field fileViewedByEsp": "yes", "part originalFileHash[1]": "kept"}
    back, _ = read(forged, details)
    for name in NOT_EDITED:
        assert getattr(back, name) == getattr(details, name)
    assert plain(back) == plain(details)


def test_every_field_of_the_schema_has_words():
    todo, seen = [Report, FileDetails], set()
    while todo:
        kind = todo.pop()
        for row in rows(kind):
            seen.add(row.tag)
            if isinstance(row.kind, Part) and row.kind.of not in todo:
                todo.append(row.kind.of)
    assert seen == set(WORDS)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("incidentSummary.incidentDateTime", "soon", "must be a date and time"),
        ("incidentSummary.incidentDateTime", "0001-01-01T00:00:00+14:00", "must be a date and time"),
        ("incidentSummary.incidentType", "Arson", "must be one of the list"),
        ("personOrUserReported.compromisedAccount", "perhaps", "must be yes or no"),
        ("personOrUserReported.priorCTReports[1]", "x", "must be a whole number"),
        ("personOrUserReported.priorCTReports[1]", "9" * 5000, "must be a whole number"),
    ],
)
def test_what_cannot_be_read_is_said_and_kept(path, text, said):
    before = Report(
        incident_summary=IncidentSummary(), person_or_user_reported=PersonOrUserReported(esp_identifier="a")
    )
    form = sent(as_form(before)) | {f"field {path}": text}
    made, unread = read(form, before)
    assert unread.faults == [Fault(path, said)]
    entries = {each.path: each for part in as_form(made, sent=unread).sections for each in part.entries}
    assert (entries[path].text, entries[path].faults) == (text, (said,))


def test_parts_are_added_and_left_out_and_an_empty_one_goes_away():
    before = Report(
        internet_details=(InternetDetails(web_page_incident=WebPageIncident(url=("https://a",))),)
    )
    form = sent(as_form(before))
    # one more is added; it stands on the page, and is not stored if it is left empty
    made, said = read(form | {"add": "internetDetails"}, before)
    assert made.internet_details == (*before.internet_details, InternetDetails())
    assert said.added == "internetDetails[2]"
    again = sent(as_form(made, sent=said))
    assert read(again, before)[0] == before
    # filled in, it is
    made, said = read(again | {"add": "internetDetails[2].chatImIncident"}, before)
    filled = sent(as_form(made, sent=said)) | {"field internetDetails[2].chatImIncident.chatRoomName": "den"}
    made, _ = read(filled, before)
    assert made.internet_details[1].chat_im_incident.chat_room_name == "den"
    # the first is left out, and the second is the first
    made, _ = read(filled | {"remove": "internetDetails[1]"}, before)
    assert len(made.internet_details) == 1
    assert made.internet_details[0].chat_im_incident is not None
    # an empty part that a draft has had stays
    bare = Report(internet_details=(InternetDetails(web_page_incident=WebPageIncident()),))
    assert read(sent(as_form(bare)), bare)[0] == bare


def test_what_must_be_given_and_what_is_asked_stands_at_its_field():
    document = Report(incident_summary=IncidentSummary(incident_type=IncidentType.CSAM))
    asks = [Fault("incidentSummary.escalateToHighPriority", "say why")]
    form = as_form(document, faults=check(document), asks=asks)
    summary = form.sections[0]
    entries = {each.tag: each for each in summary.entries}
    assert entries["incidentDateTime"].faults == ("must be given",)
    assert entries["incidentDateTime"].must
    assert entries["escalateToHighPriority"].asked == ("say why",)
    assert not entries["incidentType"].faults


def test_what_somebody_else_has_stored_meanwhile_stands_beside():
    mine = Report(incident_summary=IncidentSummary(platform="mine"), additional_info="same")
    theirs = Report(
        incident_summary=IncidentSummary(platform="theirs"),
        person_or_user_reported=PersonOrUserReported(screen_name="new"),
        additional_info="same",
    )
    form = as_form(mine, stored=theirs)
    entries = {each.path: each for part in (form, *form.sections) for each in part.entries}
    assert entries["incidentSummary.platform"].stored == "theirs"
    assert entries["additionalInfo"].stored is None
    assert only_stored(form, theirs) == [("personOrUserReported.screenName", "new")]


def test_no_form_shows_a_hash():
    details = FileDetails(original_file_hash=(FileHash(value="secret-hash", hash_type="MD5"),))
    assert "secret-hash" not in repr(as_form(details))
    assert only_stored(as_form(details), details) == []
