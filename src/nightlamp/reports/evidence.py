"""The files of a report: opened from the vault only to be hashed and sent, in a stream, never on a disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from nightlamp.vault import Identity, Vault


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a file's bytes."""

    size: int
    hashes: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def md5(self) -> str:
        """For the authority's echo."""
        return dict(self.hashes)["MD5"]


class Evidence:
    """Opens what was sealed.

    Args:
        vault: where it is.
        identity: the private key that it was sealed for.
        actor: for the audit records of the vault.
    """

    def __init__(self, vault: Vault, identity: Identity, *, actor: str = "system") -> None:
        self._vault = vault
        self._identity = identity
        self._actor = actor

    def measure(self, object_id: str, report_id: str) -> Measured:
        """Read a file once, for its size and hashes.

        Raises:
            VaultError: it is not kept, damaged, or sealed for another key.
        """
        sink = Measure()
        why = f"hashed for report {report_id}"
        self._vault.open_to(sink, object_id, self._identity, actor=self._actor, why=why)
        return sink.measured()

    def pour(self, object_id: str, report_id: str, out: Callable[[bytes], object]) -> None:
        """Write a file's content to ``out``, which must not be a disk.

        Raises:
            VaultError: as ``measure``; else what ``out`` raises.
        """
        why = f"sent with report {report_id}"
        self._vault.open_to(_Into(out), object_id, self._identity, actor=self._actor, why=why)


class Measure:
    """Takes bytes, and keeps of them their number and their hashes."""

    def __init__(self) -> None:
        self._size = 0
        self._digests = {
            "MD5": hashlib.md5(usedforsecurity=False),
            "SHA1": hashlib.sha1(usedforsecurity=False),
            "SHA256": hashlib.sha256(),
        }

    def write(self, data: bytes, /) -> int:
        """Take some."""
        self._size += len(data)
        for each in self._digests.values():
            each.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def measured(self) -> Measured:
        """What is known by now."""
        return Measured(self._size, tuple((name, each.hexdigest()) for name, each in self._digests.items()))


class _Into:
    def __init__(self, out: Callable[[bytes], object]) -> None:
        self._out = out

    def write(self, data: bytes, /) -> int:
        self._out(data)
        return len(data)
