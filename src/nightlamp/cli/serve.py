"""``nightlamp serve``: one node of the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlamp.cli.messages import tell
from nightlamp.cli.service import config_option, load_settings
from nightlamp.errors import ConfigError

if TYPE_CHECKING:
    from nightlamp.server import Node


@click.command()
@click.option("--host", help="Address to listen on; by default server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0: any free one.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for what has no place of its own; by default data_dir.",
)
@config_option
def serve(host: str | None, port: int | None, data_dir: Path | None, config_file: Path | None) -> None:
    """Run the service: items in, verdicts out, over HTTP.

    On an empty folder it needs nothing else: it makes a SQLite database, keys for the audit log and the
    vault, a policy, and the first API key, which it prints once. Ctrl-C or SIGTERM ends it when what is in
    flight is done.

    \b
    nightlamp serve
    nightlamp serve --data-dir ./data --port 8700
    """
    settings = load_settings(config_file)
    try:
        from nightlamp.server import serve as run
    except ImportError as error:
        raise ConfigError(
            f"the service is not installed ({error.name} is missing)", hint="pip install 'nightlamp[server]'"
        ) from None
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    server = settings.server.model_copy(update=given)
    update = {"server": server} | ({"data_dir": data_dir} if data_dir else {})
    settings = settings.model_copy(update=update)
    data = settings.data_dir.absolute()
    run(settings, _prepared, lambda address: tell(f"Nightlamp listens on {address}; its data is in {data}"))


def _prepared(node: Node) -> None:
    if node.fresh_identity is not None:
        tell(f"{node.fresh_identity.absolute()} opens what the vault seals.")
        tell("Move it off this machine, and keep a copy.")
    if node.first_key is not None:
        tell("The first API key, with every scope. It is shown this once:")
        click.echo(node.first_key.secret.reveal())
        node.first_key = None
