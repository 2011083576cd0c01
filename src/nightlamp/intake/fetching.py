"""URL items: fetched in the background, then taken like any other content.

A URL whose content cannot be had after some attempts is not forgotten: its item gets a verdict that says what
was not checked, with what the URL itself matched.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, func, select

from nightlamp.errors import IntakeError, NightlampError, OutboundError
from nightlamp.intake.content import Content
from nightlamp.intake.deciding import Subject
from nightlamp.intake.intake import Intake
from nightlamp.intake.recording import Entry, retry_later
from nightlamp.intake.submission import Submission, Where, unpacked
from nightlamp.intake.tables import fetch, item
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock, Writer, utc_now
from nightlamp.store.leases import take
from nightlamp.urls import TRACKING, canonical, fingerprints
from nightlamp.values import Examination, Fingerprint, Unchecked

AT_ONCE = 16
LEASE = 300.0  # seconds; longer than any fetch and its examination
WAITS = (5.0, 60.0, 600.0)  # seconds after each failed attempt; then it is given up
_HOPELESS = frozenset({"refused", "invalid url", "too large"})


class UrlFetcher:
    """Fetches what is due, on as many nodes as there are.

    Args:
        intake: takes what was fetched.
        writer: commits leases.
        fetcher: makes the requests, within its rules.
        new_content: makes room for what is fetched, within the limits of uploads.
        clock: for due times.
    """

    def __init__(
        self,
        intake: Intake,
        writer: Writer,
        fetcher: Fetcher,
        *,
        new_content: Callable[[], Content] = Content,
        clock: Clock = utc_now,
    ) -> None:
        self._intake = intake
        self._writer = writer
        self._fetcher = fetcher
        self._new_content = new_content
        self._clock = clock
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="nightlamp-fetch")

    def run_once(self) -> int:
        """Fetch what is due and wait until it is taken; how many URLs were tried."""
        rows = self._writer.write(self._take)
        list(self._pool.map(self._fetch, rows))
        return len(rows)

    def close(self) -> None:
        """Finish what is being fetched."""
        self._pool.shutdown()

    def _take(self, connection: Connection) -> list[tuple[Row[Any], Row[Any]]]:
        rows = take(connection, fetch, now=self._clock(), seconds=LEASE, limit=AT_ONCE)
        query = select(item).where(item.c.id.in_([row.id for row in rows]))
        items = {row.id: row for row in connection.execute(query)}
        return [(row, items[row.id]) for row in rows]

    def _fetch(self, both: tuple[Row[Any], Row[Any]]) -> None:
        row, of = both
        content, failed = self._new_content(), False
        reached: tuple[Fingerprint, ...] = ()
        unchecked: tuple[Unchecked, ...] = ()
        try:
            fetched = self._fetcher.fetch(row.url, content.write)
            reached = tuple(
                found
                for drop in {TRACKING, self._intake.tracking}
                for found in fingerprints(canonical(fetched.url.text, drop))
            )
        except (OutboundError, IntakeError) as error:  # it is not to be had, or there is no room for it
            content.close()
            failed = True
            if error.code not in _HOPELESS and row.attempts < len(WAITS):
                now, seconds = self._clock(), WAITS[row.attempts]
                self._writer.write(lambda c: retry_later(c, row.id, row.lease, now, seconds))
                return
            why = error.for_submitter if isinstance(error, OutboundError) else error.what
            unchecked = (Unchecked("content", "not fetched", why),)
        submission = Submission(
            of.key,
            None if failed else content,
            row.url,
            (*reached, *unpacked(row.given)),
            platform_id=of.platform_id,
            actor=of.actor,
            where=Where.from_json(of.context),
            wait=of.wait,
        )
        subject = Subject(row.id, submission, Examination("", 0, unchecked=unchecked))
        entry = Entry(subject, None, of.received_at, lease=row.lease, failed=failed)
        with suppress(NightlampError):  # the lease ends, and somebody tries again
            self._intake.proceed(entry).result()


def waiting_urls(connection: Connection) -> int:
    """URLs that are to be fetched yet."""
    return connection.scalar(select(func.count()).select_from(fetch)) or 0
