"""The section of reports."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from nightlamp.settings.section import Section

UNSEEN = "sent: nobody has seen what is reported"
IN_EARNEST = "production: every report is real and cannot be undone"


class ReportsSettings(Section):
    """Reports to authorities."""

    send_to: Literal["test", "production: every report is real and cannot be undone"] = Field(
        default="test",
        description="NCMEC's test host; or, with this whole sentence, the CyberTipline itself",
    )
    username: str = Field(default="", description="issued by NCMEC for that host")
    password: SecretStr | None = Field(default=None, description="issued by NCMEC for that host")
    identity_file: Path | None = Field(
        default=None,
        description="private key that opens the evidence; only a node that has it sends reports; "
        "default: data_dir/vault.key, if it is there",
    )
    xsd_file: Path | None = Field(
        default=None,
        description="schema that nightlamp report xsd fetches; if it is there, reports are checked by it; "
        "default: data_dir/cybertip.xsd",
    )
    approvals: Literal[1, 2] = Field(default=1, description="people who must approve each report")
    by_rule: Literal["approved", "sent: nobody has seen what is reported"] = Field(
        default="approved",
        description="what a rule of the policy confirms (confirms: true): approved by people as any "
        "report; or, with this whole sentence, sent without them",
    )
    by_rule_minutes: int = Field(
        default=15,
        ge=1,
        le=1_440,
        description="so long what a rule confirmed waits before it is sent without approval: what belongs "
        "to it joins, and people can take it back",
    )
    at_once: int = Field(default=4, ge=1, le=32, description="reports that each process sends at a time")
    jurisdiction: str = Field(
        default="US",
        min_length=1,
        max_length=20,
        description="whose law says how long evidence is held: US or UK",
    )
    hold_days: PositiveInt | None = Field(
        default=None,
        le=36_500,
        description="how long evidence is held from the report on; default, and never less: the law's term",
    )
    disclosure_people: Literal[1, 2] = Field(
        default=1, description="people who must ask for a disclosure to law enforcement before it is made"
    )
    disclosers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="who may, by the audit log's names, e.g. operator:alice; empty: everybody "
        "who can run the command and has the private key",
    )
    export_hours: PositiveInt = Field(
        default=24,
        le=24 * 30,
        description="an export of originals is to be authorised within so many hours, and then fetched "
        "within as many",
    )
    export_recipients: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="age public keys for which originals may be exported; empty: any that two agree on",
    )
    draft_hours: PositiveInt = Field(
        default=24, description="a draft that waits longer is called overdue in nightlamp report status"
    )
    every: timedelta = Field(default=timedelta(hours=24), description="between two reconciliations")
    industry_classification: bool = Field(
        default=False,
        description="send A1, A2, B1, B2: only for companies that signed the Industry Hash Sharing agreement",
    )
    company: str = Field(default="", max_length=100, description="the reporting company's name")
    contact_email: str = Field(default="", max_length=255, description="whom NCMEC may write to")
    contact_phone: str = Field(default="", max_length=50, description="whom NCMEC may call")
    company_template: str = Field(
        default="", description="text for every report: who the company is, how to serve legal process"
    )
    terms_of_service: str = Field(default="", description="the terms that apply, for every report")
    legal_url: str = Field(default="", max_length=2083, description="a page for law enforcement")
    platform: str = Field(default="", max_length=256, description="the service's full name")

    @field_validator("disclosers", "export_recipients", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _term(self) -> Self:
        if self.jurisdiction not in ("US", "UK") and self.hold_days is None:
            raise ValueError("for a jurisdiction other than US and UK, reports.hold_days must be set")
        return self
