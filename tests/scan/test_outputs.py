from __future__ import annotations

import csv
import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scan.rows import rows, some_rows

from nightlamp.errors import OutputError
from nightlamp.scan import FORMATS, Disk, Format, Manifest, Row, Totals, format_of

ROWS = some_rows(40)


def _read(path: Path, form: Format) -> list[Row]:
    """All rows of an output, by way of continuing it."""
    manifest = Manifest(path, form, {})
    manifest.begin(resume=True)
    found = list(manifest.earlier())
    manifest.close(Totals(), finished=True)
    return found


def _write(path: Path, form: Format, given_rows: list[Row], *, finished: bool = True, **begin: bool) -> None:
    manifest = Manifest(path, form, {})
    manifest.begin(**begin)
    assert list(manifest.earlier()) == [] or begin
    manifest.write(given_rows)
    manifest.close(Totals(), finished=finished)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=30)
@given(st.lists(rows, max_size=5))
def test_every_row_comes_back_as_it_was(
    form: Format, tmp_path_factory: pytest.TempPathFactory, given_rows: list[Row]
) -> None:
    path = tmp_path_factory.mktemp("out") / "out"

    _write(path, form, given_rows)

    assert _read(path, form) == given_rows


def test_json_lines_are_json(tmp_path: Path) -> None:
    _write(tmp_path / "out", "jsonl", ROWS)

    first = json.loads((tmp_path / "out").read_text("utf-8").splitlines()[0])

    assert first["path"] == "folder/00000.jpg"
    assert first["matches"] == [
        {
            "bank": "list",
            "signal": "pdq",
            "distance": 4,
            "view": "mirrored",
            "frame": 0,
            "category": "A1",
            "benign": False,
            "seconds": None,
        }
    ]


def test_csv_is_csv_with_json_in_nested_cells(tmp_path: Path) -> None:
    _write(tmp_path / "out", "csv", ROWS)

    with (tmp_path / "out").open(newline="") as file:
        found = list(csv.DictReader(file))

    assert [row["path"] for row in found] == [row.path for row in ROWS]
    assert json.loads(found[0]["unchecked"]) == [
        {"what": "pdq", "why": "damaged", "detail": "the decoder gave up"}
    ]


def test_parquet_has_typed_columns_and_no_parts_left(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    _write(tmp_path / "out.parquet", "parquet", ROWS)
    found = pq.read_table(tmp_path / "out.parquet")

    assert found.num_rows == len(ROWS)
    assert str(found.schema.field("mtime").type) == "timestamp[us, tz=UTC]"
    assert found["matches"][0].as_py()[0]["view"] == "mirrored"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.parquet", "out.parquet.run.json"]


def test_parquet_of_no_rows_is_a_file_all_the_same(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    _write(tmp_path / "out.parquet", "parquet", [])

    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


@pytest.mark.parametrize("form", FORMATS)
def test_an_output_is_for_its_owner_only(form: Format, tmp_path: Path) -> None:
    _write(tmp_path / "out", form, ROWS)

    assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("finished", [True, False])
def test_an_output_is_continued_or_begun_anew_but_never_overwritten_unasked(
    form: Format, finished: bool, tmp_path: Path
) -> None:
    path = tmp_path / "out"
    _write(path, form, ROWS[:10], finished=finished)

    with pytest.raises(OutputError, match=r"exists already.*--resume"):
        Manifest(path, form, {}).begin()
    _write(path, form, ROWS[10:20], resume=True)
    assert _read(path, form) == ROWS[:20]

    _write(path, form, ROWS[:3], overwrite=True)
    assert _read(path, form) == ROWS[:3]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_line_that_was_cut_short_is_taken_off_wherever_it_was_cut(form: Format, tmp_path: Path) -> None:
    path = tmp_path / "out"
    _write(path, form, ROWS[:2])
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    headers = 1 if form == "csv" else 0

    for cut in sorted(
        {*range(0, len(whole), 23), *(end + by for end in (0, *ends) for by in (-1, 0, 1) if end + by >= 0)}
    ):
        path.write_bytes(whole[:cut])
        kept = _read(path, form)
        assert kept == ROWS[: max(0, sum(end <= cut for end in ends) - headers)]
        _write(path, form, ROWS[len(kept) : 2], resume=True)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_damaged_line_in_the_middle_is_refused(form: Format, tmp_path: Path) -> None:
    path = tmp_path / "out"
    _write(path, form, ROWS[:3])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], b"\0\0\0\n", lines[-1]]))

    with pytest.raises(OutputError, match="is not a row of a scan"):
        _read(path, form)


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    _write(path, "parquet", ROWS, finished=False)
    (part,) = (tmp_path / "out.parquet.parts").iterdir()
    part.write_bytes(part.read_bytes()[:-20])

    with pytest.raises(OutputError):
        _read(path, "parquet")


def test_a_scan_is_only_continued_as_it_was_begun(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    begun = Manifest(path, "jsonl", {"banks": ["a"], "detail": "fast"})
    begun.begin()
    list(begun.earlier())
    begun.close(Totals(), finished=False)

    with pytest.raises(OutputError, match=r"other settings \(banks, detail\)"):
        Manifest(path, "jsonl", {"banks": ["b"], "detail": "full"}).begin(resume=True)
    begun.record.unlink()
    with pytest.raises(OutputError, match=r"record .* missing"):
        Manifest(path, "jsonl", {"banks": ["a"], "detail": "fast"}).begin(resume=True)


def test_the_record_says_what_the_rows_rest_on(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    manifest = Manifest(path, "jsonl", {"banks": [{"sha256": "ab"}]})
    manifest.begin()
    list(manifest.earlier())
    manifest.write(ROWS)
    totals = Totals()
    totals.add(ROWS)
    manifest.close(totals, finished=True)

    record = json.loads((tmp_path / "out.jsonl.run.json").read_text())

    assert record["settings"]["banks"] == [{"sha256": "ab"}]
    assert record["started"] <= record["finished"]
    assert record["totals"]["items"] == 40
    assert record["totals"]["banks"] == {"list": 14}
    assert record["totals"]["unchecked"] == [{"what": "pdq", "why": "damaged", "items": 8}]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such file"):
        Manifest(tmp_path / "no" / "out.jsonl", "jsonl", {}).begin()


def test_a_suffix_says_the_format() -> None:
    assert [format_of(Path(name)) for name in ("a.jsonl", "A.CSV", "a.b.parquet")] == [
        "jsonl",
        "csv",
        "parquet",
    ]
    with pytest.raises(OutputError, match="suffix"):
        format_of(Path("a.txt"))


def _failing(at: int, short: bool) -> tuple[Disk, Callable[[], bool]]:
    """A disk whose ``at``-th call fails, writing a part of what it was given first if ``short``."""
    calls = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                if short and call is os.write:
                    os.write(arguments[0], arguments[1][: max(1, len(arguments[1]) // 2)])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments)

        return instead

    return Disk(counted(os.write), counted(os.fsync), counted(os.replace)), lambda: calls >= at


def _attempt(path: Path, form: Format, disk: Disk) -> None:
    """A scan of ``ROWS`` in small batches that goes on where an earlier one stopped."""
    manifest = Manifest(path, form, {}, disk, part_rows=10)
    manifest.begin(resume=True)
    try:
        seen = {row.path for row in manifest.earlier()}
        todo = [row for row in ROWS if row.path not in seen]
        for at in range(0, len(todo), 7):
            manifest.write(todo[at : at + 7])
        manifest.close(Totals(), finished=True)
    except BaseException:
        manifest.abandon()
        raise


def _each_failure() -> Iterator[tuple[Disk, Callable[[], bool]]]:
    for short in (False, True):
        at = 1
        while True:
            disk, reached = _failing(at, short)
            yield disk, reached
            if not reached():
                break
            at += 1


@pytest.mark.parametrize("form", FORMATS)
def test_whichever_call_fails_the_scan_can_be_continued_to_the_same_result(
    form: Format, tmp_path: Path
) -> None:
    failures = 0
    for number, (disk, _) in enumerate(_each_failure()):
        path = tmp_path / str(number) / f"out.{form}"
        path.parent.mkdir()
        try:
            _attempt(path, form, disk)
        except OutputError:
            failures += 1
            _attempt(path, form, Disk())
        assert _read(path, form) == ROWS
        assert json.loads(Manifest(path, form, {}).record.read_text())["finished"]

    assert failures >= 8
