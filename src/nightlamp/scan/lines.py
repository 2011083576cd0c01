"""JSON lines and CSV: one row a line, appended; a line that a crash cut short is taken off again."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO

from nightlamp.errors import OutputError
from nightlamp.scan.disk import Disk
from nightlamp.scan.row import Row, from_json, to_json

_SYNC_SECONDS = 5.0
_COLUMNS = [f.name for f in fields(Row)]
_NESTED = ("reasons", "matches", "unchecked", "benign", "origin_statements")


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How a row is one line of text.

    Args:
        name: as in ``--format``.
        header: the first line, or nothing.
        text: a row → its line, with the line's end.
        row: a line → its row; raises ``ValueError``.
    """

    name: str
    header: bytes
    text: Callable[[Row], bytes]
    row: Callable[[str], Row]


def _json_text(row: Row) -> bytes:
    return (json.dumps(to_json(row), ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _csv_line(cells: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _csv_text(row: Row) -> bytes:
    plain = to_json(row)
    return _csv_line(
        [
            json.dumps(plain[c], ensure_ascii=False, separators=(",", ":")) if c in _NESTED else plain[c]
            for c in _COLUMNS
        ]
    )


def _csv_row(line: str) -> Row:
    csv.field_size_limit(sys.maxsize)
    try:
        cells = next(csv.reader([line], strict=True))
        plain = dict(zip(_COLUMNS, cells, strict=True))
        whole = {"size": int(plain["size"]), "mtime": int(plain["mtime"])}
        return from_json({**plain, **whole, **{c: json.loads(plain[c]) for c in _NESTED}})
    except (csv.Error, StopIteration) as error:
        raise ValueError("not a row of a scan") from error


JSONL = LineFormat("jsonl", b"", _json_text, lambda line: from_json(json.loads(line)))
CSV = LineFormat("csv", _csv_line(_COLUMNS), _csv_text, _csv_row)


class Lines:
    """An output file of lines.

    Args:
        path: the file.
        form: ``JSONL`` or ``CSV``.
        disk: the calls to the operating system.

    Raises:
        OutputError: from every method, if the file cannot be read, written or continued.
    """

    def __init__(self, path: Path, form: LineFormat, disk: Disk) -> None:
        self.path = path
        self._form = form
        self._disk = disk
        self._fd: int | None = None
        self._synced = time.monotonic()

    def earlier(self) -> Iterator[Row]:
        """The rows that are there already; then the file is ready to be appended to."""
        try:
            whole = 0
            if self.path.exists():
                with self.path.open("rb") as file:
                    for number, line in enumerate(file, 1):
                        if not line.endswith(b"\n"):
                            break
                        if not (number == 1 and line == self._form.header):
                            yield self._read(line, number)
                        whole += len(line)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._fd, whole)
            if not whole:
                self._disk.write_all(self._fd, self._form.header)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def _read(self, line: bytes, number: int) -> Row:
        try:
            return self._form.row(line.decode())
        except ValueError as error:
            raise OutputError(
                f"line {number} is not a row of a scan",
                where=str(self.path),
                hint="start anew with --overwrite, or write to another file",
            ) from error

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""
        assert self._fd is not None, "read what is there first"
        try:
            self._disk.write_all(self._fd, b"".join(map(self._form.text, rows)))
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                self._disk.fsync(self._fd)
                self._synced = time.monotonic()
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def close(self, *, finished: bool) -> None:  # noqa: ARG002 (an unfinished file of lines looks no different)
        """Make all rows last."""
        if self._fd is None:
            return
        try:
            self._disk.fsync(self._fd)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is, after an error."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def remove(self) -> None:
        """Delete what is there."""
        self.path.unlink(missing_ok=True)


class Stream:
    """Lines to a stream such as standard output: nothing to continue, nothing to sync."""

    def __init__(self, stream: BinaryIO, form: LineFormat) -> None:
        self._stream = stream
        self._form = form

    def earlier(self) -> Iterator[Row]:
        """None, ever."""
        self._stream.write(self._form.header)
        return iter(())

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows and flush them, so that a reader at the other end need not wait."""
        self._stream.write(b"".join(map(self._form.text, rows)))
        self._stream.flush()


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot be written ({(error.strerror or 'unknown error').lower()})",
        where=str(path),
        hint="make room or write elsewhere; what is written can be continued with --resume",
    )
