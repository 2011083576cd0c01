"""``nightlamp scan``: files, folders and archives against hash lists."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.lists import bad_rows, describe, open_banks
from nightlamp.cli.messages import NoInputError, tell
from nightlamp.cli.options import bank_options, limit_options, limits_of, list_options
from nightlamp.cli.origin import asked_with, origin_options
from nightlamp.cli.preparing import preparing

if TYPE_CHECKING:
    from nightlamp.cli.progress import Progress
    from nightlamp.examine import Workers
    from nightlamp.policy import Policy, Rules
    from nightlamp.scan import Format, Manifest, Row, Stream, Totals
    from nightlamp.screening import Screener

_INTERRUPTED = 130


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@bank_options
@list_options
@click.option(
    "--radius",
    type=click.IntRange(0, 64),
    metavar="BITS",
    help="Largest PDQ distance that is a match.  [default: 31]",
)
@click.option(
    "--policy",
    metavar="FILE",
    help="What a match leads to: a policy file, or default, eu, uk, us.  [default: block]",
)
@click.option(
    "--without",
    multiple=True,
    metavar="NAME",
    help="Accept that this is not checked: a signal, 'members', 'frames', 'rows' (of lists) … It is still "
    "said, but changes neither verdicts nor the exit status. May be repeated.",
)
@click.option(
    "--origin",
    is_flag=True,
    help="Also say how each file was made, as far as it tells; see 'nightlamp origin'.",
)
@origin_options
@limit_options
@click.option(
    "--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes.  [default: one a core]"
)
@click.option("--archives/--no-archives", default=True, help="Look into zip, tar and 7z.  [default: yes]")
@click.option("--follow-symlinks", is_flag=True, help="Follow symbolic links below the PATHs too.")
@click.option("-0", "--null", is_flag=True, help="Paths on standard input end in NUL, not in a newline.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write a row an item: .jsonl, .csv or .parquet; '-' is standard output.",
)
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv", "parquet"]), help="Where the suffix does not say."
)
@click.option("--resume", is_flag=True, help="Go on with the scan that FILE and FILE.run.json hold.")
@click.option("--overwrite", is_flag=True, help="Delete an earlier scan in FILE.")
@click.option(
    "--all/--only-findings",
    "everything",
    default=None,
    help="Write every item, or only matches and what could not be checked.  [default: all to --output, "
    "else findings]",
)
@click.option("--with-hashes", is_flag=True, help="Write the fingerprints that matched. They are secrets.")
@click.option(
    "--with-entry-ids", is_flag=True, help="Write the lists' ids of what matched. They are secrets."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no summary, no findings on the terminal.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Without a terminal, say a line of progress now and then."
)
def scan(paths: tuple[str, ...], **given: Any) -> None:
    """Match files, folders and archives against hash lists.

    PATH is a file, a folder with everything below it, or '-' for a list of paths on standard input. Nothing
    that is scanned is shown, copied or changed: out come paths and verdicts.

    The exit status is 1 if anything matched, else 2 if something could not be checked, else 0.

    \b
    nightlamp scan uploads/ --bank list.csv
    nightlamp scan uploads/ --bank list.csv --output verdicts.jsonl
    nightlamp scan uploads/ --bank list.csv --output verdicts.jsonl --resume
    find . -name '*.jpg' -print0 | nightlamp scan -0 - --bank list.nli
    """
    from nightlamp.cli.interruption import Interruption
    from nightlamp.cli.progress import Progress
    from nightlamp.cli.summary import show_summary
    from nightlamp.examine import Workers
    from nightlamp.scan import Pipeline, Secrets, Totals, walk
    from nightlamp.scan import scan as run
    from nightlamp.screening import Screener

    _check(paths, given)
    quiet = given["quiet"]
    origin = asked_with(given) if given["origin"] else None
    workers = Workers(given["workers"], limits_of(given), given["detail"], origin)
    with ExitStack() as stack:
        with preparing(quiet=quiet), ThreadPoolExecutor(1) as beside:
            opening = beside.submit(open_banks, given)
            stack.enter_context(workers)
            catalogs = opening.result()
        policy, told = _policy(given)
        screener = Screener(catalogs, policy, {} if given["radius"] is None else {"pdq": given["radius"]})
        output = _output(paths, given, screener, workers, {"banks": describe(catalogs), "policy": told})
        interruption = stack.enter_context(Interruption())
        progress = stack.enter_context(Progress(bar=False if quiet else None, lines=given["verbose"]))
        progress.expect([] if "-" in paths else paths, follow=given["follow_symlinks"])
        totals = Totals(screener.policy.without, bad_rows=bad_rows(catalogs))
        secrets = Secrets(given["with_hashes"], given["with_entry_ids"])
        pipeline = Pipeline(workers, screener, given["archives"], secrets, stop=interruption.asked)
        text = None if quiet or output else _text(progress, everything=bool(given["everything"]))

        def watch(rows: Sequence[Row], so_far: Totals) -> None:
            if text:
                text(rows, so_far)
            progress.show(so_far)

        items = walk(
            _roots(paths, null=given["null"]),
            follow=given["follow_symlinks"],
            passed_over=totals.passed_over,
            leave_out=getattr(output, "files", ()),
        )
        run(items, pipeline, output, only_findings=given["everything"] is False, totals=totals, watch=watch)
    if not quiet:
        show_summary(totals, progress.seconds)
    if interruption.asked():
        tell(
            "nightlamp: interrupted" + ("; go on with --resume" if given["output"] not in (None, "-") else "")
        )
        raise click.exceptions.Exit(_INTERRUPTED)
    raise click.exceptions.Exit(totals.status)


def _check(paths: Sequence[str], given: dict[str, Any]) -> None:
    """What can be known to be wrong before anything is opened."""
    if not (given["banks"] or given["banks_file"]):
        raise click.UsageError("Missing option '--bank': what to match against")
    to_file = given["output"] not in (None, "-")
    if not to_file and (given["resume"] or given["overwrite"]):
        raise click.UsageError("--resume and --overwrite need an --output FILE")
    for option, value in (
        ("--signers", given["signers"]),
        ("--forensics", given["forensics"]),
        ("--detector", given["detectors"]),
    ):
        if value and not given["origin"]:
            raise click.UsageError(f"{option} needs --origin")
    if given["resume"] and given["overwrite"]:
        raise click.UsageError("either --resume or --overwrite")
    if given["output"] == "-" and given["form"] == "parquet":
        raise click.UsageError("Parquet cannot go to standard output")
    for path in paths:
        if path != "-" and not os.path.lexists(path):
            raise NoInputError("no such file or folder", where=path)


def _policy(given: dict[str, Any]) -> tuple[Policy | Rules, dict[str, Any]]:
    """The policy, and what the record of the scan says of it."""
    from nightlamp.cli.policy import rules_named
    from nightlamp.policy import Policy

    without = frozenset(given["without"])
    if given["policy"] is None:
        policy = Policy(without=without)
        return policy, {**asdict(policy), "without": sorted(without)}
    rules, digest = rules_named(given["policy"])
    rules = replace(rules, without=rules.without | without)
    return rules, {"name": rules.name, "sha256": digest, "without": sorted(rules.without)}


def _output(
    paths: Sequence[str],
    given: dict[str, Any],
    screener: Screener,
    workers: Workers,
    judged_by: dict[str, Any],
) -> Manifest | Stream | None:
    from nightlamp.scan import CSV, JSONL, Manifest, Stream, format_of

    if given["output"] is None:
        return None
    if given["output"] == "-":
        return Stream(sys.stdout.buffer, CSV if given["form"] == "csv" else JSONL)
    path = Path(given["output"])
    form: Format = given["form"] or format_of(path)
    settings = {
        "paths": [os.fsencode(p).decode("utf-8", "backslashreplace") for p in paths],
        **{
            key: given[key]
            for key in ("archives", "follow_symlinks", "with_hashes", "with_entry_ids", "detail")
        },
        "only_findings": given["everything"] is False,
        "limits": asdict(workers.limits),
        "radius": dict(screener.radius),
        "signals": sorted(screener.signals),
        "origin": None if workers.origin is None else workers.origin.digest,
        **judged_by,
    }
    manifest = Manifest(path, form, settings)
    manifest.begin(resume=given["resume"], overwrite=given["overwrite"])
    return manifest


def _roots(paths: Sequence[str], *, null: bool) -> Iterator[str]:
    from nightlamp.scan import listed

    for path in paths:
        if path != "-":
            yield path
            continue
        try:
            yield from listed(sys.stdin.buffer, separator=b"\0" if null else b"\n")
        except ValueError as error:
            raise NoInputError(
                f"this is no list of paths ({error})",
                where="standard input",
                hint="-0 for paths that end in NUL",
            ) from error


def _text(progress: Progress, *, everything: bool) -> Callable[[Sequence[Row], Totals], None]:
    """Findings as lines on standard output, for people."""

    def show(rows: Sequence[Row], totals: Totals) -> None:
        lines = [
            f"{row.action:6}  {row.path}" + "".join(f"\n        {reason}" for reason in row.reasons)
            for row in rows
            if everything or row.hit or row.open_questions(totals.without)
        ]
        if lines:
            progress.print("\n".join(lines))

    return show
