"""The policies that ship with Nightlamp, one a jurisdiction: a starting point, not legal advice."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from nightlamp.errors import PolicyError
from nightlamp.policy.reading import load
from nightlamp.policy.rules import Rules

PROFILES = ("default", "eu", "uk", "us")


def profile_text(name: str) -> str:
    """A shipped policy's file, to be copied and changed.

    Raises:
        PolicyError: there is none of that name.
    """
    if name not in PROFILES:
        raise PolicyError(f"no profile {name!r}", hint=f"one of {', '.join(PROFILES)}")
    return files(__name__).joinpath(f"{name}.yaml").read_text("utf-8")


@cache
def profile(name: str) -> Rules:
    """A shipped policy, ready for ``decide``."""
    return load(profile_text(name), where=name)
