"""Snapshots are built in a process of their own: to sort millions of entries must not hold up a match."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from sqlalchemy import Engine

from nightlamp.errors import SnapshotError
from nightlamp.store import connect
from nightlamp.store.elsewhere import run_elsewhere


def build_elsewhere(engine: Engine, cache_dir: Path, stopping: Event) -> None:
    """Build a snapshot of the database as it is, with the installed signals, and wait for it.

    Raises:
        SnapshotError: it could not be built.
    """
    url = engine.url.render_as_string(hide_password=False)
    built = run_elsewhere(_build, url, cache_dir, name="nightlamp-snapshot", stopping=stopping)
    if not built and not stopping.is_set():
        raise SnapshotError("the process that builds it has failed", where=str(cache_dir), hint="its log")


def _build(url: str, cache_dir: Path) -> None:
    from nightlamp.banks.live.node import LiveBanks  # which calls the function above

    engine = connect(url, pool_size=1)
    LiveBanks(engine, cache_dir=cache_dir).build_snapshot()
    engine.dispose()
