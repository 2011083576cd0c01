"""The Python API, as its page and the package's docstring show it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import nightlamp
from nightlamp.errors import ListError, SnapshotError

DRAWN = Path(__file__).parents[1] / "examples"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A list with the PDQ of one drawn picture, under an id of the list's own."""
    (value,) = (
        f.value
        for f in nightlamp.hash_file(DRAWN / "pictures" / "exact.jpg").fingerprints
        if f.signal == "pdq" and f.view == "as is"
    )
    path = tmp_path / "list.csv"
    path.write_text(f"id,pdq\nentry-1,{value.hex()}\n")
    return path


@pytest.fixture
def altered(tmp_path: Path) -> Path:
    """The same picture, mirrored and made smaller."""
    path = tmp_path / "copy.jpg"
    with Image.open(DRAWN / "pictures" / "exact.jpg") as picture:
        small = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
        small.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    return path


def test_a_copy_is_found_with_its_distance_its_view_and_the_entrys_id(listed: Path, altered: Path) -> None:
    index = nightlamp.build_index(listed)

    (match,) = index.lookup(nightlamp.hash_file(altered).fingerprints)

    assert (match.bank.name, match.entry_id, match.fingerprint.view) == ("list", "entry-1", "mirrored")
    assert 0 < match.distance <= 31


def test_bytes_and_files_are_hashed_alike(altered: Path) -> None:
    assert nightlamp.hash_bytes(altered.read_bytes()) == nightlamp.hash_file(altered)


def test_a_saved_index_answers_as_the_one_that_was_built(listed: Path, altered: Path, tmp_path: Path) -> None:
    built = nightlamp.build_index([listed])
    built.save(tmp_path / "list.nli")
    item = nightlamp.hash_file(altered)

    assert nightlamp.open_index(tmp_path / "list.nli").lookup(item.fingerprints) == built.lookup(
        item.fingerprints
    )


def test_a_verdict_follows_from_index_and_policy(listed: Path, altered: Path) -> None:
    item = nightlamp.hash_file(altered)
    index = nightlamp.build_index(listed)

    (strict,) = nightlamp.Screener([index]).screen([item])
    (mild,) = nightlamp.Screener([index], nightlamp.Policy(near="review")).screen([item])

    assert (strict.action, mild.action) == ("block", "review")


def test_what_cannot_be_used_says_where_and_what_to_try(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("not,a\nhash,list\n")
    (tmp_path / "bad.nli").write_bytes(b"half of an index")

    with pytest.raises(ListError, match=r"bad\.csv"):
        nightlamp.build_index(tmp_path / "bad.csv")
    with pytest.raises(SnapshotError, match=r"bad\.nli"):
        nightlamp.open_index(tmp_path / "bad.nli")


def test_all_that_is_promised_is_there() -> None:
    for name in nightlamp.__all__:
        assert getattr(nightlamp, name) is not None
    assert set(nightlamp.__all__) <= set(dir(nightlamp))
    with pytest.raises(AttributeError):
        nightlamp.nothing_of_the_kind  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, nightlamp; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"numpy", "numba", "PIL", "rich", "pyarrow", "click", "ijson"} & set(loaded)


def test_the_pages_python_runs_as_it_stands(tmp_path: Path, altered: Path, listed: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "uploads").mkdir()
    altered.rename(tmp_path / "uploads" / "copy.jpg")
    (tmp_path / "photo.jpg").write_bytes((tmp_path / "uploads" / "copy.jpg").read_bytes())

    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "list entry-1" in done.stdout
    assert "review" in done.stdout
