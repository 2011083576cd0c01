"""Folders, files and archives in, one row a file out.

Takes paths; gives rows in a fixed order, to a file that survives a crash and can be continued, in memory that
does not grow with the number of files. It never shows, copies or changes what it scans, and has no rule of
its own: ``examine``, ``screening`` and ``policy`` decide.
"""

from nightlamp.scan.disk import Disk
from nightlamp.scan.items import Item, file_item, listed, walk
from nightlamp.scan.lines import CSV, JSONL, Lines, Stream
from nightlamp.scan.manifest import FORMATS, Format, Manifest, Output, format_of
from nightlamp.scan.names import member_text, path_parts, path_text, printable
from nightlamp.scan.parquet import Parquet
from nightlamp.scan.pipeline import Pipeline
from nightlamp.scan.row import Row, RowMatch, RowStatement, Secrets
from nightlamp.scan.run import scan
from nightlamp.scan.totals import ROWS, Totals

__all__ = [
    "CSV",
    "FORMATS",
    "JSONL",
    "ROWS",
    "Disk",
    "Format",
    "Item",
    "Lines",
    "Manifest",
    "Output",
    "Parquet",
    "Pipeline",
    "Row",
    "RowMatch",
    "RowStatement",
    "Secrets",
    "Stream",
    "Totals",
    "file_item",
    "format_of",
    "listed",
    "member_text",
    "path_parts",
    "path_text",
    "printable",
    "scan",
    "walk",
]
