"""Two nodes get the same request at once, each among others that it writes together with it."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, text

from nightlamp.audit.tables import audit_head
from nightlamp.intake import Examiner, Intake, Submission
from nightlamp.store import Writer, connect

from .conftest import build

LONG = 120.0
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def test_the_later_one_gets_the_answer_of_the_first_and_its_companions_are_written(
    postgres_url: str, tmp_path: Path, examiner: Examiner
) -> None:
    # given two nodes on one database, whose writers are kept busy while a group comes together at each
    engine = connect(postgres_url)
    one = build(engine, tmp_path, examiner)
    writer = Writer(engine)
    other = Intake(engine, examiner, one.decider, writer, one.vault, keep=timedelta(days=30))
    go = threading.Event()
    for each in (one.writer, writer):
        each.submit(lambda _: go.wait(LONG))
    begun = []
    with engine.begin() as connection:
        # and the audit log is held up, so that neither is written before the other has begun
        connection.execute(select(audit_head).with_for_update())
        for number, node in enumerate((one.intake, other)):
            mine = [
                Submission("thekey", text=f"https://example.com/{number}", idempotency=f"own {number}"),
                Submission("thekey", text="https://example.com/same", idempotency="same"),
                Submission("thekey", text=f"https://example.org/{number}"),
            ]
            begun.append([node.begin(each) for each in mine])
        until = time.monotonic() + LONG
        while any(len(node.recorder._open or ()) < 3 for node in (one.intake, other)):
            assert time.monotonic() < until
            time.sleep(0.01)
        go.set()
        while True:
            with engine.connect() as looking:  # within one transaction the server shows the same again
                if looking.scalar(WAITING) == 2:
                    break
            assert time.monotonic() < until
            time.sleep(0.01)
    # when it goes on
    first, second = ([future.result(LONG) for future in some] for some in begun)
    # then the same request is one item, and all others are their own
    assert first[1].item == second[1].item
    assert {first[1].replayed, second[1].replayed} == {True, False}
    assert len({outcome.item for outcome in (*first, *second)}) == one.count("item") == 5
    assert one.count("idempotency") == 3
    assert one.audit_is_whole()
    other.close()
    one.intake.close()
    for each in (one.writer, writer):
        each.close()
    engine.dispose()
