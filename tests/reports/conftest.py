"""A database, a vault with a few random files, a fake CyberTipline. Nothing here leaves the machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from nightlamp.audit.tables import audit_record
from nightlamp.reports import (
    Evidence,
    NewFile,
    NewReport,
    StoredReport,
    approve,
    count_states,
    draft,
    get_report,
)
from nightlamp.reports.cybertip import fake_host
from nightlamp.reports.cybertip.client import Credentials, CyberTip
from nightlamp.reports.fake import PASSWORD, USER, Desk
from nightlamp.reports.records import MOVING
from nightlamp.store import Writer, connect, reading
from nightlamp.vault import DiskPlace, HoldRequest, Identity, Recipients, Vault

from .model import SetClock, Wire, minimal


@pytest.fixture(scope="session")
def identity() -> Identity:
    return Identity.generate()


@dataclass
class Office:
    """What a node has, with a clock of its own and a fake for the authority."""

    engine: Engine
    writer: Writer
    vault: Vault
    identity: Identity
    clock: SetClock
    desk: Desk
    objects: list[str] = field(default_factory=list)

    def client(self, wire: Any = None) -> CyberTip:
        host = fake_host("http://127.0.0.1:9/ispws")
        http = wire or Wire(self.desk.answer)
        return CyberTip(host, Credentials(USER, PASSWORD), http=lambda _: http)

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.vault, self.identity)

    def keep(self, content: bytes) -> str:
        sealed = self.vault.seal(content)
        return self.writer.write(
            lambda c: self.vault.keep(c, sealed, HoldRequest("test", "US"), actor="system")
        )

    def draft(self, files: int = 1, **more: Any) -> str:
        new = NewReport(
            more.pop("document", None) or minimal(),
            [NewFile(each, f"item-{at}") for at, each in enumerate(self.objects[:files])],
            **more,
        )
        return self.writer.write(lambda c: draft(c, new, by="person:a", now=self.clock()))

    def approved(self, files: int = 1, **more: Any) -> str:
        made = self.draft(files, **more)
        self.approve(made)
        return made

    def approve(self, report: str, by: str = "person:b") -> StoredReport:
        version = self.read(report).version
        return self.writer.write(lambda c: approve(c, report, version=version, by=by, now=self.clock()))

    def read(self, report: str) -> StoredReport:
        with reading(self.engine) as connection:
            return get_report(connection, report)

    def moving(self) -> int:
        with reading(self.engine) as connection:
            counts = count_states(connection)
        return sum(counts[state] for state in MOVING)

    def audited(self) -> list[str]:
        with reading(self.engine) as connection:
            wanted = audit_record.c.action.like("report.%")
            query = select(audit_record.c.action).where(wanted).order_by(audit_record.c.sequence)
            return list(connection.scalars(query))


@pytest.fixture
def office(sqlite_url: str, tmp_path: Path, identity: Identity) -> Iterator[Office]:
    """On SQLite."""
    engine = connect(sqlite_url)
    with open_office(engine, tmp_path, identity) as made:
        yield made
    engine.dispose()


@pytest.fixture
def either(engine: Engine, tmp_path: Path, identity: Identity) -> Iterator[Office]:
    """On SQLite and on PostgreSQL."""
    with open_office(engine, tmp_path, identity) as made:
        yield made


@contextmanager
def open_office(engine: Engine, folder: Path, identity: Identity) -> Iterator[Office]:
    clock = SetClock()
    vault = Vault(engine, DiskPlace(folder / "vault"), Recipients.of([identity.public]), clock=clock)
    with Writer(engine) as writer:
        made = Office(engine, writer, vault, identity, clock, Desk(clock=clock))
        noise = random.Random(7)
        made.objects = [made.keep(noise.randbytes(size)) for size in (300, 70_000, 1)]
        yield made
