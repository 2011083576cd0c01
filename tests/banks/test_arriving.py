from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from nightlamp.banks.arriving import Arriving
from nightlamp.banks.sniff import SQLITE


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100_000])
@pytest.mark.parametrize("piece", [1, 15, 40_000])
def test_a_list_is_read_from_a_path_and_has_no_name(tmp_path: Path, size: int, piece: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    with Arriving(tmp_path) as arriving:
        for at in range(0, size, piece):
            arriving.write(data[at : at + piece])
            assert not list(tmp_path.iterdir())
        path = arriving.path()
        assert [path.read_bytes() for _ in range(2)] == [data, data]
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("piece", [1, 5, 16, 100_000])
def test_a_database_has_a_name_until_it_is_read(tmp_path: Path, piece: int) -> None:
    with sqlite3.connect(tmp_path / "made") as database:
        database.execute("CREATE TABLE file (md5 TEXT)")
    database.close()
    data = (tmp_path / "made").read_bytes()
    assert data.startswith(SQLITE)
    (tmp_path / "spool").mkdir()
    with Arriving(tmp_path / "spool") as arriving:
        for at in range(0, len(data), piece):
            arriving.write(data[at : at + piece])
        found = sqlite3.connect(f"file:{arriving.path()}?mode=ro&immutable=1", uri=True)
        assert found.execute("SELECT * FROM file").fetchall() == []
        found.close()
    assert not list((tmp_path / "spool").iterdir())
