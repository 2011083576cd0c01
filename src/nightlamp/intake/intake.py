"""The way of an item, the same for every door: examine, ask, look up, decide, seal, commit, then answer.

Each stage has its own threads and hands on to the next, so no thread waits for another item's work. Whatever
fails before the commit, nothing of the item stays; the caller gets the error and tries again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from sqlalchemy import Engine, select, tuple_

from nightlamp.errors import IntakeError, NightlampError
from nightlamp.intake.asking import query_of
from nightlamp.intake.content import Content
from nightlamp.intake.deciding import Decider, Subject, examined
from nightlamp.intake.examiner import Examiner
from nightlamp.intake.recording import Entry, Recorder, stored_outcome
from nightlamp.intake.submission import Outcome, Submission
from nightlamp.intake.tables import idempotency
from nightlamp.intake.threads import started
from nightlamp.lookups import Lookups, Said
from nightlamp.signals import Signal, installed
from nightlamp.store import Clock, Writer, new_id, reading, utc_now
from nightlamp.urls import TRACKING, canonical
from nightlamp.values import Examination
from nightlamp.vault import Vault

AT_ONCE = 256  # items of one lookup
_FEW = 2  # for so many that are with the workers nobody waits
_LINGER = 0.05  # seconds that a group waits for company at most


@dataclass(frozen=True, slots=True)
class Load:
    """How much is on its way: items, and those that wait for their lookup."""

    items: int
    deciding: int


class Intake:
    """Takes submissions. Close it, or use it as a context manager; the parts it is given are not closed.

    Args:
        engine: the database, for reading.
        examiner: bytes to fingerprints.
        decider: fingerprints to verdicts.
        writer: commits.
        vault: for what is held.
        keep: for how long fingerprints are kept for the look-back; 0: not at all.
        most: items on their way at once; more are refused.
        signals: the installed ones by default.
        clock: for the times in the records.
        watch: told the seconds that an item spent in each stage: examine, ask, decide, seal, commit.
        follow: called where an item is submitted; what it gives, if anything, is told that item's stages.
        seen: told each outcome, with the kind of its submission.
        tracking: URLs are also looked up without these query parameters.
        lookups: services that are asked about each item before it is decided; the caller closes them.
    """

    def __init__(
        self,
        engine: Engine,
        examiner: Examiner,
        decider: Decider,
        writer: Writer,
        vault: Vault,
        *,
        keep: timedelta = timedelta(days=30),
        most: int = 1_000,
        signals: Mapping[str, Signal] | None = None,
        clock: Clock = utc_now,
        watch: Callable[[str, float], None] | None = None,
        follow: Callable[[], Callable[[str, float], None] | None] | None = None,
        seen: Callable[[str, Outcome], None] | None = None,
        tracking: frozenset[str] = TRACKING,
        lookups: Lookups | None = None,
    ) -> None:
        self.tracking = tracking
        self._watch = watch
        self._follow = follow
        self._seen = seen
        self._lookups = lookups
        self.decider = decider
        self.recorder = Recorder(writer, vault, keep)
        self._engine = engine
        self._examiner = examiner
        self._vault = vault
        self._signals = installed() if signals is None else signals
        self._clock = clock
        self._most = most
        self._under_way = 0
        self._lock = threading.Lock()  # of the count; it is taken twice for every item
        self._counting = threading.Condition(self._lock)
        self._closed = False
        self._examined: list[Entry] = []  # they wait for their lookup
        self._examining = 0  # content that is with the workers, or in line for them
        self._news = threading.Condition(self._lock)  # that the thread which decides waits for
        self._sealing = started(4, "nightlamp-seal")
        self._thread = threading.Thread(target=self._decide, name="nightlamp-decide", daemon=True)
        self._thread.start()

    def submit(self, submission: Submission) -> Outcome:
        """Take an item and wait for its outcome.

        Raises:
            IntakeError: it makes no sense, contradicts an earlier request, or a part that it needs is away.
            StoreError, VaultError: nothing was written (or, ``UndecidedError``, nobody knows): try again.
        """
        return self.begin(submission).result()

    def begin(self, submission: Submission) -> Future[Outcome]:
        """As ``submit``, without waiting; the future resolves when the outcome is durable.

        Raises:
            IntakeError: it makes no sense, or too many items are on their way.
        """
        try:
            _check(submission)
        except IntakeError:
            _close(submission)
            raise
        return self.proceed(Entry(Subject(new_id(), submission, Examination("", 0)), None, self._clock()))

    def proceed(self, entry: Entry) -> Future[Outcome]:
        """Send an entry on its way: a new one, or a URL item whose content has come."""
        submission = entry.subject.submission
        with self._lock:
            full = self._under_way >= self._most
            if not full and not self._closed:
                self._under_way += 1
        if full or self._closed:
            _close(submission)
            raise IntakeError(
                "unavailable",
                "the service is stopping" if self._closed else "too many items at once",
                hint="later",
            )
        entry.outcome.add_done_callback(lambda _: self._done(entry))
        try:
            if self._follow is not None:
                entry.watch = self._follow()
            if submission.content is not None:
                self._examine(entry, submission.content)
            elif submission.url and not entry.lease:
                self._put_off(entry)
            else:
                self._arrived(entry, entry.subject.examination)
        except Exception as error:  # noqa: BLE001 (whoever waits must hear of it)
            _fail(entry, error)
        return entry.outcome

    def load(self) -> Load:
        """How much is on its way."""
        return Load(self._under_way, len(self._examined))

    def close(self) -> None:
        """Finish what is on its way, and take nothing new."""
        with self._counting:
            self._closed = True
            self._counting.wait_for(lambda: self._under_way == 0)
            self._news.notify()
        self._thread.join()
        self._sealing.shutdown()
        self.recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _done(self, entry: Entry) -> None:
        try:
            self._lap(entry, "commit")
            if self._seen is not None and entry.outcome.exception() is None:
                self._seen(entry.subject.submission.kind, entry.outcome.result())
        finally:
            _close(entry.subject.submission)
            with self._lock:
                self._under_way -= 1
                if self._closed:
                    self._counting.notify_all()

    def _lap(self, entry: Entry, stage: str) -> None:
        if self._watch is not None or entry.watch is not None:
            seconds = entry.lap()
            for watch in filter(None, (self._watch, entry.watch)):
                with suppress(Exception):  # who watches must not harm what is watched
                    watch(stage, seconds)

    def _examine(self, entry: Entry, content: Content) -> None:
        with self._lock:
            self._examining += 1
        try:
            examination = self._examiner.examine(content, entry.received_at)
        except Exception:
            with self._lock:
                self._examining -= 1
            raise

        def done(examination: Future[Examination]) -> None:
            with self._lock:
                self._examining -= 1
            try:
                self._lap(entry, "examine")
                self._arrived(entry, examination.result())
            except Exception as error:  # noqa: BLE001 (whoever waits must hear of it)
                _fail(entry, error)

        examination.add_done_callback(done)

    def _put_off(self, entry: Entry) -> None:
        """A URL is to be fetched: of what came besides, the text is not kept, its URLs' fingerprints are."""
        submission = entry.subject.submission
        if submission.idempotency:
            entry.request = submission.request(None)
        given = replace(submission, url="").given(self.tracking)
        examination = replace(entry.subject.examination, fingerprints=given)
        entry.subject = replace(entry.subject, examination=examination)
        self.recorder.record([entry])

    def _arrived(self, entry: Entry, content: Examination) -> None:
        """The content's examination is there: add what was given besides, and wait for the lookup."""
        given = entry.subject.submission.given(self.tracking)
        whole = _joined(content, examined(given, self._signals)) if given else content
        entry.subject = replace(entry.subject, examination=whole)
        if entry.subject.submission.idempotency and not entry.lease:
            entry.request = entry.subject.submission.request(whole)
        asked = self._lookups.ask(query_of(entry.subject)) if self._lookups is not None else None
        if asked is None:
            self._put(entry)
        else:
            asked.add_done_callback(lambda done: self._answered(entry, done))

    def _answered(self, entry: Entry, asked: Future[Said]) -> None:
        """The services have answered, or had time to."""
        self._lap(entry, "ask")
        if (error := asked.exception()) is not None:
            _fail(entry, error)
            return
        said = asked.result()
        examination = entry.subject.examination
        whole = replace(
            examination, unchecked=tuple(dict.fromkeys((*examination.unchecked, *said.unchecked)))
        )
        entry.subject = replace(entry.subject, examination=whole, scores=said.scores)
        self._put(entry)

    def _put(self, entry: Entry) -> None:
        with self._lock:
            self._examined.append(entry)
            if len(self._examined) == 1 or self._enough():
                self._news.notify()

    def _enough(self) -> bool:
        """Whether those that wait for their lookup are to have it now; the lock is held.

        A group's lookup and commit cost much, and each item in it little. So while many are in line before
        the workers, where they wait anyhow, a group is more than as many.
        """
        return len(self._examined) > max(0, self._examining - _FEW)

    def _decide(self) -> None:
        """One thread's life: whatever waits is looked up together."""
        while True:
            with self._lock:
                while not self._enough():
                    if self._closed and not self._under_way:
                        return
                    if not self._news.wait(_LINGER if self._examined else None):
                        break
                entries, self._examined = self._examined[:AT_ONCE], self._examined[AT_ONCE:]
            try:
                self._decide_all(entries)
            except Exception as error:  # noqa: BLE001 (the thread must live, and nobody wait for ever)
                for entry in entries:
                    _fail(entry, error)

    def _decide_all(self, entries: Sequence[Entry]) -> None:
        fresh = self._not_answered_before(entries)
        rulings = self.decider.decide([entry.subject for entry in fresh], self._clock())
        at_once: list[Entry] = []
        for entry, ruling in zip(fresh, rulings, strict=True):
            entry.ruling = ruling
            self._lap(entry, "decide")
            if ruling.verdict.handling.hold is not None and entry.subject.submission.content is not None:
                try:
                    self._sealing.submit(self._seal, entry)
                except RuntimeError as error:  # the process is ending
                    _fail(entry, error)
            else:
                at_once.append(entry)
        self.recorder.record(at_once)

    def _seal(self, entry: Entry) -> None:
        content = entry.subject.submission.content
        assert content is not None
        try:
            entry.sealed = self._vault.seal(content.reader())
            self._lap(entry, "seal")
            self.recorder.record([entry])
        except Exception as error:  # noqa: BLE001 (whoever waits must hear of it)
            _fail(entry, error)

    def _not_answered_before(self, entries: Sequence[Entry]) -> list[Entry]:
        """Answer known requests before anything is sealed; the transaction looks once more."""
        named = {
            (entry.subject.submission.key, entry.subject.submission.idempotency): entry
            for entry in entries
            if entry.request
        }
        if not named:
            return list(entries)
        i = idempotency.c
        known = {}
        with reading(self._engine) as connection:
            for row in connection.execute(
                select(idempotency).where(tuple_(i.key, i.name).in_(sorted(named)))
            ):
                known[row.key, row.name] = (bytes(row.request), stored_outcome(connection, row))
        fresh = []
        for entry in entries:
            request, outcome = known.get(entry.name, (b"", None))
            if entry.request and outcome is not None and request == entry.request:
                entry.settle(outcome)
            else:
                fresh.append(entry)
        return fresh


def _check(submission: Submission) -> None:
    if submission.url:
        try:
            canonical(submission.url, drop=frozenset())
        except ValueError:
            raise IntakeError("invalid", "not a URL that can be fetched", where="url") from None
    if submission.kind == "fingerprints" and not submission.given():
        raise IntakeError("invalid", "nothing to check: no content, URL or fingerprint", where="item")
    for where, text, most in (
        ("platform_id", submission.platform_id, 200),
        ("actor", submission.actor, 200),
        ("Idempotency-Key", submission.idempotency, 200),
    ):
        if len(text) > most or not text.isprintable():
            raise IntakeError("invalid", f"must be printable and of at most {most} characters", where=where)


def _joined(content: Examination, given: Examination) -> Examination:
    """What was found in the content, and what was given besides."""
    return replace(
        content,
        fingerprints=tuple(dict.fromkeys((*content.fingerprints, *given.fingerprints))),
        unchecked=tuple(dict.fromkeys((*content.unchecked, *given.unchecked))),
    )


def _close(submission: Submission) -> None:
    if submission.content is not None:
        submission.content.close()


def _fail(entry: Entry, error: BaseException) -> None:
    if not isinstance(error, NightlampError):
        told = f"an item could not be taken ({type(error).__name__})"
        error = IntakeError("unavailable", told, where="intake")
    entry.fail(error)
