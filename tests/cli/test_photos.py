"""The main job on real photos: a list made from altered copies finds all of them and nothing else."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

from click.testing import CliRunner
from PIL import Image, ImageOps

from nightlamp.cli import app
from nightlamp.examine import Workers

# One picture that the folder holds at two sizes.
_SAME = {"mate-backgrounds__Elephants.jpg", "mate-backgrounds__Elephants_3840x2160.jpg"}


def test_altered_copies_are_found_and_nothing_else(shared_data: Path, tmp_path: Path) -> None:
    photos = shared_data / "photos"
    dice = random.Random(5)
    chosen = dice.sample(sorted((photos / "large").glob("*.jpg")), 12)
    chosen += dice.sample(sorted((photos / "grocery").rglob("*.jpg")), 20)
    with Workers(1) as workers, (tmp_path / "list.csv").open("w") as file:
        file.write("id,pdq\n")
        for number, path in enumerate(chosen):
            copy = ImageOps.scale(Image.open(path).convert("RGB"), 0.75)
            copy = ImageOps.mirror(copy) if number % 2 else copy
            altered = io.BytesIO()
            copy.save(altered, "JPEG", quality=60)
            fingerprints = workers.examine(altered.getvalue()).result().fingerprints
            (pdq,) = (f.value.hex() for f in fingerprints if f.signal == "pdq" and f.view == "as is")
            file.write(f"{path.name},{pdq}\n")

    result = CliRunner().invoke(
        app,
        [
            "scan",
            str(photos),
            "--bank",
            str(tmp_path / "list.csv"),
            "-o",
            str(tmp_path / "out.jsonl"),
            "--with-entry-ids",
        ],
    )
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    found = {(Path(row["path"]).name, match["entry_id"]) for row in rows for match in row["matches"]}

    assert result.exit_code == 1
    assert {name for name, entry in found if name == entry} == {path.name for path in chosen}
    assert all({name, entry} == _SAME for name, entry in found if name != entry)
