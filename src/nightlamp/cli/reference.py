"""``docs/cli.md``, written from the commands: ``python -m nightlamp.cli.reference > docs/cli.md``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from nightlamp.cli.app import app

_HEAD = """\
# Command line

Written by `python -m nightlamp.cli.reference > docs/cli.md`; a test compares it with the commands.

Shell completion: `nightlamp completion bash`, `zsh` or `fish`. What `scan` does and writes is in
[scan.md](scan.md), what a hash list may look like in [lists.md](lists.md).
"""
_BANKS = """\
## Banks in a file

`--banks FILE.toml` names hash lists that need different options, for `scan` and `index build`. Paths are
relative to the file. Every key but `path` may be left out; they mean what the options of the same name do.

```toml
[[bank]]
path = "ncmec.csv"
name = "ncmec"            # by default the file's name without its ending
source = "NCMEC"
trust = "high"            # low, medium, high
columns = { pdq = "hash_col", id = "uuid" }

[[bank]]
path = "caid.json"
profile = "uk"            # what its category numbers mean
strict = true

[[bank]]
path = "nsrl.db"
benign = true             # known files, not material to find

[[bank]]
path = "known.nli"        # an index brings its banks' own settings
```

Also: `category`, `format`, `signal`, `delimiter`.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_commands(app, "nightlamp", None), _BANKS])


def _commands(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    name = path.rpartition(" ")[2]
    ctx = click.Context(command, parent, name, terminal_width=100, **command.context_settings)
    yield f"## {path}\n\n```\n{command.get_help(ctx)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from _commands(below, f"{path} {name}", ctx)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
