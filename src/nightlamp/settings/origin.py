"""The section of origin."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveFloat

from nightlamp.errors import ConfigError
from nightlamp.origin import NOBODY, Asked, TrustList, trust_of
from nightlamp.settings.section import Section


class OriginSettings(Section):
    """How items say that they were made; see docs/origin.md."""

    enabled: bool = Field(default=True, description="ask every item how it was made")
    trust_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of authorities whose C2PA signatures count; without, nobody's do",
    )
    seconds: PositiveFloat = Field(
        default=5.0, description="time for it; the item's other checks do not suffer if it runs out"
    )

    def asked(self) -> Asked | None:
        """What to ask the workers.

        Raises:
            ConfigError: the certificates cannot be read.
        """
        return Asked(self._trust(), seconds=self.seconds) if self.enabled else None

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
