"""Packages that bring a signal, as an installer would leave them on the path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(site: Path, package: str, entry_points: Mapping[str, str], **modules: str) -> Path:
    """A distribution with these entry points and modules in the folder ``site``."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}\n" for name, value in entry_points.items()]
    (info / "entry_points.txt").write_text("[nightlamp.signals]\n" + "".join(lines))
    for name, source in modules.items():
        (site / f"{name}.py").write_text(source)
    return site
