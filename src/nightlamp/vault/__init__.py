"""Content that must be kept: sealed before it touches a disk, held for its term, then destroyed.

Promises: only sealed bytes are ever stored; what is held is neither lost nor changed unnoticed; what is
due is destroyed, and an audit record says so; a crash at any instant leaves nothing that ``reconcile``
cannot put right. Takes content and age public keys. Gives ids, and clear content only to the holder of a
private key, with an audit record first. Must never write clear bytes to a disk or a log, and needs no
private key to take content in.

The order of things: ``Vault.seal`` (outside any transaction), then ``Vault.keep`` in the transaction that
says why, then ``Vault.enter``.
"""

from nightlamp.vault.disk import DiskPlace
from nightlamp.vault.holds import Hold, HoldRequest, hold_for_request, reference_of, term
from nightlamp.vault.keys import Identity, Recipients
from nightlamp.vault.opening import open_vault
from nightlamp.vault.place import Place
from nightlamp.vault.sealing import Content, Sealed
from nightlamp.vault.upkeep import (
    Purged,
    Reconciled,
    Rekeyed,
    adopt_stranger,
    destroy,
    purge,
    reconcile,
    rekey,
    remove_stranger,
    still_strange,
    strangers,
)
from nightlamp.vault.vault import Vault

__all__ = [
    "Content",
    "DiskPlace",
    "Hold",
    "HoldRequest",
    "Identity",
    "Place",
    "Purged",
    "Recipients",
    "Reconciled",
    "Rekeyed",
    "Sealed",
    "Vault",
    "adopt_stranger",
    "destroy",
    "hold_for_request",
    "open_vault",
    "purge",
    "reconcile",
    "reference_of",
    "rekey",
    "remove_stranger",
    "still_strange",
    "strangers",
    "term",
]
