"""The command ``nightlamp`` itself: its subcommands, and which exit status an error means."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from nightlamp import __version__
from nightlamp.cli.messages import NoInputError, complain
from nightlamp.errors import (
    AccessError,
    AuditError,
    CaseError,
    ConfigError,
    ExchangeError,
    FeedError,
    ListError,
    NightlampError,
    OutputError,
    PolicyError,
    ReportError,
    SnapshotError,
    StoreError,
    UnavailableError,
    UndecidedError,
    VaultError,
)

USAGE, DATA, NO_INPUT, AWAY, INTERNAL, CANNOT_WRITE, CONFIG, INTERRUPTED = 64, 65, 66, 69, 70, 73, 78, 130
_BAD_DATA = (
    CaseError,
    FeedError,
    ListError,
    PolicyError,
    SnapshotError,
    StoreError,
    ReportError,
    AuditError,
    VaultError,
    AccessError,
)

# Each command's module is loaded when it is called; so that --help loads none, it says here what they do.
_COMMANDS = {
    "scan": ("scan", "scan", "Match files, folders and archives against hash lists."),
    "hash": ("hash", "hash_command", "Print every signal of each FILE ('-' is standard input)."),
    "origin": (
        "origin",
        "origin",
        "Say how each FILE was made, as far as it tells ('-' is standard input): camera, AI, edited.",
    ),
    "bank": ("bank", "bank", "Look at hash lists."),
    "index": ("index", "index", "Build, describe and query an index of hash lists."),
    "policy": ("policy", "policy", "Check, try and show policies."),
    "demo": ("demo", "demo", "Show all of it on harmless pictures, and explain it."),
    "feed": ("feed", "feed", "Keep banks in step with the exchanges that own their lists."),
    "serve": ("serve", "serve", "Run the service: items in, verdicts out, over HTTP."),
    "account": (
        "account",
        "account",
        "Make, list and disable the accounts of people who sign in to the console.",
    ),
    "key": ("key", "key", "Make, list and revoke API keys in the database."),
    "config": ("config", "config", "Show and try the service's settings."),
    "db": ("db", "db", "Look at the database's schema, and bring it up to date."),
    "audit": ("audit", "audit", "Check, export and show the audit log."),
    "disclose": (
        "report_bundle",
        "disclose",
        "Seal what is known of a CASE or an ITEM for law enforcement, on a legal process.",
    ),
    "hold": ("hold", "hold", "List, extend and end the duties to keep sealed content."),
    "report": (
        "report",
        "report",
        "Draft, approve and send reports to the CyberTipline; make packages for other authorities.",
    ),
    "vault": ("vault", "vault", "Keys and upkeep of the sealed content that must be kept."),
    "completion": (
        "completion",
        "completion",
        "Print a script that lets a shell complete commands and options.",
    ),
}


class _App(click.Group):
    """Loads commands on demand, and turns everything that can end one into one message and a status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module, attribute, _ = _COMMANDS[cmd_name]
            self.add_command(getattr(import_module(f"nightlamp.cli.{module}"), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][2]) for name in sorted(_COMMANDS)])

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        # A name that the terminal's encoding cannot say must not end a scan.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        arguments = list(sys.argv[1:] if args is None else args)
        status = self._status(arguments, *rest, **{**options, "standalone_mode": False})
        if options.get("standalone_mode", True):
            sys.exit(status)
        return status

    def _status(self, arguments: list[str], *rest: Any, **options: Any) -> int:
        debug = "--debug" in arguments
        try:
            status = super().main(arguments, *rest, **options)
            sys.stdout.flush()
            return status if isinstance(status, int) else 0
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return USAGE
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "nightlamp"
            complain(error.format_message(), hint=f"{where} --help")
            return USAGE
        except (click.Abort, KeyboardInterrupt):
            complain("interrupted")
            return INTERRUPTED
        except NightlampError as error:
            if debug:
                traceback.print_exc()
            complain(error.what, where=error.where, hint=error.hint)
            return _status_of(error)
        except BrokenPipeError:
            _forget_stdout()
            return CANNOT_WRITE
        except Exception as error:  # noqa: BLE001 (the last door: a bug becomes a message and a status)
            if debug:
                traceback.print_exc()
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                complain("no room to write")
                return CANNOT_WRITE
            complain(
                f"an error inside Nightlamp ({type(error).__name__})",
                hint="nightlamp --debug … with the same command, and report what it prints",
            )
            return INTERNAL


def _status_of(error: NightlampError) -> int:
    if isinstance(error, NoInputError):
        return NO_INPUT
    if isinstance(error, OutputError):
        return CANNOT_WRITE
    if isinstance(error, UnavailableError | UndecidedError | ExchangeError):
        return AWAY
    if isinstance(error, ConfigError):
        return CONFIG
    return DATA if isinstance(error, _BAD_DATA) else INTERNAL


def _forget_stdout() -> None:
    """The reader has gone: what Python still wants to flush at its end goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@click.group(cls=_App, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="nightlamp %(version)s")
@click.option("--debug", is_flag=True, help="Show Python's traceback of an error.")
def app(debug: bool) -> None:
    """Match files against hash lists of known material, exactly, and say what could not be checked.

    \b
    Exit status:
      0       nothing found
      1       matches found
      2       nothing found, but something could not be checked
      64-78   it could not run: 64 usage, 65 a list, index, log or object is bad, 66 no input,
              69 the database is away, 70 an error inside Nightlamp, 73 cannot write,
              78 a setting is wrong
      130     interrupted
    """


def main() -> None:
    """Run ``nightlamp`` with this process's arguments."""
    app.main(prog_name="nightlamp")
