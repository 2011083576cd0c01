"""The section of origin."""

from __future__ import annotations

from nightlamp.settings.section import Section


class OriginSettings(Section):
    """How items say that they were made."""
