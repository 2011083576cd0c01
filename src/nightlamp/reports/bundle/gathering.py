"""What is known of a case or an item, as a document without its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from nightlamp.cases import Case, final_decision, get_case, viewed
from nightlamp.cases.tables import case_item
from nightlamp.errors import IntakeError, ReportError
from nightlamp.intake import StoredItem, get_item
from nightlamp.intake.records import matches_of
from nightlamp.reports.document import (
    Address,
    Decision,
    Document,
    Elsewhere,
    Item,
    Person,
    Purpose,
    Reporter,
)
from nightlamp.reports.tables import report, report_file
from nightlamp.settings.reports import ReportsSettings
from nightlamp.store import new_id
from nightlamp.vault.tables import vault_blob

_AT_ONCE = 500
_MOST_ADDRESSES = 1_000
_TITLES = {"cybertip": "NCMEC CyberTipline"}


@dataclass(frozen=True, slots=True)
class Gathered:
    """A document without its content.

    Args:
        objects: in the vault, by item; of the items whose content is kept.
        subjects: by which the audit log speaks of all this.
    """

    document: Document
    objects: Mapping[str, str]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a package is about: a case with all its items, or one item of a case or of none."""

    case: str | None
    item: str | None

    @property
    def id(self) -> str:
        """Of the item, else of the case."""
        return self.item or self.case or ""


def subject_of(connection: Connection, given: str) -> Subject:
    """The case or the item of this id.

    Raises:
        ReportError: there is neither.
    """
    of = case_item.c
    if connection.execute(select(of.item).where(of.case == given).limit(1)).first() is not None:
        return Subject(given, None)
    case = connection.scalar(select(of.case).where(of.item == given))
    if case is None:
        try:
            get_item(connection, given)
        except IntakeError:
            raise ReportError("not found", "there is no such case or item", where="subject") from None
    return Subject(case, given)


def gather(
    connection: Connection,
    subject: Subject,
    purpose: Purpose,
    settings: ReportsSettings,
    *,
    now: datetime,
    jurisdiction: str,
    authority: str = "",
    urgent: str = "",
    process: str = "",
) -> Gathered:
    """All that is known of a case or an item.

    Raises:
        ReportError, CaseError, IntakeError: it is not there.
    """
    case = get_case(connection, subject.case) if subject.case is not None else None
    names = [subject.item] if subject.item is not None else _items_of(connection, subject.id)
    items = [get_item(connection, each) for each in names]
    kept = _kept(connection, [each.object for each in items if each.object is not None])
    objects = {each.id: each.object for each in items if each.object is not None and each.object in kept}
    sources = _sources(connection, items)
    document = Document(
        id=new_id(),
        purpose=purpose,
        made_at=now,
        authority=authority,
        jurisdiction=jurisdiction,
        urgent=urgent,
        process=process,
        reporter=Reporter(
            company=settings.company,
            platform=settings.platform,
            email=settings.contact_email,
            phone=settings.contact_phone,
            legal_url=settings.legal_url,
        ),
        decision=_decision(connection, case) if case is not None else None,
        persons=_persons(items),
        items=tuple(_item(connection, each, sources, each.id in objects) for each in items),
        elsewhere=_elsewhere(connection, subject.case),
    )
    return Gathered(document, objects, _subjects(connection, subject, items))


def _items_of(connection: Connection, case: str) -> list[str]:
    of = case_item.c
    return list(connection.scalars(select(of.item).where(of.case == case).order_by(of.added_at, of.item)))


def _kept(connection: Connection, objects: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for at in range(0, len(objects), _AT_ONCE):
        mine = vault_blob.c.object.in_(objects[at : at + _AT_ONCE])
        found.update(
            connection.scalars(select(vault_blob.c.object).where(mine, vault_blob.c.state == "kept"))
        )
    return found


def _sources(connection: Connection, items: Sequence[StoredItem]) -> dict[str, tuple[str, ...]]:
    """The owners of the lists that each verdict matched; never an entry."""
    verdicts = [each.verdict for each in items if each.verdict is not None]
    found: dict[str, tuple[str, ...]] = {}
    for at in range(0, len(verdicts), _AT_ONCE):
        for verdict, matches in matches_of(connection, verdicts[at : at + _AT_ONCE]).items():
            owners = {each.bank.source for each in matches if not each.bank.benign and each.bank.source}
            found[verdict] = tuple(sorted(owners))
    return found


def _decision(connection: Connection, case: Case) -> Decision:
    if case.decision is None or case.state != "decided":
        return Decision(case=case.id, opened_at=case.opened_at)
    final = final_decision(connection, case.decision)
    return Decision(
        case=case.id,
        opened_at=case.opened_at,
        decided_at=final.at,
        finding=final.finding,
        classification=final.classification or "",
        made_by_ai=final.ai_made,
        drawn=final.drawn,
        people=len(final.by),
    )


def _persons(items: Sequence[StoredItem]) -> tuple[Person, ...]:
    by_actor: dict[str, list[StoredItem]] = {}
    for each in items:
        by_actor.setdefault(each.actor, []).append(each)
    found = []
    for actor, theirs in sorted(by_actor.items()):
        addresses = dict.fromkeys(
            Address(ip=each.where.ip, port=each.where.port or None, at=each.where.submitted_at)
            for each in theirs
            if each.where.ip
        )
        services = sorted({each.where.service for each in theirs} - {""})
        found.append(
            Person(
                identifier=actor,
                services=tuple(services),
                addresses=tuple(addresses)[:_MOST_ADDRESSES],
                items=len(theirs),
            )
        )
    return tuple(found)


def _item(
    connection: Connection, item: StoredItem, sources: Mapping[str, tuple[str, ...]], kept: bool
) -> Item:
    seen, where = viewed(connection, item.id), item.where
    return Item(
        id=item.id,
        platform_id=item.platform_id,
        person=item.actor,
        service=where.service,
        room=where.room,
        url=item.url or "",
        uploaded_at=where.submitted_at,
        received_at=item.received_at,
        media_type=item.media_type,
        size=item.size,
        action=item.action or "",
        found_by=sources.get(item.verdict or "", ()),
        viewed_whole=seen.whole,
        viewed_metadata=seen.exif,
        origin=item.origin.outcome if item.origin is not None else "",
        origin_sentence=item.origin.sentence if item.origin is not None else "",
        without_content="" if kept else "it is not kept (any more)" if item.object else "it was never kept",
    )


def _elsewhere(connection: Connection, case: str | None) -> tuple[Elsewhere, ...]:
    if case is None:
        return ()
    c = report.c
    query = select(c.authority, c.remote, c.host, c.finished_at).where(c.case == case, c.state == "finished")
    return tuple(
        Elsewhere(
            authority=_TITLES.get(row.authority, row.authority),
            number=str(row.remote),
            host=row.host,
            finished_at=row.finished_at,
        )
        for row in connection.execute(query.order_by(c.finished_at))
    )


def _subjects(connection: Connection, subject: Subject, items: Sequence[StoredItem]) -> tuple[str, ...]:
    found = [f"case:{subject.case}"] if subject.case is not None else []
    reports: list[str] = []
    names = [each.id for each in items]
    for at in range(0, len(names), _AT_ONCE):
        mine = report_file.c.item.in_(names[at : at + _AT_ONCE])
        reports += connection.scalars(select(report_file.c.report).where(mine).distinct())
    if subject.case is not None:
        reports += connection.scalars(select(report.c.id).where(report.c.case == subject.case))
    found += [f"report:{each}" for each in dict.fromkeys(reports)]
    for each in items:
        found.append(f"item:{each.id}")
        if each.object is not None:
            found.append(f"object:{each.object}")
    return tuple(found)
