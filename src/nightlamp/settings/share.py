"""The section of share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from nightlamp.settings.section import Section


class ShareSettings(Section):
    """Banks that other operators' Nightlamps may follow, with a key of the scope share."""

    banks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="names of the banks that may be followed; none by default"
    )
    feed_entries: bool = Field(
        default=False,
        description="share what feeds brought, too; most exchanges forbid to pass their lists on",
    )

    @field_validator("banks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
