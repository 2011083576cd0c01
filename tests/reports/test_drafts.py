"""Drafts write themselves, say only what is known, and ask for the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from nightlamp.cases import FinalDecision
from nightlamp.cases.tables import decision, reveal, review_case
from nightlamp.intake import Submission, Where
from nightlamp.intake.deciding import Subject
from nightlamp.intake.recording import Entry, Recorder
from nightlamp.intake.submission import Ruling
from nightlamp.reports import (
    NewFile,
    NewReport,
    Operator,
    Sender,
    StoredReport,
    approve,
    draft_for,
    page_reports,
)
from nightlamp.reports import draft as drafted
from nightlamp.reports.cybertip import as_json
from nightlamp.reports.cybertip.model import Reporter
from nightlamp.reports.cybertip.parts import Email, Person
from nightlamp.settings.reports import ReportsSettings
from nightlamp.store import new_id, reading
from nightlamp.values import Assessment, Bank, Examination, Fingerprint, Handling, Hold, Match, Verdict
from nightlamp.vault import HoldRequest
from nightlamp.vault.holds import holds

from .conftest import Office
from .model import NOON, Wire, minimal

OPERATOR = Operator(
    Reporter(reporting_person=Person(last_name="Example Ltd", email=(Email(value="trust@example.org"),))),
    platform="Example",
    host="fake",
)
WHERE = Where("chat", "room 7", NOON - timedelta(hours=1), "US", "192.0.2.7", 4711)
DECLARED = Assessment("declared AI-made", "Its metadata say so.")


def submitted(office: Office, actor: str = "u-1", where: Where = WHERE, **more: Any) -> str:
    """An item that was held, as intake writes it."""
    item, content = new_id(), more.pop("content", new_id().encode())
    prints = (Fingerprint("sha256", content.ljust(32)[:32]),)
    examination = Examination("image/png", len(content), 10, 10, 1, prints, origin=more.pop("origin", None))
    listed = Match(prints[0], Bank("list", "a hotline", "csam", "high"), "entry-1", "csam", 0)
    handling = Handling(hold=Hold(months=12))
    verdict = Verdict("block", ("because",), (listed,), rule="listed", handling=handling)
    subject = Subject(item, Submission("thekey", actor=actor, where=where, **more), examination, False)
    sealed = office.vault.seal(content)
    entry = Entry(subject, Ruling(new_id(), item, verdict, None, 0, False, 1, NOON), NOON, sealed=sealed)
    recorder = Recorder(office.writer, office.vault, timedelta(0))
    office.writer.write(lambda c: recorder.write(c, [entry]))
    return item


def decided(office: Office, *items: str, operator: Operator = OPERATOR, **more: Any) -> list[StoredReport]:
    """The drafts of a decision on these items."""
    values = {
        "case": "case-1",
        "decision": new_id(),
        "finding": "csam",
        "classification": "A1",
        "ai_made": "unknown",
        "drawn": False,
        "reason": "",
        "by": ("person:a", "person:b"),
        "at": NOON,
        "items": items,
    } | more
    final = FinalDecision(**values)
    for _ in range(2):  # once for each decision, however often it is applied
        office.writer.write(lambda c: draft_for(c, final, operator=operator, clock=office.clock))
    with reading(office.engine) as connection:
        found = page_reports(connection)
    return [office.read(each.id) for each in reversed(found) if each.decision == final.decision]


def in_a_case(office: Office) -> str:
    """A case that is open."""
    case = {
        "id": new_id(), "queue": "", "priority": 2, "two_person": False, "known": False, "state": "open",
        "round": 1, "rule": "", "opened_at": NOON, "order_at": NOON, "grown_at": NOON, "items": 1,
        "actors": 1, "places": 1, "version": 1, "changed": "",
    }  # fmt: skip
    office.writer.write(lambda c: c.execute(insert(review_case).values(case)))
    return str(case["id"])


def viewed(office: Office, item: str, exif: bool = False) -> None:
    row = {
        "id": new_id(), "case": in_a_case(office), "item": item, "by": "person:a", "level": 3, "frame": None,
        "exif": exif, "started_at": NOON, "seconds": 4.0, "severity": 0,
    }  # fmt: skip
    office.writer.write(lambda c: c.execute(insert(reveal).values(row)))


def test_a_confirmed_case_is_a_draft_that_only_needs_approval(either: Office) -> None:
    item = submitted(either)

    [draft] = decided(either, item)

    assert not draft.faults
    assert (draft.state, draft.case, draft.actor) == ("draft", "case-1", "u-1")
    told = as_json(draft.document)
    assert told["incidentSummary"]["platform"] == "Example"
    assert told["incidentSummary"]["incidentDateTime"] == "2026-11-24T11:00:00+00:00"
    assert told["internetDetails"] == [{"chatImIncident": {"chatClient": "chat", "chatRoomName": "room 7"}}]
    person = told["personOrUserReported"]
    assert (person["espIdentifier"], person["espService"]) == ("u-1", "chat")
    assert [(e["ipAddress"], e["port"], e["eventName"]) for e in person["ipCaptureEvent"]] == [
        ("192.0.2.7", 4711, "Upload")
    ]
    assert "a hotline" in told["additionalInfo"]
    assert "entry-1" not in str(told)
    assert {ask.where for ask in draft.asks} >= {"internetDetails", "personOrUserReported"}


def test_and_when_it_is_approved_the_authority_takes_it(office: Office) -> None:
    content = b"a harmless file"
    [draft] = decided(office, submitted(office, content=content))
    office.approve(draft.id)
    sender = Sender(office.writer, office.client(), office.evidence, clock=office.clock)
    while sender.run_once():
        pass
    [finished] = office.desk.finished
    [file] = finished.files.values()
    assert file.size == len(content)


def test_whether_a_file_was_viewed_is_what_audited_reveals_say(office: Office) -> None:
    seen, unseen = submitted(office), submitted(office)
    viewed(office, seen, exif=True)
    [draft] = decided(office, seen, unseen)
    told = {
        file.item: (file.details.file_viewed_by_esp, file.details.exif_viewed_by_esp) for file in draft.files
    }
    assert told == {seen: (True, True), unseen: (False, False)}

    # and who looks before the last approval, is in it
    viewed(office, unseen)
    office.approve(draft.id)
    assert all(file.details.file_viewed_by_esp for file in office.read(draft.id).files)


@pytest.mark.parametrize(
    ("said", "origin", "made"),
    [
        ("yes", None, True),
        ("unknown", None, False),
        ("unknown", DECLARED, True),
        ("no", DECLARED, False),
        ("unknown", Assessment("inconsistent", "It contradicts itself."), False),
    ],
)
def test_ai_made_is_said_where_a_person_or_the_file_says_so(
    office: Office, said: str, origin: Assessment | None, made: bool
) -> None:
    [draft] = decided(office, submitted(office, origin=origin), ai_made=said)
    details = draft.files[0].details
    annotations = details.file_annotations
    assert (annotations is not None and annotations.generative_ai) == made
    assert [origin.sentence in each for each in details.additional_info] == [True] if origin else [False]


@pytest.mark.parametrize("signed", [False, True])
def test_a_classification_is_sent_only_by_who_signed_the_agreement(office: Office, signed: bool) -> None:
    operator = Operator.of(ReportsSettings(industry_classification=signed, company="Example Ltd"))
    [draft] = decided(office, submitted(office), operator=operator)
    assert draft.files[0].details.industry_classification == ("A1" if signed else None)


def test_each_actor_of_a_case_has_a_report_of_its_own(office: Office) -> None:
    items = [submitted(office, actor) for actor in ("u-1", "u-2", "u-1")]
    drafts = decided(office, *items)
    assert {each.actor: len(each.files) for each in drafts} == {"u-1": 2, "u-2": 1}


def test_earlier_reports_on_the_same_actor_are_named(office: Office) -> None:
    [first] = decided(office, submitted(office))
    office.approve(first.id)
    Sender(office.writer, office.client(), office.evidence, clock=office.clock).run_once()
    [second] = decided(office, submitted(office))
    assert second.document.person_or_user_reported is not None
    assert second.document.person_or_user_reported.prior_ct_reports == (office.read(first.id).remote,)


def test_evidence_is_held_by_the_law_from_the_draft_on(office: Office) -> None:
    [draft] = decided(office, submitted(office))
    with reading(office.engine) as connection:
        reasons = {hold.reason for hold in holds(connection, draft.files[0].object)}
    assert reasons == {"verdict block", "report to NCMEC"}


def test_what_nobody_set_or_knows_is_asked_for(office: Office) -> None:
    [draft] = decided(office, submitted(office, "", Where()), operator=Operator.of(ReportsSettings()))
    assert [fault.where for fault in draft.faults] == ["reporter.reportingPerson"]
    assert draft.document.person_or_user_reported is None
    assert "not known" in (draft.document.incident_summary.incident_date_time_description or "")


@pytest.mark.parametrize(
    ("reason", "undone", "prefilled", "asks"),
    [
        ("imminent_harm", None, True, "a child may be in danger now: say what shows it"),
        ("new_victim", None, False, "a victim whom nobody knows of"),
        ("imminent_harm", NOON, False, "say why, if"),
        ("law", None, False, "say why, if"),
    ],
)
def test_what_a_reviewer_escalated_for_reaches_the_draft(
    office: Office, reason: str, undone: Any, prefilled: bool, asks: str
) -> None:
    item = submitted(office)
    case = in_a_case(office)
    row = {
        "id": new_id(), "case": case, "round": 1, "version": 1, "by": "person:a", "at": NOON,
        "finding": "escalate", "ai_made": "unknown", "drawn": False, "reason": reason, "note": "",
        "opinion": "first", "before": "open", "final": False, "effective_at": NOON, "undone_at": undone,
    }  # fmt: skip
    office.writer.write(lambda c: c.execute(insert(decision).values(row)))

    [draft] = decided(office, item, case=case)

    where = "incidentSummary.escalateToHighPriority"
    assert [asks in each.what for each in draft.asks if each.where == where] == [True]
    said = draft.document.incident_summary.escalate_to_high_priority
    assert (said is not None and "danger now" in said) == prefilled


def test_other_decisions_are_no_reports_and_take_drafts_back(office: Office) -> None:
    item = submitted(office)
    [draft] = decided(office, item)
    assert not decided(office, item, finding="not_csam")
    assert office.read(draft.id).state == "retracted"
    assert not decided(office, item, finding="unsure")


def test_many_items_of_one_incident_are_one_report_that_resumes_where_it_was(office: Office) -> None:
    # given one with many files
    sealed = [office.vault.seal(bytes([at % 256, at // 256])) for at in range(40)]
    request = HoldRequest("test", "US")
    objects = office.writer.write(
        lambda c: [office.vault.keep(c, each, request, actor="system") for each in sealed]
    )
    new = NewReport(minimal(), [NewFile(each) for each in objects])
    made = office.writer.write(lambda c: drafted(c, new, by="person:a", now=office.clock()))
    office.writer.write(lambda c: approve(c, made, version=1, by="person:b", now=office.clock()))

    # when the sender dies in the middle, and another goes on where it was
    class Gone(BaseException):
        pass

    desk = office.desk

    def answer(*request: Any) -> Any:
        if len(desk.calls) == 42:  # a file is uploaded, and not described yet
            desk.calls.append("gone")
            raise Gone
        return desk.answer(*request)

    with pytest.raises(Gone):
        Sender(office.writer, office.client(Wire(answer)), office.evidence, clock=office.clock).run_once()
    office.clock.move(hours=1)
    Sender(office.writer, office.client(), office.evidence, clock=office.clock).run_once()

    # then nothing was uploaded twice
    [finished] = desk.finished
    assert len(finished.files) == 40
    assert len(desk.reports) == 1
