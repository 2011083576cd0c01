"""The vault that the settings describe."""

from __future__ import annotations

from sqlalchemy import Engine

from nightlamp.settings import Settings
from nightlamp.store.clock import Clock, utc_now
from nightlamp.vault.disk import DiskPlace
from nightlamp.vault.keys import Recipients
from nightlamp.vault.place import Place
from nightlamp.vault.vault import Vault


def open_vault(settings: Settings, engine: Engine, *, clock: Clock = utc_now) -> Vault:
    """The vault by the settings; without any public key it can do everything but take content in.

    Raises:
        VaultError, ConfigError: a key is malformed, or the backend is not installed.
    """
    return Vault(engine, open_place(settings), open_recipients(settings), clock=clock)


def open_place(settings: Settings) -> Place:
    """Where sealed bytes lie."""
    if settings.vault.backend == "s3":
        from nightlamp.vault.s3 import S3Place

        return S3Place.of(settings.vault)
    return DiskPlace(settings.vault_path)


def open_recipients(settings: Settings) -> Recipients | None:
    """The keys to seal for: those in the settings, else the file; ``None`` if there are none."""
    if settings.vault.recipients:
        return Recipients.of(settings.vault.recipients)
    if settings.vault.recipients_file is not None or settings.recipients_file.is_file():
        return Recipients.read(settings.recipients_file)
    return None
