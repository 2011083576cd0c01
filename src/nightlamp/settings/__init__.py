"""Every setting of the service in one object: ``Settings``, a nested model for each section.

Three sources, the first that says something wins: the environment (``NIGHTLAMP_<SECTION>_<NAME>``, e.g.
``NIGHTLAMP_DATABASE_URL``), a TOML file (``[database]`` ``url = …``), the defaults written here. ``load``
finds the file and reads all of them; ``origins`` says where each value came from. Secrets are
``SecretStr`` and are never shown, not by ``repr`` and not by an error.

A part that needs settings has its section in ``sections`` or a module beside it, and one field of
``Settings``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from nightlamp.errors import ConfigError
from nightlamp.settings.console import ConsoleSettings
from nightlamp.settings.feeds import FeedsSettings
from nightlamp.settings.lookups import LookupsSettings
from nightlamp.settings.origin import OriginSettings
from nightlamp.settings.reports import ReportsSettings
from nightlamp.settings.section import Section
from nightlamp.settings.sections import (
    AccessSettings,
    AuditSettings,
    DatabaseSettings,
    IntakeSettings,
    OutboundSettings,
    ServerSettings,
    TracingSettings,
    UrlsSettings,
    VaultSettings,
    WriterSettings,
)
from nightlamp.settings.share import ShareSettings

PREFIX = "NIGHTLAMP_"
CONFIG_FILES = (Path("nightlamp.toml"), Path("/etc/nightlamp/nightlamp.toml"))
# Variables with our prefix that are not settings of the service.
_CONFIG, _FOR_TESTS = f"{PREFIX}CONFIG", f"{PREFIX}TEST_"


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "nightlamp"


class Settings(BaseSettings):
    """All settings. ``Settings(**table)``: the environment beats ``table``, which beats the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,  # NIGHTLAMP_VAULT_S3_BUCKET is vault.s3_bucket
        nested_model_default_partial_update=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(
        default_factory=_data_home,
        description="folder for what has no place of its own; by default the user's own data folder",
    )
    database: DatabaseSettings = DatabaseSettings()
    writer: WriterSettings = WriterSettings()
    audit: AuditSettings = AuditSettings()
    vault: VaultSettings = VaultSettings()
    access: AccessSettings = AccessSettings()
    intake: IntakeSettings = IntakeSettings()
    outbound: OutboundSettings = OutboundSettings()
    server: ServerSettings = ServerSettings()
    urls: UrlsSettings = UrlsSettings()
    tracing: TracingSettings = TracingSettings()
    origin: OriginSettings = OriginSettings()
    lookups: LookupsSettings = LookupsSettings()
    feeds: FeedsSettings = FeedsSettings()
    console: ConsoleSettings = ConsoleSettings()
    reports: ReportsSettings = ReportsSettings()
    share: ShareSettings = ShareSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what was given (the file's table)."""
        return env_settings, init_settings

    @property
    def database_url(self) -> str:
        """The database's URL with its password: not for messages."""
        return self.database.url.get_secret_value() or f"sqlite:///{self.data_dir / 'nightlamp.db'}"

    @property
    def audit_key_file(self) -> Path:
        """The private key that signs checkpoints."""
        return self.audit.key_file or self.data_dir / "audit.key"

    @property
    def vault_path(self) -> Path:
        """The folder of the disk vault."""
        return self.vault.path or self.data_dir / "vault"

    @property
    def recipients_file(self) -> Path:
        """The file of public keys for which content is sealed."""
        return self.vault.recipients_file or self.data_dir / "vault.pub"

    @property
    def console_identity(self) -> Path:
        """The private key with which the console opens what it shows; it need not be there."""
        return self.console.identity_file or self.data_dir / "vault.key"

    @property
    def tracking(self) -> frozenset[str]:
        """The names of the query parameters that are dropped before matching."""
        from nightlamp.urls import TRACKING

        names = frozenset(self.urls.tracking)
        return names - {"default"} | TRACKING if "default" in names else names


def config_file(given: Path | None = None) -> Path | None:
    """The file to read: ``given``, else ``NIGHTLAMP_CONFIG``, else the first usual place that has one."""
    named = given or (Path(os.environ["NIGHTLAMP_CONFIG"]) if os.environ.get("NIGHTLAMP_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(
                "there is no such file", where=str(named), hint="check --config or NIGHTLAMP_CONFIG"
            )
        return named
    return next((path for path in CONFIG_FILES if path.is_file()), None)


def load(file: Path | None = None) -> Settings:
    """All settings from the environment, ``file`` and the defaults.

    Args:
        file: a TOML file; by default what ``config_file()`` finds.

    Raises:
        ConfigError: naming each setting that is wrong, without its value.
    """
    path = config_file(file)
    try:
        return Settings(**(_table(path) if path else {}))
    except ValidationError as error:
        faults = [f"{_name(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise ConfigError(
            "; ".join(faults),
            where=str(path or "environment"),
            hint="nightlamp config show lists all settings",
        ) from None
    except ValueError as error:  # pydantic-settings: a variable that is not the JSON it must be
        raise ConfigError(str(error).split("\n")[0], where="environment") from None


def _table(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML ({error})", where=str(path)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(path)) from None


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))


def origins(file: Path | None = None) -> dict[str, str]:
    """Where each setting's value comes from: ``{"database.url": "NIGHTLAMP_DATABASE_URL", …}``."""
    path = config_file(file)
    table = dict(_leaves(_table(path))) if path else {}
    environment = dict(_leaves(EnvSettingsSource(Settings)()))
    found = {}
    for name, _ in values(Settings.model_construct()):
        variable = PREFIX + name.replace(".", "_").upper()
        in_file = any(key == name or key.startswith(f"{name}.") for key in table)
        found[name] = variable if name in environment else str(path) if in_file else "default"
    return found


def values(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting with its value, ``("database.url", …)``; secrets stay ``SecretStr``."""
    for name in type(settings).model_fields:
        value = getattr(settings, name, None)
        if isinstance(value, Section):
            yield from ((f"{name}.{field}", getattr(value, field)) for field in type(value).model_fields)
        else:
            yield name, value


def unknown_variables() -> list[str]:
    """Variables that start with our prefix but name no setting: most likely misspelt."""
    known = {PREFIX + name.replace(".", "_").upper() for name, _ in values(Settings.model_construct())}
    sections = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        v
        for v in map(str.upper, os.environ)
        if v.startswith(PREFIX) and not v.startswith(_FOR_TESTS) and v not in known | sections | {_CONFIG}
    )


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value
