"""A signal that is not ours, from an installed package to a match: CONTRIBUTING's own example, run."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import tomllib
from pathlib import Path

from PIL import Image
from tests.cli.conftest import Run
from tests.signals.plugins import install

GUIDE = Path(__file__).parents[2] / "CONTRIBUTING.md"
# Stands for the library that only a licensee has: twelve by twelve mean levels.
LIBRARY = """
RADIUS = 300

def licensed_hash(picture):
    return picture.convert("L").resize((12, 12)).tobytes()
"""


def test_the_guides_plug_in_of_144_bytes_is_computed_and_its_lists_match(
    drawn: Path, run: Run, tmp_path: Path
) -> None:
    # given the package of the guide, and a list with the value of another copy of a picture
    guide = GUIDE.read_text("utf-8")
    (declared,) = re.findall(r"```toml\n(.*?)```", guide, re.S)
    (source,) = re.findall(r"```python\n# my_photodna.py\n(.*?)```", guide, re.S)
    entry_points = tomllib.loads(declared)["project"]["entry-points"]["nightlamp.signals"]
    site = install(
        tmp_path / "site", "my-photodna", entry_points, my_photodna=source, licensed_library=LIBRARY
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    original = drawn / "pictures" / "exact.jpg"
    with Image.open(original) as picture:
        copy = io.BytesIO()
        picture.resize((300, 220)).save(copy, "JPEG", quality=60)
    (tmp_path / "copy.jpg").write_bytes(copy.getvalue())
    told = run("hash", "--json", original, env=environment)
    fingerprints = json.loads(told.stdout)["fingerprints"]
    (value,) = [f["value"] for f in fingerprints if f["signal"] == "photodna"]
    assert len(base64.b64decode(value)) == 144
    (tmp_path / "list.csv").write_text(f"id,photodna\n7,{value}\n8,{base64.b64encode(bytes(144)).decode()}\n")

    # when the copy and another picture are scanned with it
    other = drawn / "pictures" / "new.jpg"
    options = ("--bank", tmp_path / "list.csv", "--workers", "1", "-o", "-", "--with-entry-ids", "-q")
    scanned = run("scan", tmp_path / "copy.jpg", other, *options, env=environment)

    # then the copy matches that entry, at its distance, and nothing is unchecked
    found, missed = map(json.loads, scanned.stdout.splitlines())
    assert scanned.returncode == 1, scanned.stderr
    (match,) = found["matches"]
    assert (match["signal"], match["entry_id"]) == ("photodna", "7")
    assert 0 < match["distance"] <= 300
    assert not missed["matches"]
    assert not found["unchecked"] + missed["unchecked"]
