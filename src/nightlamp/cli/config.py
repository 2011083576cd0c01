"""``nightlamp config``: what the settings are, where each comes from, and whether they work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import safe, table, tell
from nightlamp.cli.service import config_option, load_settings
from nightlamp.errors import NightlampError

if TYPE_CHECKING:
    from nightlamp.settings import Settings


@click.group()
def config() -> None:
    """Show and try the service's settings."""


@config.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(config_file: Path | None, as_json: bool) -> None:
    """Print every setting, its value and where that comes from. Secrets are masked.

    \b
    nightlamp config show
    nightlamp config show --config /etc/nightlamp/nightlamp.toml --json
    """
    settings = load_settings(config_file)
    from nightlamp.settings import origins, unknown_variables, values

    come_from = origins(config_file)
    rows = [(name, _shown(value), come_from[name]) for name, value in values(settings)]
    if as_json:
        click.echo(json.dumps({n: {"value": v, "from": f} for n, v, f in rows}, indent=2))
    else:
        table([(name, _text(value), origin) for name, value, origin in rows], ("setting", "value", "from"))
    for variable in unknown_variables():
        tell(f"{variable} names no setting")


@config.command()
@config_option
def check(config_file: Path | None) -> int:
    """Try the settings: database, schema, audit key, vault and its keys. The exit status is 1 if one fails.

    \b
    nightlamp config check
    """
    settings = load_settings(config_file)
    from nightlamp.settings import unknown_variables

    failed = 0
    for what, attempt in _ATTEMPTS:
        try:
            said = attempt(settings)
        except NightlampError as error:
            failed += 1
            click.echo(safe(f"FAILED  {what}: {error}"))
        else:
            click.echo(safe(f"ok      {what}: {said}"))
    for variable in unknown_variables():
        click.echo(safe(f"warning {variable} names no setting: is it misspelt?"))
    return int(failed > 0)


def _shown(value: Any) -> Any:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    return value if isinstance(value, bool | int | float) else "" if value is None else str(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or "-"


def _try_database(settings: Settings) -> str:
    from nightlamp.store import connect, schema

    engine = connect(settings.database_url, busy_seconds=settings.database.busy_seconds)
    try:
        found = schema(engine)
    finally:
        engine.dispose()
    if not found.current and not settings.database.upgrade_at_start:
        raise NightlampError("the schema is not up to date", hint="nightlamp db upgrade")
    state = "up to date" if found.current else "will be upgraded at the start"
    return f"{engine.dialect.name} answers, schema {state}"


def _try_audit(settings: Settings) -> str:
    from nightlamp.audit import PublicKeys, SigningKey

    key = SigningKey.read(settings.audit_key_file)
    if settings.audit_key_file.stat().st_mode & 0o077:
        raise NightlampError(
            "others than its owner may read the signing key",
            where=str(settings.audit_key_file),
            hint="chmod 600",
        )
    earlier = PublicKeys.read(settings.audit.public_keys).by_id
    return f"signing key {key.id}" + (f", earlier keys {', '.join(earlier)}" if earlier else "")


def _try_vault(settings: Settings) -> str:
    from nightlamp.vault.opening import open_place

    place = open_place(settings)
    place.check()
    return f"{place!r} can be written and read"


def _try_recipients(settings: Settings) -> str:
    from nightlamp.vault.opening import open_recipients

    recipients = open_recipients(settings)
    if recipients is None:
        raise NightlampError(
            "no public key to seal for: content cannot be kept",
            hint="nightlamp vault keygen, then vault.recipients",
        )
    return f"seals for {len(recipients.names)} key(s), fingerprint {recipients.fingerprint}"


_ATTEMPTS: tuple[tuple[str, Callable[[Settings], str]], ...] = (
    ("database", _try_database),
    ("audit key", _try_audit),
    ("vault", _try_vault),
    ("vault keys", _try_recipients),
)
