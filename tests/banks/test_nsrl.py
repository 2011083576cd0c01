from __future__ import annotations

import sqlite3

import pytest

from nightlamp.banks import BadRow, ListFile, ListOptions, build_catalog, inspect_list, read_list
from nightlamp.errors import ListError
from nightlamp.values import Bank, Fingerprint

HEADER = '"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"'
LEGACY = '"SHA-1","FileName","FileSize","ProductCode","OpSystemCode","MD4","MD5","CRC32","SpecialCode"'


def database(path, value, n=10, table="FILE"):
    with sqlite3.connect(path) as db:
        columns = (
            "sha256 TEXT, sha1 TEXT, md5 TEXT, crc32 TEXT, file_name TEXT, file_size INT, package_id INT"
        )
        db.execute(f"CREATE TABLE {table} ({columns})")
        db.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?, 'AA', 'name', 1, 2)",
            [tuple(value(s, k).hex().upper() for s in ("sha256", "sha1", "md5")) for k in range(n)],
        )
        if table == "FILE":
            db.execute("CREATE VIEW DISTINCT_HASH AS SELECT DISTINCT sha256, sha1, md5, crc32 FROM FILE")
    db.close()
    return path


@pytest.mark.parametrize("header", [HEADER, LEGACY])
def test_text(header, write, value, ours):
    lines = [header]
    for n in range(3):
        sha1, md5 = value("sha1", n).hex().upper(), value("md5", n).hex().upper()
        if header == HEADER:
            lines.append(f'"{sha1}","{md5}","00000000","na,me {n}",12,1,"358",""')
        else:
            lines.append(f'"{sha1}","na,me {n}",12,1,"358","","{md5}","00000000",""')
    path = write("\r\n".join(lines).encode() + b"\r\n" + lines[1].replace("na,me", "n").encode()[:-1])
    found = list(read_list(path, signals=ours))
    assert [(r.signal, r.value) for r in found[:-1]] == [
        (signal, value(signal, n)) for n in range(3) for signal in ("sha1", "md5")
    ]
    assert isinstance(found[-1], BadRow)
    assert inspect_list(path, signals=ours).format == "nsrl"


def test_text_with_file_names_of_unknown_encoding(write, value, ours):
    row = f'"{value("sha1", 1).hex()}","{value("md5", 1).hex()}","0","n'.encode() + b'\xe9\xff",1,1,"",""'
    found = list(read_list(write(HEADER.encode() + b"\n" + row), signals=ours))
    assert [r.signal for r in found] == ["sha1", "md5"]


@pytest.mark.parametrize("table", ["FILE", "DISTINCT_HASH"])
def test_sqlite(table, tmp_path, value, ours):
    path = database(tmp_path / "RDS.db", value, table=table)
    before = path.read_bytes()
    found = list(read_list(path, signals=ours))
    assert {(r.signal, r.value) for r in found} == {
        (s, value(s, n)) for s in ("md5", "sha1", "sha256") for n in range(10)
    }
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["RDS.db"]


def test_sqlite_with_bad_rows(tmp_path, value, ours):
    path = database(tmp_path / "x", value, 2)
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO FILE VALUES (?, NULL, 'short', '', '', 1, 2)", (b"\0" * 32,))
        db.execute("INSERT INTO FILE VALUES (NULL, NULL, NULL, '', '', 1, 2)")
        db.execute("INSERT INTO FILE VALUES (NULL, NULL, ?, '', '', 1, 2)", (value("md5", 5).hex(),))
    db.close()
    found = inspect_list(path, signals=ours)
    assert found.entries == {"md5": 3, "sha1": 2, "sha256": 2}
    assert [(b.row, b.reason.split(":")[0]) for b in found.bad_rows] == [
        (3, "a digest that is no text"),
        (3, "md5"),
        (4, "no hash in this row"),
    ]


@pytest.mark.parametrize("damage", ["cut", "flipped", "other tables", "header only"])
def test_damaged_sqlite(damage, tmp_path, value, ours):
    path = database(tmp_path / "x", value, 5000)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 3])
    elif damage == "flipped":
        path.write_bytes(content[:4096] + bytes(b ^ 255 for b in content[4096:12288]) + content[12288:])
    elif damage == "header only":
        path.write_bytes(content[:16] + b"\0" * 100)
    else:
        path.unlink()
        database(path, value, table="OTHER")
    with pytest.raises(ListError):
        list(read_list(path, signals=ours))


def test_sqlite_that_is_being_written(tmp_path, value, ours):
    path = database(tmp_path / "x", value)
    (tmp_path / "x-wal").write_bytes(b"not merged yet")
    with pytest.raises(ListError, match="still being written"):
        list(read_list(path, signals=ours))


def test_known_files_are_never_taken_for_abuse(tmp_path, value, ours):
    path = database(tmp_path / "x", value)
    with pytest.raises(ListError, match="benign"):
        build_catalog([ListFile(path, Bank("nsrl"))], signals=ours)
    catalog = build_catalog([ListFile(path, Bank("nsrl", benign=True))], signals=ours)
    (match,) = catalog.lookup([Fingerprint("sha256", value("sha256", 3))])
    assert match.bank.benign
    assert match.entry_id == "row 4"


def test_a_benign_bank_takes_exact_digests_only(write, value, ours):
    path = write(f"md5 {value('md5', 1).hex()}\npdq {value('pdq', 1).hex()}\nphotodna x\n")
    catalog = build_catalog([ListFile(path, Bank("known", benign=True), ListOptions())], signals=ours)
    assert catalog.counts == {"known": {"md5": 1}}
    assert catalog.unchecked == ()
    assert sum(catalog.lists[0].ignored.values()) == 2
    assert catalog.lookup([Fingerprint("pdq", value("pdq", 1))]) == []
