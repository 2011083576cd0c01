"""``nightlamp completion``: the script that teaches a shell our commands."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that lets a shell complete commands and options.

    \b
    bash:  nightlamp completion bash > ~/.local/share/bash-completion/completions/nightlamp
    zsh:   nightlamp completion zsh > ~/.zfunc/_nightlamp     (a folder in $fpath)
    fish:  nightlamp completion fish > ~/.config/fish/completions/nightlamp.fish
    """
    from click.shell_completion import get_completion_class

    maker = get_completion_class(shell)
    assert maker is not None
    script = maker(ctx.find_root().command, {}, "nightlamp", "_NIGHTLAMP_COMPLETE")
    click.echo(script.source_template % script.source_vars())
