"""Whose signatures count: the operator's own list, since a library's "valid" only means "unbroken"."""

from __future__ import annotations

from dataclasses import dataclass, field


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

    def __bool__(self) -> bool:
        """Whether it names anybody."""
        return bool(self.anchors.strip() or self.allowed.strip())


NOBODY = TrustList()
