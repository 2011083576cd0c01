"""Project VIC, CAID and NSRL sets in a folder."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.fakes.exchanges.exchange import NOW
from tests.feeds.exchanges.conftest import Kept

from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import Exchange, Kind
from nightlamp.feeds.exchanges import nsrl, vics
from nightlamp.outbound import Fetcher

MD5S = [f"{number:032X}" for number in range(10)]


def opened(kind: Kind, path: Path, **config: object) -> Exchange:
    return kind.open(kind.config.model_validate({"path": str(path), **config}), {}, Fetcher(), lambda: NOW)


def settle(*paths: Path, seconds_ago: float = 60) -> None:
    for path in paths:
        os.utime(path, (NOW.timestamp() - seconds_ago,) * 2)


def vics_set(path: Path, categories: Mapping[int, int]) -> Path:
    value = [{"MediaID": n, "Category": category, "MD5": MD5S[n]} for n, category in categories.items()]
    text = json.dumps(
        {"odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media", "value": value}
    )
    path.write_text("\ufeff" + text)
    settle(path)
    return path


def md5s(kept: Kept) -> set[str]:
    return {value.hex().upper() for p in kept.prints().values() for _, value in p if isinstance(value, bytes)}


def test_only_what_the_profile_calls_a_hit_is_one(tmp_path: Path) -> None:
    path = vics_set(tmp_path / "set.json", {0: 1, 1: 2, 2: 8, 3: 0, 4: 7})

    kept = Kept().run(opened(vics.KIND, path, profile="uk"))
    known = Kept().run(opened(vics.KIND, path, profile="uk", known=True))

    assert md5s(kept) == {MD5S[0], MD5S[1]}
    assert {r.category for r in kept.records.values()} == {"A", "B"}
    assert kept.pages[0].unreadable == 1  # category 7 means nothing by this profile
    assert md5s(known) == {MD5S[2]}


def test_what_is_known_fills_benign_banks_only(tmp_path: Path) -> None:
    assert vics.VicsConfig(path="/x", profile="us", known=True).benign
    assert not vics.VicsConfig(path="/x", profile="us").benign
    assert nsrl.NsrlConfig(path="/x").benign


def test_a_profile_is_asked_for() -> None:
    with pytest.raises(ValueError, match="profile"):
        vics.VicsConfig.model_validate({"path": "/x"})
    with pytest.raises(ValueError, match="absolute"):
        vics.VicsConfig(path="x", profile="us")


def test_nsrl_of_both_versions(tmp_path: Path) -> None:
    text = tmp_path / "NSRLFile.txt"
    header = '"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"'
    text.write_text(f'{header}\n"{"A" * 40}","{MD5S[1]}","00000000","x",1,1,"1",""\n')
    database = tmp_path / "rds.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE FILE(sha256 TEXT, sha1 TEXT, md5 TEXT)")
        connection.execute("INSERT INTO FILE VALUES (?, ?, ?)", ("B" * 64, "A" * 40, MD5S[2]))
    settle(text, database)

    old = Kept().run(opened(nsrl.KIND, tmp_path, pattern="*.txt", format="nsrl"))
    new = Kept().run(opened(nsrl.KIND, database))

    assert md5s(old) == {"A" * 40, MD5S[1]}
    assert md5s(new) == {"A" * 40, "B" * 64, MD5S[2]}


def test_files_that_only_look_new_are_not_read_again(tmp_path: Path) -> None:
    path = vics_set(tmp_path / "set.json", {0: 1})
    exchange = opened(vics.KIND, tmp_path, profile="uk")
    kept = Kept().run(exchange)

    settle(path, seconds_ago=40)
    kept.run(exchange)
    vics_set(path, {1: 1})
    kept.run(exchange)

    assert [p.unchanged for p in kept.pages] == [False, True, False]
    assert md5s(kept) == {MD5S[1]}


def test_a_file_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    path = vics_set(tmp_path / "set.json", {0: 1})
    settle(path, seconds_ago=10)

    with pytest.raises(ExchangeError) as caught:
        Kept().run(opened(vics.KIND, tmp_path, profile="uk"))

    assert (caught.value.kind, caught.value.retry_after) == ("limited", 20.0)


def test_a_file_that_changes_while_it_is_read_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vics_set(tmp_path / "set.json", {0: 1})
    pages = opened(vics.KIND, tmp_path, profile="uk").pages(None, None)
    real = vics.Drop._looks
    seen = []

    def looks(self: vics.Drop, files: list[Path]) -> object:
        seen.append(1)
        if len(seen) == 2:
            vics_set(path, {1: 1, 2: 1})
        return real(self, files)

    monkeypatch.setattr(vics.Drop, "_looks", looks)
    with pytest.raises(ExchangeError) as caught:
        list(pages)

    assert caught.value.kind == "stale"


@pytest.mark.parametrize("content", ['{"value": [', '{"value": [{"Category": 1}]}', "", "{"])
def test_what_is_no_set_withdraws_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "set.json"
    path.write_text(content)
    settle(path)

    with pytest.raises(ExchangeError) as caught:
        Kept().run(opened(vics.KIND, path, profile="uk"))

    assert caught.value.kind == "malformed"


def test_no_file_is_no_empty_list(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ExchangeError) as caught:
            Kept().run(opened(vics.KIND, path, profile="uk"))
        assert caught.value.kind == "gone"
    assert [f.well for f in opened(vics.KIND, tmp_path, profile="uk").probe()] == [False]


def test_the_doctor(tmp_path: Path) -> None:
    vics_set(tmp_path / "set.json", {0: 1})

    assert [(f.what, f.well) for f in opened(vics.KIND, tmp_path, profile="uk").probe()] == [
        ("files", True),
        ("list", True),
    ]
