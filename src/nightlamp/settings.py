"""Every setting of the service in one object: ``Settings``, a nested model for each section.

Three sources, the first that says something wins: the environment (``NIGHTLAMP_<SECTION>_<NAME>``, e.g.
``NIGHTLAMP_DATABASE_URL``), a TOML file (``[database]`` ``url = …``), the defaults written here. ``load``
finds the file and reads all of them; ``origins`` says where each value came from. Secrets are
``SecretStr`` and are never shown, not by ``repr`` and not by an error.

A part that needs settings adds its section here: a ``BaseModel`` with a docstring, and one field of
``Settings``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from nightlamp.errors import ConfigError

PREFIX = "NIGHTLAMP_"
CONFIG_FILES = (Path("nightlamp.toml"), Path("/etc/nightlamp/nightlamp.toml"))
# Variables with our prefix that are not settings of the service.
_NOT_SETTINGS = frozenset({"NIGHTLAMP_CONFIG", "NIGHTLAMP_TEST_DATA", "NIGHTLAMP_TEST_POSTGRES_URL"})


class Section(BaseModel):
    """What every section shares: unknown names are refused, values are never shown in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DatabaseSettings(Section):
    """Where state is kept."""

    url: SecretStr = Field(
        default=SecretStr(""),
        description="SQLAlchemy URL, sqlite:///… or postgresql://…; empty: a file in data_dir",
    )
    upgrade_at_start: bool = Field(
        default=True, description="bring the schema up to date when the service starts"
    )
    busy_seconds: PositiveFloat = Field(default=10.0, description="how long one statement waits for a lock")
    pool_size: PositiveInt = Field(default=10, description="connections held by one process")


class WriterSettings(Section):
    """How durable writes are grouped (see nightlamp.store.Writer)."""

    gather_ms: float = Field(default=2.0, ge=0, le=100, description="how long a group waits for company")
    most: PositiveInt = Field(default=256, description="works in one transaction")
    waiting: PositiveInt = Field(default=10_000, description="works in line before new ones are refused")
    patience_seconds: PositiveFloat = Field(default=10.0, description="how long a lost database is retried")


class AuditSettings(Section):
    """The hash chain and its signed checkpoints."""

    key_file: Path | None = Field(
        default=None, description="Ed25519 private key (PEM) that signs; default: data_dir/audit.key"
    )
    public_keys: tuple[Path, ...] = Field(
        default=(), description="earlier signing keys' public halves (PEM), still good"
    )
    checkpoint_records: PositiveInt = Field(default=1000, description="sign after so many records")
    checkpoint_seconds: PositiveInt = Field(default=3600, description="sign at the latest after so long")


class VaultSettings(Section):
    """Where sealed content is kept, and for whom it is sealed."""

    backend: Literal["disk", "s3"] = Field(default="disk", description="disk or s3")
    path: Path | None = Field(default=None, description="folder of the disk backend; default: data_dir/vault")
    recipients: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="age public keys (age1…) that can open what is sealed"
    )
    recipients_file: Path | None = Field(
        default=None, description="a file of age public keys; default: data_dir/vault.pub, if it is there"
    )
    destroy_after: timedelta = Field(
        default=timedelta(hours=24),
        description="time between the end of the last hold and destruction, seen twice",
    )
    s3_bucket: str = Field(default="", description="bucket of the s3 backend")
    s3_prefix: str = Field(default="vault/", description="what object names start with")
    s3_endpoint: str | None = Field(default=None, description="URL of an S3-compatible service")
    s3_region: str | None = Field(default=None, description="region, if the service needs one")
    s3_access_key: SecretStr | None = Field(
        default=None, description="access key; default: the client's own search"
    )
    s3_secret_key: SecretStr | None = Field(default=None, description="secret key")

    @field_validator("recipients", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _bucket(self) -> Self:
        if self.backend == "s3" and not self.s3_bucket:
            raise ValueError("vault.s3_bucket must be set for the s3 backend")
        return self


class AccessSettings(Section):
    """API keys."""

    poll_ms: PositiveInt = Field(
        default=200,
        le=10_000,
        description="how often other nodes' changes (keys, banks, policy) are looked for",
    )
    rush_seconds: PositiveFloat = Field(
        default=2.0, description="so many seconds' worth of a key's rate is let through at once"
    )


class IntakeSettings(Section):
    """How items are taken."""

    workers: PositiveInt | None = Field(
        default=None, description="processes that open content; default: one a core"
    )
    most_bytes: PositiveInt = Field(default=64 << 20, description="larger content is refused")
    memory_bytes: PositiveInt = Field(
        default=4 << 20, description="content above it goes to a temporary file without a name"
    )
    spool_dir: Path | None = Field(
        default=None, description="folder of these files; default: the system's; best an encrypted disk"
    )
    at_once: PositiveInt = Field(default=4_000, description="items on their way before more are refused")
    keep_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="how long fingerprints of items and items that were allowed are kept; 0: no look-back",
    )
    policy_profile: Literal["default", "eu", "uk", "us"] = Field(
        default="default", description="the shipped policy that an empty database starts with"
    )


class OutboundSettings(Section):
    """Requests that leave the service: URL items and webhooks."""

    fetch_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="networks that URL items may reach though they are not public"
    )
    fetch_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(80, 443), description="ports of URL items"
    )
    fetch_seconds: PositiveFloat = Field(default=20.0, description="time for one URL with all redirects")
    webhook_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="networks that webhooks may reach though they are not public"
    )
    webhook_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(443,), description="ports of webhooks"
    )
    webhook_http: bool = Field(default=False, description="allow webhooks without TLS")

    @field_validator("fetch_allow", "fetch_ports", "webhook_allow", "webhook_ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("fetch_allow", "webhook_allow")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value


class UrlsSettings(Section):
    """URLs, as items and in text."""

    tracking: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("default",),
        description="query parameters that are dropped before matching; "
        "the word default stands for the usual ones (utm_source, fbclid …)",
    )

    @field_validator("tracking", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


class TracingSettings(Section):
    """OpenTelemetry traces; they need the extra ``otel``."""

    endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^\s@?#]+)?$",
        description="where traces are sent (OTLP over HTTP, …/v1/traces); empty: there are none",
    )
    ratio: float = Field(default=1.0, ge=0, le=1, description="share of the requests that are traced")


class ServerSettings(Section):
    """The HTTP service."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8700, ge=0, le=65535, description="port to listen on; 0: any free one")
    uploads: PositiveInt = Field(default=128, description="bodies that are received at once")
    body_seconds: PositiveFloat = Field(default=60.0, description="time for one body to arrive")
    pause_seconds: PositiveFloat = Field(default=10.0, description="time between two pieces of a body")
    json_bytes: PositiveInt = Field(default=4 << 20, description="larger JSON bodies are refused")
    batch_bytes: PositiveInt = Field(default=64 << 20, description="larger batches of items are refused")
    import_bytes: PositiveInt = Field(default=1 << 30, description="larger hash lists are refused")
    batch_items: PositiveInt = Field(default=1_000, description="items of one batch")
    stop_seconds: PositiveInt = Field(
        default=30, description="time to finish what is in flight when stopping"
    )


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
        if v.startswith(PREFIX) and v not in known | sections | _NOT_SETTINGS
    )


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value
