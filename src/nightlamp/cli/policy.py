"""``nightlamp policy``: check, try and show the files that say what a match leads to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import NoInputError, safe, table

if TYPE_CHECKING:
    from nightlamp.policy import Outcome, Rules

_MOST_BYTES = 1_000_000
_PROFILES = ("default", "eu", "uk", "us")  # said here too, so that --help loads no policy


@click.group()
def policy() -> None:
    """Check, try and show policies."""


@policy.command()
@click.argument("file", metavar="FILE")
@click.option("--banks", metavar="A,B", help="The names of all banks: a rule that names another is an error.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lint(file: str, banks: str | None, as_json: bool) -> int:
    """Say what is wrong with a policy file, with line and column.

    Fields and types, rules that are never reached, rules that would allow what was not examined. The exit
    status is 1 if there is an error; warnings alone leave it 0.

    \b
    nightlamp policy lint policy.yaml
    nightlamp policy lint policy.yaml --banks ncmec,stopncii
    """
    from nightlamp.policy import lint as find

    known = None if banks is None else {name.strip() for name in banks.split(",") if name.strip()}
    found = find(_text(file), known)
    if as_json:
        names = ("line", "column", "severity", "what", "hint")
        rows = [{name: getattr(finding, name) for name in names} for finding in found]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in found:
            click.echo(safe(f"{file}:{finding}"))
        click.echo(_many(len(found), "finding") if found else "no findings")
    return int(any(finding.severity == "error" for finding in found))


@policy.command()
@click.argument("cases", metavar="CASES")
@click.option("--policy", "file", metavar="FILE", help="The policy; else the one that CASES names.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def test(cases: str, file: str | None, as_json: bool) -> int:
    """Try a policy on test cases: given facts, the expected verdict.

    CASES names its policy by a line 'policy: us' (a shipped profile) or 'policy: mine.yaml' (a file beside
    it). The exit status is 1 if a case fails.

    \b
    nightlamp policy test cases.yaml
    nightlamp policy test cases.yaml --policy policy.yaml
    """
    from nightlamp.policy import load_cases, run_cases

    named, listed = load_cases(_text(cases), where=cases)
    outcomes = run_cases(listed, _rules(file, named, Path(cases).parent))
    failed = sum(bool(outcome.wrong) for outcome in outcomes)
    if as_json:
        click.echo(json.dumps([_row(outcome) for outcome in outcomes], indent=2))
        return int(failed > 0)
    rows = [(o.case.name, o.verdict.action, o.verdict.rule, "FAILED" if o.wrong else "ok") for o in outcomes]
    table(rows, ("case", "action", "rule", ""))
    for outcome in outcomes:
        for wrong in outcome.wrong:
            click.echo(safe(f"{cases}:{outcome.case.line}: {outcome.case.name}: {wrong}"))
    click.echo(f"{_many(len(outcomes), 'case')}, {failed} failed")
    return int(failed > 0)


@policy.command()
@click.argument("profile", type=click.Choice(_PROFILES))
def show(profile: str) -> None:
    """Print a policy that ships with Nightlamp, to be copied and changed.

    \b
    nightlamp policy show us > policy.yaml
    """
    from nightlamp.policy import profile_text

    click.echo(profile_text(profile), nl=False)


def rules_named(name: str) -> tuple[Rules, str]:
    """A shipped policy by its name, or one from a file, and the SHA-256 of its text.

    Raises:
        NoInputError: no such file.
        PolicyError: it cannot be used.
    """
    from nightlamp.policy import load, profile_text

    text = profile_text(name) if name in _PROFILES else _text(name)
    return load(text, where=name), hashlib.sha256(text.encode()).hexdigest()


def _rules(file: str | None, named: str, beside: Path) -> Rules:
    from nightlamp.policy import load, profile

    if file is None and not named:
        raise click.UsageError("the cases name no policy; add --policy FILE")
    if file is None and named in _PROFILES:
        return profile(named)
    path = file if file is not None else str(beside / named)
    return load(_text(path), where=path)


def _row(outcome: Outcome) -> dict[str, Any]:
    case, verdict = outcome.case, outcome.verdict
    told = {"name": case.name, "line": case.line, "passed": not outcome.wrong, "wrong": list(outcome.wrong)}
    return told | {"action": verdict.action, "rule": verdict.rule, "reasons": list(verdict.reasons)}


def _text(path: str) -> str:
    """A file's text; one that is far too large is not read to its end."""
    from nightlamp.errors import PolicyError

    if not Path(path).is_file():
        raise NoInputError("no such file", where=path)
    with Path(path).open("rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyError("not in UTF-8", where=path) from None


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
