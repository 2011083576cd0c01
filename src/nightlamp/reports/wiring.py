"""The parts of reports, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Lock

from sqlalchemy import Engine

from nightlamp.cases import Consumer
from nightlamp.errors import ConfigError
from nightlamp.reports.by_rule import ByRule
from nightlamp.reports.cybertip import Credentials, CyberTip, host_of
from nightlamp.reports.cybertip.schema import validator
from nightlamp.reports.drafts import Operator, draft_for
from nightlamp.reports.evidence import Evidence
from nightlamp.reports.reconciling import Reconciler
from nightlamp.reports.sending import Sender
from nightlamp.settings import Settings
from nightlamp.store import Clock, Writer, utc_now
from nightlamp.vault import Identity, Vault

Run = tuple[str, float, Callable[[], object]]


def client_of(settings: Settings) -> CyberTip:
    """The authority that the settings name.

    Raises:
        ConfigError: there are no credentials.
        ReportError: it is production, and this process runs tests.
    """
    s = settings.reports
    if not s.username or s.password is None:
        missing = "reports.username" if not s.username else "reports.password"
        raise ConfigError("no credentials of NCMEC", where=missing, hint="docs/reporting.md")
    return CyberTip(host_of(s), Credentials(s.username, s.password.get_secret_value()))


def identity_file(settings: Settings) -> Path:
    """The private key that opens evidence; it need not be there."""
    return settings.reports.identity_file or settings.data_dir / "vault.key"


def xsd_file(settings: Settings) -> Path:
    """Where the authority's schema is kept; it need not be there."""
    return settings.reports.xsd_file or settings.data_dir / "cybertip.xsd"


def sender_of(
    settings: Settings,
    writer: Writer,
    vault: Vault,
    *,
    client: CyberTip | None = None,
    clock: Clock = utc_now,
) -> Sender:
    """A sender by the settings.

    Raises:
        ConfigError, VaultError: no credentials, or no private key that can be read.
    """
    identity = Identity.read(identity_file(settings))
    schema = xsd_file(settings)
    return Sender(
        writer,
        client or client_of(settings),
        Evidence(vault, identity),
        term=Operator.of(settings.reports).until,
        valid=validator(schema) if schema.exists() else None,
        clock=clock,
    )


def consumer_of(settings: Settings) -> Consumer:
    """What drafts a report of each final decision."""
    return partial(draft_for, operator=Operator.of(settings.reports))


def loops(settings: Settings, engine: Engine, writer: Writer, vault: Vault) -> Sequence[Run]:
    """What a node does again and again: (name, seconds between, run).

    Reports are sent by nodes that have credentials and the private key; others only draft them.
    """
    s = settings.reports
    sends = bool(s.username and s.password is not None) and identity_file(settings).exists()
    client = partial(client_of, settings) if sends else None
    reconciler = Reconciler(engine, writer, client, draft_hours=s.draft_hours)
    rules = ByRule(engine, writer, Operator.of(s), wait=timedelta(minutes=s.by_rule_minutes))
    runs: list[Run] = [
        ("reconciliation", s.every.total_seconds(), lambda: reconciler.run_once() and None),
        ("rules", 5.0, rules.run_once),
    ]
    if sends:
        sending = _Sending(settings, writer, vault)
        names = ["reports", *(f"reports {at}" for at in range(2, s.at_once + 1))]
        runs += [(name, 5.0, sending.run_once) for name in names]
    return runs


class _Sending:
    """Makes its sender at the first run, so that a fault in the settings is one of these loops alone."""

    def __init__(self, settings: Settings, writer: Writer, vault: Vault) -> None:
        self._make = partial(sender_of, settings, writer, vault)
        self._sender: Sender | None = None
        self._making = Lock()

    def run_once(self) -> int:
        with self._making:
            if self._sender is None:
                self._sender = self._make()
        return self._sender.run_once()
