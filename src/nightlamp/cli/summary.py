"""The table at the end of a scan."""

from __future__ import annotations

from nightlamp.cli.messages import size_text, table, tell, time_text
from nightlamp.scan import ROWS, Totals


def show_summary(totals: Totals, seconds: float) -> None:
    """Print the totals on standard error."""
    rows: list[tuple[str, str, object]] = [("items", size_text(totals.bytes), totals.items)]
    if totals.earlier:
        rows.append(("", "of an earlier run", totals.earlier))
    rows += [("verdict", action, totals.actions[action]) for action in ("block", "review", "allow")]
    if totals.benign:
        rows.append(("known files", "by a benign filter", totals.benign))
    rows += [("matched", f"bank {name}", n) for name, n in sorted(totals.banks.items())]
    rows += [
        ("not checked" + (" (accepted)" if what in totals.without else ""), f"{what}: {why}", n)
        for (what, why), n in sorted(totals.unchecked.items())
    ]
    if totals.bad_rows:
        accepted = " (accepted)" if ROWS in totals.without else ""
        rows.append(("not checked" + accepted, "rows of lists: unreadable", totals.bad_rows))
    rows += [("passed over", what, n) for what, n in sorted(totals.passed_over.items())]
    tell("")
    table(rows, err=True)
    new = totals.items - totals.earlier
    tell(f"{new:,} items in {time_text(seconds)}, {new / max(seconds, 1e-3):,.1f} a second")
