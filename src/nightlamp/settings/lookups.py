"""The section of lookups."""

from __future__ import annotations

from nightlamp.settings.section import Section


class LookupsSettings(Section):
    """Services that are asked about an item: hashes never leave the provider."""
