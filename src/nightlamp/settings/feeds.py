"""The section of feeds."""

from __future__ import annotations

from nightlamp.settings.section import Section


class FeedsSettings(Section):
    """Standing subscriptions to exchanges."""
