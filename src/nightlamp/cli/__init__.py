"""The command line: flags in, the parts' answers out as tables, lines and an exit status.

It has no rule of its own. Everything heavy is imported inside the commands, so that ``--help`` is quick.
"""

from nightlamp.cli.app import app, main

__all__ = ["app", "main"]
