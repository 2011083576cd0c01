"""A part of the log, checked without the rest of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from nightlamp import audit
from nightlamp.audit import Checkpoint, PublicKeys, SigningKey, read_witness, verify_export
from nightlamp.errors import AuditError
from nightlamp.store import reading

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SHOWN = ("item:3", "item:4", "item:17")


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def log(engine: Engine, key: SigningKey) -> Callable[[], bytes]:
    """Twenty records, signed after every five; gives an extract of three."""
    with engine.begin() as connection:
        for n in range(1, 21):
            audit.append(connection, "key:secret-actor", "test.done", f"item:{n}", {"n": n}, at=NOW)
            if n % 5 == 0:
                audit.checkpoint(connection, key, at=NOW)

    def made() -> bytes:
        with reading(engine) as connection:
            return b"".join(audit.extract(connection, PublicKeys.of([key.public]), SHOWN))

    return made


def checked(tmp_path: Path, data: bytes, *rest: Any) -> audit.Report:
    path = tmp_path / "extract.jsonl"
    path.write_bytes(data)
    return verify_export(path, *rest)[0]


def test_what_concerns_a_subject_is_shown_and_all_else_is_a_digest(log, tmp_path):
    data = log()
    report = checked(tmp_path, data)
    assert report.intact
    assert (report.checkpoints, report.signed) == (2, 20)
    assert len(report.hash) == 64
    lines = [json.loads(line) for line in data.splitlines()]
    assert [line["record"]["subject"] for line in lines if "record" in line] == list(SHOWN)
    assert [line["sequence"] for line in lines if "digest" in line] == [5, 18, 19, 20]
    assert data.count(b"secret-actor") == 3


def test_any_change_of_any_line_is_found(log, tmp_path):
    lines = log().splitlines(keepends=True)
    for at, line in enumerate(lines[1:], 1):
        for old, new in (
            (b'"n":', b'"m":'), (b'"digest":"', b'"digest":"0'), (b'"hash":"', b'"hash":"0'),
            (b'"sequence":1', b'"sequence":2'), (b'"signature":"', b'"signature":"AAAA'),
        ):  # fmt: skip
            if old in line:
                changed = [*lines[:at], line.replace(old, new, 1), *lines[at + 1 :]]
                assert not checked(tmp_path, b"".join(changed)).intact, (at, old)
        assert not checked(tmp_path, b"".join([*lines[:at], *lines[at + 1 :]])).intact, at


def test_a_record_put_in_by_somebody_with_another_key_is_found(log, key, tmp_path):
    report = checked(tmp_path, log(), PublicKeys.of([SigningKey.generate().public]))
    assert {finding.fault for finding in report.findings} == {"unknown key", "unsigned"}


def test_a_witness_finds_a_chain_that_was_signed_anew(log, key, tmp_path):
    witness = key.sign(1, 5, "ab" * 32, "2026-11-24T12:00:00.000000Z")
    assert isinstance(witness, Checkpoint)
    report = checked(tmp_path, log(), None, (witness,))
    assert "rewritten" in {finding.fault for finding in report.findings}
    path = tmp_path / "whole.jsonl"
    path.write_bytes(log())
    assert checked(tmp_path, log(), None, read_witness(path)).intact


def test_what_no_checkpoint_covers_is_not_extracted(engine, key):
    with engine.begin() as connection:
        audit.append(connection, "system", "test.done", "item:1", at=NOW)
    with reading(engine) as connection, pytest.raises(AuditError, match="no checkpoint"):
        list(audit.extract(connection, PublicKeys.of([key.public]), ["item:1"]))


def test_an_extract_of_nothing_is_one(log, engine, key, tmp_path):
    with reading(engine) as connection:
        data = b"".join(audit.extract(connection, PublicKeys.of([key.public]), ["item:99"]))
    report = checked(tmp_path, data)
    assert (report.intact, report.records) == (True, 0)
