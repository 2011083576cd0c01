"""``nightlamp account``: the people of the console, without a running service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlamp.cli.messages import table, tell
from nightlamp.cli.service import config_option, database, load_settings, operator

if TYPE_CHECKING:
    from nightlamp.accounts import Token
    from nightlamp.settings import Settings

_ROLES = "reviewer, lead, auditor, admin or reporter; give it several times for several."


@click.group()
def account() -> None:
    """Make, list and disable the accounts of people who sign in to the console."""


@account.command()
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, help=_ROLES)
@click.option("--display", default="", help="The name that others see.")
@click.option("--password", "ask", is_flag=True, help="Ask for a password now, instead of printing a link.")
@config_option
def add(name: str, roles: tuple[str, ...], display: str, ask: bool, config_file: Path | None) -> None:
    """Make an account for NAME and print a one-time link with which its owner sets a password.

    The first admin is made in this way.

    \b
    nightlamp account add ada --role admin
    """
    settings = load_settings(config_file)
    from nightlamp import accounts
    from nightlamp.accounts import passwords
    from nightlamp.store import utc_now

    new = ""
    if ask:
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        new = passwords.hashed(given, accounts.normal(name))
    now = utc_now()
    with database(settings) as engine, engine.begin() as connection:
        made = accounts.add(connection, name, roles, actor=operator(), now=now, display=display)
        if new:
            passwords.store(connection, made.person, new, now=now, actor=operator())
            token = None
        else:
            token = accounts.invite(connection, made.id, now=now)
    if token is None:
        click.echo(f"added {made.person.name}")
    else:
        _link(settings, token)


@account.command("list")
@config_option
def list_accounts(config_file: Path | None) -> None:
    """List all accounts, disabled ones too."""
    settings = load_settings(config_file)
    from nightlamp import accounts
    from nightlamp.store import reading

    with database(settings) as engine, reading(engine) as connection:
        everybody = accounts.every(connection)
    rows = [
        (
            each.person.name,
            " ".join(sorted(each.person.roles)),
            "disabled" if each.disabled_at else "in force",
            "provider" if each.issuer else "set up" if each.second_factor else "none yet",
            each.id,
        )
        for each in everybody
    ]
    table(rows, ("name", "roles", "state", "second factor", "id"))


@account.command()
@click.argument("name")
@config_option
def disable(name: str, config_file: Path | None) -> None:
    """Let NAME in no more, and end their sessions on every node."""
    settings = load_settings(config_file)
    from nightlamp import accounts
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        found = accounts.named(connection, name)
        accounts.disable(connection, found.id, actor=operator(), now=utc_now())
    click.echo(f"disabled {found.person.name}")


@account.command()
@click.argument("name")
@config_option
def enable(name: str, config_file: Path | None) -> None:
    """Let NAME in again."""
    settings = load_settings(config_file)
    from nightlamp import accounts
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        found = accounts.named(connection, name)
        accounts.enable(connection, found.id, actor=operator(), now=utc_now())
    click.echo(f"enabled {found.person.name}")


@account.command()
@click.argument("name")
@config_option
def reset(name: str, config_file: Path | None) -> None:
    """Take password, second factor and sessions from NAME, and print a one-time link to begin anew."""
    settings = load_settings(config_file)
    from nightlamp import accounts
    from nightlamp.store import utc_now

    now = utc_now()
    with database(settings) as engine, engine.begin() as connection:
        found = accounts.named(connection, name)
        accounts.reset(connection, found.id, actor=operator(), now=now)
        token = accounts.invite(connection, found.id, now=now)
    _link(settings, token)


@account.command()
@click.argument("name")
@click.option("--role", "given", multiple=True, required=True, help=_ROLES)
@config_option
def roles(name: str, given: tuple[str, ...], config_file: Path | None) -> None:
    """Give NAME these roles and no others; in force with their next request."""
    settings = load_settings(config_file)
    from nightlamp import accounts
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        found = accounts.named(connection, name)
        accounts.set_roles(connection, found.id, given, actor=operator(), now=utc_now())
    click.echo(f"{found.person.name}: {' '.join(sorted(set(given)))}")


def _link(settings: Settings, token: Token) -> None:
    origin = settings.console.url or f"http://localhost:{settings.server.port}"
    tell("One-time link, shown this once and good for three days:")
    click.echo(f"{origin}/console/welcome?token={token.reveal()}")
