"""Project VIC and CAID sets (VICS JSON) in a folder; of their rows only ``Category`` is trusted.

Category 8 marks known harmless files (NSRL's own CAID set has nothing else): such rows are never hits. With
``known`` the feed is of those rows alone, and its bank must be a benign one.
"""

from __future__ import annotations

from pydantic import Field

from nightlamp.banks.options import ListOptions
from nightlamp.feeds.exchange import Kind
from nightlamp.feeds.exchanges.drop import Drop, DropConfig

_KNOWN: dict[int | str, str | None] = {str(at): "known" if at == 8 else None for at in range(10)}


class VicsConfig(DropConfig):
    """What an operator sets.

    Args:
        profile: what the set's category numbers mean: ``us``, ``uk``, ``canada``, or a mapping of category →
            our category (``null``: not a hit). They differ by country, so there is no default.
        known: take the known harmless files (category 8) instead, for a benign bank.
    """

    pattern: str = Field("*.json", min_length=1, max_length=200)
    profile: str | dict[str, str | None]
    known: bool = False

    @property
    def benign(self) -> bool:
        """Whether the entries are known harmless files."""
        return self.known

    def options(self) -> ListOptions:
        """How the files are read: as nothing else, whatever they look like."""
        if self.known:
            return ListOptions("vics", profile=_KNOWN)
        if isinstance(self.profile, str):
            return ListOptions("vics", profile=self.profile)
        return ListOptions("vics", profile=dict(self.profile.items()))


KIND = Kind("vics", "Project VIC and CAID sets in a folder", VicsConfig, Drop)
