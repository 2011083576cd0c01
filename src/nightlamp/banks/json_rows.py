"""JSON lines, and JSON documents as a stream of their objects, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from nightlamp.banks import text
from nightlamp.banks.layout import Layout, RowReader, bare_signal, categoriser, layout_of
from nightlamp.banks.options import MAX_TEXT, ListOptions
from nightlamp.banks.profiles import profile_of
from nightlamp.banks.rows import BadRow, Piece
from nightlamp.errors import ListError

MAX_DEPTH = 64
MAX_MEMBERS = 100_000  # values that are held of one object
MAX_STRING = 4 << 20  # bytes without the end of a string; thumbnails inside Project VIC exports are smaller
PER_PIECE = 20_000
_LAYOUTS = 1_000  # distinct sets of keys that are remembered


def read_json_lines(path: Path, options: ListOptions, signals: Collection[str]) -> Iterator[Piece]:
    """Pieces of a list with one JSON object, or one quoted hash, a line."""
    reader = _Objects(path, options, signals)
    for first, lines in text.lines(path):
        piece = Piece()
        for row, raw in enumerate(lines, first):
            try:
                line = text.decoded(raw).strip()
                if not line or line.startswith("#"):
                    continue
                found = json.loads(line)
            except (ValueError, RecursionError) as why:
                damaged = isinstance(why, json.JSONDecodeError | RecursionError) or "digit" in str(why)
                piece.bad.append(BadRow(row, "not JSON" if damaged else str(why)))
            else:
                reader.take(piece, row, found)
            piece.read += 1
        yield piece


def read_json(path: Path, options: ListOptions, signals: Collection[str]) -> Iterator[Piece]:
    """Pieces of a list that is one JSON array, or an object with arrays; rows are counted by object.

    Raises:
        ListError: damaged JSON, or nesting or strings beyond all reason.
    """
    reader = _Objects(path, options, signals)
    piece = Piece()
    for row, found in enumerate(objects(path, lambda prefix: prefix.endswith("item")), 1):
        piece.read += 1
        reader.take(piece, row, found)
        if piece.read == PER_PIECE:
            yield piece
            piece = Piece()
    yield piece


class _Objects:
    """JSON values → hashes of a piece."""

    def __init__(self, path: Path, options: ListOptions, signals: Collection[str]) -> None:
        self.path, self.options, self.signals = path, options, signals
        self.reader = RowReader(path, options, signals, categoriser(profile_of(options)))
        self.layouts: dict[tuple[str, ...], Layout] = {}

    def take(self, piece: Piece, row: int, found: object) -> None:
        """Read one object or bare string."""
        if isinstance(found, str):
            try:
                piece.add(row, bare_signal(found.strip(), self.options, self.path), found.strip())
            except ValueError as why:
                piece.bad.append(BadRow(row, str(why)))
            return
        if not isinstance(found, dict):
            piece.bad.append(BadRow(row, "neither an object nor a hash"))
            return
        if self.options.profile is None and "Category" in found and {"MediaID", "MediaFiles"} & found.keys():
            raise ListError(
                "it holds media objects as Project VIC has them, whose categories need a profile",
                where=str(self.path),
                hint="format='vics' and a profile",
            )
        flat = dict(_flat(found))
        keys = tuple(flat)
        layout = self.layouts.get(keys)
        if layout is None:
            layout = layout_of(keys, self.options, self.signals)
            if len(self.layouts) < _LAYOUTS and sum(map(len, keys)) < 4096:
                self.layouts[keys] = layout
        if not layout:
            piece.bad.append(BadRow(row, "no hash in this row"))
            return
        self.reader.take(piece, row, layout, list(flat.values()))


def _flat(found: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Keys, with dots for nesting, and scalars as text; lists are no scalars."""
    for key, value in found.items():
        if isinstance(value, dict):
            if before.count(".") < MAX_DEPTH:
                yield from _flat(value, f"{before}{key}.")
        elif not isinstance(value, list):
            yield before + key, "" if value is None else str(value).strip()


class _Guarded:
    """A file for the JSON parser; refuses a string or number that would not fit in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = text.blocks(path, 1 << 16)
        self.open_for = 0

    def read(self, size: int) -> bytes:
        """The next block; ``b""`` at the end. ``size`` is ignored but for 0, by which the type is asked."""
        if size == 0:
            return b""
        block = next(self.source, b"")
        # A quote behind a backslash is never the end of a string for sure: leaving all such quotes out
        # may overrate a string's length, but never underrates it.
        last = block.rfind(b'"')
        while last >= 0 and (last == 0 or block[last - 1] == 0x5C):
            last = block.rfind(b'"', 0, last)
        self.open_for = len(block) - last if last >= 0 else self.open_for + len(block)
        if self.open_for > MAX_STRING:
            raise ListError("a string beyond all reason", where=str(self.path), hint="is this a hash list?")
        return block


def objects(
    path: Path,
    wanted: Callable[[str], bool],
    keep: Collection[str] | None = None,
    into: str = "",
) -> Iterator[object]:
    """Objects and strings of a JSON document that stand where ``wanted`` says, one after another.

    Args:
        path: the document.
        wanted: of a place, e.g. ``value.item``; asked only outside of objects that are read.
        keep: keys that are held, at every depth within an object; all if ``None``.
        into: if an object has an array under this key, that array's objects are wanted instead of it.

    Raises:
        ListError: damaged JSON, or nesting, strings or objects beyond all reason.
    """
    import ijson

    row = members = 0
    names: list[str] = []  # where we are: "item" for each open array, the key reached for each open object
    stack: list[Any] = []  # those of them that are being built; None for one that is not kept

    def put(value: object) -> bool:
        nonlocal members
        parent = stack[-1]
        if parent is None or (isinstance(parent, dict) and keep is not None and names[-1] not in keep):
            return False
        members += 1
        if members > MAX_MEMBERS:
            raise ListError(f"an object beyond all reason, after row {row:,}", where=str(path))
        if isinstance(parent, dict):
            parent[names[-1]] = value
        else:
            parent.append(value)
        return True

    try:
        # Not ``ijson.parse``: its prefixes alone fill gigabytes if a block is nothing but brackets.
        for event, value in ijson.basic_parse(_Guarded(path), use_float=True):
            if event == "map_key":
                if len(value) > MAX_TEXT:
                    raise ListError(f"a key beyond all reason, after row {row:,}", where=str(path))
                names[-1] = value
            elif event in ("end_map", "end_array"):
                names.pop()
                if stack:
                    done = stack.pop()
                    if not stack:
                        row += 1
                        yield done
            elif event in ("start_map", "start_array"):
                new: Any = {} if event == "start_map" else []
                if len(stack) == 1 and event == "start_array" and into and names[-1] == into:
                    stack = []
                elif stack:
                    stack.append(new if put(new) else None)
                elif event == "start_map" and wanted(".".join(names)):
                    stack, members = [new], 0
                names.append("" if event == "start_map" else "item")
                if len(names) > MAX_DEPTH:
                    raise ListError(f"JSON nested more than {MAX_DEPTH} deep", where=str(path))
            else:
                if event == "string" and len(value) > MAX_TEXT:
                    value = value[: MAX_TEXT + 1]  # enough to be refused
                if stack:
                    if keep is None or names[-1] in keep:  # most are not: spare the call
                        put(value)
                elif wanted(".".join(names)):
                    row += 1
                    yield value
    except (ijson.JSONError, ValueError, OverflowError):
        raise ListError(
            f"damaged JSON after row {row:,}", where=str(path), hint="fetch or export the list again"
        ) from None
