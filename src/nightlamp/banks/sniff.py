"""Which format a list has, by its first bytes and never by its name."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection
from pathlib import Path

from nightlamp.banks import text
from nightlamp.banks.layout import layout_of
from nightlamp.banks.names import is_hex
from nightlamp.banks.options import Format, ListOptions
from nightlamp.banks.table import sample_lines, sniff_delimiter

SQLITE = b"SQLite format 3\0"
_ODATA = re.compile(rb'"@?odata\.(metadata|context)"')
_NSRL = re.compile(r'"?SHA-1"?,"?(MD5|FileName)"?,', re.IGNORECASE)


def sniff(path: Path, options: ListOptions, signals: Collection[str]) -> Format:
    """The list's format, unless the options say it.

    Raises:
        ListError: the file cannot be read, is empty, or is packed.
    """
    start = text.head(path)
    if options.format is not None:
        return options.format
    if start.startswith(SQLITE):
        return "nsrl-sqlite"
    body = start.lstrip()
    if body[:1] in (b"{", b"["):
        return _json(body)
    sample = sample_lines(start)
    if not sample:
        return "plain"
    if _NSRL.match(sample[0]):
        return "nsrl"
    if options.delimiter or sniff_delimiter(sample):
        return "csv"
    header = next(csv.reader(sample[:1]), [])
    if header and not is_hex(header[0].strip()) and layout_of(header, options, signals):
        return "csv"
    return "plain"


def _json(body: bytes) -> Format:
    """A document of media objects must never pass for a plain one: its known-good rows would be hits."""
    if _ODATA.search(body) or (
        b'"Category"' in body and re.search(rb'"(MediaID|MediaFiles|MediaSize)"', body)
    ):
        return "vics"
    if body.startswith(b"["):
        return "json"
    first = body.split(b"\n", 1)[0]
    try:
        return "jsonl" if isinstance(json.loads(first), dict) else "json"
    except (ValueError, RecursionError):
        # A first line that is cut off or damaged: lines, if what follows are objects too.
        return (
            "jsonl" if re.search(rb"\}\s*\n\s*\{", body) and b"\n{" in body and b"[" not in first else "json"
        )
