"""Nightlamp: child-safety infrastructure. Match, detect, review, preserve and report.

The whole Python API in five lines::

    import nightlamp

    index = nightlamp.build_index("list.csv")          # or open_index("list.nli")
    item = nightlamp.hash_file("photo.jpg")            # or hash_bytes(data)
    for match in index.lookup(item.fingerprints):
        print(match.bank.name, match.distance, match.entry_id)

Everything here is loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightlamp.api import build_index, hash_bytes, hash_file, open_index
    from nightlamp.errors import NightlampError
    from nightlamp.examine import Workers
    from nightlamp.policy import Facts, Policy, Rules, decide
    from nightlamp.screening import Screener
    from nightlamp.signals import Signal
    from nightlamp.values import Bank, Examination, Fingerprint, Match, Unchecked, Verdict

__version__ = "0.1.0.dev0"

_HOME = {
    "build_index": "api",
    "hash_bytes": "api",
    "hash_file": "api",
    "open_index": "api",
    "NightlampError": "errors",
    "Workers": "examine",
    "Facts": "policy",
    "Policy": "policy",
    "Rules": "policy",
    "decide": "policy",
    "Screener": "screening",
    "Signal": "signals",
    "Bank": "values",
    "Examination": "values",
    "Fingerprint": "values",
    "Match": "values",
    "Unchecked": "values",
    "Verdict": "values",
}

__all__ = [
    "Bank",
    "Examination",
    "Facts",
    "Fingerprint",
    "Match",
    "NightlampError",
    "Policy",
    "Rules",
    "Screener",
    "Signal",
    "Unchecked",
    "Verdict",
    "Workers",
    "build_index",
    "decide",
    "hash_bytes",
    "hash_file",
    "open_index",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
