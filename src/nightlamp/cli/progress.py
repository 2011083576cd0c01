"""How far a scan is: a bar on a terminal, now and then a plain line elsewhere. Counts only, never a path."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

import click

from nightlamp.cli.messages import size_text, tell, time_text
from nightlamp.scan import Totals, walk

if TYPE_CHECKING:
    from rich.console import Console

_LINE_SECONDS = 10.0


class Progress:
    """Shows the totals as they grow.

    Args:
        bar: draw a bar; by default if standard error is a terminal.
        lines: without a bar, say a line every ten seconds.
    """

    def __init__(self, *, bar: bool | None = None, lines: bool = False) -> None:
        self._bar = sys.stderr.isatty() if bar is None else bar
        self._lines = lines
        self._began = self._said = time.monotonic()
        self._stack = ExitStack()
        self._draw = self._say
        self._expected: int | None = None
        self._over = threading.Event()
        self._console: Console | None = None

    def __enter__(self) -> Progress:
        if self._bar:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            self._console = Console(stderr=True)
            drawn = self._stack.enter_context(
                Progress(
                    TextColumn("{task.description}"),
                    BarColumn(),
                    TaskProgressColumn(),
                    TimeRemainingColumn(),
                    console=self._console,
                    transient=True,
                )
            )
            task = drawn.add_task("", total=None)

            def draw(totals: Totals) -> None:
                # Members of archives were not expected, so the end may move.
                end = max(self._expected, totals.items) if self._expected else None
                drawn.update(task, completed=totals.items, total=end, description=self._text(totals))

            self._draw = draw
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._over.set()
        self._stack.close()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def expect(self, roots: Sequence[str], *, follow: bool) -> None:
        """Count what is there, beside the scan, so that the bar has an end."""
        if self._bar and roots:
            threading.Thread(target=self._count, args=(roots, follow), daemon=True).start()

    def _count(self, roots: Sequence[str], follow: bool) -> None:
        count = 0
        for _ in walk(roots, follow=follow):
            count += 1
            if self._over.is_set():
                return
        self._expected = count

    def show(self, totals: Totals) -> None:
        """Show where the scan is."""
        self._draw(totals)

    def print(self, lines: str) -> None:
        """Print lines on standard output without tearing the bar."""
        if self._console is not None and sys.stdout.isatty():
            # The same terminal as the bar's: only the bar's owner can write above it.
            self._console.out(lines, highlight=False)
        else:
            click.echo(lines)

    def _say(self, totals: Totals) -> None:
        now = time.monotonic()
        if self._lines and now - self._said > _LINE_SECONDS:
            self._said = now
            tell(f"nightlamp: {self._text(totals)}, {time_text(self.seconds)}")

    def _text(self, totals: Totals) -> str:
        rate = (totals.items - totals.earlier) / max(time.monotonic() - self._began, 1e-3)
        text = f"{totals.items:,} items, {size_text(totals.bytes)}, {rate:,.0f}/s, {totals.hits:,} matched"
        return f"{text}, {totals.open:,} not checked" if totals.open else text
