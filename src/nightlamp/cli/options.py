"""Options that several commands share: limits on content, and how hash lists are to be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from nightlamp.media import Limits

Command = TypeVar("Command", bound=Callable[..., Any])
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Size(click.ParamType):  # type: ignore[type-arg]
    """Bytes, with a unit: ``512M``, ``2G``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Text → bytes; a usage error if it is no size."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)\s*([kmgt]?)(?:i?b)?", str(value).strip().lower())
        if found is None:
            self.fail("a number of bytes, such as 512M or 2G", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


class Columns(click.ParamType):  # type: ignore[type-arg]
    """``pdq=hash_col,id=uuid`` → a mapping."""

    name = "word=column,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Mapping[str, str]:
        """Text → mapping; a usage error if a part has no ``=``."""
        if isinstance(value, Mapping):
            return value
        pairs = [part.partition("=") for part in str(value).split(",")]
        if not all(word.strip() and column.strip() for word, _, column in pairs):
            self.fail("pairs such as pdq=hash_col,id=uuid", param, ctx)
        return {word.strip(): column.strip() for word, _, column in pairs}


def limit_options(command: Command) -> Command:
    """How thoroughly content is looked at, and what it may cost; ``limits_of`` reads them."""
    for option in reversed(
        (
            click.option(
                "--detail",
                type=click.Choice(["fast", "full"]),
                default="fast",
                show_default=True,
                help="fast: decode large JPEGs at a reduced scale. full: never.",
            ),
            click.option(
                "--max-pixels",
                type=click.IntRange(min=1),
                metavar="N",
                help="Largest picture, width × height.  [default: 250000000]",
            ),
            click.option(
                "--video-frames",
                type=click.IntRange(min=1),
                metavar="N",
                help="Most frames examined in a video.  [default: 128]",
            ),
            click.option(
                "--timeout",
                type=click.FloatRange(min=0.1),
                metavar="SECONDS",
                help="Longest time for one item.  [default: 20]",
            ),
            click.option(
                "--memory",
                type=Size(),
                metavar="SIZE",
                help="Most memory for one item, e.g. 512M.  [default: 2G]",
            ),
        )
    ):
        command = option(command)
    return command


def limits_of(given: Mapping[str, Any]) -> Limits:
    """The limits that ``limit_options`` were given, the rest as by default."""
    from nightlamp.media import Limits

    names = {
        "max_pixels": "pixels",
        "video_frames": "video_frames",
        "timeout": "seconds",
        "memory": "memory",
    }
    return Limits(**{names[k]: v for k, v in given.items() if k in names and v is not None})


def list_options(command: Command) -> Command:
    """How hash lists are read and what their banks are; ``nightlamp.cli.lists`` reads them."""
    return reading_options(_settings(command))


def reading_options(command: Command) -> Command:
    """How hash lists are read, where they do not say it themselves."""
    for option in reversed(
        (
            click.option(
                "--columns",
                type=Columns(),
                metavar="WORD=COLUMN,…",
                help="Which column (or key) is what: a signal's name, value, signal, id, category, quality.",
            ),
            click.option("--signal", metavar="NAME", help="The signal of bare hashes."),
            click.option(
                "--list-format",
                metavar="FORMAT",
                help="plain, csv, jsonl, json, vics, nsrl or nsrl-sqlite; sniffed by default.",
            ),
            click.option(
                "--profile",
                metavar="NAME",
                help="What category numbers mean: us, uk or canada.",
            ),
            click.option("--delimiter", metavar="CHAR", help="Of a CSV list; sniffed by default."),
            click.option("--strict", is_flag=True, help="Refuse a list that has bad rows."),
        )
    ):
        command = option(command)
    return command


def _settings(command: Command) -> Command:
    for option in reversed(
        (
            click.option("--source", metavar="NAME", default="", help="Who the entries come from."),
            click.option(
                "--category", metavar="NAME", default="", help="Of entries that carry none themselves."
            ),
            click.option(
                "--trust",
                type=click.Choice(["low", "medium", "high"]),
                default="medium",
                show_default=True,
                help="How far a single match may be relied on.",
            ),
        )
    ):
        command = option(command)
    return command


def bank_options(command: Command) -> Command:
    """Which banks to match against; ``nightlamp.cli.lists.open_banks`` reads them."""
    for option in reversed(
        (
            click.option(
                "--bank",
                "banks",
                multiple=True,
                metavar="LIST",
                help="A hash list, or an index that 'nightlamp index build' wrote. May be repeated.",
            ),
            click.option(
                "--benign",
                multiple=True,
                metavar="LIST",
                help="A list of known files, such as the NSRL's; --columns to --trust are not for it.",
            ),
            click.option(
                "--banks",
                "banks_file",
                metavar="TOML",
                help="A file that names banks, each with its own options; see docs/cli.md.",
            ),
        )
    ):
        command = option(command)
    return command
