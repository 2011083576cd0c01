"""What an exchange's client gives to a feed, and how one is made: the contract between the two.

Where this differs from a plain "fetch and parse":

- ``Page.cursor`` is ``None`` on the last page of a run and on no other. Only so can a run that broke off be
  told from one that is complete, and only a complete run may replace a list.
- ``Page.unchanged`` says "the list is as it was at the checkpoint" (an ETag that still holds): a ``full``
  exchange must not name nothing and thereby withdraw everything.
- ``Record.version`` puts states of one key into order, since pages are not in the order of time.
- ``Exchange.repeatable`` says whether an opinion may be sent twice without harm, which decides what happens
  to one whose answer was lost.
- ``Print`` values are what the exchange gives: ``bytes`` if binary, else its text. The feed parses texts
  (hex, base64) by the signal's own parser; an exchange need not know which signals are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeKind
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock

NOT_FETCHED = "not fetched"  # in the place of a fingerprint that the exchange has and that was not taken
Json = Any  # what ``json`` reads and writes; small: it is stored with every page
Stance = Literal["affirmative", "negative"]


class Print(NamedTuple):
    """One fingerprint as an exchange gives it.

    Args:
        signal: our name of it: md5, sha1, sha256, pdq, photodna, tmk, videntifier, url …
        value: bytes if the exchange gives it as bytes, otherwise its text. A secret. ``NOT_FETCHED`` if it
            was not taken: kept as something that cannot be compared, so that verdicts say "not checked".
    """

    signal: str
    value: bytes | str

    def __repr__(self) -> str:
        """Never shows the value."""
        return f"Print({self.signal!r}, …)"


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of an exchange in its newest state.

    Args:
        key: the source's own: unique within the feed, the same for good. At most 1,024 characters. A secret.
        prints: all fingerprints that the exchange gives for it; also of signals that are not installed.
        category: the exchange's own word, e.g. "A1"; at most 100 characters.
        deleted: the source has taken it back; ``prints`` may be empty.
        disputed: somebody there says that it is wrong; it is kept, and its matches say so.
        version: grows with each state of this key (e.g. its time of change in seconds); an older one never
            replaces a newer one. 0 if the exchange does not tell: then what comes later counts.
    """

    key: str = field(repr=False)
    prints: tuple[Print, ...] = field(default=(), repr=False)
    category: str = ""
    deleted: bool = False
    disputed: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a run; the feed commits it, and what it says of the way, as one transaction.

    Args:
        records: at most 10,000.
        cursor: what ``pages`` takes to go on behind this page, within this run; ``None``: this was the last.
        checkpoint: everything up to here is known for good, and the next run may begin here. Only on a page
            after which that is so: for most protocols on the last page alone.
        total: of the records of the run, if the exchange tells.
        unchanged: the list is as it was at the checkpoint; with no records and no cursor.
        unreadable: records that could not be read at all, and are left out.
    """

    records: tuple[Record, ...] = field(default=(), repr=False)
    cursor: Json | None = field(default=None, repr=False)
    checkpoint: Json | None = field(default=None, repr=False)
    total: int | None = None
    unchanged: bool = False
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that ``nightlamp feed doctor`` looked at, in plain words without secrets.

    Args:
        what: was looked at: "name", "connection", "clock", "credentials", "environment", "list" …
        well: whether it is as it should be.
        words: what was found, in a sentence.
        kind: of the fault.
        hint: what to try.
    """

    what: str
    well: bool
    words: str
    kind: ExchangeKind | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a person here found about an entry.

    Args:
        id: of the row in the queue; for exchanges that take a key of idempotency.
        key: the entry's, as in ``Record``. A secret.
        stance: affirmative: it is what the list says; negative: it is not.
        reason: a code of ours for a negative one; see ``docs/feeds.md``.
        signals: of the entry's fingerprints here; none if it was withdrawn meanwhile.
    """

    id: str
    key: str = field(repr=False)
    stance: Stance
    reason: str = ""
    signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """What the exchange answered to one opinion.

    Args:
        id: the opinion's.
        taken: whether it stands there now.
        words: why not; without secrets.
    """

    id: str
    taken: bool
    words: str = ""


class Exchange(Protocol):
    """A client of one exchange, with its configuration and secrets; used by one thread at a time.

    Attributes:
        full: every run gives the whole list (a file drop, a plain list): what it does not name is gone.
    """

    full: bool

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """The pages of a run, one at a time; nothing is asked for before it is needed.

        Args:
            checkpoint: the newest that a page gave, of this run or an earlier one; ``None``: from the
                beginning.
            cursor: of the newest page, if the run broke off behind it; go on there, with its range: the
                checkpoint may be of a later page than the one that the run began with.

        Raises:
            ExchangeError: "stale" if cursor or checkpoint are no longer taken; anything else as it is. What
                was given before stands; the run goes on behind it later.
        """

    def stale(self, checkpoint: Json, now: datetime) -> bool:
        """Whether the source has forgotten withdrawals since then, so that only a whole refetch is safe."""

    def probe(self) -> Sequence[Finding]:
        """Look at name, connection, clock, credentials, environment and list; raises nothing but bugs."""


@runtime_checkable
class TakesFeedback(Protocol):
    """An exchange that also wants to hear what people found.

    Attributes:
        most: opinions in one call.
        repeatable: to send one again changes nothing, so one whose answer was lost is sent again.
    """

    most: int
    repeatable: bool

    def feedback(self, opinions: Sequence[Opinion]) -> Sequence[Sent]:
        """Send opinions; an answer for each.

        Raises:
            ExchangeError: none was taken for certain, or ("network", "malformed") nobody knows.
        """


class ExchangeConfig(BaseModel):
    """What an operator sets for a feed of one kind; never a secret. Test environments by default."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @property
    def benign(self) -> bool:
        """Whether the list is of known harmless files, so that its bank must be a benign one."""
        return False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of exchange: how to make a client of it.

    Args:
        name: as in ``nightlamp feed add … --kind NAME``.
        title: for people.
        config: the model of what an operator sets.
        secrets: names of the secrets that it needs, with what each is.
        optional: those of them that it can do without.
        category: of the bank that is made for it, if the operator names none.
        open: (config, secrets, http, clock) → client; opens no connection. Raises ``FeedError`` for a config
            that makes no sense.
    """

    name: str
    title: str
    config: type[ExchangeConfig]
    open: Callable[[Any, Mapping[str, Secret], Fetcher, Clock], Exchange] = field(repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    category: str = ""
