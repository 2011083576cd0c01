"""The section of console."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from nightlamp.settings.section import Section

Role = Literal["reviewer", "lead", "auditor", "admin", "reporter"]


class ConsoleSettings(Section):
    """The review console, and the people who sign in to it."""

    url: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?)?$",
        description="scheme, name and port at which browsers reach the service, "
        "e.g. https://nightlamp.example; empty: this machine alone may use the console without TLS",
    )
    second_factor: Literal["required", "optional"] = Field(
        default="required", description="whether a password alone lets nobody in: required or optional"
    )
    idle_minutes: PositiveInt = Field(default=20, description="a session that is not used ends after so long")
    session_hours: PositiveInt = Field(default=10, description="every session ends after so long")
    claim_minutes: PositiveInt = Field(default=15, description="a case that nobody works on is free again")
    undo_seconds: int = Field(default=60, ge=0, le=3600, description="time to take an answer back")
    group_radius: int = Field(
        default=8, ge=0, le=31, description="pictures that differ in so many bits of PDQ are one case"
    )
    burst_minutes: int = Field(
        default=10,
        ge=0,
        le=1440,
        description="what one actor sends, with such pauses at most, is one case; 0: bursts are not grouped",
    )
    due_hours: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={"urgent": 1, "high": 24},
        description="time to decide by priority (urgent, high, normal, low), or by jurisdiction and priority "
        "(uk/urgent)",
    )
    own_bank: str = Field(
        default="own",
        max_length=100,
        description="bank of what was confirmed here; empty: decisions are not matched against",
    )
    cleared_bank: str = Field(
        default="cleared", max_length=100, description="benign bank of what was cleared here; empty: none"
    )
    shift_hours: PositiveInt = Field(default=12, description="how far back exposure is counted")
    soft_reveals: int = Field(default=0, ge=0, description="reveals of a shift before a warning; 0: none")
    hard_reveals: int = Field(default=0, ge=0, description="reveals of a shift before no more; 0: no limit")
    soft_minutes: int = Field(default=0, ge=0, description="minutes of reveals before a warning; 0: none")
    hard_minutes: int = Field(
        default=0, ge=0, description="minutes of reveals of a shift before no more; 0: no limit"
    )
    soft_severity: int = Field(
        default=0, ge=0, description="level times severity of a shift's reveals before a warning; 0: none"
    )
    hard_severity: int = Field(
        default=0, ge=0, description="level times severity of a shift's reveals before no more; 0: no limit"
    )
    look_again: Literal["lead", "nobody"] = Field(
        default="lead",
        description="who may look at what is decided, for an appeal or a report: lead or nobody",
    )
    blank_minutes: int = Field(
        default=3,
        ge=0,
        le=1440,
        description="pages are covered when nobody touched a key or the pointer for so long; 0: never",
    )
    identity_file: Path | None = Field(
        default=None,
        description="private key that opens content to be shown; a node that has none shows nothing; "
        "default: data_dir/vault.key, if it is there",
    )
    key_file: Path | None = Field(
        default=None,
        description="the key that seals secrets of one-time codes, the same on every node; "
        "default: data_dir/console.key, made at first use",
    )
    oidc_issuer: str = Field(
        default="", description="OpenID Connect: the provider's issuer; empty: there is none"
    )
    oidc_client_id: str = Field(default="", description="OpenID Connect: our name at the provider")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="OpenID Connect: our secret at the provider"
    )
    oidc_scope: str = Field(default="openid profile", description="OpenID Connect: what is asked for")
    oidc_claim: str = Field(
        default="groups", description="OpenID Connect: the claim that holds a person's groups"
    )
    oidc_roles: dict[str, Role] = Field(
        default={}, description="OpenID Connect: which group gives which role; nobody without a role gets in"
    )
    oidc_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="OpenID Connect: networks of the provider, if it is not public"
    )
    oidc_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(443,), description="OpenID Connect: the provider's ports"
    )

    @field_validator("oidc_allow", "oidc_ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("oidc_allow")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @model_validator(mode="after")
    def _provider(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_roles and self.url):
            raise ValueError("console.oidc_issuer needs console.url, oidc_client_id and oidc_roles")
        return self
