"""Once a night: does what we hold agree with what was decided, and with what the authority was told?

The CyberTipline cannot be asked for a report's state. What can be checked is that every decision has its
report, that no report has two finished numbers, that nothing which was opened was left behind, and that
nothing waits for longer than it should.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine, exists, func, insert, select, update

from nightlamp import audit
from nightlamp.cases.tables import case_item, decision
from nightlamp.errors import ReportError
from nightlamp.reports.by_rule import left_over
from nightlamp.reports.cybertip import Answer, CyberTip
from nightlamp.reports.records import BACK, MOVING, call_row
from nightlamp.reports.tables import report, report_call, report_confirmation, report_opening
from nightlamp.store import Clock, Writer, reading, utc_now

_STUCK = timedelta(hours=24)
_SETTLED = timedelta(hours=2)  # longer than any time to take an answer back
_ENDS = {"done": "retracted", "retracted": "retracted", "unknown report": "gone", "finished": "finished"}


@dataclass(frozen=True, slots=True)
class Standing:
    """What needs somebody's eyes.

    Args:
        unreported: decisions that it is CSAM, in force, without any report; and what a rule confirmed
            hours ago.
        doubled: reports with two finished numbers; there must never be one.
        left: numbers that were opened and given up, and of which nobody knows the end.
        overdue: drafts that wait longer than the settings allow.
        person: reports that stopped.
        stuck: reports on their way for longer than a day.
    """

    unreported: int
    doubled: int
    left: int
    overdue: int
    person: int
    stuck: int

    @property
    def well(self) -> bool:
        """Nothing does."""
        return not any(asdict(self).values())


def standing(connection: Connection, *, now: datetime, draft_hours: int = 24) -> Standing:
    """Look, and change nothing."""
    r, o, d = report.c, report_opening.c, decision.c

    def count(*where: object) -> int:
        return connection.scalar(select(func.count()).select_from(report).where(*where)) or 0  # type: ignore[arg-type]

    of = report_confirmation.c
    named = exists().where(r.decision == d.id)
    # A rule's report names one decision, and may hold what was split into several cases.
    held = exists().where(case_item.c.case == d.case, of.item == case_item.c.item, r.id == of.report)
    held = held.where(r.state.not_in(BACK))
    unreported = select(func.count()).where(d.final, d.finding == "csam", d.applied_at.is_not(None))
    unreported = unreported.where(~named, ~held)
    twice = select(o.report).where(o.end == "finished").group_by(o.report).having(func.count() > 1)
    return Standing(
        (connection.scalar(unreported) or 0) + left_over(connection, now - _SETTLED),
        connection.scalar(select(func.count()).select_from(twice.subquery())) or 0,
        len(left_behind(connection)),
        count(r.state == "draft", r.created_at < now - timedelta(hours=draft_hours)),
        count(r.state == "person"),
        count(r.state.in_(MOVING), r.approved_at < now - _STUCK),
    )


def left_behind(connection: Connection) -> list[tuple[str, str, int]]:
    """(report, host, number) of what was opened, is not the report's own any more, and has no known end."""
    o, r = report_opening.c, report.c
    query = select(o.report, o.host, o.remote).join(report, r.id == o.report)
    gone = query.where(o.end.is_(None), (r.remote.is_(None)) | (r.remote != o.remote))
    return [(row.report, row.host, row.remote) for row in connection.execute(gone)]


class Reconciler:
    """Looks, tidies what was left behind, and writes down what it found.

    Args:
        engine: to read from.
        writer: commits.
        client: to take back what was left behind; None: it stays.
        draft_hours: after which a draft is overdue.
        clock: the time.
    """

    def __init__(
        self,
        engine: Engine,
        writer: Writer,
        client: Callable[[], CyberTip] | None = None,
        *,
        draft_hours: int = 24,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._client = client
        self._draft_hours = draft_hours
        self._clock = clock

    def run_once(self) -> Standing:
        """One look.

        Raises:
            ReportError: a decision has no report, or a report is finished twice: what must never be.
        """
        if self._client is not None:
            self._tidy(self._client())
        now = self._clock()
        with reading(self._engine) as connection:
            found = standing(connection, now=now, draft_hours=self._draft_hours)
        self._writer.write(
            lambda c: audit.append(c, "system", "report.reconciled", "reports", asdict(found), at=now)
        )
        if found.doubled or found.unreported:
            raise ReportError(
                "conflict",
                f"{found.unreported} decisions without a report, {found.doubled} reports finished twice",
                hint="nightlamp report status",
            )
        return found

    def _tidy(self, client: CyberTip) -> None:
        with reading(self._engine) as connection:
            found = left_behind(connection)
        for report_id, host, number in found:
            if host == client.host.name:
                answer = client.retract(number)
                self._writer.write(partial(_note, answer, report_id, host, number, self._clock()))


def _note(
    answer: Answer, report_id: str, host: str, number: int, at: datetime, connection: Connection
) -> None:
    connection.execute(insert(report_call).values(call_row(answer, report_id, number, at)))
    end = _ENDS.get(answer.means)
    if end is not None:
        mine = (report_opening.c.host == host) & (report_opening.c.remote == number)
        connection.execute(update(report_opening).where(mine).values(end=end, ended_at=at))
