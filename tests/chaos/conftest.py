"""Real ``nightlamp serve`` processes on loopback, and a world around them that misbehaves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nightlamp.audit import SigningKey
from nightlamp.vault import Identity

from .nodes import Node, Nursery, all_ended
from .outside import Outside


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", type=float, default=8.0, help="seconds of the soak test (tests/chaos)")


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@dataclass
class Make:
    """Makes nodes, not started yet. They share the vault's folder, its keys and the key of the audit log.

    Args:
        nursery: starts them.
        outside: the only host that they may reach.
        folder: of all that they have.
    """

    nursery: Nursery
    outside: Outside
    folder: Path
    nodes: list[Node] = field(default_factory=list)
    identity: Identity = field(default_factory=Identity.generate)  # opens what they seal

    def __post_init__(self) -> None:
        SigningKey.generate().write(self.folder / "audit.key")

    def __call__(self, name: str = "node", url: str = "", **settings: dict[str, Any]) -> Node:
        near: dict[str, Any] = {"webhook_http": True, "fetch_seconds": 5}
        for kind in ("webhook", "fetch"):
            near |= {f"{kind}_allow": ["127.0.0.0/8"], f"{kind}_ports": [self.outside.port]}
        made: dict[str, dict[str, Any]] = {
            "database": {"url": url} if url else {},
            "vault": {"path": str(self.vault), "recipients": [self.identity.public]},
            "audit": {"key_file": str(self.folder / "audit.key")},
            "intake": {"workers": 1, "spool_dir": str(self.folder / name / "tmp")},
            "outbound": near,
            "server": {"stop_seconds": 20},
        }
        for section, values in settings.items():
            made[section] = made.get(section, {}) | values
        self.nodes.append(Node(self.nursery, self.folder / name, made))
        return self.nodes[-1]

    @property
    def vault(self) -> Path:
        return self.folder / "vault"


@contextlib.contextmanager
def making(nursery: Nursery, folder: Path) -> Iterator[Make]:
    """Nodes and their surroundings; whatever happens, all are ended."""
    with Outside() as outside:
        make = Make(nursery, outside, folder)
        with all_ended(make.nodes):
            yield make


@pytest.fixture
def make(tmp_path: Path, nursery: Nursery) -> Iterator[Make]:
    with making(nursery, tmp_path) as make:
        yield make


@pytest.fixture
def outside(make: Make) -> Outside:
    return make.outside
