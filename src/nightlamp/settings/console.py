"""The section of console."""

from __future__ import annotations

from nightlamp.settings.section import Section


class ConsoleSettings(Section):
    """The review console, and the people who sign in to it."""
