"""A node without its server, on a database of the test's own."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import Engine, func, select

from nightlamp.audit import PublicKeys, verify_log
from nightlamp.banks import Entry
from nightlamp.banks.live import LiveBanks, add_entries, create_bank
from nightlamp.examine import Workers
from nightlamp.intake import ActivePolicy, Content, Decider, Examiner, Intake, Submission, first_policy
from nightlamp.origin import Asked
from nightlamp.signals import installed
from nightlamp.store import Writer, connect, metadata, reading
from nightlamp.values import Bank
from nightlamp.vault import DiskPlace, Identity, Recipients, Vault


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Worker processes for the whole session: they take seconds to start."""
    with Workers(1, origin=Asked()) as workers:
        yield workers


@dataclass
class Node:
    """The parts, and short ways to use them."""

    engine: Engine
    writer: Writer
    vault: Vault
    identity: Identity
    banks: LiveBanks
    policies: ActivePolicy
    examiner: Examiner
    decider: Decider
    intake: Intake
    now: list[datetime]

    def clock(self) -> datetime:
        return self.now[0]

    def add_bank(
        self, name: str, *entries: tuple[str, bytes], trust: str = "medium", benign: bool = False
    ) -> int:
        """A bank with entries, in force when this returns."""
        with self.engine.begin() as connection:
            bank = create_bank(connection, Bank(name, "test", "csam", trust, benign), actor="test")
            self._add(connection, bank.id, entries)
        self.banks.poll()
        return bank.id

    def add(self, bank: int, *entries: tuple[str, bytes]) -> None:
        with self.engine.begin() as connection:
            self._add(connection, bank, entries)
        self.banks.poll()

    def _add(self, connection, bank: int, entries) -> None:
        rows = [Entry(signal, value, f"entry-{at}", "") for at, (signal, value) in enumerate(entries)]
        add_entries(connection, bank, rows, actor="test")

    def begin(self, data: bytes | None = None, **rest):
        content = Content.of(data) if data is not None else None
        return self.intake.begin(Submission("thekey", content, **rest))

    def submit(self, data: bytes | None = None, **rest):
        return self.begin(data, **rest).result()

    def count(self, table: str) -> int:
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(metadata.tables[table])) or 0

    def audit_is_whole(self) -> bool:
        with reading(self.engine) as connection:
            return verify_log(connection, PublicKeys.of([])).intact


def build(engine: Engine, folder: Path, examiner: Examiner, *, keep: timedelta = timedelta(days=30)) -> Node:
    now = [datetime(2026, 3, 1, tzinfo=UTC)]
    identity = Identity.generate()
    writer = Writer(engine, patience=2.0)
    vault = Vault(engine, DiskPlace(folder / "vault"), Recipients.of([identity.public]), clock=lambda: now[0])
    banks, policies = LiveBanks(engine, stale_seconds=600), ActivePolicy(engine)
    with engine.begin() as connection:
        first_policy(connection, "default", now=now[0])
    banks.poll()
    policies.refresh()
    decider = Decider(engine, banks, policies)
    intake = Intake(engine, examiner, decider, writer, vault, keep=keep, clock=lambda: now[0])
    return Node(engine, writer, vault, identity, banks, policies, examiner, decider, intake, now)


@pytest.fixture(scope="session")
def examiner(workers: Workers) -> Examiner:
    examiner = Examiner(lambda: contextlib.nullcontext(workers), origin=True)
    assert examiner.start()
    return examiner


@pytest.fixture
def node(engine: Engine, tmp_path: Path, examiner: Examiner) -> Iterator[Node]:
    """On SQLite and on PostgreSQL."""
    node = build(engine, tmp_path, examiner)
    yield node
    node.intake.close()
    node.writer.close()


@pytest.fixture
def lite(sqlite_url: str, tmp_path: Path, examiner: Examiner) -> Iterator[Node]:
    """On SQLite alone."""
    engine = connect(sqlite_url)
    node = build(engine, tmp_path, examiner)
    yield node
    node.intake.close()
    node.writer.close()
    engine.dispose()


def picture(seed: int = 0, kind: str = "PNG", size: int = 96) -> bytes:
    """A small picture with enough detail for PDQ."""
    import numpy as np

    rough = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(rough).resize((size, size), Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


def generated(seed: int = 0, prompt: str = "a bowl of fruit") -> bytes:
    """A picture that says which generator made it, as Stable Diffusion web UI does."""
    with Image.open(io.BytesIO(picture(seed))) as drawn:
        info, out = PngInfo(), io.BytesIO()
        text = (
            f"{prompt}\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 96x96, Model: still-life"
        )
        info.add_text("parameters", text)
        drawn.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def digest(signal: str, data: bytes) -> tuple[str, bytes]:
    """One entry: the data's own digest."""
    of = installed()[signal].of_bytes()
    of.update(data)
    return signal, of.digest()
