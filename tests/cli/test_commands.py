from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nightlamp.cli import app


def _invoke(*arguments: object, stdin: bytes | None = None):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)


def test_hash_prints_every_signal(drawn: Path) -> None:
    file = drawn / "pictures" / "exact.jpg"
    result = _invoke("hash", file)

    assert result.exit_code == 0
    for name in ("md5", "sha1", "sha256"):
        assert hashlib.new(name, file.read_bytes()).hexdigest() in result.output
    (pdq,) = (line for line in result.stdout.splitlines() if line.startswith("  pdq"))
    assert len(pdq.split()[1]) == 64
    assert "image/jpeg" in result.output


def test_hash_prints_json_lines_and_all_views_if_asked(drawn: Path) -> None:
    file = drawn / "pictures" / "exact.jpg"

    one, two = map(json.loads, _invoke("hash", "--json", file, file).stdout.splitlines())
    (views,) = map(json.loads, _invoke("hash", "--json", "--views", file).stdout.splitlines())

    assert one == two
    assert (one["width"], one["height"]) == (400, 300)
    assert [f["signal"] for f in one["fingerprints"]] == ["md5", "sha1", "sha256", "pdq"]
    assert len({f["value"] for f in views["fingerprints"] if f["signal"] == "pdq"}) == 8


def test_hash_reads_standard_input(drawn: Path) -> None:
    content = (drawn / "pictures" / "exact.jpg").read_bytes()

    result = _invoke("hash", "--json", "-", stdin=content)

    assert hashlib.sha256(content).hexdigest() in result.output


def test_hash_says_what_it_could_not_compute(drawn: Path, tmp_path: Path) -> None:
    damaged = _invoke("hash", drawn / "pictures" / "damaged.jpg")
    absent = _invoke("hash", tmp_path / "gone")

    assert damaged.exit_code == absent.exit_code == 2
    assert "not checked: pdq (" in damaged.output
    assert "not checked: content (unreadable" in absent.output


def test_bank_inspect_counts_and_names_bad_rows(drawn: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text((drawn / "known.csv").read_text() + "x,example,nothex,\n")

    told = _invoke("bank", "inspect", path)
    as_json = json.loads(_invoke("bank", "inspect", path, "--json").stdout)
    strict = _invoke("bank", "inspect", path, "--strict")

    assert told.exit_code == 0
    assert "row 6" in told.output
    assert as_json["entries"] == {"pdq": 4, "sha256": 4}
    assert as_json["bad"] == 1
    assert strict.exit_code == 65
    for secret in ("nothex", (drawn / "known.csv").read_text().split(",")[5]):
        assert secret not in told.output + strict.output


def test_an_index_is_built_described_and_queried(drawn: Path, tmp_path: Path) -> None:
    nli = tmp_path / "known.nli"
    pictures = drawn / "pictures"

    built = _invoke("index", "build", drawn / "known.csv", "-o", nli, "--source", "hotline")
    info = _invoke("index", "info", nli, "--verify")
    as_json = json.loads(_invoke("index", "info", nli, "--json").stdout)
    mirrored = _invoke("index", "query", nli, pictures / "mirrored.jpg")
    new = _invoke("index", "query", nli, pictures / "new.jpg")
    damaged = _invoke("index", "query", nli, pictures / "damaged.jpg")

    assert (built.exit_code, info.exit_code) == (0, 0)
    assert "hotline" in info.output
    assert as_json["lists"][0]["sha256"] == hashlib.sha256((drawn / "known.csv").read_bytes()).hexdigest()
    assert (mirrored.exit_code, new.exit_code, damaged.exit_code) == (1, 0, 2)
    assert "mirrored" in mirrored.output
    assert "example-2" not in mirrored.output


def test_a_hash_is_queried_by_itself(drawn: Path, tmp_path: Path) -> None:
    nli = tmp_path / "known.nli"
    _invoke("index", "build", drawn / "known.csv", "-o", nli)
    _, _, pdq, sha256 = (drawn / "known.csv").read_text().splitlines()[1].split(",")
    near = f"{int(pdq, 16) ^ 0b111:064x}"

    (found,) = map(
        json.loads, _invoke("index", "query", nli, near, "--json", "--with-entry-ids").stdout.splitlines()
    )
    too_near = _invoke("index", "query", nli, near, "--radius", "2")
    exact = _invoke("index", "query", nli, sha256, "--signal", "sha256")
    nothing = _invoke("index", "query", nli, "0" * 63)

    assert [(m["signal"], m["distance"], m["entry_id"]) for m in found["matches"]] == [
        ("pdq", 3, "example-1")
    ]
    assert (too_near.exit_code, exact.exit_code, nothing.exit_code) == (0, 1, 66)


def test_a_damaged_index_is_refused(drawn: Path, tmp_path: Path) -> None:
    nli = tmp_path / "known.nli"
    _invoke("index", "build", drawn / "known.csv", "-o", nli)
    nli.write_bytes(nli.read_bytes()[:-100])

    result = _invoke("index", "info", nli)

    assert result.exit_code == 65
    assert result.stderr.startswith("nightlamp: ")


def test_the_demo_comes_out_as_told(tmp_path: Path) -> None:
    result = _invoke("demo", "--keep", tmp_path / "kept")

    assert result.exit_code == 0, result.output
    assert "NOT" not in result.output
    assert "mirrored" in result.output
    assert (tmp_path / "kept" / "known.csv").is_file()
    assert _invoke("demo", "--keep", tmp_path / "kept").exit_code == 66


@pytest.mark.parametrize("name", ["new.jpg", "exact.jpg", "album.zip"])
def test_the_committed_example_is_what_the_script_draws(drawn: Path, name: str) -> None:
    committed = Path(__file__).parents[2] / "examples" / "pictures"

    # Another version of a codec may write other bytes of the same picture.
    assert {p.name for p in committed.iterdir()} == {p.name for p in (drawn / "pictures").iterdir()}
    size = (committed / name).stat().st_size
    assert abs(size - (drawn / "pictures" / name).stat().st_size) < 0.1 * size
