"""What python-threatexchange has fetched: its state files (``~/.threatexchange/…/NAME.state.pickle``).

For those who change over. A pickle may run any program, so none of its classes is loaded: everything of the
package is read into empty stand-ins, and anything else is refused. What its clients have dropped or kept
wrongly is not in the file: begin a feed of the exchange's own kind as soon as you can.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import ExchangeConfig, Finding, Json, Kind, Page, Print, Record
from nightlamp.feeds.exchanges import threatexchange
from nightlamp.feeds.exchanges.keys import composed
from nightlamp.feeds.exchanges.ncmec_config import SIGNALS
from nightlamp.feeds.exchanges.reading import PER_PAGE
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock

_PLAIN = {
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("collections", "OrderedDict"): dict,
}
# What a generic class notes of its arguments; inert like everything of the package.
_TYPING = {("builtins", "str"), ("builtins", "int"), ("_operator", "getitem"), ("operator", "getitem")}
_SIGNALS = {"video_md5": "md5", "video_tmk_pdqf": "tmk_pdqf", "raw_text": "text", **threatexchange.SIGNALS}
_NEGATIVE = {0, "NotBlocked"}  # SignalOpinionCategory.NEGATIVE_CLASS; StopNCII's feedback


class PytxStateConfig(ExchangeConfig):
    """What an operator sets.

    Args:
        path: the state file.
        max_bytes: of the file, which is read into memory as a whole.
    """

    path: str = Field(pattern=r"^/")
    max_bytes: int = Field(1 << 30, ge=1)


class PytxState:
    """A client; see ``nightlamp.feeds.exchange.Exchange``."""

    full = True

    def __init__(
        self, config: PytxStateConfig, _secrets: Mapping[str, Secret], _http: Fetcher, _clock: Clock
    ) -> None:
        self._config = config

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """Everything in the file, if it changed."""
        path = Path(self._config.path)
        try:
            state = path.stat()
            mark = [state.st_size, state.st_mtime_ns]
            if cursor is None and checkpoint == {"mark": mark}:
                yield Page((), None, checkpoint, unchanged=True)
                return
            if state.st_size > self._config.max_bytes:
                raise self._error("hostile", "larger than max_bytes=")
            data = path.read_bytes()
        except OSError as error:
            raise self._error("gone", error.strerror or "it cannot be read") from None
        records = [record for record in read_state(data) if record is not None]
        given = 0 if cursor is None else cursor.get("given", 0)
        if cursor is not None and cursor.get("mark") != mark:
            raise self._error("stale", "the file has changed while it was read")
        if not records:
            raise self._error("malformed", "no entry in it")
        while len(records) - given > PER_PAGE:
            page, given = tuple(records[given : given + PER_PAGE]), given + PER_PAGE
            yield Page(page, {"mark": mark, "given": given}, total=len(records))
        yield Page(tuple(records[given:]), None, {"mark": mark}, total=len(records))

    def stale(self, _checkpoint: Json, _now: datetime) -> bool:
        """Never: every run gives the whole file."""
        return False

    def probe(self) -> Sequence[Finding]:
        """Read the file."""
        try:
            first = next(self.pages(None, None))
        except ExchangeError as error:
            return [Finding("list", False, error.what, error.kind, error.hint)]
        return [Finding("list", True, f"{first.total:,} entries")]

    def _error(self, kind: Any, what: str) -> ExchangeError:
        return ExchangeError(kind, what, where="state file", hint="check path=")


def read_state(data: bytes) -> Iterator[Record]:
    """The entries of a state file.

    Raises:
        ExchangeError: "hostile" if it holds anything but the package's own data; "malformed" if it is none.
    """
    try:
        delta = _Reader(io.BytesIO(data)).load()
    except _StrangerError:
        what = "a state file that would run something else than python-threatexchange"
        raise ExchangeError("hostile", what, where="state file") from None
    except Exception:  # noqa: BLE001 (a damaged pickle fails in any way)
        raise ExchangeError("malformed", "not a state file", where="state file") from None
    updates = getattr(delta, "updates", None)
    if not isinstance(updates, dict):
        raise ExchangeError("malformed", "not a state file", where="state file")
    for key, value in updates.items():
        if value is None or getattr(value, "deleted", False) is True:
            continue
        if isinstance(key, str) and isinstance(getattr(value, "fingerprints", None), dict):
            yield _entry(key, value)
        elif isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) and part for part in key):
            kind, text = key
            signal = _SIGNALS.get(kind, kind[:40].lower())
            yield Record(composed(kind[:40], text), (Print(signal, text),), "", False, _against(value))


def _entry(key: str, entry: Any) -> Record:
    """An entry of NCMEC's, with all of its fingerprints."""
    prints = tuple(
        Print(SIGNALS.get(name, name[:40]), text)
        for name, text in entry.fingerprints.items()
        if isinstance(name, str) and isinstance(text, str) and text
    )
    feedback = getattr(entry, "feedback", {})
    votes = [vote for some in feedback.values() for vote in some] if isinstance(feedback, dict) else []
    down = any(_value(getattr(vote, "feedback_type", None)) == "downvote" for vote in votes)
    return Record(key[:1000], prints, str(getattr(entry, "classification", "") or "")[:100], False, down)


def _against(value: Any) -> bool:
    """Whether somebody says that it is wrong."""
    opinions = [*_list(value, "opinions"), *_list(value, "feedbacks")]
    said = (
        _value(getattr(each, "category", None) or getattr(each, "feedbackValue", None)) for each in opinions
    )
    return any(each in _NEGATIVE for each in said if isinstance(each, int | str))


def _list(value: Any, name: str) -> list[Any]:
    found = getattr(value, name, [])
    return found if isinstance(found, list) else []


def _value(member: Any) -> Any:
    """Of an enumeration's member, which a pickle holds as its value."""
    made_of = getattr(member, "made_of", ())
    return made_of[0] if made_of else None


class _StrangerError(Exception):
    """A class of another package."""


class _Thing:
    """Stands in for anything of the package; holds what it was made of, and does nothing."""

    def __new__(cls, *made_of: Any) -> _Thing:
        thing = super().__new__(cls)
        thing.__dict__["made_of"] = made_of
        return thing

    def __init__(self, *_: Any) -> None:
        """Nothing is done with what it is made of."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update({name: value for name, value in state.items() if isinstance(name, str)})


@cache
def _stand_in(name: str) -> type[_Thing]:
    return type(name, (_Thing,), {})


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, or one of three plain collections."""
        ours = module.split(".")[0] in ("threatexchange", "typing") or (module, name) in _TYPING
        if ours and name.replace(".", "").isidentifier():
            return _stand_in(name)
        try:
            return _PLAIN[module, name]
        except KeyError:
            raise _StrangerError from None

    def persistent_load(self, _pid: Any) -> Any:
        """Nothing comes from elsewhere."""
        raise _StrangerError


KIND = Kind("pytx-state", "a state file of python-threatexchange", PytxStateConfig, PytxState)
