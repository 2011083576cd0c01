from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.origin.files import A1111, authority, camera, created, jpeg, png, signed

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
    shown = _invoke("origin", folder / "made.png", folder / "photo.jpg")
    lines = _invoke("origin", "--json", folder / "made.png", folder / "photo.jpg")

    assert shown.exit_code == lines.exit_code == 0
    assert "The file is declared AI-made" in shown.stdout
    assert "That does not mean that it is real." in shown.stdout
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

    def rows(*options: object) -> dict[str, tuple[str, str]]:
        result = _invoke(
            "scan", folder, "--bank", folder / "list.csv", "--without", "pdq", "-q", "-o", "-", *options
        )
        found = map(json.loads, result.stdout.splitlines())
        return {Path(row["path"]).name: (row["origin"], row["origin_sentence"]) for row in found}

    assert set(rows().values()) == {("", "")}
    asked = rows("--origin", "--signers", folder / "signers.pem")
    assert asked["signed.jpg"][0] == "camera-signed"
    assert asked["made.png"][0] == "declared AI-made"
    assert "a bowl of plums" not in str(asked)
    assert _invoke("scan", folder, "--bank", folder / "list.csv", "--signers", "x").exit_code == 64
