"""Starts ``nightlamp`` commands quickly: a process that has imported everything, and forks.

Run as a script. Each line on its standard input is a JSON order; each answer is the new process's id. The
child is a process group of its own, runs the command line's own ``main`` and differs from ``nightlamp …`` in
a shell by the seconds of importing that it saves. When standard input ends, everything is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    """Fork on demand until standard input ends."""
    _import_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children: let them not linger
    children = []
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(order)
        # Here too: whoever is told of it may kill its group before it has run.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(child, child)
        children.append(child)
        print(child, flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)


def _import_all() -> None:
    import alembic.command
    import PIL.Image

    import nightlamp.cli.app
    import nightlamp.cli.serve
    import nightlamp.server
    import nightlamp.signals.pdq

    _ = (alembic.command, PIL.Image, nightlamp.cli.serve, nightlamp.server, nightlamp.signals.pdq)
    _load_kernels()


def _load_kernels() -> None:
    """One lookup of each kind, which takes a new process half a second the first time."""
    import tempfile

    from nightlamp.banks import Entry
    from nightlamp.banks.live import LiveBanks, add_entries, create_bank
    from nightlamp.store import connect, upgrade
    from nightlamp.values import Bank, Fingerprint

    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{folder}/warm.db")
        upgrade(engine)
        values = {"pdq": bytes(range(32)), "md5": bytes(16)}
        with engine.begin() as connection:
            bank = create_bank(connection, Bank("warm"), actor="test")
            entries = [Entry(signal, value, "", "") for signal, value in values.items()]
            add_entries(connection, bank.id, entries, actor="test")
        live = LiveBanks(engine)
        live.poll()
        live.current().lookup_many([[Fingerprint(s, v, quality=100) for s, v in values.items()]])
        engine.dispose()


def _run(order: dict[str, Any]) -> None:
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null, log = os.open(os.devnull, os.O_RDONLY), order["log"]
        for wanted, fd in (
            (null, 0),
            (os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1),
            (os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2),
        ):
            os.dup2(wanted, fd)
            os.close(wanted)
        sys.stdout, sys.stderr = (os.fdopen(fd, "w", closefd=False) for fd in (1, 2))
        os.environ.update(order["env"])
        if order["clock"]:
            _shift(Path(order["clock"]))
        if order["most_file"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["most_file"], resource.RLIM_INFINITY))
        from nightlamp.cli.app import app

        status = app.main(order["args"], standalone_mode=False)
    except BaseException:  # noqa: BLE001 (a child must end here, and say why)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _shift(offset: Path) -> None:
    """Let the service's clock be wrong by as many seconds as the file says, which may change at any time."""
    from datetime import datetime, timedelta, tzinfo

    from nightlamp.store import clock

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=float(offset.read_text()))

    clock.datetime = Shifted  # type: ignore[misc]


if __name__ == "__main__":
    main()
