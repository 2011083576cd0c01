from __future__ import annotations

from collections import Counter
from pathlib import Path

from nightlamp.origin import origin_of

PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def test_no_photo_is_declared_ai_made_and_none_is_said_to_be_real(shared_data: Path) -> None:
    outcomes: Counter[str] = Counter()
    for path in sorted((shared_data / "photos").rglob("*")):
        if path.suffix.lower() in PICTURES:
            found = origin_of(path.read_bytes(), thumbnails=False)
            outcomes[found.outcome] += 1
            assert not any(s.says.startswith("ai-") for s in found.statements), path.name

    assert set(outcomes) <= {"unknown", "edited"}
    assert outcomes.total() > 600
