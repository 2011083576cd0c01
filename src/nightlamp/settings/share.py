"""The section of share."""

from __future__ import annotations

from pydantic import Field

from nightlamp.settings.section import Section


class ShareSettings(Section):
    """Banks that other operators' Nightlamps may follow, with a key of the scope share."""

    banks: tuple[str, ...] = Field((), description="names of the banks that may be followed; none by default")
    feed_entries: bool = Field(
        False,
        description="share what feeds brought, too; most exchanges forbid to pass their lists on",
    )
