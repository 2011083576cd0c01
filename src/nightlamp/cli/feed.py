"""``nightlamp feed``: subscriptions to exchanges, without a running service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import safe, table, tell
from nightlamp.cli.service import config_option, database, load_settings, operator
from nightlamp.errors import FeedError

if TYPE_CHECKING:
    from nightlamp.feeds import FeedStatus

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


class _Span(click.ParamType):  # type: ignore[type-arg]
    """A length of time: 900, 15m, 6h, 1d."""

    name = "time"

    def __init__(self, nothing: str = "") -> None:
        self._nothing = nothing  # the word for 0

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds."""
        text = str(value).strip()
        if self._nothing and text == self._nothing:
            return 0
        digits = text.rstrip("smhdin")
        unit = text[len(digits) :] or "s"
        if not digits.isdigit() or unit not in _UNITS:
            self.fail("a length of time, as 15m, 6h or 1d", param, ctx)
        return int(digits) * _UNITS[unit]


@click.group()
def feed() -> None:
    """Keep banks in step with the exchanges that own their lists."""


@feed.command()
@click.argument("name")
@click.option("--kind", required=True, help="Of exchange; 'nightlamp feed kinds' lists them.")
@click.option("--bank", required=True, help="The bank that it fills; made if there is none.")
@click.option("--set", "settings_given", multiple=True, metavar="KEY=VALUE", help="What the kind needs.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=REFERENCE",
    help="env:NAME, file:/path or keyring:service/user; never the secret itself.",
)
@click.option("--every", type=_Span(), default="1h", show_default=True, help="Time between runs: 15m, 6h.")
@click.option(
    "--stale-after",
    type=_Span("never"),
    help="Behind by so much, verdicts name it as not checked; default: three runs; or 'never'.",
)
@click.option(
    "--max-loss", type=float, default=0.2, show_default=True, help="Share lost in a day: then stop."
)
@click.option("--feedback", is_flag=True, help="Send people's findings back to the exchange.")
@click.option("--category", default="", help="Of the bank, if it is made: csam, ncii …")
@click.option("--trust", type=click.Choice(["low", "medium", "high"]), default="medium", show_default=True)
@click.option("--benign", is_flag=True, help="The list is of known harmless files.")
@config_option
def add(
    name: str,
    kind: str,
    bank: str,
    settings_given: tuple[str, ...],
    secrets: tuple[str, ...],
    config_file: Path | None,
    **given: Any,
) -> None:
    """Add a feed NAME. A running service begins its first run within seconds.

    \b
    nightlamp feed add ncmec --kind ncmec --bank ncmec --set environment=test-industry \\
      --set username=acme --secret password=file:/etc/nightlamp/ncmec
    """
    settings = load_settings(config_file)
    from nightlamp import feeds

    config = {key: _value(text) for key, text in _pairs(settings_given, "--set")}
    new = feeds.NewFeed(name, kind, bank, config, dict(_pairs(secrets, "--secret")), **given)
    with database(settings) as engine, engine.begin() as connection:
        made = feeds.create_feed(connection, new, actor=operator())
    tell(f"feed {made.name} is added; 'nightlamp feed doctor {made.name}' tries it")


@feed.command()
def kinds() -> None:
    """List the kinds of exchanges, with what each needs."""
    from nightlamp.cli.service import need_service

    need_service()
    from nightlamp.feeds import EXCHANGES

    rows = []
    for name, kind in sorted(EXCHANGES.items()):
        fields = " ".join(
            f"{key}{'' if field.is_required() else '?'}" for key, field in kind.config.model_fields.items()
        )
        wanted = " ".join(f"{key}{'?' if key in kind.optional else ''}" for key in kind.secrets)
        rows.append((name, kind.title, fields, wanted))
    table(rows, ("kind", "exchange", "--set", "--secret"))


@feed.command("list")
@config_option
def list_feeds(config_file: Path | None) -> None:
    """List all feeds, and how they stand."""
    from nightlamp.feeds.status import span

    rows = [
        (s.feed.name, s.feed.kind, s.bank, s.feed.records, span(s.behind), s.why or _course(s))
        for s in _statuses(config_file)
    ]
    table(rows, ("name", "kind", "bank", "entries", "behind", "state"))


@feed.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def show(name: str, as_json: bool, config_file: Path | None) -> None:
    """Show all of the feed NAME, but never a secret."""
    from nightlamp.feeds.status import span

    found = [status for status in _statuses(config_file) if status.feed.name == name]
    if not found:
        raise FeedError("there is no such feed", where=f"feed {name}", hint="nightlamp feed list")
    status = found[0]
    f = status.feed
    rows: list[tuple[str, object]] = [
        ("name", f.name),
        ("kind", f.kind),
        ("bank", status.bank),
        *((f"set {key}", value) for key, value in f.config.items()),
        *((f"secret {key}", reference) for key, reference in f.secrets.items()),
        ("every", span(f.every)),
        ("stale after", span(f.stale_after) if f.stale_after else "never"),
        ("may lose", f"{f.max_loss:.0%} a day"),
        ("feedback", "yes" if f.feedback else "no"),
        ("state", status.why or _course(status)),
        ("behind", span(status.behind)),
        ("entries", f.records),
        ("fingerprints", f.prints),
        ("left out", f.unreadable),
        ("next run", f"{f.due:%Y-%m-%d %H:%M} UTC"),
        ("last error", f"{f.error_kind}: {f.error}" if f.error else ""),
        ("opinions to send", status.waiting),
        ("opinions in doubt", status.doubtful),
    ]
    if as_json:
        click.echo(json.dumps({key.replace(" ", "_"): value for key, value in rows}, indent=2, default=str))
    else:
        table([(key, value if isinstance(value, int) else str(value)) for key, value in rows])


@feed.command()
@click.argument("name")
@config_option
def sync(name: str, config_file: Path | None) -> None:
    """Run the feed NAME here and now, to its end. Broken off, it goes on where it was."""
    settings = load_settings(config_file)
    from nightlamp.feeds import Feeds
    from nightlamp.feeds.fetching import fetcher_of

    def progress(pages: int, records: int, total: int | None) -> None:
        if pages % 100 == 0:
            tell(f"{records:,} records" + (f" of {total:,}" if total else ""))

    with database(settings) as engine:
        ran = Feeds(engine, fetcher_of(settings.feeds)).sync(name, progress=progress)
    if ran.ended == "held":
        hint = f"look at the source; then nightlamp feed resume {name} --accept-loss, or without it"
        raise FeedError(f"it has stopped: {ran.why}", where=f"feed {name}", hint=hint)
    done = {"done": "in step", "stopped": "paused meanwhile", "lost": "another process has taken it over"}
    change = ran.change
    click.echo(
        safe(f"{name}: {done[ran.ended]}; {change.added:,} fingerprints added, {change.removed:,} removed")
    )


@feed.command()
@click.argument("name")
@click.option("--set", "settings_given", multiple=True, metavar="KEY=VALUE", help="KEY= takes it away.")
@click.option("--secret", "secrets", multiple=True, metavar="NAME=REFERENCE", help="NAME= takes it away.")
@click.option("--every", type=_Span(), help="Time between runs: 15m, 6h.")
@click.option("--stale-after", type=_Span("never"), help="Behind by so much, verdicts say so; or 'never'.")
@click.option("--max-loss", type=float, help="Share lost in a day: then stop.")
@click.option("--feedback/--no-feedback", default=None, help="Send people's findings back to the exchange.")
@config_option
def change(
    name: str,
    settings_given: tuple[str, ...],
    secrets: tuple[str, ...],
    config_file: Path | None,
    **given: Any,
) -> None:
    """Change the feed NAME; what is not named stays. With --set the whole list is fetched anew.

    \b
    nightlamp feed change ncmec --every 30m --secret password=file:/etc/nightlamp/new
    """
    settings = load_settings(config_file)
    from nightlamp import feeds

    asked = {key: _value(text) for key, text in _pairs(settings_given, "--set")}
    named = dict(_pairs(secrets, "--secret"))
    with database(settings) as engine, engine.begin() as connection:
        stored = feeds.get_feed(connection, name)
        config = {key: value for key, value in {**stored.config, **asked}.items() if value != ""}
        references = {key: value for key, value in {**stored.secrets, **named}.items() if value}
        wanted = feeds.FeedChange(config, references, **given)
        feeds.change_feed(connection, name, wanted, actor=operator())
    click.echo(f"changed {name}")


@feed.command()
@click.argument("name")
@click.option("--why", default="", help="For those who wonder.")
@config_option
def pause(name: str, why: str, config_file: Path | None) -> None:
    """Let the feed NAME rest; what it holds goes on matching."""
    settings = load_settings(config_file)
    from nightlamp import feeds

    with database(settings) as engine, engine.begin() as connection:
        feeds.pause_feed(connection, name, actor=operator(), why=why)
    click.echo(f"paused {name}")


@feed.command()
@click.argument("name")
@click.option("--accept-loss", is_flag=True, help="It stopped because of a loss, and the loss is right.")
@config_option
def resume(name: str, accept_loss: bool, config_file: Path | None) -> None:
    """Let the feed NAME go on; one that stopped because of a loss begins anew unless that is accepted."""
    settings = load_settings(config_file)
    from nightlamp import feeds

    with database(settings) as engine, engine.begin() as connection:
        feeds.resume_feed(connection, name, actor=operator(), accept_loss=accept_loss)
    click.echo(f"resumed {name}")


@feed.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def remove(name: str, yes: bool, config_file: Path | None) -> None:
    """End the feed NAME and take what it brought out of force. Entries of others stay."""
    settings = load_settings(config_file)
    from nightlamp import feeds
    from nightlamp.feeds.fetching import fetcher_of

    with database(settings) as engine:
        with engine.begin() as connection:
            held = feeds.get_feed(connection, name).records
        if not yes:
            click.confirm(f"Take {held:,} entries out of force?", abort=True)
        with engine.begin() as connection:
            removed = feeds.remove_feed(connection, name, actor=operator())
        feeds.Feeds(engine, fetcher_of(settings.feeds)).clear(removed.id)
    click.echo(f"removed {name}")


@feed.command()
@click.argument("name")
@config_option
@click.pass_context
def doctor(ctx: click.Context, name: str, config_file: Path | None) -> None:
    """Say what is wrong with the feed NAME, in plain words. Asks the exchange, and changes nothing."""
    settings = load_settings(config_file)
    from nightlamp import feeds
    from nightlamp.feeds.fetching import fetcher_of

    with database(settings) as engine:
        found = feeds.examine_feed(engine, name, fetcher_of(settings.feeds))
    for finding in found:
        kind = f" [{finding.kind}]" if finding.kind else ""
        click.echo(safe(f"{'ok ' if finding.well else '!! '} {finding.what}: {finding.words}{kind}"))
        if finding.hint and not finding.well:
            click.echo(safe(f"    Try: {finding.hint}"))
    ctx.exit(0 if all(finding.well for finding in found) else 1)


def _statuses(config_file: Path | None) -> Sequence[FeedStatus]:
    settings = load_settings(config_file)
    from nightlamp import feeds
    from nightlamp.store import reading, utc_now

    with database(settings) as engine, reading(engine) as connection:
        return feeds.all_status(connection, utc_now())


def _course(status: FeedStatus) -> str:
    f = status.feed
    if f.paused:
        return "paused"
    if f.run_mode:
        return f"under way: {f.run_records:,} records" + (f" of {f.run_total:,}" if f.run_total else "")
    return f"failing: {f.error}" if f.failures else "well" if f.last_ok_at else "not run yet"


def _pairs(given: Sequence[str], option: str) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in given]
    if not all(key and sign for key, sign, _ in pairs):
        raise click.UsageError(f"{option} takes NAME=VALUE")
    return [(key, value) for key, _, value in pairs]


def _value(text: str) -> Any:
    """A setting's value: JSON where it is a list, an object, a number or a truth; else text as it is."""
    if text.startswith(("[", "{")) or text in ("true", "false"):
        try:
            return json.loads(text)
        except ValueError:
            raise click.UsageError("--set: not JSON") from None
    return text
