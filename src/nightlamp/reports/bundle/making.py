"""Making packages: the report of a case for an authority, a disclosure to law enforcement, originals alone.

The order: what may be made is checked, then content is opened and sealed for the recipient part by part, then
a transaction says that the package is made, and last the manifest is signed and the package gets its name. A
failure before that leaves no package, only the records of what was opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from nightlamp import audit
from nightlamp.audit import PublicKeys, SigningKey
from nightlamp.audit.extract import sequences_of
from nightlamp.audit.tables import audit_record
from nightlamp.errors import ReportError
from nightlamp.reports.authorities.authority import authority_named
from nightlamp.reports.bundle.gathering import Gathered, Subject, gather, subject_of
from nightlamp.reports.bundle.package import AUDIT, PAPER, REPORT, Manifest, Packer, packing
from nightlamp.reports.bundle.paper import write_paper
from nightlamp.reports.document import Content, Document, Record
from nightlamp.reports.drafts import Operator
from nightlamp.reports.evidence import Measure
from nightlamp.reports.exports import give_export, ready_export
from nightlamp.reports.tables import disclosure_ask, report_package
from nightlamp.settings.reports import ReportsSettings
from nightlamp.store import reading
from nightlamp.vault import HoldRequest, Identity, Recipients, Vault, hold_for_request, reference_of
from nightlamp.vault.holds import place_hold

ASKED = timedelta(days=7)  # so long a first person's word for a disclosure counts
_MOST_FILES = 99_999
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Office:
    """What makes packages.

    Args:
        vault: with its database and clock.
        identity: opens the content.
        key: signs, the audit log's.
        settings: of reports.
        actor: who makes them, for the audit.
    """

    vault: Vault
    identity: Identity
    key: SigningKey
    settings: ReportsSettings
    actor: str


def bundle(
    office: Office,
    case_id: str,
    out: Path,
    recipients: Recipients,
    *,
    authority: str = "generic",
    urgent: str = "",
    again: bool = False,
    one_file: bool = False,
) -> Manifest:
    """The report of a confirmed case for an authority.

    Args:
        again: though the authority does not ask for what was reported elsewhere already.
        one_file: as a tar file; else it is a folder.

    Raises:
        ReportError: the case is not decided as csam, or the authority has something against it.
        VaultError, OutputError: content cannot be opened, or the package not be written.
    """
    to, now = authority_named(authority), office.vault.clock()
    place = to.profile.jurisdiction if authority != "generic" else office.settings.jurisdiction
    with reading(office.vault.engine) as connection:
        gathered = gather(
            connection,
            Subject(case_id, None),
            "report",
            office.settings,
            now=now,
            jurisdiction=place,
            authority=authority,
            urgent=urgent,
        )
    decision = gathered.document.decision
    if decision is None or decision.finding != "csam":
        raise ReportError("conflict", "the case is not decided as csam", where="case", hint="decide it first")
    done = [
        each
        for each in gathered.document.elsewhere
        if each.authority in to.profile.instead and each.host == "production"
    ]
    if done and not again:
        what = f"it was reported to {done[0].authority}, and need not be reported again"
        raise ReportError("conflict", what, where="case", hint="again, on purpose")
    document = to.prepare(gathered.document)
    faults = to.faults(document)
    if faults:
        raise ReportError("invalid", faults[0], where=authority)

    def made(connection: Connection, files: int) -> None:
        law = to.profile.term if authority != "generic" else None
        until = Operator.of(office.settings).until(now, law)
        hold = HoldRequest(f"report to {authority}", place, until)
        for object_id in dict.fromkeys(gathered.objects.values()):
            place_hold(connection, object_id, hold, actor=office.actor, now=now)
        facts: dict[str, audit.Detail] = {"package": document.id, "authority": authority, "files": files}
        audit.append(connection, office.actor, "report.bundled", f"case:{case_id}", facts, at=now)
        _remember(connection, document, recipients, office.actor, Subject(case_id, None), files)

    with packing(out, recipients, one_file=one_file) as packer:
        document = _pack_files(office, packer, document, gathered.objects, recipients)
        with office.vault.engine.begin() as connection:
            made(connection, sum(each.content is not None for each in document.items))
        return _finish(office, packer, document, to.profile.title, to.profile.duties)


def disclose(
    office: Office,
    given: str,
    out: Path,
    recipients: Recipients,
    *,
    process: str,
    until: datetime | None = None,
) -> Manifest | None:
    """What is known of a case or an item, for law enforcement on a legal process, as one tar file.

    Args:
        given: the case's or the item's id.
        process: the legal process's reference.
        until: how long its content is held for it; by default the jurisdiction's term from now.

    Returns:
        None: it is asked for now, and another person must ask for the same within a week.

    Raises:
        ReportError: who asks may not, or there is nothing of that id.
        VaultError, OutputError, AuditError: content cannot be opened, the package not be written, or the log
            not be read.
    """
    settings, now = office.settings, office.vault.clock()
    reference = reference_of(process)
    if settings.disclosers and office.actor not in settings.disclosers:
        raise ReportError("refused", "reports.disclosers does not name you", where=office.actor)
    with office.vault.engine.begin() as connection:
        subject = subject_of(connection, given)
        people = _ask(connection, office, subject, reference, recipients, now)
        if people < settings.disclosure_people:
            return None
        gathered = gather(
            connection,
            subject,
            "disclosure",
            settings,
            now=now,
            jurisdiction=settings.jurisdiction,
            process=reference,
        )
        end = until or Operator.of(settings).until(now)
        for object_id in dict.fromkeys(gathered.objects.values()):
            hold_for_request(
                connection,
                object_id,
                reference,
                until=end,
                jurisdiction=settings.jurisdiction,
                actor=office.actor,
                now=now,
            )
    with packing(out, recipients, one_file=True) as packer:
        document = _pack_files(office, packer, gathered.document, gathered.objects, recipients)
        files = sum(each.content is not None for each in document.items)
        with office.vault.engine.begin() as connection:
            mine = disclosure_ask.c.subject == subject.id
            connection.execute(delete(disclosure_ask).where(mine, disclosure_ask.c.process == reference))
            _remember(connection, document, recipients, office.actor, subject, files)
            facts: dict[str, audit.Detail] = {
                "package": document.id,
                "process": reference,
                "recipients": recipients.fingerprint,
                "people": people,
                "files": files,
            }
            audit.append(connection, office.actor, "disclosure.made", _named(subject), facts, at=now)
            audit.checkpoint(connection, office.key, at=now)
        with reading(office.vault.engine) as connection:
            lines = audit.extract(connection, PublicKeys.of([office.key.public]), gathered.subjects)
            packer.add(AUDIT, b"".join(lines))
            document = document.model_copy(update={"custody": _custody(connection, gathered)})
        title = f"Disclosure on legal process {reference}"
        return _finish(office, packer, document, title, ())


def page_packages(
    connection: Connection, *, before: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """What was made, the newest first, from behind ``before``: the rows of ``report_package``."""
    query = select(report_package).order_by(report_package.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(report_package.c.id < before)
    return [dict(row._mapping) for row in connection.execute(query)]


def export_originals(office: Office, export_id: str, out: Path) -> Manifest:
    """The originals of an export that ``office.actor`` asked for and somebody else authorised: one tar file.

    It has the files and a list of them, and says nothing of people, decisions or places. It is made once:
    when this returns, the export is given.

    Raises:
        ReportError: it is not authorised for this actor now, or somebody was quicker.
        VaultError, OutputError: content cannot be opened, or the package not be written.
    """
    now = office.vault.clock()
    with reading(office.vault.engine) as connection:
        asked, chosen = ready_export(connection, export_id, by=office.actor, now=now)
        gathered = gather(
            connection,
            Subject(asked.case, asked.item),
            "export",
            office.settings,
            now=now,
            jurisdiction=office.settings.jurisdiction,
        )
    recipients, wanted = Recipients.of(asked.recipients), set(chosen)
    bare = {"person": "", "platform_id": "", "service": "", "room": "", "url": "", "found_by": ()}
    bare |= {"origin_sentence": ""}
    listed = tuple(each.model_copy(update=bare) for each in gathered.document.items if each.id in wanted)
    document = gathered.document.model_copy(
        update={"items": listed, "persons": (), "decision": None, "elsewhere": ()}
    )
    objects = {item: object_id for item, object_id in gathered.objects.items() if item in wanted}
    with packing(out, recipients, one_file=True) as packer:
        document = _pack_files(office, packer, document, objects, recipients)
        files = sum(each.content is not None for each in document.items)
        packer.add(REPORT, document.model_dump_json(indent=1).encode())
        manifest = packer.close(office.key, document.id, document.purpose, document.made_at)
    try:
        with office.vault.engine.begin() as connection:
            at, subject = office.vault.clock(), Subject(asked.case, asked.item)
            give_export(connection, export_id, document.id, files, by=office.actor, now=at)
            _remember(connection, document, recipients, office.actor, subject, files)
    except BaseException:
        out.unlink()
        raise
    return manifest


def _ask(
    connection: Connection,
    office: Office,
    subject: Subject,
    reference: str,
    recipients: Recipients,
    now: datetime,
) -> int:
    """How many people have asked for it within a week, with this one."""
    c = disclosure_ask.c
    connection.execute(delete(disclosure_ask).where(c.at < now - ASKED))
    same = (c.subject == subject.id) & (c.process == reference) & (c.recipients == recipients.fingerprint)
    asked = set(connection.scalars(select(c.by).where(same)))
    if office.actor not in asked:
        row = {
            "subject": subject.id,
            "process": reference,
            "recipients": recipients.fingerprint,
            "by": office.actor,
            "at": now,
        }
        connection.execute(insert(disclosure_ask).values(row))
        facts: dict[str, audit.Detail] = {"process": reference, "recipients": recipients.fingerprint}
        audit.append(connection, office.actor, "disclosure.asked", _named(subject), facts, at=now)
    return len(asked | {office.actor})


def _pack_files(
    office: Office,
    packer: Packer,
    document: Document,
    objects: Mapping[str, str],
    recipients: Recipients,
) -> Document:
    """Seal the content of every item that has one; each object once, though several items may be the same."""
    if len(objects) > _MOST_FILES:
        raise ReportError("invalid", f"more than {_MOST_FILES} files", where="case", hint="item by item")
    known: dict[str, Content] = {}
    items = []
    for item in document.items:
        object_id = objects.get(item.id)
        if object_id is not None and object_id not in known:
            known[object_id] = _pack(office, packer, object_id, len(known) + 1, document, recipients)
        content = known[object_id] if object_id is not None else None
        items.append(item.model_copy(update={"content": content}))
    return document.model_copy(update={"items": tuple(items)})


def _pack(
    office: Office, packer: Packer, object_id: str, number: int, document: Document, recipients: Recipients
) -> Content:
    watch, name = Measure(), f"files/{number:05}"
    packer.pour(
        f"{name}.age",
        lambda out: office.vault.hand_over(
            out,
            object_id,
            office.identity,
            recipients,
            actor=office.actor,
            why=f"{document.purpose} {document.id}",
            watch=watch,
        ),
    )
    hashes = watch.measured()
    return Content(name=name, size=hashes.size, **{kind.lower(): text for kind, text in hashes.hashes})


def _finish(
    office: Office, packer: Packer, document: Document, title: str, duties: tuple[str, ...]
) -> Manifest:
    document = document.model_copy(update={"notes": (*document.notes, *duties)})
    packer.add(REPORT, document.model_dump_json(indent=1).encode())
    packer.add(PAPER, write_paper(document, title))
    return packer.close(office.key, document.id, document.purpose, document.made_at)


def _custody(connection: Connection, gathered: Gathered) -> tuple[Record, ...]:
    found: list[Record] = []
    numbers = sequences_of(connection, gathered.subjects)
    c = audit_record.c
    for at in range(0, len(numbers), _AT_ONCE):
        query = select(c.sequence, c.at, c.actor, c.action, c.subject)
        mine = c.sequence.in_(numbers[at : at + _AT_ONCE])
        found += (
            Record(**row._mapping) for row in connection.execute(query.where(mine).order_by(c.sequence))
        )
    return tuple(found)


def _remember(
    connection: Connection,
    document: Document,
    recipients: Recipients,
    actor: str,
    subject: Subject,
    files: int,
) -> None:
    connection.execute(
        insert(report_package).values(
            id=document.id,
            purpose=document.purpose,
            authority=document.authority,
            case=subject.case,
            item=subject.item,
            process=document.process,
            recipients=list(recipients.names),
            files=files,
            at=document.made_at,
            by=actor,
        )
    )


def _named(subject: Subject) -> str:
    return f"item:{subject.item}" if subject.item is not None else f"case:{subject.case}"
