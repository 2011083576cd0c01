"""Signed, sealed packages: reports for authorities that have no interface, disclosures, exports of originals.

Promises: every part is sealed for the recipient before it is on a disk; the manifest with size and SHA-256 of
every part is signed, and checked offline; who made which package of what is in the audit log. Takes a case or
an item, and age public keys. Gives a folder or a tar file. Must never send anything, show hash values or
entries of other people's lists, or write clear content.

``docs/formats/bundle.md`` describes it for those who read packages.
"""

from nightlamp.reports.bundle.making import Office, bundle, disclose, export_originals, page_packages
from nightlamp.reports.bundle.package import Checked, Manifest, Part, check
from nightlamp.reports.bundle.reading import check_opened
from nightlamp.reports.document import Document

__all__ = [
    "Checked",
    "Document",
    "Manifest",
    "Office",
    "Part",
    "bundle",
    "check",
    "check_opened",
    "disclose",
    "export_originals",
    "page_packages",
]
