"""A scan's output with the record of how it was made: ``FILE`` and ``FILE.run.json``.

The record names the version, the options, the lists (by the SHA-256 of their files) and the totals, so that
another person can check what a verdict rests on, and so that a scan is only ever continued as it was begun.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from nightlamp import __version__
from nightlamp.errors import OutputError
from nightlamp.scan.disk import Disk
from nightlamp.scan.lines import CSV, JSONL, Lines
from nightlamp.scan.parquet import Parquet
from nightlamp.scan.row import SCHEMA, Row
from nightlamp.scan.totals import Totals

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
_SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}


class Output(Protocol):
    """Where rows go: a file (``Lines``, ``Parquet``), a stream, or ``Manifest`` around a file."""

    def earlier(self) -> Iterator[Row]:
        """The rows that are there already; to be read to the end before the first ``write``."""

    def write(self, rows: Sequence[Row]) -> None:
        """Take rows."""


class Manifest:
    """An output file and its record.

    Args:
        path: the output file.
        form: its format.
        settings: what the rows depend on, as JSON; a scan is only continued with equal settings.
        disk: the calls to the operating system.
        part_rows: of Parquet, rows that are held until they are written.

    Raises:
        OutputError: from every method, if something cannot be read, written or continued.
    """

    def __init__(
        self,
        path: Path,
        form: Format,
        settings: Mapping[str, Any],
        disk: Disk | None = None,
        part_rows: int = 10_000,
    ) -> None:
        self.path = path
        self.record = path.with_name(path.name + ".run.json")
        self._disk = disk or Disk()
        self._file = _file(path, form, self._disk, part_rows)
        self._settings = {"version": __version__, "schema": SCHEMA, "format": form, **settings}
        self._started = _now()

    @property
    def files(self) -> list[Path]:
        """Everything that may be written, to be left out of the scan itself."""
        beside = [f"{name}{end}" for name in (self.path.name, self.record.name) for end in ("", ".tmp")]
        return [self.path.with_name(name) for name in (*beside, f"{self.path.name}.parts")]

    def begin(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Start anew, or continue what is there.

        Args:
            resume: go on with an earlier scan; with none there, start one.
            overwrite: delete an earlier scan.
        """
        there = any(path.exists() for path in (self.path, self.path.with_name(self.path.name + ".parts")))
        if overwrite:
            self._file.remove()
        elif there and not resume:
            raise OutputError(
                "it exists already",
                where=str(self.path),
                hint="--resume continues that scan, --overwrite deletes it; or write to another file",
            )
        elif there:
            self._started = self._compare()
        self._write_record(None)

    def earlier(self) -> Iterator[Row]:
        """The rows that are there already."""
        return self._file.earlier()

    def write(self, rows: Sequence[Row]) -> None:
        """Take rows."""
        self._file.write(rows)

    def close(self, totals: Totals, *, finished: bool) -> None:
        """Make all rows last, then the totals.

        Args:
            totals: of all rows.
            finished: the scan came to its end; otherwise it waits to be continued.
        """
        self._file.close(finished=finished)
        self._write_record(totals, finished=finished)

    def abandon(self) -> None:
        """Let go of the files as they are, after an error."""
        self._file.abandon()

    def _compare(self) -> str:
        """When the scan that is there was begun, if it was begun with these settings."""
        try:
            record = json.loads(self.record.read_text())
            started, settings = str(record["started"]), dict(record["settings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                "it cannot be continued: the record of how it was made is missing or damaged",
                where=str(self.record),
                hint="start anew with --overwrite, or write to another file",
            ) from error
        ours = json.loads(json.dumps(self._settings))
        differing = sorted(key for key in ours.keys() | settings.keys() if ours.get(key) != settings.get(key))
        if differing:
            raise OutputError(
                f"it cannot be continued: it was begun with other settings ({', '.join(differing)})",
                where=str(self.path),
                hint="give the settings in its .run.json, or write to another file",
            )
        return started

    def _write_record(self, totals: Totals | None, *, finished: bool = False) -> None:
        record = {
            "format": "nightlamp scan record 1",
            "started": self._started,
            "finished": _now() if finished else None,
            "settings": self._settings,
            "totals": totals.to_json() if totals else None,
        }
        try:
            self._disk.write_file(self.record, (json.dumps(record, indent=2) + "\n").encode())
        except OSError as error:
            raise OutputError(
                f"cannot be written ({(error.strerror or 'unknown error').lower()})", where=str(self.record)
            ) from error


def format_of(path: Path) -> Format:
    """The format that a file's suffix asks for.

    Raises:
        OutputError: it asks for none.
    """
    form = _SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise OutputError(
            "its suffix names no format",
            where=str(path),
            hint=f"end it in one of {', '.join(_SUFFIXES)}, or name the --format",
        )
    return form


def _file(path: Path, form: Format, disk: Disk, part_rows: int) -> Lines | Parquet:
    if form == "parquet":
        return Parquet(path, disk, part_rows)
    return Lines(path, JSONL if form == "jsonl" else CSV, disk)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
