"""The section of origin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, field_validator
from pydantic_settings import NoDecode

from nightlamp.errors import ConfigError
from nightlamp.origin import NOBODY, Asked, TrustList, trust_of
from nightlamp.origin.detector import checked
from nightlamp.settings.section import Section


class OriginSettings(Section):
    """How items say that they were made; see docs/origin.md."""

    enabled: bool = Field(default=True, description="ask every item how it was made")
    trust_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of authorities whose C2PA signatures count; without, nobody's do",
    )
    forensics: bool = Field(
        default=False, description="look for watermarks and weak hints in the pixels too; takes longer"
    )
    detectors: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="manifests of the operator's own detectors that are asked"
    )
    seconds: PositiveFloat = Field(
        default=5.0, description="time for it; the item's other checks do not suffer if it runs out"
    )

    @field_validator("detectors", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    def asked(self) -> Asked | None:
        """What to ask the workers.

        Raises:
            ConfigError: the certificates or a detector cannot be used.
        """
        if not self.enabled:
            return None
        for path in self.detectors:  # each is loaded in the workers alone; here it is only looked at
            checked(path)
        return Asked(self._trust(), forensics=self.forensics, detectors=self.detectors, seconds=self.seconds)

    def _trust(self) -> TrustList:
        if self.trust_file is None:
            return NOBODY
        try:
            return trust_of(self.trust_file.read_text("utf-8"))
        except OSError as error:
            problem, hint = f"cannot be read ({error.strerror})", "certificates in PEM format"
        except UnicodeDecodeError:
            problem, hint = "there is no certificate in it", "certificates in PEM format"
        except ConfigError as error:
            problem, hint = error.what, error.hint
        raise ConfigError(f"origin.trust_file: {problem}", where=str(self.trust_file), hint=hint)
