"""Texts that image generators write into their files → what they say of the generation.

A reader takes the texts of a file by keyword and gives a ``Generated``, or None if they are not its own.
Prompts, file names and people's names come out ``Sealed``.
"""

from __future__ import annotations

from nightlamp.origin.generators.generated import Generated, Texts
from nightlamp.origin.generators.table import generated_by

__all__ = ["Generated", "Texts", "generated_by"]
