"""Bringing approved reports to the authority: one finished report for each, or a clear 'needs a person'.

Only the node that has a report's lease works on it, and every commit checks that it still has it. What then
happens is ``journey``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from nightlamp.errors import ReportError
from nightlamp.reports.cybertip import CyberTip
from nightlamp.reports.evidence import Measured
from nightlamp.reports.journey import LONGEST_UPLOAD, STOPPED, Journey, LostLeaseError
from nightlamp.reports.records import MOVING, StoredReport, get_report
from nightlamp.reports.tables import report
from nightlamp.store import Clock, Writer, utc_now
from nightlamp.store.leases import take


class Opens(Protocol):
    """What gives the files: ``Evidence``."""

    def measure(self, object_id: str, report_id: str) -> Measured:
        """Size and hashes."""

    def pour(self, object_id: str, report_id: str, out: Callable[[bytes], object]) -> None:
        """The content."""


class Sender:
    """Works on reports that are due; run it in as many threads and on as many nodes as may send at a time.

    The files of one report are sent one after the other: nothing that is known of the authority says that it
    takes two calls on one report at a time.

    Args:
        writer: commits.
        client: the authority.
        evidence: opens the files.
        term: until when a report that is finished then is held; None: holds stay as they are.
        valid: says what a schema has against a document; nothing if there is no schema at hand.
        clock: for leases and pauses.
        lease: seconds that a report is this node's own, from each commit on.
    """

    def __init__(
        self,
        writer: Writer,
        client: CyberTip,
        evidence: Opens,
        *,
        term: Callable[[datetime], datetime] | None = None,
        valid: Callable[[bytes], str] | None = None,
        clock: Clock = utc_now,
        lease: float = 900.0,
    ) -> None:
        self.writer = writer
        self.client = client
        self.evidence = evidence
        self.term = term
        self.valid = valid
        self.clock = clock
        self.lease = lease
        self._stopped: tuple[datetime, ReportError] | None = None

    def run_once(self) -> int:
        """Work on the report that has waited longest, as far as it goes; how many there were: 0 or 1.

        Raises:
            ReportError: the authority refuses our credentials. For ten minutes nothing more is sent, and
                every run says so, so that the node is not called well.
        """
        if self._stopped is not None and self.clock() < self._stopped[0]:
            raise self._stopped[1]
        self._stopped = None
        taken = self.writer.write(self._take)
        try:
            for lease, found in taken:
                with suppress(LostLeaseError):
                    Journey(self, lease, found).go()
        except ReportError as error:
            self._stopped = self.clock() + timedelta(seconds=STOPPED), error
            raise
        return len(taken)

    def _take(self, connection: Connection) -> list[tuple[str, StoredReport]]:
        moving = report.c.state.in_(MOVING)
        now, renewed = self.clock(), self.lease + LONGEST_UPLOAD
        rows = take(connection, report, now=now, seconds=self.lease, limit=1, where=moving, renewed=renewed)
        return [(row.lease, get_report(connection, row.id)) for row in rows]
