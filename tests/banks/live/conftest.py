"""Banks with harmless random values in a database of the test's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pytest
from sqlalchemy import Engine

from nightlamp.banks import Entry
from nightlamp.banks.live import StoredBank, add_entries, create_bank
from nightlamp.signals import Signal, installed
from nightlamp.values import Bank, Fingerprint

SIZES = {"md5": 16, "pdq": 32}


def value_of(signal: str, seed: object) -> bytes:
    """A random-looking value that depends on ``seed`` only."""
    return hashlib.shake_128(f"{signal} {seed}".encode()).digest(SIZES.get(signal, 32))


def flipped(value: bytes, bits: int) -> bytes:
    """``value`` with its first bits turned."""
    mask = ((1 << bits) - 1).to_bytes(len(value), "big")
    return bytes(a ^ b for a, b in zip(value, mask, strict=True))


@pytest.fixture(scope="session")
def signals() -> Mapping[str, Signal]:
    return {name: installed()[name] for name in ("md5", "pdq")}


@pytest.fixture
def bank(engine: Engine) -> StoredBank:
    """An enabled bank without entries."""
    with engine.begin() as connection:
        return create_bank(connection, Bank("first", "NCMEC", "A1", "high"), actor="test")


@pytest.fixture
def put(engine: Engine) -> Callable[..., int]:
    """Add entries ``(signal, seed)`` to a bank by their seeds; gives the generation."""

    def put(bank: StoredBank, signal: str, *seeds: object, category: str = "") -> int:
        entries = [Entry(signal, value_of(signal, seed), f"id-{seed}", category) for seed in seeds]
        with engine.begin() as connection:
            return add_entries(connection, bank.id, entries, actor="test").generation

    return put


def asked(signal: str, seed: object) -> Fingerprint:
    return Fingerprint(signal, value_of(signal, seed), quality=100 if signal == "pdq" else None)
