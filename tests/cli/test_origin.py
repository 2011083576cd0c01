from __future__ import annotations

import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.origin.files import A1111, SILENCE, authority, camera, created, id3, jpeg, png, signed

from nightlamp.cli import app

pytest.importorskip("c2pa")

SECRETS = ("a bowl of plums", "blurry", "SN-4711")


def _invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "made.png").write_bytes(png({"parameters": A1111}))
    (tmp_path / "photo.jpg").write_bytes(jpeg(camera()))
    (tmp_path / "signed.jpg").write_bytes(signed(created("digitalCapture")))
    (tmp_path / "signers.pem").write_text(authority()[2])
    return tmp_path


def test_origin_says_what_files_say_and_keeps_secrets(folder: Path) -> None:
    (folder / "song.mp3").write_bytes(id3((b"TSSE", b"\3Lavf60.16.100")) + SILENCE)

    shown = _invoke("origin", folder / "made.png", folder / "photo.jpg", folder / "song.mp3")
    lines = _invoke("origin", "--json", folder / "made.png", folder / "photo.jpg")

    assert shown.exit_code == lines.exit_code == 0
    assert "The file is declared AI-made" in shown.stdout
    assert "That does not mean that it is real." in shown.stdout
    assert 'written by "Lavf60.16.100"' in shown.stdout
    assert [json.loads(line)["outcome"] for line in lines.stdout.splitlines()] == [
        "declared AI-made",
        "unknown",
    ]
    for secret in SECRETS:
        assert secret not in shown.output + lines.output


def test_what_is_sealed_is_shown_on_request(folder: Path) -> None:
    shown = _invoke("origin", "--reveal", folder / "made.png", folder / "photo.jpg").stdout
    lines = _invoke("origin", "--reveal", "--json", folder / "made.png", folder / "photo.jpg").stdout

    for secret in SECRETS:
        assert secret in shown
        assert secret in lines


def test_signers_count_where_they_are_named(folder: Path) -> None:
    def outcome(*options: object) -> str:
        line = _invoke("origin", "--json", *options, folder / "signed.jpg").stdout
        found: str = json.loads(line)["outcome"]
        return found

    assert outcome() == "unknown"
    assert outcome("--signers", folder / "signers.pem") == "camera-signed"
    assert _invoke("origin", "--signers", folder / "made.png", folder / "signed.jpg").exit_code == 78
    assert _invoke("origin", "--signers", folder / "absent", folder / "signed.jpg").exit_code == 66


def test_what_could_not_be_checked_is_status_2(folder: Path) -> None:
    (folder / "text.txt").write_text("hello")

    absent, text = _invoke("origin", folder / "absent"), _invoke("origin", "--json", folder / "text.txt")

    assert absent.exit_code == text.exit_code == 2
    assert "not checked: content (unreadable" in absent.output
    assert json.loads(text.stdout)["outcome"] == "unknown"


def test_a_scan_says_it_in_each_row_if_asked(folder: Path) -> None:
    (folder / "list.csv").write_text("md5\n" + "0" * 32 + "\n")

    def rows(*options: object) -> dict[str, tuple[str, str, list[dict[str, str]]]]:
        result = _invoke(
            "scan", folder, "--bank", folder / "list.csv", "--without", "pdq", "-q", "-o", "-", *options
        )
        found = map(json.loads, result.stdout.splitlines())
        return {
            Path(row["path"]).name: (row["origin"], row["origin_sentence"], row["origin_statements"])
            for row in found
        }

    assert list(rows().values()) == [("", "", [])] * 5
    asked = rows("--origin", "--signers", folder / "signers.pem")
    assert asked["signed.jpg"][0] == "camera-signed"
    assert asked["made.png"][0] == "declared AI-made"
    (made,) = asked["made.png"][2]
    assert {"source": "png text", "says": "ai-made", "strength": "declared"}.items() <= made.items()
    assert "still_life" in made["text"]
    assert "anybody" in made["forgeable"]
    assert {s["says"] for s in asked["photo.jpg"][2]} >= {"camera", "time", "serial", "location"}
    for secret in SECRETS:
        assert secret not in str(asked)
    assert _invoke("scan", folder, "--bank", folder / "list.csv", "--signers", "x").exit_code == 64


def test_a_photo_taken_after_its_file_last_changed_is_told_in_scans_and_their_archives(folder: Path) -> None:
    for name, year in (("early", 2020), ("late", 2026)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.write(folder / "photo.jpg", "photo.jpg")  # of 2024
        (folder / f"{name}.jpg").write_bytes((folder / "photo.jpg").read_bytes())
        changed = datetime(year, 1, 1, tzinfo=UTC).timestamp()
        for suffix in ("zip", "jpg"):
            os.utime(folder / f"{name}.{suffix}", (changed, changed))
    (folder / "list.csv").write_text("md5\n" + "0" * 32 + "\n")

    result = _invoke("scan", folder, "--bank", folder / "list.csv", "--origin", "-q", "-o", "-")

    rows = map(json.loads, result.stdout.splitlines())
    late = {row["path"]: "after it arrived" in str(row["origin_statements"]) for row in rows}
    assert [late[f"{folder}/{name}"] for name in ("early.jpg", "early.zip!/photo.jpg")] == [True, True]
    assert [late[f"{folder}/{name}"] for name in ("late.jpg", "late.zip!/photo.jpg")] == [False, False]


def test_the_pixels_are_looked_at_on_request(folder: Path) -> None:
    from tests.origin.marks import colourful, embedded

    from nightlamp.origin.watermark import MARKS

    marked = folder / "marked.png"
    marked.write_bytes(png(picture=embedded(colourful(), MARKS["InvokeAI"], as_float=False)))

    blind, seen = _invoke("origin", marked), _invoke("origin", "--forensics", marked)

    assert blind.exit_code == seen.exit_code == 0
    assert "watermark" not in blind.stdout
    assert "declared AI-made" in seen.stdout
    assert "anybody can embed it in any picture" in seen.stdout


def test_a_detector_is_asked_and_one_that_cannot_be_is_an_error(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    from tests.origin.models import written

    asked = _invoke("origin", "--json", "--detector", written(folder), folder / "photo.jpg")
    line = json.loads(asked.stdout)

    assert asked.exit_code == 0
    (said,) = (s for s in line["statements"] if s["source"] == "detector")
    assert 0 <= said["fields"]["bright_made"] <= 1
    refused = _invoke("origin", "--detector", written(folder, sha256="0" * 64), folder / "photo.jpg")
    assert refused.exit_code == 78
    assert "sha256" in refused.stderr
    fails = written(folder, output__labels=["a", "made", "c"])
    missed = _invoke("origin", "--detector", fails, folder / "photo.jpg")
    assert missed.exit_code == 2
    assert "not checked: detector" in missed.stdout


@pytest.fixture
def known(tmp_path: Path) -> tuple[Path, Path]:
    """Dark pictures as the real ones, light and dark ones as the made."""
    from PIL import Image

    for name, levels in (("real", range(10, 60, 2)), ("made", [20, *range(200, 250, 5)])):
        (tmp_path / name / "below").mkdir(parents=True)
        for level in levels:
            picture = Image.new("RGB", (300, 300), (level, level, level))
            (tmp_path / name / "below" / f"{level}.png").write_bytes(png(picture=picture))
    (tmp_path / "real" / "LICENSE").write_text("not a picture")
    return tmp_path / "real", tmp_path / "made"


def test_evaluate_says_what_a_detector_is_worth(known: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from tests.origin.models import written

    options = ("--real", known[0], "--made", known[1], "--detector", written(tmp_path), "--workers", 1)
    shown = _invoke("origin", "evaluate", *options)
    told = json.loads(_invoke("origin", "evaluate", "--json", *options).stdout)

    assert shown.exit_code == 0, shown.output
    assert "bright_made: 25 real, 11 made" in shown.stdout
    assert "too few to know a rate of 1 % false alarms" in shown.stdout
    assert "calibration error" in shown.stdout
    result = told["scores"]["bright_made"]
    assert told["real"] == {"pictures": 25, "not examined": 0, "not pictures": 1}
    assert result["auc"] == pytest.approx((10 * 25 + 5.5) / (11 * 25))
    (point,) = (p for p in result["points"] if p["allowed"] == 0.01)
    assert (point["false_alarms"], point["found"]) == (0, pytest.approx(10 / 11))
    assert point["found_between"][0] < 10 / 11 < point["found_between"][1]


def test_evaluate_counts_what_it_could_not_examine(known: tuple[Path, Path]) -> None:
    (known[0] / "broken.png").write_bytes(png()[:60])

    found = _invoke(
        "origin", "evaluate", "--real", known[0], "--made", known[1], "--signals", "--json", "--workers", 1
    )

    told = json.loads(found.stdout)
    assert found.exit_code == 2
    assert told["real"] == {"pictures": 26, "not examined": 1, "not pictures": 1}
    assert {"watermark", "noise", "generator size"} <= set(told["scores"])
    assert told["scores"]["watermark"]["real"] == 25


def test_evaluate_wants_something_to_evaluate(known: tuple[Path, Path], tmp_path: Path) -> None:
    from tests.origin.models import written

    folders = ("--real", known[0], "--made", known[1])

    assert _invoke("origin", "evaluate", *folders).exit_code == 64
    nameless = written(tmp_path, output__made=None)
    assert _invoke("origin", "evaluate", *folders, "--detector", nameless).exit_code == 64
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = _invoke("origin", "evaluate", "--real", empty, "--made", known[1], "--signals")
    assert nothing.exit_code == 66


def test_a_scan_asks_of_the_pixels_only_with_origin(folder: Path) -> None:
    from PIL import Image

    (folder / "list.csv").write_text("md5\n" + "0" * 32 + "\n")
    square = folder / "square.png"
    square.write_bytes(png(picture=Image.linear_gradient("L").resize((512, 512))))
    arguments = ("scan", square, "--bank", folder / "list.csv", "--workers", 1, "-o", "-")

    refused = _invoke(*arguments, "--forensics")
    row = _invoke(*arguments, "--origin", "--forensics").stdout

    assert refused.exit_code == 64
    assert "--forensics needs --origin" in refused.stderr
    assert "There are weak hints." in row
