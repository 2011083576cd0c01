"""The section of lookups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from nightlamp.settings.section import Section

if TYPE_CHECKING:
    from nightlamp.lookups import Lookups
    from nightlamp.outbound import Fetcher


class LookupsSettings(Section):
    """Services that are asked about an item, each once its key is set: their hashes never leave them."""

    seconds: float = Field(default=10.0, gt=0, le=120, description="for one item and all services together")
    threads: int = Field(
        default=4,
        ge=1,
        le=64,
        description="calls to one service at once, of each node; a process makes one at least",
    )
    kinds: Annotated[tuple[Literal["content", "url", "fingerprints"], ...], NoDecode] = Field(
        default=("content", "url"), description="items that are asked about, by what was handed in"
    )
    most_bytes: int = Field(default=4 << 20, ge=1, description="larger content is not sent, and not checked")
    arachnid_user: str = Field(default="", description="user of Arachnid Shield")
    arachnid_password: SecretStr | None = Field(default=None, description="its password; set: it is asked")
    arachnid_sends: Literal["media", "url", "pdq"] = Field(
        default="media", description="what it gets: the content, its URL, or PDQ hashes alone"
    )
    arachnid_rate: float = Field(default=5.0, gt=0, description="calls a second, of each node")
    arachnid_url: str = Field(default="https://shield.projectarachnid.com", description="its address")
    photodna_key: SecretStr | None = Field(
        default=None, description="key of PhotoDNA Cloud; set: it is asked"
    )
    photodna_rate: float = Field(default=5.0, gt=0, description="calls a second, of each node")
    photodna_url: str = Field(
        default="https://api.microsoftmoderator.com/photodna", description="its address"
    )
    google_key: SecretStr | None = Field(
        default=None, description="key of Google's Content Safety API; set: it is asked"
    )
    google_rate: float = Field(default=5.0, gt=0, description="calls a second, of each node")
    google_url: str = Field(default="https://contentsafety.googleapis.com", description="its address")

    @field_validator("kinds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _user(self) -> Self:
        if self.arachnid_password is not None and not self.arachnid_user:
            raise ValueError("lookups.arachnid_user must be set, too")
        return self

    def opened(self, fetcher: Fetcher | None = None) -> Lookups | None:
        """The services whose credentials are set; None if there are none. ``fetcher`` is for tests."""
        from nightlamp.lookups import Lane, Lookups
        from nightlamp.lookups.arachnid import ArachnidShield
        from nightlamp.lookups.google import GoogleContentSafety
        from nightlamp.lookups.photodna import PhotoDnaCloud
        from nightlamp.outbound import Fetcher, Rules

        kinds, most, lanes = self.kinds, self.most_bytes, []
        http = fetcher or Fetcher(Rules(schemes=frozenset({"https"}), seconds=self.seconds))
        if self.arachnid_password is not None:
            password = self.arachnid_password.get_secret_value()
            arachnid = ArachnidShield(
                http, self.arachnid_user, password, self.arachnid_sends, kinds, most, self.arachnid_url
            )
            lanes.append(Lane(arachnid, rate=self.arachnid_rate, threads=self.threads))
        if self.photodna_key is not None:
            key = self.photodna_key.get_secret_value()
            photodna = PhotoDnaCloud(http, key, kinds, most, self.photodna_url)
            lanes.append(Lane(photodna, rate=self.photodna_rate, threads=self.threads))
        if self.google_key is not None:
            key = self.google_key.get_secret_value()
            google = GoogleContentSafety(http, key, kinds, most, self.google_url)
            lanes.append(Lane(google, rate=self.google_rate, threads=self.threads))
        return Lookups(lanes, self.seconds) if lanes else None
