"""The section of feeds."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from pydantic_settings import NoDecode

from nightlamp.settings.section import Section


class FeedsSettings(Section):
    """Standing subscriptions to exchanges."""

    at_once: PositiveInt = Field(default=2, le=16, description="feeds that one process runs at a time")
    allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="networks that exchanges may be in though they are not public"
    )
    ports: Annotated[tuple[int, ...], NoDecode] = Field(default=(443,), description="ports of exchanges")
    http: bool = Field(default=False, description="allow exchanges without TLS")
    most_bytes: PositiveInt = Field(default=1 << 30, description="of one answer, unpacked")
    seconds: PositiveFloat = Field(default=240.0, le=280, description="time for one answer")
    secrets_dir: Path | None = Field(
        default=None, description="folder whose files a feed that is added over the API may name as secrets"
    )
    lists_dir: Path | None = Field(
        default=None, description="folder whose files a feed that is added over the API may read as lists"
    )

    @field_validator("allow", "ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("allow")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value
