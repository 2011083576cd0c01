"""What may be asked: whose signatures count, and whether what is sealed may leave the worker."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nightlamp.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates whose signatures make a manifest ``TRUSTED``; with none, no signer is.

    Args:
        anchors: certificates of authorities, PEM, one after the other.
        allowed: certificates of single signers, PEM, accepted without an authority.
        purposes: extended key usages that a signer may have, as OIDs; empty: those of the C2PA specification.
    """

    anchors: str = field(default="", repr=False)
    allowed: str = field(default="", repr=False)
    purposes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, so that a record can say which list was in force."""
        parts = "\0".join((self.anchors, self.allowed, *self.purposes))
        return hashlib.sha256(parts.encode()).hexdigest()

    def __bool__(self) -> bool:
        """Whether it names anybody."""
        return bool(self.anchors.strip() or self.allowed.strip())


NOBODY = TrustList()


def trust_of(pem: str) -> TrustList:
    """A list of authorities' certificates, looked at now: one that trusts nobody by mistake would be silent.

    Raises:
        ConfigError: there is no certificate in it, or one cannot be read.
    """
    count = pem.count("-----BEGIN CERTIFICATE-----")
    if not count:
        raise ConfigError("there is no certificate in it", hint="certificates of authorities, in PEM format")
    if importlib.util.find_spec("cryptography") is not None:
        from cryptography.x509 import load_pem_x509_certificates

        try:
            count -= len(load_pem_x509_certificates(pem.encode()))
        except ValueError:
            raise ConfigError("a certificate in it cannot be read") from None
        if count:
            raise ConfigError("a certificate in it is cut short")
    return TrustList(pem)


@dataclass(frozen=True, slots=True)
class Asked:
    """That the origin is asked for, and how.

    Args:
        trust: whose C2PA signatures count. A library's "valid" only means "unbroken".
        reveal: prompts, serials and names come along, sealed; otherwise only that they are there.
        received: when the item arrived, with a time zone: a later capture time is told.
        forensics: look at the pixels too, for watermarks and weak hints; it takes longer.
        detectors: manifests of the operator's detectors that are asked.
        seconds: a worker's time for it, of what the item's own limit leaves; None: all of that.
    """

    trust: TrustList = NOBODY
    reveal: bool = False
    received: datetime | None = None
    forensics: bool = False
    detectors: tuple[Path, ...] = ()
    seconds: float | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the answers: the trust list, and what else is asked."""
        more = ["forensics"] if self.forensics else []
        more += [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.detectors]
        return hashlib.sha256("\0".join([self.trust.digest, *more]).encode()).hexdigest()
