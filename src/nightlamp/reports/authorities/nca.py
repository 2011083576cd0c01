"""The United Kingdom's National Crime Agency: Online Safety Act 2023, s. 66; SI 2026/262 and SI 2026/268.

What is public as of November 2026: in force since 7 April 2026; a service registers before its first
report; reports go through the NCA's portal or its API; an immediate threat (priority 1) is reported at once;
content and user data are retained for one year (reg. 8); what was reported under arrangements to e.g. NCMEC
need not be reported again (s. 70(5)). The schema of the API is not public: until it is, the package is the
transport, and a person takes it to the portal. Not legal advice.
"""

from __future__ import annotations

from collections.abc import Sequence

from nightlamp.reports.authorities.authority import Profile
from nightlamp.reports.document import Document

_DUTIES = (
    "Register with the NCA before the first report.",
    "The NCA's portal or API takes reports; this package is made for a person to take there, and was not "
    "sent.",
    "An immediate threat (priority 1) is reported at once: telephone as well.",
    "Retain the content and the user data for one year (SI 2026/268, reg. 8); Nightlamp has placed the hold "
    "on the content.",
    "What is reported to NCMEC under arrangements need not be reported again (OSA 2023, s. 70(5)).",
)


class _Nca:
    profile = Profile(
        name="nca",
        title="Report to the National Crime Agency (Online Safety Act 2023, section 66)",
        jurisdiction="UK",
        transport="A sealed package that a person takes to the NCA's portal; its API is not public.",
        duties=_DUTIES,
        instead=("NCMEC CyberTipline",),
    )

    def faults(self, document: Document) -> Sequence[str]:
        """The reporter must be reachable, and the report must be about something."""
        found = []
        if not document.items:
            found.append("there is nothing in it")
        if not document.reporter.company:
            found.append("reports.company is not set: the NCA must know who reports")
        if not (document.reporter.email or document.reporter.phone):
            found.append("reports.contact_email and contact_phone are not set: the NCA must reach you")
        return found

    def prepare(self, document: Document) -> Document:
        """Says its priority first."""
        urgent = "Priority 1: immediate threat." if document.urgent else "No immediate threat is known."
        return document.model_copy(update={"notes": (urgent, *document.notes)})


NCA = _Nca()
