"""Records of an exchange → checked states: canonical values, and a digest that tells whether a state changed.

Nothing that an exchange sends is trusted: what is too long, malformed or too much is left out and counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from nightlamp.banks.live import GONE, Value, Wanted
from nightlamp.banks.parsing import parse_text
from nightlamp.feeds.exchange import NOT_FETCHED, Print, Record
from nightlamp.signals import Signal

MOST_PRINTS = 1_000  # of one record
MOST_KEY = 1_024  # characters
MOST_VALUE = 1_024  # bytes as stored; what is longer is no fingerprint that any installed signal compares
_CATEGORY = 100
_VERSION = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class State:
    """One of the source's entries as it should stand here.

    Args:
        version: see ``Record``.
        digest: 16 bytes; equal states have equal ones.
        alive: not withdrawn.
        wanted: what its key should stand for.
    """

    version: int
    digest: bytes = field(repr=False)
    alive: bool
    wanted: Wanted = field(repr=False)

    def beats(self, version: int) -> bool:
        """Whether it may replace a state of that version."""
        return not self.version or self.version >= version


def read_states(
    records: Iterable[Record], signals: Mapping[str, Signal], *, benign: bool = False
) -> tuple[dict[str, State], int]:
    """The newest state of each key, and how many records and fingerprints were left out.

    Args:
        records: of one page.
        signals: that are installed here, by name.
        benign: the bank is one of known harmless files, which takes exact digests only.
    """
    states: dict[str, State] = {}
    left_out = 0
    for record in records:
        if not _sound(record):
            left_out += 1
            continue
        values: dict[Value, None] = {}
        for given in record.prints[:MOST_PRINTS] if not record.deleted else ():
            value = _value(given, signals)
            signal = signals.get(given.signal)
            if value is None or (benign and (signal is None or signal.index != "exact")):
                left_out += 1
            else:
                values[value] = None
        left_out += max(0, len(record.prints) - MOST_PRINTS)
        if record.deleted:
            state = tombstone(record.version)
        else:
            category = record.category[:_CATEGORY].replace("\0", "")
            wanted = Wanted(tuple(values), category, record.disputed)
            state = State(record.version, _digest(wanted, False), True, wanted)
        old = states.get(record.key)
        if old is None or state.beats(old.version):
            states[record.key] = state
    return states, left_out


def packed(wanted: Wanted) -> bytes:
    """``wanted`` as bytes; ``unpacked`` reads them."""
    values = [[v.signal, v.value.hex(), int(v.parsed)] for v in wanted.values]
    return json.dumps([wanted.category, int(wanted.disputed), values], separators=(",", ":")).encode()


def unpacked(data: bytes) -> Wanted:
    """What ``packed`` was given."""
    category, disputed, values = json.loads(data)
    return Wanted(tuple(Value(s, bytes.fromhex(v), bool(p)) for s, v, p in values), category, bool(disputed))


def _sound(record: Record) -> bool:
    """Whether a record can be kept at all."""
    key = record.key
    if not 0 < len(key) <= MOST_KEY or "\0" in key or not 0 <= record.version <= _VERSION:
        return False
    try:
        key.encode()
        record.category.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value(given: Print, signals: Mapping[str, Signal]) -> Value | None:
    name, value = given
    signal = None if value == NOT_FETCHED else signals.get(name)
    if signal is None:
        # Only its own plug-in knows what is valid: kept as the text that it will be given once installed.
        text = value.hex() if isinstance(value, bytes) else value
        if not 0 < len(name) <= 40 or not name.isascii() or not name.isprintable() or len(text) > MOST_VALUE:
            return None
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return None
        return Value(name, data, False) if data else None
    if isinstance(value, str):
        if len(value) > 4 * MOST_VALUE:
            return None
        try:
            value = parse_text(signal, value)
        except ValueError:
            return None
    return Value(name, value, True) if len(value) == signal.size else None


def tombstone(version: int = 0) -> State:
    """The state of an entry that its source has taken back, or does not name any more."""
    return State(version, _digest(GONE, True), False, GONE)


def _digest(wanted: Wanted, deleted: bool) -> bytes:
    of = blake2b(digest_size=16)
    of.update(b"\1" if deleted else b"\0")
    of.update(b"\1" if wanted.disputed else b"\0")
    of.update(wanted.category.encode() + b"\0")
    for value in sorted(wanted.values):
        of.update(b"%s\0%d %d\0" % (value.signal.encode(), value.parsed, len(value.value)))
        of.update(value.value)
    return of.digest()
