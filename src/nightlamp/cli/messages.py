"""What is said to a person: messages, tables, sizes; never anything that a terminal would obey."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click

from nightlamp.errors import NightlampError


class NoInputError(NightlampError):
    """What was to be read is not there."""


def complain(what: str, *, where: str = "", hint: str = "") -> None:
    """One error, on standard error: what, where, what to try."""
    text = f"nightlamp: {where}: {what}" if where else f"nightlamp: {what}"
    click.echo(safe(text), err=True)
    if hint:
        click.echo(safe(f"Try: {hint}"), err=True)


def tell(text: str) -> None:
    """One line for people, on standard error."""
    click.echo(safe(text), err=True)


def safe(text: str) -> str:
    """``text`` without control characters, line by line."""
    from nightlamp.scan.names import printable

    return "\n".join(map(printable, text.split("\n")))


def table(rows: Iterable[Sequence[object]], header: Sequence[str] = (), *, err: bool = False) -> None:
    """Print rows as aligned columns; numbers to the right."""
    cells = [[_cell(c) for c in row] for row in rows]
    if header:
        cells.insert(0, list(header))
    if not cells:
        return
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    numeric = [all(_is_number(row[at]) for row in cells[bool(header) :]) for at in range(len(widths))]
    for number, row in enumerate(cells):
        line = "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        bold = number == 0 and bool(header) and (sys.stderr if err else sys.stdout).isatty()
        click.echo(click.style(line, bold=True) if bold else line, err=err)


def _cell(value: object) -> str:
    return safe(f"{value:,}" if isinstance(value, int) else str(value)).replace("\n", " ")


def _is_number(text: str) -> bool:
    return text[:1].isdigit() and text.replace(",", "").replace(".", "").isdigit()


def size_text(count: int) -> str:
    """Bytes for people: ``"3.4 MiB"``."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def time_text(seconds: float) -> str:
    """A duration for people: ``"4.2 s"``, ``"3:07"``, ``"1:02:30"``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
