"""Late hits: an entry that is new matches an item of the past, whose verdict is then given anew."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from nightlamp.errors import IntakeError
from nightlamp.intake.deciding import Decider, Subject
from nightlamp.intake.recording import Entry, Recorder
from nightlamp.intake.records import StoredItem, get_item, scores_of
from nightlamp.intake.submission import Submission
from nightlamp.lookback import Late, recall, take
from nightlamp.store import Clock, Writer, utc_now
from nightlamp.values import Examination

AT_ONCE = 100


class LateVerdicts:
    """Makes verdicts of the look-back's hits, on as many nodes as there are.

    Taking a hit and writing its verdict is one transaction: neither can be without the other.

    Args:
        writer: commits.
        decider, recorder: the intake's own.
        refresh: brings this node's banks up to date.
        clock: for the records.
    """

    def __init__(
        self,
        writer: Writer,
        decider: Decider,
        recorder: Recorder,
        refresh: Callable[[], object],
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._writer = writer
        self._decider = decider
        self._recorder = recorder
        self._refresh = refresh
        self._clock = clock

    def run_once(self) -> int:
        """Work through the hits that wait; how many items got a verdict."""
        self._refresh()
        return self._writer.write(self._work)

    def _work(self, connection: Connection) -> int:
        hits = take(connection, self._clock(), AT_ONCE)
        found = [(hit, subject) for hit in hits if (subject := _subject(connection, hit)) is not None]
        if not found:
            return 0
        now = self._clock()
        subjects = [subject for _, (_, subject) in found]
        also = [[match for _, match in hit.matches] for hit, _ in found]
        rulings = self._decider.decide(subjects, now, also)
        entries = [
            Entry(subject, ruling, stored.received_at)
            for (_, (stored, subject)), ruling in zip(found, rulings, strict=True)
        ]
        self._recorder.write(connection, entries)
        return len(entries)


def _subject(connection: Connection, hit: Late) -> tuple[StoredItem, Subject] | None:
    """The item as it was, with its fingerprints; None if it is no longer kept."""
    try:
        stored = get_item(connection, hit.item)
    except IntakeError:
        return None
    examination = Examination(
        stored.media_type,
        stored.size,
        stored.width,
        stored.height,
        stored.frames,
        recall(connection, hit.item),
        stored.unchecked,
        stored.origin,
    )
    submission = Submission(
        stored.key,
        url=stored.url or "",
        platform_id=stored.platform_id,
        actor=stored.actor,
        where=stored.where,
        wait=stored.wait,
    )
    # Nobody is asked again: the content is gone, and the answer would be of another day.
    scores = scores_of(connection, stored.verdict)
    return stored, Subject(stored.id, submission, examination, late=True, scores=scores)
