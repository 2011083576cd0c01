"""Hash lists in, a searchable catalog out.

Reads every list format of the field from files, never drops a row in silence, and finds every entry within
the radius of an item's fingerprints. Takes paths and ``Fingerprint``s; gives ``Entry``s, ``Match``es, and
what could not be checked. Must never show a hash value or an entry's id in a message, a log or a ``repr``.
"""

from nightlamp.banks.build import ListFile, Progress, build_catalog
from nightlamp.banks.catalog import SUFFIX, Catalog, ListRecord
from nightlamp.banks.inspection import Inspection, inspect_list
from nightlamp.banks.options import FORMATS, Format, ListOptions
from nightlamp.banks.profiles import PROFILES
from nightlamp.banks.reading import read_list
from nightlamp.banks.rows import BadRow, Entry

__all__ = [
    "FORMATS",
    "PROFILES",
    "SUFFIX",
    "BadRow",
    "Catalog",
    "Entry",
    "Format",
    "Inspection",
    "ListFile",
    "ListOptions",
    "ListRecord",
    "Progress",
    "build_catalog",
    "inspect_list",
    "read_list",
]
