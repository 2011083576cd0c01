"""Harmless random values, and a stand-in for a licensed signal of 144 bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from nightlamp.signals import Signal, installed


def _parse(text: str) -> bytes:
    value = base64.b64decode(text, validate=True)
    if len(value) != 144:
        raise ValueError("not 144 bytes")
    return value


PHOTODNA = Signal(
    "photodna",
    144,
    "flat",
    _parse,
    lambda value: base64.b64encode(value).decode(),
    radius=100,
    distance=lambda query, entries: np.abs(entries.astype(np.int64) - query.astype(np.int64)).sum(axis=1),
)


def value_of(signal: str, seed: object) -> bytes:
    """A random-looking value that depends on ``seed`` only."""
    size = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32, "photodna": 144}[signal]
    return hashlib.shake_128(f"{signal} {seed}".encode()).digest(size)


@pytest.fixture(scope="session")
def value() -> Callable[[str, object], bytes]:
    return value_of


@pytest.fixture(scope="session")
def ours() -> Mapping[str, Signal]:
    """The signals that come with Nightlamp."""
    return {name: installed()[name] for name in ("md5", "sha1", "sha256", "pdq")}


@pytest.fixture(scope="session")
def with_photodna(ours: Mapping[str, Signal]) -> Mapping[str, Signal]:
    return {**ours, "photodna": PHOTODNA}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a list of text or bytes, and give its path."""

    def write(content: str | bytes, name: str = "list") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
