"""``report.json`` of a package: what is reported or disclosed, typed and with a version.

``docs/formats/bundle.md`` describes it; ``docs/formats/report.schema.json`` is its JSON Schema.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Purpose = Literal["report", "disclosure", "export"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Reporter(_Part):
    """Who reports or discloses."""

    company: str = ""
    platform: str = ""
    email: str = ""
    phone: str = ""
    legal_url: str = ""


class Decision(_Part):
    """What people decided."""

    case: str
    opened_at: AwareDatetime
    decided_at: AwareDatetime | None = None
    finding: Literal["", "csam", "not_csam", "escalate", "unsure"] = ""
    classification: Literal["", "A1", "A2", "B1", "B2"] = ""
    made_by_ai: Literal["yes", "no", "unknown"] = "unknown"
    drawn: bool = False
    people: int = Field(default=0, description="how many agreed on it")


class Address(_Part):
    """From where an item came."""

    ip: str
    port: int | None = None
    at: AwareDatetime | None = None


class Person(_Part):
    """An account of the platform, under its pseudonym; the platform knows who it is."""

    identifier: str
    services: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    items: int = 0


class Content(_Part):
    """An item's bytes, sealed in this package."""

    name: str = Field(description="in the package, without the ending .age")
    size: int = Field(description="of the clear bytes")
    md5: str = Field(repr=False)
    sha1: str = Field(repr=False)
    sha256: str = Field(repr=False)


class Item(_Part):
    """Something that somebody uploaded, posted or sent."""

    id: str
    platform_id: str = ""
    person: str = ""
    service: str = ""
    room: str = ""
    url: str = ""
    uploaded_at: AwareDatetime | None = Field(
        default=None, description="by the platform; else see received_at"
    )
    received_at: AwareDatetime = Field(description="when it was examined")
    media_type: str = ""
    size: int = 0
    action: str = Field(default="", description="what was done with it: allow, review, block")
    found_by: tuple[str, ...] = Field(default=(), description="owners of the lists that it matched")
    viewed_whole: bool = Field(description="a person of the reporter saw all of it, by the audit log")
    viewed_metadata: bool = Field(
        description="a person of the reporter saw its metadata; false as long as the console shows none"
    )
    origin: str = Field(default="", description="what the file itself says of how it was made")
    origin_sentence: str = Field(default="", description="why, in one sentence; names that it quotes are its")
    content: Content | None = None
    without_content: str = Field(default="", description="why its bytes are not in the package")


class Elsewhere(_Part):
    """A finished report to another authority on the same case."""

    authority: str
    number: str
    host: str = Field(description="production, or a host that only tests use")
    finished_at: AwareDatetime | None = None


class Record(_Part):
    """One step of the chain of custody, out of the audit log."""

    sequence: int
    at: AwareDatetime
    actor: str
    action: str
    subject: str


class Document(_Part):
    """All of it."""

    format: Literal["nightlamp-report"] = "nightlamp-report"
    v: Literal[1] = 1
    id: str
    purpose: Purpose
    made_at: AwareDatetime
    authority: str = Field(default="", description="name of the profile, of a report")
    jurisdiction: str
    urgent: str = Field(default="", description="why it cannot wait; empty: it is not urgent")
    process: str = Field(default="", description="reference of the legal process, of a disclosure")
    reporter: Reporter
    decision: Decision | None = None
    persons: tuple[Person, ...] = ()
    items: tuple[Item, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    custody: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
