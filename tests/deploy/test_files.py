"""The unit, the image and the compose file, as far as they can be checked without running them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from nightlamp.settings import PREFIX, Settings, values

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "nightlamp.service"
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
PAGE = (ROOT / "docs" / "deployment.md").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
SETTINGS = {PREFIX + name.replace(".", "_").upper() for name, _ in values(Settings.model_construct())}


def test_every_variable_names_a_setting() -> None:
    texts = [UNIT.read_text(), DOCKERFILE, (DEPLOY / "docker" / "compose.yaml").read_text()]
    texts.append(PAGE)
    named = set(re.findall(rf"\b{PREFIX}\w+", "\n".join(texts)))
    assert named <= SETTINGS, named - SETTINGS
    assert len(named) > 8


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_the_unit_sound_and_little_exposed(tmp_path: Path) -> None:
    # given the unit with a program that is there
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/nightlamp/bin/nightlamp", shutil.which("true") or ""))

    # then systemd knows every line of it, and finds it exposed at 1.3 of 10 at most
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert unit.name not in verified.stderr, verified.stderr
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=13", "--no-pager", unit],
        capture_output=True,
        text=True,
    )
    assert judged.returncode == 0, judged.stdout


def test_the_unit_names_a_page_that_the_instructions_install() -> None:
    [page] = re.findall(r"^Documentation=file://(\S+)$", UNIT.read_text(), re.MULTILINE)
    folder, _, name = page.rpartition("/")
    assert f"cp -r docs {folder} " in PAGE
    assert (ROOT / "docs" / name).is_file()


def test_what_the_image_may_be_built_with_is_told() -> None:
    for argument in re.findall(r"^ARG (\w+)=", DOCKERFILE, re.MULTILINE):
        assert argument == "PYTHON" or f"--build-arg {argument}=" in PAGE


def test_the_unit_lets_kernels_compile_and_workers_limit_themselves() -> None:
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    assert "MemoryDenyWriteExecute" not in unit["Service"]
    assert "@resources" not in unit["Service"]["SystemCallFilter"]
    assert unit["Service"]["User"] not in ("", "root")


def test_the_image_runs_as_nobody_in_particular_and_names_no_registry() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images += [service["image"] for service in COMPOSE["services"].values() if "image" in service]
    assert all("." not in image.split("/")[0].split(":")[0] for image in images)


def test_two_nodes_share_database_vault_and_keys() -> None:
    nodes = [COMPOSE["services"][name] for name in ("node1", "node2")]
    for node in nodes:
        assert node["environment"] == nodes[0]["environment"]
        assert node["secrets"] == list(COMPOSE["secrets"])
        assert node["read_only"]
        assert node["cap_drop"] == ["ALL"]
    assert nodes[0]["environment"]["NIGHTLAMP_VAULT_BACKEND"] == "s3"
    # Files that a node makes for itself otherwise: others could not check, or open, what it wrote.
    for setting in ("audit.key_file", "console.key_file"):
        path = nodes[0]["environment"][PREFIX + setting.replace(".", "_").upper()]
        assert path.removeprefix("/run/secrets/") in COMPOSE["secrets"]
        assert f"`{setting}`" in PAGE
    mounted = [{volume.split(":")[0] for volume in node["volumes"]} for node in nodes]
    assert mounted[0].isdisjoint(mounted[1])
    assert mounted[0] | mounted[1] <= set(COMPOSE["volumes"])


def test_every_secret_of_the_compose_file_is_in_its_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "docker" / "compose.yaml").read_text()))
    given = set(re.findall(r"^(\w+)=", (DEPLOY / "docker" / "example.env").read_text(), re.MULTILINE))
    assert asked == given
