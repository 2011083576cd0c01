"""Figures as a page that stands alone: no script, nothing from elsewhere, each chart with its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from nightlamp.reports.transparency.counting import MEDIANS, TABLES, Cell, Figures, names_of

# Told apart by lightness, too; every part of a bar has its name and figure in a tooltip and in the table.
_COLOURS = ("#1b4965", "#e07a1f", "#5fa8d3", "#7b2d26", "#9bc53d", "#6c4ab6", "#c9a227", "#3a3a3a")
_WIDTH, _HEIGHT, _LEFT, _FOOT = 720, 220, 46, 34
_MOST_NAMES = len(_COLOURS)
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;display:block;overflow-x:auto;margin:.5rem 0 2rem}
th,td{border-bottom:1px solid #8886;padding:.25rem .6rem;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:currentColor}
ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1rem}
i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
"""


def page(found: Figures, title: str = "Transparency report") -> str:
    """The HTML."""
    return "".join(_page(found, title))


def _page(found: Figures, title: str) -> Iterator[str]:
    months = f"{found.months[0]} to {found.months[-1]}"
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    yield "style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{escape(title)}, {months}</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>{escape(title)}</h1><p>{months}, months in UTC.</p>"
    if found.threshold:
        yield (
            f"<p>Counts below {found.threshold}, and those from which they could be computed, are marked "
            "“few” and not drawn.</p>"
        )
    for table, heading in TABLES.items():
        cells = [cell for cell in found.cells if cell.table == table]
        if cells:
            yield f'<section aria-labelledby="{table}"><h2 id="{table}">{escape(heading)}</h2>'
            yield from _chart(found.months, cells, table, heading)
            yield from _table(found.months, cells, table, heading)
            yield "</section>"
    if found.medians:
        yield '<section aria-labelledby="medians"><h2 id="medians">Median times</h2><table>'
        yield '<thead><tr><th scope="col">what</th>'
        yield from (f'<th scope="col">{month}</th>' for month in found.months)
        yield "</tr></thead><tbody>"
        for what, told in MEDIANS.items():
            mine = {each.month: each.seconds for each in found.medians if each.what == what}
            yield f'<tr><th scope="row">{escape(told)}</th>'
            yield from (f"<td>{_span(mine[month]) if month in mine else '–'}</td>" for month in found.months)
            yield "</tr>"
        yield "</tbody></table></section>"
    yield "</main></body></html>\n"


def _chart(months: Sequence[str], cells: Sequence[Cell], table: str, heading: str) -> Iterator[str]:
    """Stacked bars, one a month; names beyond the colours are one part."""
    counts = {(cell.month, cell.name): cell.count or 0 for cell in cells}
    by_size = sorted(names_of(cells, table), key=lambda name: -sum(counts.get((m, name), 0) for m in months))
    drawn = by_size if len(by_size) <= _MOST_NAMES else by_size[: _MOST_NAMES - 1]
    rest = by_size[len(drawn) :]
    stacks = []
    for month in months:
        stack = [(name, counts.get((month, name), 0)) for name in drawn]
        if rest:
            stack.append(("others", sum(counts.get((month, name), 0) for name in rest)))
        stacks.append(stack)
    top = max(sum(count for _, count in stack) for stack in stacks)
    if top == 0:
        return
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{table}-t {table}-d">'
    yield f'<title id="{table}-t">{escape(heading)}</title>'
    yield f'<desc id="{table}-d">Stacked bars, one for each month; the table below has the figures.</desc>'
    room, step = _HEIGHT - _FOOT - 10, (_WIDTH - _LEFT) / len(months)
    for share in (0.0, 0.5, 1.0):
        y = 10 + room * (1 - share)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#8886"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * share:g}</text>'
    every = -(-len(months) // 12)
    for at, (month, stack) in enumerate(zip(months, stacks, strict=True)):
        x, y = _LEFT + step * (at + 0.15), 10.0 + room
        for place, (name, count) in enumerate(stack):
            height = room * count / top
            y -= height
            if count:
                yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{step * 0.7:.1f}" height="{height:.1f}" '
                yield f'fill="{_COLOURS[place]}"><title>{month}, {escape(name)}: {count}</title></rect>'
        if at % every == 0:
            yield f'<text x="{x + step * 0.35:.1f}" y="{_HEIGHT - 12}" text-anchor="middle">{month}</text>'
    yield '</svg><ul aria-hidden="true">'
    for place, (name, _) in enumerate(stacks[0]):
        yield f'<li><i style="background:{_COLOURS[place]}"></i>{escape(name)}</li>'
    yield "</ul>"


def _table(months: Sequence[str], cells: Sequence[Cell], table: str, heading: str) -> Iterator[str]:
    found = {(cell.month, cell.name): cell.count for cell in cells}
    yield f'<table><caption hidden>{escape(heading)}</caption><thead><tr><th scope="col">{table}</th>'
    yield from (f'<th scope="col">{month}</th>' for month in months)
    yield "</tr></thead><tbody>"
    for name in names_of(cells, table):
        yield f'<tr><th scope="row">{escape(name)}</th>'
        for month in months:
            count = found.get((month, name), 0)
            yield f"<td>{'few' if count is None else count}</td>"
        yield "</tr>"
    yield "</tbody></table>"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "few"
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
