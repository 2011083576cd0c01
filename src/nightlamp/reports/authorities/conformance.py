"""Whether an authority keeps the promises of its protocol: for the tests of whoever writes one.

```python
def test_my_authority():
    assert not conforms(MY_AUTHORITY)
```
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from nightlamp.errors import ReportError, VaultError
from nightlamp.reports.authorities.authority import Authority
from nightlamp.reports.document import Decision, Document, Elsewhere, Item, Person, Reporter

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_LONGEST_PLACE = 20
_KEPT = (
    *("format", "v", "id", "purpose", "made_at", "authority", "urgent", "reporter", "decision", "persons"),
    *("items", "elsewhere", "custody"),
)


def conforms(authority: Authority) -> list[str]:
    """What it does not keep; nothing: it conforms."""
    wrong: list[str] = []
    profile = authority.profile
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", profile.name):
        wrong.append("profile.name: lower-case letters, digits and -, at most 40")
    for field in ("title", "transport"):
        if not getattr(profile, field).strip():
            wrong.append(f"profile.{field}: must say something")
    try:
        profile.term(_NOW)
    except VaultError:
        wrong.append("profile.retention: no term is known for its jurisdiction, and it brings none")
    if not 1 <= len(profile.jurisdiction) <= _LONGEST_PLACE:
        wrong.append(f"profile.jurisdiction: 1 to {_LONGEST_PLACE} characters")
    for name, document in _documents(profile.name).items():
        wrong += [f"{name}: {each}" for each in _on(authority, document)]
    if not authority.faults(_documents(profile.name)["empty"]):
        wrong.append("empty: a report of nothing must be a fault")
    if authority.faults(_documents(profile.name)["full"]):
        wrong.append("full: a report with all there can be must have no fault")
    return wrong


def _on(authority: Authority, document: Document) -> list[str]:
    wrong: list[str] = []
    before = document.model_dump_json()
    try:
        faults = list(authority.faults(document))
        made = authority.prepare(document)
        again = authority.prepare(document)
    except ReportError:
        return []
    except Exception as error:  # noqa: BLE001 (a stranger's code)
        return [f"raised {type(error).__name__}; only ReportError may be raised"]
    if not all(isinstance(each, str) and each for each in faults):
        wrong.append("faults: texts that say something")
    if document.model_dump_json() != before:
        wrong.append("prepare: changed what it was given")
    if made != again:
        wrong.append("prepare: gives something else each time")
    if Document.model_validate_json(made.model_dump_json()) != made:
        wrong.append("prepare: not a document of this format any more")
    for field in _KEPT:
        if getattr(made, field) != getattr(document, field):
            wrong.append(f"prepare: changed {field}")
    if made.notes[len(made.notes) - len(document.notes) :] != document.notes and document.notes:
        wrong.append("prepare: lost notes")
    return wrong


def _documents(authority: str) -> dict[str, Document]:
    empty = Document(
        id="package",
        purpose="report",
        made_at=_NOW,
        authority=authority,
        jurisdiction="US",
        reporter=Reporter(),
    )
    item = Item(
        id="item",
        person="u-1",
        received_at=_NOW,
        viewed_whole=False,
        viewed_metadata=False,
        service="ünï\x07",
    )
    small = empty.model_copy(update={"items": (item,)})
    full = small.model_copy(
        update={
            "urgent": "a child is in danger",
            "reporter": Reporter(company="Example", email="a@example.org", phone="1", platform="Example"),
            "decision": Decision(case="case", opened_at=_NOW, decided_at=_NOW, finding="csam", people=2),
            "persons": (Person(identifier="u-1", items=1),),
            "elsewhere": (Elsewhere(authority="another", number="1", host="test", finished_at=_NOW),),
            "notes": ("a note",),
        }
    )
    return {"empty": empty, "small": small, "full": full}
