from __future__ import annotations

import hashlib
import json
import runpy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nightlamp import audit
from nightlamp.audit import PublicKeys, SigningKey, read_witness, verify_export
from nightlamp.audit.tables import audit_record
from nightlamp.errors import AuditError
from nightlamp.store import reading

VECTORS = Path(__file__).parent / "vectors"
EXPECTED = json.loads((VECTORS / "expected.json").read_text())
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_each_vector_gives_what_its_table_says(name):
    report, believed = verify_export(VECTORS / name)
    assert list(believed.by_id) == [EXPECTED["key_id"]]
    assert [[f.fault, f.at, f.first, f.last] for f in report.findings] == EXPECTED["files"][name]["findings"]


def test_the_vectors_are_what_their_script_writes():
    made = runpy.run_path(str(VECTORS / "make.py"))
    for name, (lines, findings) in made["VECTORS"].items():
        data = b"".join(audit.canonical.encode(line) + b"\n" for line in lines)
        assert (VECTORS / f"{name}.jsonl").read_bytes() == data
        assert EXPECTED["files"][f"{name}.jsonl"]["findings"] == findings


def test_the_format_can_be_checked_with_what_its_page_says_alone():
    # given nothing but the page: SHA-256, Ed25519 and sorted JSON
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(EXPECTED["public_key"]))
    before = bytes(32)

    def canonical(value) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    seen = 0
    for text in (VECTORS / "intact.jsonl").read_text().splitlines():
        line = json.loads(text)
        if "record" in line:
            before = hashlib.sha256(before + hashlib.sha256(canonical(line["record"])).digest()).digest()
            assert before.hex() == line["hash"]
        elif "checkpoint" in line:
            import base64

            statement = b"nightlamp audit checkpoint v1\n" + canonical(line["checkpoint"])
            key.verify(base64.b64decode(line["signature"]), statement)
            assert line["checkpoint"]["hash"] == before.hex()
            seen += 1
    assert seen == 2


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate()


def exported(engine, key, path, count=10, every=4, after=0) -> Path:
    with engine.begin() as connection:
        for n in range(1, count + 1):
            audit.append(connection, "key:abc", "test.done", f"item:{n}", {"n": n}, at=NOW)
            if n % every == 0:
                audit.checkpoint(connection, key, at=NOW)
    with reading(engine) as connection, path.open("wb") as file:
        file.writelines(audit.export(connection, PublicKeys.of([key.public]), after=after))
    return path


def test_an_export_is_verified_by_itself(engine, key, tmp_path):
    path = exported(engine, key, tmp_path / "log.jsonl")
    report, believed = verify_export(path)
    assert report.intact
    assert (report.records, report.signed, list(believed.by_id)) == (10, 8, [key.id])


@pytest.mark.parametrize("after", [1, 4, 8, 10])
def test_a_part_of_the_log_is_verified_by_itself(engine, key, tmp_path, after):
    report, _ = verify_export(exported(engine, key, tmp_path / "log.jsonl", after=after))
    assert report.intact
    assert (report.records, report.last) == (10 - after, 10)


def test_there_is_no_export_after_a_record_that_is_not_there(engine, key, tmp_path):
    with pytest.raises(AuditError, match="no such record"):
        exported(engine, key, tmp_path / "log.jsonl", after=11)


def test_a_damaged_record_in_the_database_is_exported_and_found(engine, key, tmp_path):
    exported(engine, key, tmp_path / "good.jsonl")
    with engine.begin() as connection:
        connection.execute(audit_record.update().where(audit_record.c.sequence == 5).values(details="{"))
    with reading(engine) as connection:
        lines = list(audit.export(connection, PublicKeys.of([key.public])))
    (tmp_path / "bad.jsonl").write_bytes(b"".join(lines))
    assert verify_export(tmp_path / "bad.jsonl")[0].first_bad == 5


def test_every_line_that_is_changed_left_out_or_doubled_is_found(engine, key, tmp_path):
    lines = exported(engine, key, tmp_path / "log.jsonl").read_bytes().splitlines(keepends=True)
    keys = PublicKeys.of([key.public])
    path = tmp_path / "tampered.jsonl"
    for at in range(1, len(lines)):
        record = b'"record"' in lines[at]
        flipped = bytearray(lines[at])
        flipped[len(flipped) // 2] ^= 1
        doubled = [*lines[: at + 1], lines[at], *lines[at + 1 :]]
        for what, changed in {
            "left out": lines[:at] + lines[at + 1 :],
            "cut": lines[:at],
            "changed": [*lines[:at], bytes(flipped), *lines[at + 1 :]],
            "doubled": doubled,
            "torn": [*lines[:at], lines[at][:-9]],
        }.items():
            if what == "doubled" and not record:
                continue  # a checkpoint or end line that is there twice says nothing new
            path.write_bytes(b"".join(changed))
            assert not verify_export(path, keys)[0].intact, (what, at)


def test_an_export_signed_by_another_is_found_when_the_key_is_known(engine, key, tmp_path):
    path = exported(engine, SigningKey.generate(), tmp_path / "log.jsonl")
    assert verify_export(path)[0].intact  # it is sound in itself: the caller must compare the key
    assert not verify_export(path, PublicKeys.of([key.public]))[0].intact


def test_a_witness_finds_a_cut_that_also_removed_its_checkpoint(engine, key, tmp_path):
    path = exported(engine, key, tmp_path / "log.jsonl")
    witnesses = read_witness(path)
    assert [w.number for w in witnesses] == [1, 2]
    lines = path.read_bytes().splitlines(keepends=True)
    last = json.loads(lines[4])
    end = {"end": {"checkpoints": 1, "hash": last["hash"], "sequence": 4}}
    path.write_bytes(b"".join(lines[:6]) + audit.canonical.encode(end) + b"\n")
    assert verify_export(path)[0].intact
    assert [(f.fault, f.first, f.last) for f in verify_export(path, None, witnesses)[0].findings] == [
        ("cut", 5, 8)
    ]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{}",
        b"nonsense",
        b'{"format":"nightlamp-audit","v":2}',
        b'{"format":"nightlamp-audit","v":1}',
        b'{"format":"nightlamp-audit","v":1,"after":{"sequence":0,"hash":"zz"},"keys":{}}',
        b'{"format":"nightlamp-audit","v":1,"after":{"sequence":0,"hash":""},"keys":{"a":"!"}}',
    ],
)
def test_what_is_no_export_is_refused(tmp_path, head):
    path = tmp_path / "log.jsonl"
    path.write_bytes(head + b"\n")
    with pytest.raises(AuditError):
        verify_export(path)


def test_keys_are_read_and_written_as_pem(tmp_path, key):
    key.write(path := tmp_path / "new" / "audit.key")
    assert path.stat().st_mode & 0o777 == 0o600
    assert SigningKey.read(path).id == key.id
    assert list(PublicKeys.read([path.with_name("audit.key.pub")]).by_id) == [key.id]
    assert "PRIVATE" not in repr(key)
    with pytest.raises(AuditError, match="already"):
        key.write(path)
    with pytest.raises(AuditError):
        SigningKey.read(path.with_name("audit.key.pub"))
    with pytest.raises(AuditError):
        PublicKeys.read([path])
    with pytest.raises(AuditError, match="keygen"):
        SigningKey.read(tmp_path / "none")
