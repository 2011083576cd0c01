from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from nightlamp.examine import Workers
from nightlamp.policy import Policy
from nightlamp.scan import Item, Lines, Pipeline, Row, Secrets, scan, walk
from nightlamp.scan.disk import Disk
from nightlamp.scan.lines import JSONL
from nightlamp.screening import Screener
from nightlamp.values import Bank, Examination, Fingerprint, Match, Unchecked


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty files: pictures that take a while among texts that take no time."""
    path = tmp_path_factory.mktemp("in")
    for number in range(60):
        file = path / f"{number:02}"
        if number % 9:
            file.write_text(f"text {number}")
        else:
            Image.linear_gradient("L").resize((1500, 1500)).save(file, "PNG", compress_level=1)
    return path


def _rows(pipeline: Pipeline, items: Iterable[Item]) -> list[Row]:
    return [row for batch in pipeline.rows(items) for row in batch]


def test_rows_come_in_the_order_of_items_whatever_takes_longer(workers: Workers, folder: Path) -> None:
    rows = _rows(Pipeline(workers, Screener([])), walk([str(folder)]))

    assert [row.path for row in rows] == [f"{folder}/{number:02}" for number in range(60)]


@pytest.mark.parametrize(("window", "batch"), [(1, 1), (4, 3), (500, 128)])
def test_no_more_than_a_window_and_a_batch_is_ever_in_memory(
    window: int, batch: int, workers: Workers, folder: Path
) -> None:
    begun = out = ahead = 0

    def counted() -> Iterator[Item]:
        nonlocal begun, ahead
        for item in walk([str(folder)]):
            begun += 1
            ahead = max(ahead, begun - out)
            yield item

    for rows in Pipeline(workers, Screener([]), window=window, batch=batch).rows(counted()):
        assert len(rows) <= batch
        out += len(rows)

    assert out == 60
    assert ahead <= window + batch + 1


def test_members_in_memory_are_bounded_by_their_bytes(workers: Workers, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number:02}", bytes([number]) * 100_000)

    rows = _rows(Pipeline(workers, Screener([]), window_bytes=150_000), walk([str(tmp_path)]))

    assert [row.size for row in rows[:-1]] == [100_000] * 20
    assert rows[-1].path.endswith("a.zip")


def test_asked_to_stop_it_finishes_what_is_begun_and_no_more(workers: Workers, folder: Path) -> None:
    rows: list[Row] = []
    pipeline = Pipeline(workers, Screener([]), stop=lambda: bool(rows), window=8, batch=2)

    for batch in pipeline.rows(walk([str(folder)])):
        rows.extend(batch)

    assert 2 <= len(rows) <= 12
    assert [row.path for row in rows] == sorted(row.path for row in rows)


def test_an_archive_that_was_not_seen_to_its_end_has_no_row(workers: Workers, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(200):
            archive.writestr(f"{number:03}", b"%d" % number)
    rows: list[Row] = []
    pipeline = Pipeline(workers, Screener([]), stop=lambda: len(rows) > 10, window=4, batch=2)

    for batch in pipeline.rows(walk([str(tmp_path)])):
        rows.extend(batch)

    assert 10 < len(rows) < 50
    assert all("!/" in row.path for row in rows)


class _Answers:
    """A catalog that matches every digest, with texts that no terminal should see."""

    unchecked = (Unchecked("photodna", "not installed", "2 entries\x1b[31m"),)

    def lookup_many(self, items: Iterable[Iterable[Fingerprint]], radius: object = None) -> list[list[Match]]:
        bank = Bank("li\udcffst\x1b", category="A\u202e")
        return [[Match(f, bank, "id\n1", "A\u202e", 0) for f in item if f.signal == "md5"] for item in items]


@pytest.mark.parametrize("asked", [False, True])
def test_a_row_is_safe_to_show_and_keeps_secrets(asked: bool, workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    (row,) = _rows(
        Pipeline(workers, Screener([_Answers()]), secrets=Secrets(asked, asked)), walk([str(tmp_path)])
    )
    (match,) = row.matches

    assert (match.bank, match.category) == (r"li\xffst\x1b", r"A\xe2\x80\xae")
    assert match.value == ("900150983cd24fb0d6963f7d28e17f72" if asked else None)
    assert match.entry_id == (r"id\x0a1" if asked else None)
    assert "900150983cd24fb0d6963f7d28e17f72" not in repr(row)
    assert "\x1b" not in repr(row) + "".join(row.reasons)


def test_only_findings_are_kept_but_all_are_counted(workers: Workers, folder: Path, tmp_path: Path) -> None:
    Path(folder / "60").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    try:
        lines = Lines(tmp_path / "out", JSONL, Disk())
        totals = scan(walk([str(folder)]), Pipeline(workers, Screener([])), lines, only_findings=True)
        lines.close(finished=True)
    finally:
        (folder / "60").unlink()
    kept = list(Lines(tmp_path / "out", JSONL, Disk()).earlier())

    assert {"60"} <= {Path(row.path).name for row in kept} < {f"{n:02}" for n in range(61)}
    assert (totals.items, totals.open) == (61, len(kept))
    assert totals.status == 2


def test_what_is_accepted_changes_no_status(workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    policy = Policy(without=frozenset({"photodna"}))

    class Nothing(_Answers):
        def lookup_many(
            self, items: Iterable[Iterable[Fingerprint]], radius: object = None
        ) -> list[list[Match]]:
            return [[] for _ in items]

    totals = scan(walk([str(tmp_path)]), Pipeline(workers, Screener([Nothing()], policy)))

    assert totals.unchecked == {("photodna", "not installed"): 1}
    assert (totals.open, totals.status) == (0, 0)


def test_an_examination_never_reaches_a_row_of_another_item(workers: Workers, folder: Path) -> None:
    import hashlib

    for row in _rows(Pipeline(workers, Screener([]), window=7, batch=5), walk([str(folder)])):
        assert row.sha256 == hashlib.sha256(Path(row.path).read_bytes()).hexdigest()
        assert isinstance(row, Row)
        assert not isinstance(row, Examination)
