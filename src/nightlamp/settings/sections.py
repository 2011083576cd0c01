"""The sections of the settings, one model each: a docstring, and fields with a description.

The larger parts have their sections in modules of their own beside this one.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from nightlamp.settings.section import Section


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
    silence_seconds: PositiveFloat = Field(
        default=5.0, description="PostgreSQL: without an answer for so long, it is tried if it answers at all"
    )


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
    video_frames: PositiveInt = Field(default=128, description="most frames examined in a video")
    memory_bytes: PositiveInt = Field(
        default=4 << 20, description="content above it goes to a temporary file without a name"
    )
    spool_dir: Path | None = Field(
        default=None, description="folder of these files; default: the system's; best an encrypted disk"
    )
    at_once: PositiveInt = Field(
        default=4_000, description="items on their way in each process before more are refused"
    )
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
    processes: PositiveInt | None = Field(
        default=None, le=64, description="processes that take requests; default: one a core, two at most"
    )
    uploads: PositiveInt = Field(default=128, description="bodies that each process receives at once")
    body_seconds: PositiveFloat = Field(default=60.0, description="time for one body to arrive")
    pause_seconds: PositiveFloat = Field(default=10.0, description="time between two pieces of a body")
    json_bytes: PositiveInt = Field(default=4 << 20, description="larger JSON bodies are refused")
    batch_bytes: PositiveInt = Field(default=64 << 20, description="larger batches of items are refused")
    import_bytes: PositiveInt = Field(default=1 << 30, description="larger hash lists are refused")
    batch_items: PositiveInt = Field(default=1_000, description="items of one batch")
    stop_seconds: PositiveInt = Field(
        default=30, description="time to finish what is in flight when stopping"
    )
