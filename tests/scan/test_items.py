from __future__ import annotations

import io
import os
import random
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from tests.measured import peak_of

from nightlamp.scan import listed, path_parts, walk


def _paths(*roots: Path, **options: object) -> list[str]:
    return [item.path for item in walk(map(os.fspath, roots), **options)]  # type: ignore[arg-type]


def _tree(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_files_come_in_byte_order_whatever_the_order_of_creation(tmp_path: Path) -> None:
    names = ["b/x", "a", "b/c/d", "B", "é", "c.jpg"]
    orders = []
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        random.Random(attempt).shuffle(names)
        _tree(folder, *names)
        orders.append([path.removeprefix(f"{folder}/") for path in _paths(folder)])

    assert orders[0] == orders[1] == orders[2] == ["B", "a", "b/c/d", "b/x", "c.jpg", "é"]


def test_an_item_carries_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    os.utime(tmp_path / "a", ns=(0, 1_234_567_891))

    (item,) = walk([os.fspath(tmp_path / "a")])

    assert (item.size, item.mtime, item.problem) == (5, 1_234_567, None)


def test_links_are_passed_over_and_counted_unless_followed(tmp_path: Path) -> None:
    _tree(tmp_path, "in/a", "out/b")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "file").symlink_to(tmp_path / "out" / "b")
    passed_over: Counter[str] = Counter()

    plain = _paths(tmp_path / "in", passed_over=passed_over)
    followed = _paths(tmp_path / "in", follow=True)

    assert plain == [f"{tmp_path}/in/a"]
    assert passed_over == {"link": 2}
    assert followed == [f"{tmp_path}/in/{name}" for name in ("a", "file", "link/b")]


def test_a_root_that_is_a_link_is_entered(tmp_path: Path) -> None:
    _tree(tmp_path, "real/a")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert _paths(tmp_path / "link") == [f"{tmp_path}/link/a"]


@pytest.mark.timeout(120)
def test_followed_links_make_no_loop_and_no_explosion(tmp_path: Path) -> None:
    for level in range(30):
        folder = tmp_path / f"{level:02}"
        folder.mkdir()
        (folder / "file").touch()
        (folder / "up").symlink_to(tmp_path)
        for twin in "ab":
            (folder / twin).symlink_to(tmp_path / f"{level + 1:02}")

    found = [item.path for item in walk([os.fspath(tmp_path)], follow=True) if not item.problem]

    assert sorted(Path(p).resolve() for p in found) == sorted(tmp_path.glob("[0-9]*/file"))


def test_what_is_no_file_is_passed_over_or_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    passed_over: Counter[str] = Counter()

    below = _paths(tmp_path, passed_over=passed_over)
    (asked_for,) = walk([os.fspath(tmp_path / "pipe")])

    assert (below, passed_over) == ([], {"special file": 1})
    assert asked_for.problem is not None
    assert asked_for.problem.detail == "not a regular file"


def test_what_is_not_there_is_an_item_with_a_problem(tmp_path: Path) -> None:
    for path in (f"{tmp_path}/gone", "nul\0byte"):
        (item,) = walk([path])
        assert item.problem is not None
        assert (item.problem.what, item.problem.why) == ("content", "unreadable")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_an_item_with_a_problem(tmp_path: Path) -> None:
    _tree(tmp_path, "closed/a", "open/b")
    (tmp_path / "closed").chmod(0)
    try:
        items = list(walk([os.fspath(tmp_path)]))
    finally:
        (tmp_path / "closed").chmod(0o700)

    assert [bool(item.problem) for item in items] == [True, False]


def test_any_bytes_may_be_a_name(tmp_path: Path) -> None:
    names = {b"\xff\xfe", b"new\nline", b"\x1b[31m", b"back\\slash", "\u202e".encode()}
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()

    paths = _paths(tmp_path)

    assert {path_parts(path)[0].rpartition(b"/")[2] for path in paths} == names


def test_the_scans_own_output_is_left_out(tmp_path: Path) -> None:
    _tree(tmp_path, "a", "out.jsonl", "sub/out.jsonl", "out.jsonl.parts/0.parquet")

    paths = _paths(tmp_path, leave_out=[tmp_path / "out.jsonl", tmp_path / "out.jsonl.parts"])

    assert paths == [f"{tmp_path}/a", f"{tmp_path}/sub/out.jsonl"]


def test_a_large_folder_is_sorted_in_flat_memory(tmp_path: Path) -> None:
    names = [f"{number:0200x}" for number in random.Random(1).sample(range(1 << 24), 5_000)]
    for name in names:
        (tmp_path / name).touch()
    names.sort()

    def walked(run: int) -> None:
        items = walk([os.fspath(tmp_path)], run=run)
        assert all(item.path == f"{tmp_path}/{name}" for item, name in zip(items, names, strict=True))

    half = peak_of(lambda: walked(100_000)) / 2
    assert peak_of(lambda: walked(500), half) < half


def test_depth_costs_no_recursion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1_200):
        Path("d").mkdir()
        os.chdir("d")
    Path("deep").touch()
    monkeypatch.chdir(tmp_path)

    try:
        lengths = [len(path) for path in _paths(Path("d"))]
    finally:
        # pytest's own clean-up recurses.
        subprocess.run(["rm", "-rf", "d"], check=True)

    assert lengths == [1_200 * 2 + 4]


@pytest.mark.parametrize(
    ("stream", "separator", "paths"),
    [
        (b"a\nb c\n\nd", b"\n", ["a", "b c", "d"]),
        (b"a\nb\0c\0", b"\0", ["a\nb", "c"]),
        (b"\xff\n", b"\n", ["\udcff"]),
        (b"", b"\n", []),
    ],
)
def test_paths_are_listed_on_a_stream(stream: bytes, separator: bytes, paths: list[str]) -> None:
    assert list(listed(io.BytesIO(stream), separator=separator)) == paths


def test_what_is_no_list_of_paths_is_refused() -> None:
    with pytest.raises(ValueError, match="path of more than"):
        list(listed(io.BytesIO(b"\0" * (1 << 20))))
