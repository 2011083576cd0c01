"""Parquet: rows as numbered part files, each put in place whole, merged into the one file at the end."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightlamp.errors import OutputError
from nightlamp.scan.disk import Disk
from nightlamp.scan.row import Row, RowStatement, from_json, to_json

if TYPE_CHECKING:
    import pyarrow as pa

_PART_SECONDS = 30.0
_READ_ROWS = 4_096
_GROUP_ROWS = 65_536


class Parquet:
    """An output file in Parquet; until it is finished, its rows lie in ``<path>.parts/``.

    Args:
        path: the file.
        disk: the calls to the operating system.
        part_rows: rows that are held until they become a part.

    Raises:
        OutputError: on construction, if pyarrow is not installed; from every method, if the file cannot be
            read, written or continued.
    """

    def __init__(self, path: Path, disk: Disk, part_rows: int = 10_000) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise OutputError(
                "Parquet needs the package pyarrow", where=str(path), hint="pip install 'nightlamp[parquet]'"
            ) from error
        self.path = path
        self.parts = path.with_name(path.name + ".parts")
        self._disk = disk
        self._part_rows = part_rows
        self._rows: list[Row] = []
        self._next = 0
        self._written = time.monotonic()

    def earlier(self) -> Iterator[Row]:
        """The rows that are there already; a finished file becomes the first part again."""
        with self._errors():
            if self.path.exists():
                # The file is put in place whole, so parts beside it are leftovers of its merging.
                shutil.rmtree(self.parts, ignore_errors=True)
                self.parts.mkdir(mode=0o700)
                self._disk.rename(self.path, self._part(0))
            self.parts.mkdir(mode=0o700, exist_ok=True)
            for leftover in (*self.parts.glob("*.tmp"), self._merged):
                leftover.unlink(missing_ok=True)
            found = self._found()
            self._next = int(found[-1].stem) + 1 if found else 0
            for part in found:
                yield from self._read(part)

    def write(self, rows: Sequence[Row]) -> None:
        """Take rows; every now and then they become a part."""
        self._rows.extend(rows)
        if len(self._rows) >= self._part_rows or time.monotonic() - self._written > _PART_SECONDS:
            self._write_part()

    def close(self, *, finished: bool) -> None:
        """Make all rows last; if ``finished``, merge the parts into the one file."""
        self._write_part()
        if finished:
            with self._errors():
                self._merge()
                shutil.rmtree(self.parts, ignore_errors=True)

    def abandon(self) -> None:
        """Let go of what is not written yet, after an error."""
        self._rows.clear()

    def remove(self) -> None:
        """Delete what is there."""
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.parts, ignore_errors=True)

    @property
    def _merged(self) -> Path:
        return self.path.with_name(self.path.name + ".tmp")

    def _part(self, number: int) -> Path:
        return self.parts / f"{number:08}.parquet"

    def _found(self) -> list[Path]:
        return sorted(self.parts.glob("[0-9]*.parquet"))

    def _write_part(self) -> None:
        if not self._rows:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self._errors():
            table = pa.Table.from_pylist([to_json(row) for row in self._rows], schema=schema())
            whole = io.BytesIO()
            pq.write_table(table, whole)
            self._disk.write_file(self._part(self._next), whole.getvalue())
        self._next += 1
        self._rows.clear()
        self._written = time.monotonic()

    def _merge(self) -> None:
        """One file of all parts, in memory of one row group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with _Sink(self._merged, self._disk) as sink, pq.ParquetWriter(sink, schema()) as writer:
            held: list[pa.RecordBatch] = []
            for part in self._found():
                with pq.ParquetFile(part) as file:
                    for batch in file.iter_batches(_GROUP_ROWS):
                        held.append(batch)
                        if sum(map(len, held)) >= _GROUP_ROWS:
                            writer.write_table(pa.Table.from_batches(held, schema()), _GROUP_ROWS)
                            held.clear()
            writer.write_table(pa.Table.from_batches(held, schema()), _GROUP_ROWS)
        self._disk.rename(self._merged, self.path)

    def _read(self, part: Path) -> Iterator[Row]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(_READ_ROWS):
                at = batch.schema.get_field_index("mtime")
                # As integers: a file may claim a time that no datetime can hold.
                batch = batch.set_column(at, "mtime", batch.column(at).cast(pa.int64()))
                yield from map(from_json, batch.to_pylist())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason = getattr(error, "strerror", None) or "not the Parquet of a scan"
            raise OutputError(
                f"cannot be written or read ({reason.lower()})",
                where=str(self.path),
                hint="make room or write elsewhere; what is written can be continued with --resume",
            ) from error
        except ValueError as error:
            raise OutputError(
                "this is not the output of a scan",
                where=str(self.path),
                hint="start anew with --overwrite, or write to another file",
            ) from error


def schema() -> pa.Schema:
    """The columns and their types, as in docs/scan.md."""
    import pyarrow as pa

    text, flag = pa.string(), pa.bool_()
    match = [
        ("bank", text),
        ("signal", text),
        ("distance", pa.int64()),
        ("view", text),
        ("frame", pa.int64()),
        ("category", text),
        ("benign", flag),
        ("seconds", pa.float64()),
        ("value", text),
        ("entry_id", text),
    ]
    statement = [column.name for column in fields(RowStatement)]
    return pa.schema(
        [
            ("path", text),
            ("size", pa.int64()),
            ("mtime", pa.timestamp("us", tz="UTC")),
            ("media_type", text),
            ("sha256", text),
            ("action", text),
            ("reasons", pa.list_(text)),
            ("matches", pa.list_(pa.struct(match))),
            ("unchecked", pa.list_(pa.struct([("what", text), ("why", text), ("detail", text)]))),
            ("benign", flag),
            ("origin", text),
            ("origin_sentence", text),
            ("origin_statements", pa.list_(pa.struct([(name, text) for name in statement]))),
        ]
    )


class _Sink(io.RawIOBase):
    """A new file that is written by ``Disk`` and synced when it is closed without an error."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._disk = disk
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._disk.write_all(self._fd, memoryview(data))
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            try:
                self._disk.fsync(self._fd)
            finally:
                os.close(self._fd)
