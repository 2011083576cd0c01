"""Cases of harmless drawings, as intake and its loops would make them."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from PIL import Image, ImageDraw
from sqlalchemy import select, update

from nightlamp import reports
from nightlamp.cases import Answer, Opener, Terms, claim, decide, end_reveal, get_case, record_reveal
from nightlamp.cases.tables import case_item, review_case
from nightlamp.feeds import NewFeed, create_feed
from nightlamp.feeds.tables import feed as feeds
from nightlamp.intake.deciding import Subject
from nightlamp.intake.recording import Entry
from nightlamp.intake.submission import Ruling, Submission, Where
from nightlamp.origin import assess
from nightlamp.reports import NewReport, files_of
from nightlamp.reports.cybertip import Fault, Report
from nightlamp.reports.cybertip.model import FileHash
from nightlamp.server import Node
from nightlamp.store import new_id, reading, utc_now
from nightlamp.values import (
    Bank,
    Examination,
    Fingerprint,
    Handling,
    Match,
    Statement,
    Strength,
    Unchecked,
    Verdict,
)
from nightlamp.vault import Identity, Recipients

RED = (200, 30, 30)
TRUSTED = Bank("hotline", "a hotline", "A1", "high")


def drawing(number: int, side: int = 480) -> bytes:
    """A PNG: a red disc on stripes, and a text chunk that must go nowhere."""
    from PIL.PngImagePlugin import PngInfo

    picture = Image.new("RGB", (side, side * 2 // 3), (240, 240, 235))
    draw = ImageDraw.Draw(picture)
    for at in range(0, side, 16):
        draw.line((at, 0, at + number % 32, side), fill=(20, 60, 160), width=4)
    draw.ellipse((side // 4, side // 8, side * 3 // 4, side // 2), fill=RED)
    told = PngInfo()
    told.add_text("Comment", "what the file says")
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=told)
    return out.getvalue()


def noise(seed: int) -> bytes:
    """A JPEG that is like no other."""
    out = io.BytesIO()
    Image.frombytes("RGB", (200, 150), random.Random(seed).randbytes(200 * 150 * 3)).save(out, "JPEG")
    return out.getvalue()


def film(frames: int = 6) -> bytes:
    """An animation in which a bar moves."""
    made = [Image.new("RGB", (160, 96), (10 + 30 * at, 80, 90)) for at in range(frames)]
    out = io.BytesIO()
    made[0].save(out, "GIF", save_all=True, append_images=made[1:], duration=100)
    return out.getvalue()


def fingerprints(content: bytes) -> tuple[Fingerprint, ...]:
    """Every hash of a content that lists know; PDQ's is made up, since drawings look alike."""
    digests = [Fingerprint(name, hashlib.new(name, content).digest()) for name in ("sha256", "sha1", "md5")]
    return *digests, Fingerprint("pdq", hashlib.sha256(b"pdq" + content).digest(), quality=100)


@dataclass(frozen=True)
class Filed:
    """An item, the case that it is in, and its fingerprints."""

    item: str
    case: str
    prints: tuple[Fingerprint, ...]


def file(
    node: Node,
    number: int = 1,
    *,
    text: str = "",
    kept: bool = True,
    data: bytes | None = None,
    frames: int = 1,
    bank: Bank = TRUSTED,
    actor: str = "",
    **handling: Any,
) -> Filed:
    """A drawing that a list knows, in a case of its own; ``text`` stands wherever strangers may write."""
    content = data or drawing(number)
    prints = fingerprints(content)
    if text:
        bank = Bank(text[:40] + str(number), text, "A1", "high")
    matches = (
        Match(prints[0], bank, f"entry-{number}", text or bank.category, 0),
        Match(prints[-1], bank, f"entry-{number}", bank.category, 12),
    )
    said = Statement(
        "xmp", "ai-made", text or "a program says that it made it", Strength.DECLARED, text or "easily"
    )
    examination = Examination(
        text or "image/png", len(content), 480, 320, frames, prints, (Unchecked("pdq", "damaged", text),)
    )
    where = Where(service=text or "chat", room=text or "lobby")
    submission = Submission(
        "thekey",
        fingerprints=prints,
        actor=actor or f"{text}actor {number}",
        where=where,
        platform_id=text,
    )
    origin = assess([said])
    examination = Examination(
        *(getattr(examination, name) for name in Examination.__slots__ if name != "origin"), origin=origin
    )
    item = new_id()
    verdict = Verdict(
        "review",
        (text or "a list knows it",),
        matches,
        rule="".join(filter(str.isprintable, text)) or "listed",
        handling=Handling(**handling),
    )
    now = utc_now()
    scores = {text or "a classifier": 0.875}
    ruling = Ruling(new_id(), item, verdict, None, 0, False, len(matches), now, scores=scores)
    sealed = node.vault.seal(content) if kept else None
    entry = Entry(Subject(item, submission, examination), ruling, now, sealed=sealed)
    node.writer.write(lambda c: node.intake.recorder.write(c, [entry]))
    opener = Opener(node.engine, node.writer, Terms.of(node.settings.console))
    while opener.run_once():
        pass
    with reading(node.engine) as connection:
        case = connection.execute(select(case_item.c.case).where(case_item.c.item == item)).scalar_one()
    return Filed(item, case, prints)


def decided(node: Node, number: int, people: Sequence[str], *, text: str = "", **kind: Any) -> Filed:
    """A case in which each of ``people`` (actors, two at most) had a look and gave the same answer."""
    filed = file(node, number, text=text, **{"two_person": len(people) > 1, **kind})

    def work(connection: Any, by: str) -> None:
        now = utc_now()
        claim(connection, filed.case, by=by, now=now)
        look = record_reveal(connection, filed.case, filed.item, by=by, level=2, frame=0, started_at=now)
        end_reveal(connection, look, by=by, seconds=4, now=now + timedelta(seconds=9))
        answer = Answer("csam", "A1", note=text)
        version = get_case(connection, filed.case).version
        decide(connection, filed.case, answer, by=by, version=version, now=now)

    for by in people:
        node.writer.write(lambda c, by=by: work(c, by))
    return filed


def expire(node: Node, case: str) -> None:
    """Let a claim end."""
    ended = update(review_case).where(review_case.c.id == case).values(claim_until=utc_now())
    node.writer.write(lambda c: c.execute(ended))


def item_of(node: Node, case: str) -> str:
    """The first item of a case."""
    with reading(node.engine) as connection:
        return str(connection.scalar(select(case_item.c.item).where(case_item.c.case == case)))


def draft(node: Node, filed: Filed, text: str = "") -> dict[str, str]:
    """A draft of a report on an item: its id and its file's, by their names in addresses."""

    def work(connection: Any) -> dict[str, str]:
        # as a file has them once the authority has it
        hashes = tuple(
            FileHash(value=each.value.hex(), hash_type=each.signal.upper()) for each in filed.prints
        )
        files = [
            replace(each, details=replace(each.details, original_file_hash=hashes))
            for each in files_of(connection, [filed.item])
        ]
        document = Report(additional_info=text or None)
        asks = [Fault("personOrUserReported", text or "who is it?")]
        new = NewReport(document, files, asks, case=filed.case, actor=text or "actor 1", approvals=2)
        made = reports.draft(connection, new, by="system", now=utc_now())
        return {"report_id": made, "file_id": reports.get_report(connection, made).files[0].id}

    return node.writer.write(work)


def feed(node: Node, name: str, text: str = "") -> str:
    """A feed that has stopped before losing too much; ``text`` stands wherever strangers may write."""
    config = {"url": f"https://list.example/{text}", "columns": {text or "md5": text or "Hash"}}
    secrets = {"token": "env:LIST_TOKEN"}

    def work(connection: Any) -> None:
        new = NewFeed(name, "list", f"bank of {name}", config, secrets)
        made = create_feed(connection, new, actor="system")
        why = "it would lose 900 of 1,000 fingerprints within a day"
        trouble = {"failures": 1, "error": text or "no answer", "paused": "loss", "paused_why": text or why}
        connection.execute(update(feeds).where(feeds.c.id == made.id).values(paused_at=utc_now(), **trouble))

    node.writer.write(work)
    return name


def export(node: Node, filed: Filed, by: str, reason: str = "a second look by the clinic") -> str:
    """An export that waits for a second person; its id."""
    to = Recipients.of([Identity.generate().public])
    term = timedelta(hours=24)

    def work(connection: Any) -> str:
        made = reports.ask_export(
            connection, filed.case, to, reason, by=by, now=utc_now(), good_for=term, item=filed.item
        )
        return made.id

    return node.writer.write(work)
