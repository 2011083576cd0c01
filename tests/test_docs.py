"""The pages hang together: every link leads somewhere, and every page and record is linked from its index."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _links(page: Path) -> set[Path]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    found = re.findall(r"\]\((?!\w+:)([^)#\s]+)(?:#[^)]*)?\)", text)
    return {(page.parent / target).resolve() for target in found}


def test_every_link_leads_to_a_file() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

    missing = [f"{page.relative_to(ROOT)}: {to}" for page in pages for to in _links(page) if not to.exists()]

    assert missing == []


def test_every_page_is_linked_from_the_readme_and_every_record_from_its_index() -> None:
    pages, records = set((ROOT / "docs").glob("*.md")), set((ROOT / "docs" / "decisions").glob("*.md"))

    assert pages - _links(ROOT / "README.md") == set()
    pictures = {to for page in pages for to in _links(page) if to.suffix == ".png"}
    assert set((ROOT / "docs" / "images").iterdir()) - pictures == set()
    assert records - _links(ROOT / "docs" / "decisions" / "README.md") == {ROOT / "docs/decisions/README.md"}
