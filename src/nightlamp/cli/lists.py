"""From ``--bank``, ``--benign`` and ``--banks`` to catalogs that can be searched."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightlamp.cli.messages import NoInputError, tell
from nightlamp.errors import ListError

if TYPE_CHECKING:
    from nightlamp.banks import Catalog, ListFile, ListOptions
    from nightlamp.values import Bank

_READING = ("columns", "signal", "profile", "delimiter", "strict")
_BANK = ("name", "source", "category", "trust", "benign")


def open_banks(given: Mapping[str, Any]) -> list[Catalog]:
    """The catalogs that the options of ``bank_options`` and ``list_options`` name: indexes, then lists.

    Raises:
        NoInputError: a list is not there.
        ListError, SnapshotError: a list or index cannot be used.
    """
    from nightlamp.banks import Catalog

    asked = [(path, False) for path in given["banks"]] + [(path, True) for path in given["benign"]]
    indexes = [Path(path) for path, _ in asked if is_index(path)]
    lists = [list_file(path, given, benign=benign) for path, benign in asked if not is_index(path)]
    if given["banks_file"]:
        more = _banks_of(Path(given["banks_file"]))
        indexes += [path for path in more if isinstance(path, Path)]
        lists += [named for named in more if not isinstance(named, Path)]
    catalogs = [Catalog.open(_there(path)) for path in indexes]
    if lists:
        catalogs.append(build(lists))
    names = [bank.name for catalog in catalogs for bank in catalog.banks]
    for name in sorted({n for n in names if names.count(n) > 1}):
        raise ListError(
            "two lists have this name", where=f"bank {name!r}", hint="give them names in a file for --banks"
        )
    return catalogs


def build(lists: Sequence[ListFile]) -> Catalog:
    """Read lists into one catalog, and say which of their rows could not be read."""
    from nightlamp.banks import build_catalog

    for named in lists:
        _there(named.path)
    catalog = build_catalog(lists)
    for record in catalog.lists:
        if record.bad:
            first = f"; the first is row {record.bad_rows[0].row}: {record.bad_rows[0].reason}"
            tell(
                f"nightlamp: {record.file}: {record.bad:,} rows could not be read and are not matched{first}"
            )
    return catalog


def is_index(path: str | os.PathLike[str]) -> bool:
    """Whether this is named like an index that we wrote."""
    return Path(path).suffix == ".nli"


def list_file(path: str | os.PathLike[str], given: Mapping[str, Any], *, benign: bool = False) -> ListFile:
    """A list as the command line describes lists; its bank is named after the file.

    The options are for lists of known material: one of benign files is read by what it says of itself.
    """
    from nightlamp.banks import ListFile, ListOptions
    from nightlamp.values import Bank

    path = Path(path)
    if benign:
        return ListFile(path, Bank(path.stem, benign=True), ListOptions(strict=given["strict"]))
    bank = Bank(path.stem, given["source"], given["category"], given["trust"])
    return ListFile(path, bank, options_of(given))


def options_of(given: Mapping[str, Any]) -> ListOptions:
    """How to read a list, as ``list_options`` were given."""
    from nightlamp.banks import ListOptions

    return ListOptions(
        format=given["list_format"],
        columns=given["columns"] or {},
        signal=given["signal"],
        profile=given["profile"],
        delimiter=given["delimiter"],
        strict=given["strict"],
    )


def describe(catalogs: Sequence[Catalog]) -> list[dict[str, Any]]:
    """The lists behind catalogs, as JSON: what a verdict rests on, without an entry of it."""
    banks = {bank.name: bank for catalog in catalogs for bank in catalog.banks}
    return [
        {
            "file": record.file,
            "sha256": record.sha256,
            "size": record.size,
            "entries": dict(record.entries),
            "bad_rows": record.bad,
            "bank": _bank_json(banks[record.bank]),
        }
        for catalog in catalogs
        for record in catalog.lists
    ]


def bad_rows(catalogs: Sequence[Catalog]) -> int:
    """How many rows of lists of known material could not be read; a benign filter may miss some."""
    benign = {bank.name for catalog in catalogs for bank in catalog.banks if bank.benign}
    return sum(record.bad for catalog in catalogs for record in catalog.lists if record.bank not in benign)


def _bank_json(bank: Bank) -> dict[str, Any]:
    return {key: getattr(bank, key) for key in _BANK}


def _there(path: Path) -> Path:
    if not path.exists():
        raise NoInputError("no such file", where=str(path))
    return path


def _banks_of(file: Path) -> list[ListFile | Path]:
    """The lists and indexes of a TOML file; their paths are relative to it."""
    from nightlamp.banks import ListFile, ListOptions
    from nightlamp.values import Bank

    try:
        tables = tomllib.loads(_there(file).read_text()).get("bank")
    except (OSError, ValueError) as error:
        raise ListError(f"it cannot be read as TOML ({error})", where=str(file)) from error
    if not isinstance(tables, list) or not tables:
        raise ListError("it names no bank", where=str(file), hint='[[bank]] with path = "list.csv"')
    found: list[ListFile | Path] = []
    for number, table in enumerate(tables, 1):
        where = f"{file}, bank {number}"
        unknown = sorted(table.keys() - {"path", "format", *_BANK, *_READING})
        if unknown or not isinstance(table.get("path"), str):
            what = f"unknown keys: {', '.join(unknown)}" if unknown else "it has no path"
            raise ListError(what, where=where, hint=f"path, format, {', '.join((*_BANK, *_READING))}")
        path = file.parent / table["path"]
        if is_index(path):
            found.append(path)
            continue
        try:
            bank = Bank(**{"name": path.stem, **{k: table[k] for k in _BANK if k in table}})
            options = ListOptions(format=table.get("format"), **{k: table[k] for k in _READING if k in table})
        except TypeError as error:
            raise ListError("a value is of the wrong type", where=where) from error
        if bank.trust not in ("low", "medium", "high"):
            raise ListError("trust is low, medium or high", where=where)
        found.append(ListFile(path, bank, options))
    return found
