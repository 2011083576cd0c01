"""What the service's commands share: the ``--config`` option, the settings, the database, who runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nightlamp.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from nightlamp.settings import Settings
    from nightlamp.vault import Vault

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """``--config FILE``."""
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The settings file; else NIGHTLAMP_CONFIG, ./nightlamp.toml or /etc/nightlamp/nightlamp.toml.",
    )(command)


def load_settings(config_file: Path | None) -> Settings:
    """The settings, of a service that is installed."""
    need_service()
    from nightlamp.settings import load

    return load(config_file)


def need_service() -> None:
    """Say so if what the service needs is not installed."""
    try:
        import nightlamp.vault  # noqa: F401 (it stands on all the rest)
    except ImportError as error:
        raise ConfigError(
            f"the service is not installed ({error.name} is missing)", hint="pip install 'nightlamp[server]'"
        ) from None


@contextmanager
def database(settings: Settings, *, current: bool = True) -> Iterator[Engine]:
    """An engine for the settings' database; ``current``: refuse a schema that is not up to date."""
    from sqlalchemy.exc import DBAPIError

    from nightlamp.store import connect, schema
    from nightlamp.store.engine import said

    engine = connect(settings.database_url, busy_seconds=settings.database.busy_seconds, pool_size=2)
    try:
        if current and not schema(engine).current:
            raise ConfigError("the database's schema is not up to date", hint="nightlamp db upgrade")
        yield engine
    except DBAPIError as error:
        raise said(error, engine) from None
    finally:
        engine.dispose()


@contextmanager
def vault_of(settings: Settings) -> Iterator[Vault]:
    """The settings' vault."""
    from nightlamp.vault import open_vault

    with database(settings) as engine:
        yield open_vault(settings, engine)


def operator() -> str:
    """The audit log's name for whoever runs this command."""
    import getpass

    try:
        return f"operator:{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return "operator"
