"""NSRL's reference data sets (text of version 2, SQLite of version 3) in a folder: known, never hits."""

from __future__ import annotations

from typing import Literal

from nightlamp.banks.options import ListOptions
from nightlamp.feeds.exchange import Kind
from nightlamp.feeds.exchanges.drop import Drop, DropConfig


class NsrlConfig(DropConfig):
    """What an operator sets.

    Args:
        format: ``nsrl`` (NSRLFile.txt) or ``nsrl-sqlite``.
    """

    format: Literal["nsrl", "nsrl-sqlite"] = "nsrl-sqlite"

    @property
    def benign(self) -> bool:
        """The entries are known files: their bank must be a benign one."""
        return True

    def options(self) -> ListOptions:
        """How the files are read."""
        return ListOptions(self.format)


KIND = Kind("nsrl", "NSRL reference data set in a folder", NsrlConfig, Drop)
