"""Any hotline or police that takes a package; what its law asks for is for the operator to know."""

from __future__ import annotations

from collections.abc import Sequence

from nightlamp.reports.authorities.authority import Profile
from nightlamp.reports.document import Document


class _Generic:
    profile = Profile(
        name="generic",
        title="Report of apparent child sexual abuse material",
        jurisdiction="US",
        transport="A sealed package, handed over as the recipient and you agree.",
    )

    def faults(self, document: Document) -> Sequence[str]:
        """Only what makes no report at all."""
        return () if document.items else ("there is nothing in it",)

    def prepare(self, document: Document) -> Document:
        """As it is."""
        return document


GENERIC = _Generic()
