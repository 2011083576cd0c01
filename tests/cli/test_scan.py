from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.conftest import COMMAND
from tests.films import film, scene, scenes

from nightlamp.cli import app, preparing
from nightlamp.cli.example import PIECES
from nightlamp.cli.progress import Progress
from nightlamp.scan import Totals, path_parts


def _scan(*arguments: object, stdin: bytes | None = None):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(app, ["scan", "--workers", "1", *map(str, arguments)], input=stdin)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _as_set(path: Path) -> set[str]:
    return {json.dumps(row, sort_keys=True) for row in _rows(path)}


@pytest.fixture
def known(drawn: Path) -> Path:
    return drawn / "known.csv"


def test_the_example_is_found_as_told(drawn: Path, known: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    result = _scan(drawn / "pictures", "--bank", known, "-o", out)
    rows = _rows(out)

    assert result.exit_code == 1, result.output
    assert [row["path"].removeprefix(f"{drawn}/pictures/") for row in rows] == [
        piece.name for piece in PIECES
    ]
    for row, piece in zip(rows, PIECES, strict=True):
        assert row["action"] == piece.action
        assert {match["signal"] for match in row["matches"]} == piece.signals
        assert {u["what"] for u in row["unchecked"]} == piece.unchecked


def test_a_video_matches_a_list_of_pictures(tmp_path: Path) -> None:
    picture, videos, out = tmp_path / "known.png", tmp_path / "videos", tmp_path / "out.jsonl"
    scene(2).save(picture)
    hashed = CliRunner().invoke(app, ["hash", "--json", str(picture)])
    value = next(f["value"] for f in json.loads(hashed.stdout)["fingerprints"] if f["signal"] == "pdq")
    (tmp_path / "list.csv").write_text(f"id,pdq\n7,{value}\n")
    videos.mkdir()
    (videos / "a.mkv").write_bytes(film(scenes([1, 2], 20), "matroska"))
    (videos / "b.avi").write_bytes(film(scenes([1, 3], 20), "avi"))

    result = _scan(videos, "--bank", tmp_path / "list.csv", "-o", out)
    listed, other = _rows(out)

    assert result.exit_code == 1, result.output
    assert (listed["media_type"], other["media_type"]) == ("video/x-matroska", "video/x-msvideo")
    assert [(m["frame"], m["seconds"]) for m in listed["matches"]] in ([(20, 2.0)], [(30, 3.0)], [(39, 3.9)])
    assert not listed["unchecked"]
    assert (other["action"], other["matches"]) == ("allow", [])


@pytest.mark.parametrize(
    ("files", "without", "status"),
    [
        (["new.jpg", "notes.txt"], [], 0),
        (["new.jpg", "damaged.jpg"], [], 2),
        (["new.jpg", "damaged.jpg"], ["pdq"], 0),
        (["damaged.jpg", "exact.jpg"], [], 1),
        (["exact.jpg"], ["pdq", "sha256"], 1),
    ],
)
def test_the_exit_status_says_what_was_found(
    files: list[str], without: list[str], status: int, drawn: Path, known: Path
) -> None:
    accepted = [word for name in without for word in ("--without", name)]

    result = _scan(*(drawn / "pictures" / name for name in files), "--bank", known, *accepted)

    assert result.exit_code == status
    assert "damaged.jpg" not in files or "not checked" in result.stderr


def test_entries_of_a_signal_that_is_not_installed_are_said_of_every_item(
    drawn: Path, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id,photodna\n1," + "QUJD" * 48 + "\n")

    refused = _scan(drawn / "pictures" / "new.jpg", "--bank", path)
    accepted = _scan(drawn / "pictures" / "new.jpg", "--bank", path, "--without", "photodna", "--all")

    assert (refused.exit_code, accepted.exit_code) == (2, 0)
    assert "not checked: photodna (not installed" in refused.stdout
    assert accepted.stdout.startswith("allow")
    assert "not checked: photodna" in accepted.stdout


def test_a_start_that_takes_a_while_says_why_unless_quiet(
    drawn: Path, known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_PATIENCE", 0.0)  # no start of a process is that quick

    told, quiet = (_scan(drawn / "pictures" / "new.jpg", "--bank", known, *o) for o in ((), ("-q",)))

    assert "preparing; after an install, code is compiled for this machine once" in told.stderr
    assert "preparing" not in told.stdout + quiet.output
    assert told.exit_code == quiet.exit_code == 0


def test_a_policy_of_the_operators_own_gives_the_verdicts(drawn: Path, known: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "nightlamp-policy: 1\nname: mild\nrules:\n"
        "  - {id: open, when: unchecked.size() > 0, then: review, reason: not all was checked}\n"
        "  - {id: hit, when: matches.size() > 0, then: review, reason: look at it}\n"
        "  - {id: rest, when: 'true', then: allow, reason: nothing found}\n"
    )
    out = tmp_path / "rows.jsonl"

    own = _scan(drawn / "pictures" / "exact.jpg", "--bank", known, "--policy", policy, "-o", out)
    shipped = _scan(drawn / "pictures" / "exact.jpg", "--bank", known, "--policy", "us")
    missing = _scan(drawn / "pictures" / "exact.jpg", "--bank", known, "--policy", tmp_path / "none.yaml")

    (row,) = _rows(out)
    assert (own.exit_code, row["action"], row["reasons"][0]) == (1, "review", "look at it")
    assert (shipped.exit_code, shipped.stdout.split()[0]) == (1, "block")
    assert missing.exit_code == 66


def test_rows_of_a_list_that_cannot_be_read_are_said_and_leave_the_scan_open(
    drawn: Path, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"md5\n{'0' * 32}\nnot a hash\n")

    said = _scan(drawn / "pictures" / "new.jpg", "--bank", path)
    accepted = _scan(drawn / "pictures" / "new.jpg", "--bank", path, "--without", "rows")
    refused = _scan(drawn / "pictures" / "new.jpg", "--bank", path, "--strict")

    assert (said.exit_code, accepted.exit_code, refused.exit_code) == (2, 0, 65)
    assert "row 3" in said.stderr
    assert "unreadable" in said.stderr
    assert "not a hash" not in said.stderr + refused.stderr


def test_without_an_output_findings_are_lines_and_nothing_else_is(drawn: Path, known: Path) -> None:
    findings = _scan(drawn / "pictures", "--bank", known).stdout
    everything = _scan(drawn / "pictures", "--bank", known, "--all").stdout
    quiet = _scan(drawn / "pictures", "--bank", known, "-q")

    assert "new.jpg" not in findings
    assert findings.count("\nblock") + findings.startswith("block") == 5
    assert "new.jpg" in everything
    assert (quiet.stdout, quiet.stderr, quiet.exit_code) == ("", "", 1)


def test_secrets_are_written_only_where_asked(drawn: Path, known: Path, tmp_path: Path) -> None:
    pdq = known.read_text().splitlines()[1].split(",")[2]
    pictures = drawn / "pictures"

    plain = _scan(pictures, "--bank", known, "-o", tmp_path / "a.jsonl", "-v")
    _scan(pictures, "--bank", known, "-o", tmp_path / "b.jsonl", "--with-hashes", "--with-entry-ids")

    everything = (
        (tmp_path / "a.jsonl").read_text() + (tmp_path / "a.jsonl.run.json").read_text() + plain.output
    )
    assert pdq not in everything
    assert "example-1" not in everything
    asked = (tmp_path / "b.jsonl").read_text()
    assert pdq in asked
    assert "example-1" in asked


def test_standard_output_takes_lines_for_programs(drawn: Path, known: Path) -> None:
    as_json = _scan(drawn / "pictures", "--bank", known, "-o", "-")
    as_csv = _scan(drawn / "pictures", "--bank", known, "-o", "-", "--format", "csv", "--only-findings")

    assert len([json.loads(line) for line in as_json.stdout.splitlines()]) == len(PIECES)
    assert [row["action"] for row in csv.DictReader(as_csv.stdout.splitlines())].count("allow") == 0


def test_paths_come_from_standard_input(drawn: Path, known: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd\nname.jpg"
    odd.write_bytes((drawn / "pictures" / "exact.jpg").read_bytes())
    out = tmp_path / "out.jsonl"

    lines = _scan("-", "--bank", known, stdin=f"{drawn}/pictures/new.jpg\n\n/nosuch\n".encode())
    nul = _scan("-0", "-", "--bank", known, "-o", out, stdin=os.fsencode(odd) + b"\0")
    no_list = _scan("-", "--bank", known, stdin=b"\xff" * (1 << 20))

    assert (lines.exit_code, nul.exit_code, no_list.exit_code) == (2, 1, 66)
    assert "/nosuch\n        not checked: content (unreadable" in lines.stdout
    assert path_parts(_rows(out)[0]["path"]) == [os.fsencode(odd)]


def test_banks_may_be_indexes_lists_benign_or_named_in_a_file(
    drawn: Path, known: Path, tmp_path: Path
) -> None:
    pictures = drawn / "pictures"
    nli = tmp_path / "known.nli"
    assert CliRunner().invoke(app, ["index", "build", str(known), "-o", str(nli)]).exit_code == 0
    (tmp_path / "plain.txt").write_text(known.read_text().splitlines()[1].split(",")[2] + "\n")
    (tmp_path / "banks.toml").write_text(
        '[[bank]]\npath = "plain.txt"\nname = "ours"\nsignal = "pdq"\ntrust = "low"\ncategory = "B2"\n'
    )
    digest = json.loads(CliRunner().invoke(app, ["hash", "--json", str(pictures / "new.jpg")]).stdout)
    sha1 = next(f["value"] for f in digest["fingerprints"] if f["signal"] == "sha1")
    (tmp_path / "nsrl.txt").write_text(sha1 + "\n")

    by_index = _scan(pictures / "exact.jpg", "--bank", nli, "-o", "-")
    by_file = _scan(pictures / "exact.jpg", "--banks", tmp_path / "banks.toml", "-o", "-")
    benign = _scan(pictures / "new.jpg", "--bank", nli, "--benign", tmp_path / "nsrl.txt", "-o", "-")
    twice = _scan(pictures, "--bank", nli, "--bank", known)
    wrong = _scan(pictures, "--banks", known)

    assert json.loads(by_index.stdout)["action"] == "block"
    low_trust = json.loads(by_file.stdout)
    assert (low_trust["action"], low_trust["matches"][0]["category"]) == ("review", "B2")
    assert (by_file.exit_code, benign.exit_code) == (1, 0)
    assert json.loads(benign.stdout)["benign"] is True
    assert (twice.exit_code, wrong.exit_code) == (65, 65)


@pytest.mark.parametrize(
    "toml",
    [
        "",
        "bank = 1",
        "[[bank]]",
        '[[bank]]\npath = "x"\nnosuch = 1',
        '[[bank]]\npath = "x"\ntrust = "much"',
        "x =",
    ],
)
def test_a_banks_file_that_makes_no_sense_is_refused(toml: str, drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "banks.toml").write_text(toml)

    result = _scan(drawn, "--banks", tmp_path / "banks.toml")

    assert result.exit_code == 65
    assert "banks.toml" in result.stderr


def test_the_radius_is_as_asked(drawn: Path, known: Path) -> None:
    assert _scan(drawn / "pictures" / "resized.jpg", "--bank", known, "--radius", "1").exit_code == 0


def test_archives_in_archives_are_looked_into_and_their_limits_said(
    drawn: Path, known: Path, tmp_path: Path
) -> None:
    content = (drawn / "pictures" / "exact.jpg").read_bytes()
    nested, name = content, "picture.jpg"
    for depth in range(5):
        with zipfile.ZipFile(tmp_path / f"{depth}.zip", "w") as archive:
            archive.writestr(name, nested)
        name = f"{depth}.zip"
        nested = (tmp_path / name).read_bytes()

    rows = [json.loads(r) for r in _scan(tmp_path / "2.zip", "--bank", known, "-o", "-").stdout.splitlines()]
    deep = _scan(tmp_path / "4.zip", "--bank", known)
    closed = _scan(tmp_path / "0.zip", "--bank", known, "--no-archives")

    inside = ["!/1.zip", "!/1.zip!/0.zip", "!/1.zip!/0.zip!/picture.jpg", ""]
    assert [row["path"] for row in rows] == [f"{tmp_path}/2.zip{name}" for name in inside]
    assert [row["action"] for row in rows] == ["allow", "allow", "block", "allow"]
    assert (deep.exit_code, closed.exit_code) == (2, 2)
    assert "not checked: members (too deep" in deep.stdout
    assert "not checked: members (not unpacked" in closed.stdout


def test_an_archive_that_breaks_costs_its_own_row_only(drawn: Path, known: Path, tmp_path: Path) -> None:
    whole = (drawn / "pictures" / "album.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:-60])
    (tmp_path / "b.jpg").write_bytes((drawn / "pictures" / "exact.jpg").read_bytes())

    rows = [json.loads(line) for line in _scan(tmp_path, "--bank", known, "-o", "-").stdout.splitlines()]

    assert rows[-1]["action"] == "block"
    (archive,) = (row for row in rows if row["path"].endswith("a.zip"))
    assert [u["what"] for u in archive["unchecked"]] == ["members"]


def test_hostile_names_reach_neither_the_terminal_nor_the_structure_of_an_output(
    drawn: Path, known: Path, tmp_path: Path
) -> None:
    content = (drawn / "pictures" / "exact.jpg").read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    dice = random.Random(7)
    names = {
        b"\x1b]0;owned\x07",
        b'",\n{"path": "x"}',
        "\u202egpj.exe".encode(),
        b"\xff\xfe",
        b"[red]x[bold]",
        b"=1+1",
    }
    names |= {
        bytes(dice.choice([c for c in range(1, 256) if c != 47]) for _ in range(dice.randint(1, 40)))
        for _ in range(30)
    }
    names -= {b".", b".."}
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(content)
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr("\x1b[2J../../\u2066x\n.jpg", content)

    text = _scan(folder, "--bank", known)
    for form in ("jsonl", "csv"):
        _scan(folder, "--bank", known, "-o", tmp_path / f"out.{form}")

    assert not {c for c in text.output if (ord(c) < 32 and c != "\n") or c in "\x7f\x9b\u202e\u2066"}
    rows = _rows(tmp_path / "out.jsonl")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [row["path"] for row in rows]
    found = {path_parts(row["path"])[0].removeprefix(os.fsencode(folder) + b"/") for row in rows}
    assert found == names | {b"z.zip"}


def test_an_output_that_is_there_is_left_alone(drawn: Path, known: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    _scan(drawn / "pictures", "--bank", known, "-o", out)
    before = out.read_bytes()

    again = _scan(drawn / "pictures", "--bank", known, "-o", out)
    other = _scan(drawn / "pictures", "--bank", known, "-o", out, "--resume", "--radius", "20")
    continued = _scan(drawn / "pictures", "--bank", known, "-o", out, "--resume")

    assert (again.exit_code, other.exit_code, continued.exit_code) == (73, 73, 1)
    assert "--resume" in again.stderr
    assert "radius" in other.stderr
    assert out.read_bytes() == before
    assert "earlier run" in continued.stderr


def test_continuing_takes_what_is_new_and_what_changed(drawn: Path, known: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out.jsonl"
    shutil.copytree(drawn / "pictures", folder)
    _scan(folder, "--bank", known, "-o", out)
    before = _rows(out)
    shutil.copy(folder / "exact.jpg", folder / "added.jpg")
    os.utime(folder / "new.jpg", (1, 1))

    _scan(folder, "--bank", known, "-o", out, "--resume")

    added = _rows(out)[len(before) :]
    assert [Path(row["path"]).name for row in added] == ["added.jpg", "new.jpg"]


def test_the_scan_does_not_scan_its_own_output(drawn: Path, known: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn / "pictures", tmp_path / "in")
    out = tmp_path / "in" / "out.jsonl"

    for flags in ([], ["--resume"]):
        _scan(tmp_path / "in", "--bank", known, "-o", out, *flags)

    assert len(_rows(out)) == len(PIECES)


def _start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "scan", "--workers", "2", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _has_grown(process: subprocess.Popen[bytes], out: Path, least: int) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if out.exists() and out.stat().st_size > least:
            return
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(many: Path, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an uninterrupted scan of ``many``."""
    out = tmp_path_factory.mktemp("whole") / "whole.jsonl"
    assert _scan(many, "--bank", drawn / "known.csv", "-o", out).exit_code == 1
    return out


def test_ctrl_c_finishes_what_is_in_hand_and_the_scan_goes_on_later(
    many: Path, known: Path, whole: Path, tmp_path: Path
) -> None:
    for attempt in range(10):  # on a busy machine it may be done before it is told to stop
        out = tmp_path / str(attempt) / "out.jsonl"
        out.parent.mkdir()
        process = _start(many, "--bank", known, "-o", out)
        _has_grown(process, out, 0)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        some = len(_rows(out))
        if some < len(_rows(whole)):
            break

    assert process.returncode == 130, said
    assert b"--resume" in said
    assert json.loads(out.with_name("out.jsonl.run.json").read_text())["totals"]["items"] == some
    assert 0 < some < len(_rows(whole))
    assert _scan(many, "--bank", known, "-o", out, "--resume").exit_code == 1
    assert _as_set(out) == _as_set(whole)
    assert len(_rows(out)) == len(_rows(whole))


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_killed_at_any_point_a_scan_goes_on_to_the_same_result(
    form: str, many: Path, known: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"out.{form}"
    dice = random.Random(3)
    for _ in range(4):
        process = _start(many, "--bank", known, "-o", out, "--resume")
        time.sleep(dice.uniform(0.3, 2.0))
        process.kill()
        process.communicate()
    final = _scan(many, "--bank", known, "-o", out, "--resume")

    assert final.exit_code == 1, final.output
    if form == "jsonl":
        assert _as_set(out) == _as_set(whole)
        assert len(_rows(out)) == len(_rows(whole))
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(out)
        assert sorted(table["path"].to_pylist()) == sorted(row["path"] for row in _rows(whole))
        assert not (tmp_path / "out.parquet.parts").exists()


def test_an_uninterrupted_scan_has_a_fixed_order(
    many: Path, known: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"

    CliRunner().invoke(app, ["scan", str(many), "--bank", str(known), "-o", str(out), "--workers", "3"])

    assert [row["path"] for row in _rows(out)] == [row["path"] for row in _rows(whole)]
    assert len(_rows(out)) == 243


@pytest.mark.slow
def test_killed_often_and_at_random_a_scan_still_comes_to_the_same_result(
    many: Path, known: Path, whole: Path, tmp_path: Path
) -> None:
    dice = random.Random(11)
    for attempt in range(15):
        out = tmp_path / f"{attempt}.jsonl"
        while True:
            process = _start(many, "--bank", known, "-o", out, "--resume")
            try:
                process.communicate(timeout=dice.uniform(0.5, 4.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            else:
                break
        assert process.returncode == 1
        assert _as_set(out) == _as_set(whole)
        assert len(_rows(out)) == len(_rows(whole))


def test_progress_is_a_bar_on_a_terminal_and_a_line_elsewhere(drawn: Path, known: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "scan", f"{drawn}/pictures", "--bank", str(known)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    found, _ = process.communicate()
    plain = subprocess.run(
        [sys.executable, *COMMAND[1:], "scan", f"{drawn}/pictures", "--bank", str(known)], capture_output=True
    )

    assert b"\x1b[" in shown
    plain_text = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown)
    assert re.search(rb"\d+ items, [\d.,]+ \w+, [\d,]+/s, \d+ matched", plain_text)
    assert b"\x1b" not in found + plain.stdout + plain.stderr


def test_a_bar_says_how_long_it_will_take_once_it_knows_how_much_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    for number in range(4):
        (tmp_path / f"{number}").touch()
    totals, shown, patience = Totals(), "", time.monotonic() + 60

    with Progress(bar=True) as progress:
        progress.expect([str(tmp_path)], follow=False)
        while not re.search(r"(25|50|75)% \d:\d\d:\d\d", shown) and time.monotonic() < patience:
            totals.items = totals.items % 3 + 1
            progress.show(totals)
            time.sleep(0.05)
            shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)

    assert re.search(r"(25|50|75)% \d:\d\d:\d\d", shown), shown[-400:]
