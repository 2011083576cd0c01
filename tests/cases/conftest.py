"""Verdicts as intake writes them, on items that nobody need open."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from nightlamp.audit import PublicKeys, verify_log
from nightlamp.cases import Answer, Case, Effects, Opener, Terms, decide, next_case, page_cases
from nightlamp.cases.effects import Consumer
from nightlamp.cases.tables import case_item
from nightlamp.intake.deciding import Subject
from nightlamp.intake.recording import Entry, Recorder
from nightlamp.intake.submission import Ruling, Submission, Where
from nightlamp.store import Writer, connect, metadata, new_id, reading
from nightlamp.values import Bank, Examination, Fingerprint, Handling, Match, Verdict
from nightlamp.vault import DiskPlace, Identity, Recipients, Vault

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CSAM = Answer("csam", "A1")
CLEAR = Answer("not_csam", reason="adult")
NOWHERE = Where()
TRUSTED = Bank("hotline", "a hotline", "csam", "high")


def sha256(content: str) -> Fingerprint:
    return Fingerprint("sha256", hashlib.sha256(content.encode()).digest())


def pdq(content: str, flipped: int = 0, frame: int = 0, quality: int = 90) -> Fingerprint:
    """A print of ``content``, with so many of its bits turned over."""
    value = int.from_bytes(hashlib.sha256(f"pdq {content}".encode()).digest(), "big") ^ ((1 << flipped) - 1)
    return Fingerprint("pdq", value.to_bytes(32, "big"), frame=frame, quality=quality)


def matching(
    bank: Bank = TRUSTED, entry: str = "entry 1", distance: int = 0, signal: str = "sha256"
) -> Match:
    quality = 90 if signal == "pdq" else None
    return Match(Fingerprint(signal, b"\0" * 32, quality=quality), bank, entry, bank.category, distance)


@dataclass
class Desk:
    """The database with its writer, and short ways to use them."""

    engine: Engine
    writer: Writer
    recorder: Recorder
    terms: Terms
    now: datetime = NOW
    consumers: list[Consumer] = field(default_factory=list)
    opener: Opener = field(init=False)

    def __post_init__(self) -> None:
        self.opener = Opener(self.engine, self.writer, self.terms, clock=lambda: self.now)

    def submit(
        self,
        *prints: Fingerprint,
        actor: str = "",
        matches: Sequence[Match] = (),
        item: str | None = None,
        action: str = "review",
        frames: int = 1,
        media_type: str = "image/png",
        where: Where = NOWHERE,
        rule: str = "listed",
        **handling: Any,
    ) -> str:
        """An item with its verdict; of one that is there already (``item``), a late verdict."""
        late = item is not None
        item = item or new_id()
        submission = Submission("thekey", fingerprints=prints, actor=actor, where=where)
        examination = Examination(media_type, 100, 10, 10, frames, prints)
        verdict = Verdict(action, ("because",), tuple(matches), rule=rule, handling=Handling(**handling))
        ruling = Ruling(new_id(), item, verdict, None, 0, late, len(matches), self.now)
        entry = Entry(Subject(item, submission, examination, late), ruling, self.now)
        self.writer.write(lambda c: self.recorder.write(c, [entry]))
        return item

    def open(self) -> int:
        """Put all that waits into cases."""
        total = 0
        while count := self.opener.run_once():
            total += count
        return total

    def case_of(self, item: str) -> str:
        with reading(self.engine) as connection:
            return connection.execute(select(case_item.c.case).where(case_item.c.item == item)).scalar_one()

    def cases(self, **filters: Any) -> list[Case]:
        with reading(self.engine) as connection:
            return page_cases(connection, now=self.now, **filters)

    def do(self, function, *arguments: Any, **rest: Any) -> Any:
        """A function of cases in a transaction of its own, now."""
        return self.writer.write(lambda c: function(c, *arguments, now=self.now, **rest))

    def answer(self, case_id: str, by: str, answer: Answer = CSAM, **rest: Any):
        """An answer from somebody whose page is fresh."""
        with reading(self.engine) as connection:
            version = connection.scalar(
                select(metadata.tables["review_case"].c.version).where(
                    metadata.tables["review_case"].c.id == case_id
                )
            )
        return self.do(decide, case_id, answer, by=by, version=version, **rest)

    def next(self, person: str, **rest: Any) -> Case | None:
        return self.do(next_case, person, **rest)

    def pass_time(self, **parts: float) -> None:
        self.now += timedelta(**parts)

    def apply(self) -> int:
        return Effects(self.engine, self.writer, self.consumers, clock=lambda: self.now).run_once()

    def count(self, table: str) -> int:
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(metadata.tables[table])) or 0

    def audited(self) -> list[str]:
        """The actions in the log, which must be whole."""
        record = metadata.tables["audit_record"].c
        with reading(self.engine) as connection:
            assert verify_log(connection, PublicKeys.of([])).intact
            return list(connection.scalars(select(record.action).order_by(record.sequence)))


def build(engine: Engine, folder: Path, terms: Terms | None = None) -> Desk:
    writer = Writer(engine, patience=20.0)
    vault = Vault(engine, DiskPlace(folder / "vault"), Recipients.of([Identity.generate().public]))
    return Desk(engine, writer, Recorder(writer, vault, timedelta(0)), terms or Terms())


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Iterator[Desk]:
    """On SQLite and on PostgreSQL."""
    desk = build(engine, tmp_path)
    yield desk
    desk.writer.close()


@pytest.fixture
def lite(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    """On SQLite alone."""
    engine = connect(sqlite_url)
    desk = build(engine, tmp_path)
    yield desk
    desk.writer.close()
    engine.dispose()
