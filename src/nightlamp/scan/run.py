"""A whole scan: items in, rows out to where they are kept, totals at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from nightlamp.scan.items import Item
from nightlamp.scan.manifest import Manifest, Output
from nightlamp.scan.pipeline import Pipeline
from nightlamp.scan.row import Row
from nightlamp.scan.seen import Seen
from nightlamp.scan.totals import Totals


def scan(
    items: Iterable[Item],
    pipeline: Pipeline,
    output: Output | None = None,
    *,
    only_findings: bool = False,
    totals: Totals | None = None,
    watch: Callable[[Sequence[Row], Totals], None] = lambda _rows, _totals: None,
) -> Totals:
    """Scan ``items``; with an output that has rows already, only those that are not in it.

    Args:
        items: from ``walk``.
        pipeline: what examines and judges them.
        output: keeps the rows; a ``Manifest`` that was begun, a ``Stream``, or nothing.
        only_findings: keep only rows with a match or something not checked. Continuing such an output is
            right but saves no time, since it does not tell what else was done.
        totals: counted on from here, by default from nothing.
        watch: called with each batch of rows, kept or not, and the totals so far.

    Returns:
        The totals of all rows, those of earlier runs too.

    Raises:
        OutputError: the output cannot be written or continued; what is written stays.
    """
    totals = totals or Totals(pipeline.screener.policy.without)
    seen = Seen()
    try:
        for row in output.earlier() if output else ():
            seen.add(row.path, row.size, row.mtime)
            totals.add([row])
        totals.earlier = totals.items
        fresh = replace(pipeline, skip=lambda item: seen.has(item.path, item.size, item.mtime))
        for rows in fresh.rows(items):
            totals.add(rows)
            if output:
                output.write([row for row in rows if not only_findings or _is_finding(row, totals)])
            watch(rows, totals)
        if isinstance(output, Manifest):
            output.close(totals, finished=not pipeline.stop())
    except BaseException:
        if isinstance(output, Manifest):
            output.abandon()
        raise
    return totals


def _is_finding(row: Row, totals: Totals) -> bool:
    return row.hit or bool(row.open_questions(totals.without))
