"""The kinds of exchanges that there are; each is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from nightlamp.errors import FeedError
from nightlamp.feeds.exchange import Kind

# Module of ``nightlamp.feeds.exchanges`` by kind; each has a ``KIND``.
_MODULES: dict[str, str] = {
    "ncmec": "ncmec",
    "stopncii": "stopncii",
    "threatexchange": "threatexchange",
    "tat": "tat",
    "nightlamp": "nightlamp",
    "list": "lists",
    "vics": "vics",
    "nsrl": "nsrl",
    "pytx-state": "pytx_state",
}


class _Kinds(Mapping[str, Kind]):
    def __getitem__(self, name: str) -> Kind:
        module = _MODULES[name]
        kind: Kind = import_module(f"nightlamp.feeds.exchanges.{module}").KIND
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


EXCHANGES: Mapping[str, Kind] = _Kinds()


def kind_of(name: str, kinds: Mapping[str, Kind] = EXCHANGES) -> Kind:
    """The kind of that name.

    Raises:
        FeedError: there is none.
    """
    try:
        return kinds[name]
    except KeyError:
        raise FeedError("no such kind of exchange", where=name[:40], hint=", ".join(kinds)) from None
