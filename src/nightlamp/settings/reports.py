"""The section of reports."""

from __future__ import annotations

from nightlamp.settings.section import Section


class ReportsSettings(Section):
    """Reports to authorities."""
