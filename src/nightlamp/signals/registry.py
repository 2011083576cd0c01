"""Which signals are installed: everything under the entry point group ``nightlamp.signals``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from nightlamp.errors import SignalError
from nightlamp.signals.signal import Signal

GROUP = "nightlamp.signals"


@cache
def installed() -> Mapping[str, Signal]:
    """All installed signals by name, ours first; read once a process.

    Raises:
        SignalError: a plug-in cannot be imported, is no ``Signal``, or takes a name that is taken.
    """
    found: dict[str, Signal] = {}
    ours = sorted(entry_points(group=GROUP), key=lambda e: not e.value.startswith("nightlamp."))
    for entry in ours:
        try:
            signal = entry.load()
        except Exception as error:
            raise SignalError(
                f"the plug-in cannot be imported ({type(error).__name__})",
                where=f"signal {entry.name!r} of {entry.value}",
                hint="reinstall or uninstall the package that brings it",
            ) from error
        if not isinstance(signal, Signal):
            raise SignalError("the plug-in is not a nightlamp Signal", where=f"signal {entry.name!r}")
        if signal.name in found:
            raise SignalError("two plug-ins bring this signal", where=f"signal {signal.name!r}")
        found[signal.name] = signal
    return MappingProxyType(found)


def signal_named(name: str) -> Signal:
    """The installed signal of that name.

    Raises:
        SignalError: it is not installed.
    """
    signal = installed().get(name)
    if signal is None:
        raise SignalError("not installed", where=f"signal {name!r}", hint="one of " + ", ".join(installed()))
    return signal
