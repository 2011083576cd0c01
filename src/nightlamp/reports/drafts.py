"""Drafts that write themselves, from a decision or a rule's word, and what the service knows of its items.

Nothing is guessed. What a person has to find out is asked (``StoredReport.asks``); what must be there and is
not is found by ``check``. ``fileViewedByEsp`` and ``exifViewedByEsp`` say what audited reveals say, and
nothing else; no reveal shows metadata, so that the second is false. ``generativeAi`` is said where a person
said so, or the file itself declares or signs it and no person said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from nightlamp.audit import Detail
from nightlamp.cases import FinalDecision, final_decision, viewed
from nightlamp.cases.tables import case_item, decision, review_case
from nightlamp.errors import ReportError, VaultError
from nightlamp.intake import StoredItem, get_item
from nightlamp.intake.records import matches_of
from nightlamp.reports.cybertip import Fault, FileDetails, Report
from nightlamp.reports.cybertip.choices import Classification, EmailType, EventName, IncidentType, Relevance
from nightlamp.reports.cybertip.model import (
    ChatImIncident,
    FileAnnotations,
    IncidentSummary,
    InternetDetails,
    PersonOrUserReported,
    Reporter,
    WebPageIncident,
)
from nightlamp.reports.cybertip.parts import Email, IpCaptureEvent, Person, Phone
from nightlamp.reports.lifecycle import NewFile, NewReport, draft, move, record, retract, rewrite
from nightlamp.reports.records import BACK, get_report, prior_numbers
from nightlamp.reports.tables import report, report_confirmation, report_file
from nightlamp.settings.reports import IN_EARNEST, UNSEEN, ReportsSettings
from nightlamp.store import Clock, utc_now
from nightlamp.vault import HoldRequest, term
from nightlamp.vault.tables import vault_blob

_AT_ONCE = 500
_MOST_EVENTS = 100
_HARM = "A reviewer of our staff said that a child may be in danger now."
_READ = "An automatic reading of the file's own metadata and signatures:"
_RAISED = {  # reasons of ``nightlamp.cases`` to hand a case on, and what they ask of who completes the report
    "imminent_harm": "a reviewer said that a child may be in danger now: say what shows it, or take it out",
    "new_victim": "a reviewer said that this may be a victim whom nobody knows of: say why, if it is urgent",
}
_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp"}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Who confirmed it, and what they said of it.

    Args:
        case: of all the items.
        told: how it was confirmed, in a sentence for the authority.
        decision: of people; None: no person has decided.
        rule: of the policy, that confirmed it alone.
        facts: for the audit.
    """

    case: str
    told: str
    decision: str | None = None
    classification: str | None = None
    ai_made: str = "unknown"
    drawn: bool = False
    rule: str = ""
    facts: Mapping[str, Detail] = field(default_factory=dict)

    @classmethod
    def of(cls, final: FinalDecision) -> Grounds:
        """A decision of people."""
        people = f"{len(final.by)} {'person' if len(final.by) == 1 else 'people'}"
        told = f"It was reviewed and confirmed by {people} of our staff."
        return cls(final.case, told, final.decision, final.classification, final.ai_made, final.drawn)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who reports, and how: what the settings say.

    Args:
        host: where reports go; numbers of earlier reports count there alone.
        classified: the agreement that A1 … B2 need is signed.
        alone: what a rule confirmed is sent without anybody's approval.
    """

    reporter: Reporter
    platform: str = ""
    approvals: int = 1
    classified: bool = False
    jurisdiction: str = "US"
    hold_days: int | None = None
    host: str = "test"
    alone: bool = False

    @classmethod
    def of(cls, settings: ReportsSettings) -> Operator:
        """By the settings."""
        s = settings
        person = Person(
            last_name=s.company or None,
            email=(Email(value=s.contact_email, type=EmailType.BUSINESS),) if s.contact_email else (),
            phone=(Phone(value=s.contact_phone),) if s.contact_phone else (),
        )
        reporter = Reporter(
            reporting_person=person if person != Person() else None,
            company_template=s.company_template or None,
            terms_of_service=s.terms_of_service or None,
            legal_url=s.legal_url or None,
        )
        host = "production" if s.send_to == IN_EARNEST else "test"
        return cls(
            reporter,
            s.platform,
            s.approvals,
            s.industry_classification,
            s.jurisdiction,
            s.hold_days,
            host,
            s.by_rule == UNSEEN,
        )

    def until(self, start: datetime, law: Callable[[datetime], datetime] | None = None) -> datetime:
        """How long evidence is held that is reported at ``start``: what is set, and never less than the law.

        Args:
            start: when.
            law: gives the end of its term; None: that of the jurisdiction.

        Raises:
            VaultError: no term is known for the jurisdiction, and none is set.
        """
        chosen = start + timedelta(days=self.hold_days) if self.hold_days is not None else None
        try:
            legal = law(start) if law is not None else term(self.jurisdiction, start)
        except VaultError:
            if chosen is None:
                raise
            return chosen
        return legal if chosen is None else max(legal, chosen)

    def hold(self, now: datetime) -> HoldRequest:
        """The hold of a file that is reported."""
        return HoldRequest("report to NCMEC", self.jurisdiction, self.until(now))


def draft_for(
    connection: Connection, final: FinalDecision, *, operator: Operator, clock: Clock = utc_now
) -> None:
    """Draft what a decision asks for, one report for each actor; once, however often it is called.

    A decision that it is no CSAM takes back what was drafted for the case and is not finished.
    """
    now = clock()
    if final.finding == "not_csam":
        _take_back(connection, final, operator, now)
    if final.finding != "csam":
        return
    if connection.scalar(select(report.c.id).where(report.c.decision == final.decision).limit(1)) is not None:
        return
    by_actor: dict[str, list[StoredItem]] = {}
    for item_id in final.items:
        stored = get_item(connection, item_id)
        by_actor.setdefault(stored.actor, []).append(stored)
    grounds = Grounds.of(final)
    for actor, items in sorted(by_actor.items()):
        _draft_or_add(connection, grounds, actor, items, operator, now)


def withdraw_drafts(connection: Connection, decision_id: str, *, clock: Clock = utc_now) -> None:
    """Take back what was drafted of a decision that does not stand any more, and is not finished.

    What is finished stays: if people decide otherwise, the report says so then. So do drafts that people
    made themselves.
    """
    r = report.c
    case = select(decision.c.case).where(decision.c.id == decision_id).scalar_subquery()
    ours = (r.created_by == "system") & (r.rule == "") & (r.case == case)
    open_ = r.state.not_in((*BACK, "finished"))
    query = select(r.id).where((r.decision == decision_id) | ours, open_)
    reason = "its case was opened again"
    for report_id in connection.scalars(query.order_by(r.id)).all():
        # It may have been finished or taken back while we waited for its row.
        if get_report(connection, report_id, lock=True).state not in (*BACK, "finished"):
            retract(connection, report_id, by="system", reason=reason, now=clock())


def _draft_or_add(
    connection: Connection,
    grounds: Grounds,
    actor: str,
    items: Sequence[StoredItem],
    operator: Operator,
    now: datetime,
) -> None:
    """Report an actor's items of a decision, but for those that were reported already: by a rule, or before
    the case was opened again."""
    ids = {each.id for each in items}
    before = _finished(connection, grounds.case) | confirmed_reports(connection, sorted(ids))
    before = {item: found for item, found in before.items() if item in ids}
    locked = {}
    for report_id in sorted({each for each, state in before.values() if state == "draft"}):
        found = get_report(connection, report_id, lock=True)  # somebody may just have approved it
        if found.state == "draft" and not ids >= items_confirmed(connection, report_id):
            reason = "some of it was split off its case since"
            found = retract(connection, report_id, by="system", reason=reason, now=now)
        if found.state == "draft":
            locked[report_id] = found
        elif found.state in BACK:
            before = {item: each for item, each in before.items() if each[0] != report_id}
    drafts = {each: report_id for each, (report_id, _) in before.items() if report_id in locked}
    rest = [each for each in items if each.id not in before]
    if drafts:  # people stand behind them now: all that is not on its way is one of them
        first = min(drafts.values())
        mine = [each for each in items if drafts.get(each.id) == first]
        new = drafted(connection, grounds, actor, [*mine, *rest], operator)
        rewrite(connection, locked[first], new, by="system", now=now, hold=operator.hold(now))
        for other in sorted({*drafts.values()} - {first}):
            theirs = [each for each in items if drafts.get(each.id) == other]
            new = replace(drafted(connection, grounds, actor, theirs, operator), decision=None)
            rewrite(connection, locked[other], new, by="system", now=now, hold=operator.hold(now))
    elif rest:
        new = drafted(connection, grounds, actor, rest, operator)
        draft(connection, new, by="system", now=now, hold=operator.hold(now))
    else:
        last = max(report_id for report_id, _ in before.values())
        if get_report(connection, last, lock=True).decision is None:  # else: one case was split in two
            move(connection, last, decision=grounds.decision)
        record(connection, "system", "report.confirmed", last, {"decision": grounds.decision}, now)


def confirmed_reports(connection: Connection, items: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(report, state) by item, of those that a rule has had reported, and nobody has taken back."""
    c = report_confirmation.c
    found: dict[str, tuple[str, str]] = {}
    for at in range(0, len(items), _AT_ONCE):
        query = select(c.item, report.c.id, report.c.state).join(report, report.c.id == c.report)
        query = query.where(c.item.in_(items[at : at + _AT_ONCE]), report.c.state.not_in(BACK))
        found.update({row.item: (row.id, row.state) for row in connection.execute(query)})
    return found


def _finished(connection: Connection, case_id: str) -> dict[str, tuple[str, str]]:
    """(report, state) by item, of what was reported of a case already."""
    query = select(report_file.c.item, report.c.id, report.c.state).join(report)
    query = query.where(report.c.case == case_id, report.c.state == "finished")
    return {row.item: (row.id, row.state) for row in connection.execute(query.order_by(report.c.id))}


def items_confirmed(connection: Connection, report_id: str) -> set[str]:
    """The items of a report that a rule confirmed."""
    c = report_confirmation.c
    return set(connection.scalars(select(c.item).where(c.report == report_id)))


def files_of(
    connection: Connection, item_ids: Sequence[str], relevance: Relevance = Relevance.REPORTED
) -> list[NewFile]:
    """Items as files of a report, with what is known of each; nothing that only a decision can say.

    Raises:
        IntakeError: there is no such item.
        ReportError: the content of one is not in the vault.
    """
    items = [get_item(connection, item_id) for item_id in dict.fromkeys(item_ids)]
    kept = {each.id for each in _kept(connection, items)}
    files = []
    for at, each in enumerate(items, 1):
        if each.object is None or each.id not in kept:
            raise ReportError("conflict", "its content is not in the vault", where=f"items[{at}]")
        files.append(
            NewFile(each.object, each.id, replace(_known(connection, each), file_relevance=relevance))
        )
    return files


def _take_back(connection: Connection, final: FinalDecision, operator: Operator, now: datetime) -> None:
    written = select(report.c.id, report.c.state).where(report.c.case == final.case, report.c.rule == "")
    found = {row.id: row.state for row in connection.execute(written)}
    # What a rule had reported goes by its items: they may have been split off its case.
    found |= dict(confirmed_reports(connection, final.items).values())
    for report_id, state in sorted(found.items()):
        if state == "finished":
            why = "people decided otherwise after it was finished: tell NCMEC"
            move(connection, report_id, why=why)
            record(connection, "system", "report.contradicted", report_id, {"decision": final.decision}, now)
        elif state not in BACK:
            retract(connection, report_id, by="system", reason="decided otherwise", now=now)
            move(connection, report_id, decision=None)
            items = items_confirmed(connection, report_id)
            for other in _confirmed_otherwise(connection, items - set(final.items)):
                _draft_anew(connection, other, items, operator, now)


def _confirmed_otherwise(connection: Connection, items: set[str]) -> list[FinalDecision]:
    """Decisions in force by which people confirmed any of these items."""
    d, of = decision.c, case_item.c
    found: set[str] = set()
    for at in range(0, len(items), _AT_ONCE):
        query = select(d.id).join(review_case, review_case.c.decision == d.id)
        query = query.join(case_item, of.case == review_case.c.id)
        query = query.where(of.item.in_(sorted(items)[at : at + _AT_ONCE]), d.finding == "csam")
        found.update(connection.scalars(query.where(d.applied_at.is_not(None))))
    return [final_decision(connection, each) for each in sorted(found)]


def _draft_anew(
    connection: Connection, final: FinalDecision, items: set[str], operator: Operator, now: datetime
) -> None:
    """Report those of ``items`` that a decision confirmed; the report that they were in is taken back."""
    mine = [get_item(connection, each) for each in final.items if each in items]
    grounds, actor = Grounds.of(final), mine[0].actor
    named = select(report.c.id).where(report.c.decision == final.decision, report.c.actor == actor)
    if connection.scalar(named) is not None:  # it has one on the rest of the case
        grounds = replace(grounds, decision=None)
    new = drafted(connection, grounds, actor, mine, operator)
    draft(connection, new, by="system", now=now, hold=operator.hold(now))


def drafted(
    connection: Connection,
    grounds: Grounds,
    actor: str,
    items: Sequence[StoredItem],
    operator: Operator,
) -> NewReport:
    """What is known of an actor's items, as a report."""
    items = sorted(items, key=lambda each: (each.received_at, each.id))
    kept = _kept(connection, items)
    raised = _raised(connection, grounds.case)
    why = [_RAISED[each] for each in raised] or ["say why, if a child may be in danger now"]
    asks = [
        *(Fault("incidentSummary.escalateToHighPriority", each) for each in why),
        Fault("internetDetails", "see that this is where it happened"),
        Fault("personOrUserReported", "add what is known of the account: names, email, addresses, devices"),
    ]
    if kept:
        asks.append(Fault("file.publiclyAvailable", "say whether everybody could see the whole file"))
    missing = [each for each in items if each.id not in {of.id for of in kept}]
    if missing:
        asks.append(
            Fault("file", f"{len(missing)} of {len(items)} contents were not kept: say what they were")
        )
    files = [
        NewFile(each.object, each.id, _details(connection, grounds, each, operator))
        for each in kept
        if each.object is not None
    ]
    document = Report(
        incident_summary=_summary(items, operator, "imminent_harm" in raised),
        internet_details=_places(items),
        reporter=operator.reporter,
        person_or_user_reported=_person(connection, actor, items, operator),
        additional_info=_story(connection, grounds, items),
    )
    alone = operator.alone and grounds.rule and not missing
    return NewReport(
        document,
        files,
        asks,
        case=grounds.case,
        decision=grounds.decision,
        actor=actor,
        approvals=0 if alone else operator.approvals,
        rule=grounds.rule,
        facts=grounds.facts,
    )


def _kept(connection: Connection, items: Sequence[StoredItem]) -> list[StoredItem]:
    """Those whose content is in the vault, still."""
    objects = [each.object for each in items if each.object is not None]
    there: set[str] = set()
    for at in range(0, len(objects), _AT_ONCE):
        query = select(vault_blob.c.object).where(
            vault_blob.c.object.in_(objects[at : at + _AT_ONCE]), vault_blob.c.state == "kept"
        )
        there.update(connection.scalars(query))
    return [each for each in items if each.object in there]


def _raised(connection: Connection, case: str) -> list[str]:
    """For which of ``_RAISED`` reviewers handed the case on, and did not take it back."""
    d = decision.c
    said = (d.finding == "escalate") & d.undone_at.is_(None) & d.reason.in_(_RAISED)
    return sorted(connection.scalars(select(d.reason).where(d.case == case, said).distinct()))


def _summary(items: Sequence[StoredItem], operator: Operator, harm: bool) -> IncidentSummary:
    told = [each.where.submitted_at for each in items if each.where.submitted_at is not None]
    when = min(told) if told else items[0].received_at
    how = None if told else "When we examined it; the time of the upload is not known."
    return IncidentSummary(
        incident_type=IncidentType.CSAM,
        platform=operator.platform or None,
        escalate_to_high_priority=_HARM if harm else None,
        incident_date_time=when,
        incident_date_time_description=how,
    )


def _places(items: Sequence[StoredItem]) -> tuple[InternetDetails, ...]:
    """Each address, room or service once."""
    found: dict[tuple[str, ...], InternetDetails] = {}
    urls = tuple(dict.fromkeys(each.url for each in items if each.url))
    if urls:
        found["url",] = InternetDetails(web_page_incident=WebPageIncident(url=urls))
    for each in items:
        if each.url:
            continue
        service, room = each.where.service[:255] or None, each.where.room[:255] or None
        if room is not None:
            chat = ChatImIncident(chat_client=service, chat_room_name=room)
            found.setdefault(("room", service or "", room), InternetDetails(chat_im_incident=chat))
        else:
            page = WebPageIncident(additional_info=f"Service: {service}" if service else None)
            found.setdefault(("service", service or ""), InternetDetails(web_page_incident=page))
    return tuple(found.values())


def _person(
    connection: Connection, actor: str, items: Sequence[StoredItem], operator: Operator
) -> PersonOrUserReported | None:
    events = dict.fromkeys(filter(None, map(_event, items)))
    services = {each.where.service for each in items} - {""}
    person = PersonOrUserReported(
        esp_identifier=actor[:255] or None,
        esp_service=services.pop()[:100] if len(services) == 1 else None,
        ip_capture_event=tuple(events)[:_MOST_EVENTS],
        prior_ct_reports=prior_numbers(connection, actor, operator.host),
    )
    return person if actor or events else None


def _event(item: StoredItem) -> IpCaptureEvent | None:
    where = item.where
    if not where.ip:
        return None
    port = where.port or None
    return IpCaptureEvent(
        ip_address=where.ip, event_name=EventName.UPLOAD, date_time=where.submitted_at, port=port
    )


def _details(connection: Connection, grounds: Grounds, item: StoredItem, operator: Operator) -> FileDetails:
    declared = item.origin is not None and item.origin.generative_ai
    made = grounds.ai_made == "yes" or (grounds.ai_made == "unknown" and declared)
    annotations = FileAnnotations(generative_ai=made, anime_drawing_virtual_hentai=grounds.drawn)
    said = grounds.classification if operator.classified else None
    return replace(
        _known(connection, item),
        file_annotations=annotations if made or grounds.drawn else None,
        industry_classification=Classification(said) if said else None,
    )


def _known(connection: Connection, item: StoredItem) -> FileDetails:
    seen, origin = viewed(connection, item.id), item.origin
    told = () if origin is None or origin.outcome == "unknown" else (f"{_READ} {origin.sentence}",)
    return FileDetails(
        file_name=f"{item.id}{_ENDINGS.get(item.media_type, '')}",
        uploaded_to_esp_timestamp=item.where.submitted_at,
        location_of_file=item.url if item.url and len(item.url) <= 2083 else None,
        file_viewed_by_esp=seen.whole,
        exif_viewed_by_esp=seen.exif,
        file_relevance=Relevance.REPORTED,
        ip_capture_event=_event(item),
        additional_info=told,
    )


def _story(connection: Connection, grounds: Grounds, items: Sequence[StoredItem]) -> str:
    """How it was found; names the lists' owners, never an entry or a hash."""
    verdicts = [each.verdict for each in items[:500] if each.verdict is not None]
    found = matches_of(connection, verdicts)
    sources = sorted(
        {
            each.bank.source
            for of in found.values()
            for each in of
            if not each.bank.benign and each.bank.source
        }
    )
    how = f"matched hash lists of: {', '.join(sources)}" if sources else "was flagged by our own rules"
    return f"The reported content {how}. {grounds.told}"
