"""``nightlamp index``: reusable indexes of hash lists."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import NoInputError, safe, size_text, table, tell, time_text
from nightlamp.cli.options import bank_options, list_options
from nightlamp.cli.preparing import preparing
from nightlamp.errors import ListError

if TYPE_CHECKING:
    from nightlamp.banks import Catalog
    from nightlamp.values import Fingerprint, Match


@click.group()
def index() -> None:
    """Build, describe and query an index of hash lists.

    An index opens at once, however large it is, and is shared by all processes that use it.
    """


@index.command()
@click.argument("lists", nargs=-1, metavar="LIST...")
@bank_options
@list_options
@click.option("-o", "--output", required=True, metavar="FILE.nli", help="The index; replaced if it exists.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
def build(lists: tuple[str, ...], output: str, quiet: bool, **given: Any) -> None:
    """Build an index of hash LISTs, for 'nightlamp scan --bank FILE.nli'.

    \b
    nightlamp index build ncmec.csv iwf.csv -o known.nli
    """
    from nightlamp.cli.lists import is_index, open_banks

    given["banks"] = (*lists, *given["banks"])
    if not (given["banks"] or given["banks_file"] or given["benign"]):
        raise click.UsageError("Missing argument 'LIST...'")
    if any(map(is_index, (*given["banks"], *given["benign"]))):
        raise click.UsageError("an index is built from lists, not from indexes")
    began = time.monotonic()
    with preparing(quiet=quiet):
        catalogs = open_banks(given)
    if len(catalogs) != 1:
        raise ListError("an index is built from lists, not from indexes", where=str(given["banks_file"]))
    (catalog,) = catalogs
    catalog.save(output)
    if not quiet:
        size = Path(output).stat().st_size
        took = time_text(time.monotonic() - began)
        tell(f"nightlamp: {len(catalog):,} entries, {size_text(size)}, {took}: {output}")


@index.command()
@click.argument("path", metavar="FILE.nli")
@click.option("--verify", is_flag=True, help="Read all of it and compare its checksums.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(path: str, verify: bool, as_json: bool) -> None:
    """Say what an index holds: banks, entries, and the lists they came from."""
    from nightlamp.cli.lists import describe

    catalog = _open(path, verify=verify)
    if as_json:
        told = {"path": path, "size": Path(path).stat().st_size, "verified": verify}
        unchecked = [{"what": u.what, "why": u.why, "detail": u.detail} for u in catalog.unchecked]
        click.echo(json.dumps({**told, "lists": describe([catalog]), "unchecked": unchecked}, indent=2))
        return
    verified = ", checksums are right" if verify else ""
    click.echo(safe(f"{path}: {len(catalog):,} entries, {size_text(Path(path).stat().st_size)}{verified}"))
    banks = {bank.name: bank for bank in catalog.banks}
    rows = [
        (
            bank,
            signal,
            n,
            banks[bank].source,
            banks[bank].category,
            "benign" if banks[bank].benign else banks[bank].trust,
        )
        for bank, counts in catalog.counts.items()
        for signal, n in counts.items()
    ]
    table(rows, ("bank", "signal", "entries", "source", "category", "trust"))
    for missing in catalog.unchecked:
        click.echo(safe(str(missing)))


@index.command()
@click.argument("path", metavar="FILE.nli")
@click.argument("asked", nargs=-1, required=True, metavar="HASH_OR_FILE...")
@click.option("--signal", metavar="NAME", help="The signal of the hashes, where their length does not tell.")
@click.option(
    "--radius", type=click.IntRange(0, 64), metavar="BITS", help="Largest PDQ distance.  [default: 31]"
)
@click.option(
    "--with-entry-ids", is_flag=True, help="Print the lists' ids of what matched. They are secrets."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a question, on one line each.")
def query(
    path: str,
    asked: tuple[str, ...],
    signal: str | None,
    radius: int | None,
    with_entry_ids: bool,
    as_json: bool,
) -> None:
    """Look up hashes, or the signals of files, in an index.

    A HASH of 64 digits is looked up as PDQ and as SHA-256, unless --signal says which. The exit status is 1
    if anything matched, else 2 if something could not be checked, else 0.

    \b
    nightlamp index query known.nli photo.jpg
    nightlamp index query known.nli --signal md5 900150983cd24fb0d6963f7d28e17f72
    """
    catalog = _open(path)
    within = {} if radius is None else {"pdq": radius}
    hits = unchecked = False
    for question in asked:
        fingerprints, missing = _fingerprints(question, signal, catalog)
        matches = catalog.lookup(fingerprints, within)
        hits = hits or bool(matches)
        unchecked = unchecked or bool(missing or catalog.unchecked)
        if as_json:
            told = [_as_json(m, with_entry_ids) for m in matches]
            said = [str(u) for u in (*missing, *catalog.unchecked)]
            click.echo(json.dumps({"query": question, "matches": told, "unchecked": said}))
            continue
        click.echo(safe(f"{question}: {len(matches):,} matches"))
        table([_as_row(m, with_entry_ids) for m in matches])
        for line in (*missing, *catalog.unchecked):
            click.echo(safe(f"  {line}"))
    raise click.exceptions.Exit(1 if hits else 2 if unchecked else 0)


def _open(path: str, *, verify: bool = False) -> Catalog:
    from nightlamp.banks import Catalog
    from nightlamp.index import open_snapshot

    if not Path(path).exists():
        raise NoInputError("no such file", where=path)
    if verify:
        open_snapshot(path, verify=True)
    return Catalog.open(path)


def _fingerprints(
    question: str, signal: str | None, catalog: Catalog
) -> tuple[Sequence[Fingerprint], Sequence[Any]]:
    """Of a file, all that was computed; of a hash, itself, as every signal that it could be of."""
    from nightlamp import hash_file
    from nightlamp.signals import installed, signal_named
    from nightlamp.values import Fingerprint

    if signal is None and Path(question).exists():
        with preparing():
            examination = hash_file(question)
        return examination.fingerprints, examination.unchecked
    held = {name for counts in catalog.counts.values() for name in counts}
    candidates = [signal_named(signal)] if signal else [s for n, s in installed().items() if n in held]
    found = []
    reason = ""
    for candidate in candidates:
        try:
            found.append(Fingerprint(candidate.name, candidate.parse(question)))
        except ValueError as error:
            reason = str(error)
    if not found:
        why = (
            f"no hash of {signal}: {reason}"
            if signal
            else "neither a file nor a hash of a signal in this index"
        )
        raise NoInputError(why, where=question if signal is None else "")
    return found, []


def _as_json(match: Match, with_entry_ids: bool) -> dict[str, Any]:
    told = {
        "bank": match.bank.name,
        "category": match.category,
        "signal": match.fingerprint.signal,
        "distance": match.distance,
        "view": match.fingerprint.view,
        "frame": match.fingerprint.frame,
        "seconds": match.fingerprint.seconds,
        "benign": match.bank.benign,
    }
    return {**told, "entry_id": match.entry_id} if with_entry_ids else told


def _as_row(match: Match, with_entry_ids: bool) -> list[object]:
    row: list[object] = [
        "  " + match.bank.name,
        match.category,
        match.fingerprint.signal,
        f"distance {match.distance}",
        match.fingerprint.view,
    ]
    return [*row, match.entry_id] if with_entry_ids else row
