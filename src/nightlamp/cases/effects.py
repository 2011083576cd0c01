"""What follows from final decisions, once the time to take them back has passed.

Each decision is handed to every consumer in one transaction that also marks it as applied: it takes effect
once, everywhere or nowhere. A consumer that fails holds up its own decision alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine, delete, select, tuple_, update

from nightlamp.audit import Detail, append
from nightlamp.cases.decision import FinalDecision
from nightlamp.cases.records import final_decision, lock_case
from nightlamp.cases.tables import case_key, decision
from nightlamp.store import Clock, Writer, reading, utc_now

Consumer = Callable[[Connection, FinalDecision], None]
_AT_ONCE = 50
_D = decision.c


class Effects:
    """Applies final decisions, on as many nodes as there are.

    Args:
        engine: to read from.
        writer: commits.
        consumers: act on a decision in the transaction that they are given; they do nothing but use it.
        clock: the time.
    """

    def __init__(
        self, engine: Engine, writer: Writer, consumers: Sequence[Consumer], *, clock: Clock = utc_now
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._consumers = tuple(consumers)
        self._clock = clock

    def run_once(self) -> int:
        """Apply what is due; how many it were. The first failure is raised when the others are done."""
        applied, failed = 0, None
        after: tuple[datetime, str] | None = None
        while page := self._due(after):
            for effective_at, decision_id in page:
                after = effective_at, decision_id
                try:
                    applied += self._writer.write(partial(self._apply, decision_id))
                except Exception as error:  # noqa: BLE001 (the others must not wait for it)
                    failed = failed or error
        if failed is not None:
            raise failed
        return applied

    def _due(self, after: tuple[datetime, str] | None) -> Sequence[tuple[datetime, str]]:
        # Written as the partial index has it.
        query = select(_D.effective_at, _D.id).where(
            _D.final, _D.undone_at.is_(None), _D.applied_at.is_(None)
        )
        query = query.where(_D.effective_at <= self._clock())
        if after is not None:
            query = query.where(tuple_(_D.effective_at, _D.id) > after)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(_D.effective_at, _D.id).limit(_AT_ONCE))
            return [(row.effective_at, row.id) for row in rows]

    def _apply(self, decision_id: str, connection: Connection) -> int:
        case_id = connection.scalar(select(_D.case).where(_D.id == decision_id))
        case = lock_case(connection, str(case_id))
        row = connection.execute(select(decision).where(_D.id == decision_id)).one()
        if case.decision != decision_id or row.undone_at is not None or row.applied_at is not None:
            return 0  # taken back or applied in the meantime
        final = final_decision(connection, decision_id)
        now = self._clock()
        for consumer in self._consumers:
            consumer(connection, final)
        connection.execute(update(decision).where(_D.id == decision_id).values(applied_at=now))
        connection.execute(delete(case_key).where(case_key.c.case == case.id))
        facts: dict[str, Detail] = {
            "decision": decision_id,
            "finding": final.finding,
            "items": len(final.items),
        }
        append(connection, "system", "cases.applied", f"case:{case.id}", facts, at=now)
        return 1
