"""Cases with a million items in the database: page, next case, decision, on SQLite.

    python benchmarks/cases.py [--items 1000000] [--keep FOLDER]

Fills a database with items, verdicts and matches, of which one in ten is in a case (as many of them decided
as open), and one case of 5,000 items; then prints medians of each step, the largest case by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from nightlamp.cases import Answer, decide, dossier, next_case, page_cases
from nightlamp.cases.records import count_items
from nightlamp.cases.tables import case_item, case_print, decision, review_case
from nightlamp.intake.tables import item, match, verdict
from nightlamp.store import Writer, connect, new_id, reading, upgrade

NOW = datetime.now(UTC)  # so that what was decided is within the days that the overview is of
PIECE = 10_000
RUNS = 60
HANDLING = {"hold": None, "priority": "normal", "queue": "", "two_person": False}


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder of the database, used again if it is filled")
    given = parser.parse_args()
    with database(given.keep, given.items) as (engine, _):
        measure(engine)


@contextlib.contextmanager
def database(keep: Path | None, items: int) -> Iterator[tuple[Engine, Path]]:
    """A filled database and its file, in the folder ``keep`` if there is one; used again if it is filled."""
    with tempfile.TemporaryDirectory() as scratch:
        file = (keep or Path(scratch)) / "cases.db"
        engine = connect(f"sqlite:///{file}")
        upgrade(engine)
        with reading(engine) as connection:
            filled = connection.scalar(select(item.c.id).limit(1)) is not None
        if not filled:
            started = time.perf_counter()
            with engine.begin() as connection:
                fill(connection, items)
            print(f"filled {items:,} items in {time.perf_counter() - started:.0f} s")
        yield engine, file
        engine.dispose()


def fill(connection: Connection, count: int) -> None:
    """The same rows as intake and the opener write, by the ten thousand."""
    drawn = random.Random(1)
    big, big_left = None, min(5_000, count // 50)
    cases: list[str] = []
    for first in range(0, count, PIECE):
        rows: dict[Any, list[dict[str, Any]]] = {
            table: [] for table in (item, verdict, match, review_case, case_item, case_print, decision)
        }
        for at in range(first, min(first + PIECE, count)):
            when = NOW - timedelta(seconds=count - at)
            in_case = at % 10 == 0
            one = _item(rows, drawn, when, "review" if in_case else "allow")
            if not in_case:
                continue
            if big_left and cases:
                big, big_left = big or cases[0], big_left - 1
                _into(rows, drawn, one, big, when)
            else:
                cases.append(_case(rows, drawn, when, decided=bool(cases) and len(cases) % 2 == 0))
                _into(rows, drawn, one, cases[-1], when)
        for table, values in rows.items():
            if values:
                connection.execute(insert(table), values)
    if big:
        count_items(connection, [big])


def _item(rows: dict[Any, list[dict[str, Any]]], drawn: random.Random, when: datetime, action: str) -> Any:
    number, ruling, actor = new_id(), new_id(), f"actor {drawn.randrange(50_000)}"
    rows[item].append(
        {
            "id": number,
            "key": "k",
            "kind": "content",
            "platform_id": "",
            "actor": actor,
            "context": {"service": "chat", "room": f"{drawn.randrange(100)}"},
            "state": "done",
            "wait": True,
            "media_type": "image/jpeg",
            "size": 100_000,
            "width": 800,
            "height": 600,
            "frames": 1,
            "unchecked": [],
            "received_at": when,
            "verdict": ruling,
            "action": action,
        }
    )
    rows[verdict].append(
        {
            "id": ruling,
            "item": number,
            "action": action,
            "rule": "listed",
            "generation": 1,
            "late": False,
            "benign": False,
            "reasons": ["an entry of hotline matches"],
            "unchecked": [],
            "handling": HANDLING,
            "history": [0, 0, 0, 0],
            "matches": 0 if action == "allow" else 2,
            "decided_at": when,
        }
    )
    for distance in () if action == "allow" else (0, 12):
        rows[match].append(
            {
                "verdict": ruling,
                "bank": "hotline" if distance else "partner",
                "source": "",
                "trust": "high",
                "benign": False,
                "category": "A1",
                "bank_category": "csam",
                "entry_id": f"{drawn.randrange(10**9)}",
                "signal": "pdq",
                "distance": distance,
                "view": "as is",
                "frame": 0,
                "quality": 90,
                "disputed": False,
            }
        )
    return number, ruling, actor


def _case(rows: dict[Any, list[dict[str, Any]]], drawn: random.Random, when: datetime, decided: bool) -> str:
    number = new_id()
    last = new_id() if decided else None
    rows[review_case].append(
        {
            "id": number,
            "queue": "",
            "priority": drawn.randrange(4),
            "two_person": False,
            "known": drawn.random() < 0.5,
            "state": "decided" if decided else "open",
            "round": 1,
            "rule": "listed",
            "opened_at": when,
            "order_at": when + timedelta(days=7),
            "grown_at": when,
            "items": 1,
            "actors": 1,
            "places": 1,
            "version": 1,
            "changed": "",
            "listed": drawn.random() < 0.5,
            "decided_at": when if decided else None,
            "decision": last,
        }
    )
    if decided:
        rows[decision].append(
            {
                "id": last,
                "case": number,
                "round": 1,
                "version": 1,
                "by": f"person:{drawn.randrange(20)}",
                "at": when,
                "finding": "csam",
                "ai_made": "unknown",
                "drawn": False,
                "reason": "",
                "note": "",
                "opinion": "first",
                "before": "open",
                "seconds": 20.0,
                "final": True,
                "effective_at": when,
                "applied_at": when,
            }
        )
    return number


def _into(
    rows: dict[Any, list[dict[str, Any]]], drawn: random.Random, one: Any, case: str, when: datetime
) -> None:
    number, ruling, actor = one
    rows[case_item].append(
        {
            "item": number,
            "case": case,
            "verdict": ruling,
            "how": "first",
            "actor": actor,
            "place": "chat",
            "added_at": when,
        }
    )
    for signal, size in (("sha256", 32), ("pdq", 32)):
        rows[case_print].append(
            {"item": number, "signal": signal, "value": drawn.randbytes(size), "frame": 0, "of": 1}
        )


def measure(engine: Engine) -> None:
    """Medians and the slowest of each step."""
    with reading(engine) as connection:
        ids = [case.id for case in page_cases(connection, now=NOW, limit=RUNS)]
        by_size = select(review_case.c.id).order_by(review_case.c["items"].desc()).limit(1)
        largest = connection.execute(by_size).scalar_one()

    def read(function: Callable[[Connection], object]) -> float:
        with reading(engine) as connection:
            started = time.perf_counter()
            function(connection)
            return time.perf_counter() - started

    told("case page", (read(lambda c, i=i: dossier(c, i, now=NOW)) for i in ids))
    told("largest case's page", (read(lambda c: dossier(c, largest, now=NOW)) for _ in range(10)))
    told("list of 50 cases", (read(lambda c: page_cases(c, now=NOW)) for _ in range(RUNS)))
    told("50 decided cases", (read(lambda c: page_cases(c, now=NOW, state="decided")) for _ in range(RUNS)))
    writer = Writer(engine, gather=0)

    def work(function: Callable[[Connection], Any]) -> tuple[float, Any]:
        started = time.perf_counter()
        result = writer.write(function)
        return time.perf_counter() - started, result

    taken = [work(lambda c, n=n: next_case(c, f"person:{n}", now=NOW)) for n in range(RUNS)]
    told("next case, committed", (seconds for seconds, _ in taken))
    answer = Answer("csam")
    told(
        "decision, committed",
        (
            work(
                lambda c, n=n, of=of: decide(c, of.id, answer, by=f"person:{n}", version=of.version, now=NOW)
            )[0]
            for n, (_, of) in enumerate(taken)
        ),
    )
    writer.close()


def told(what: str, seconds: Iterator[float]) -> None:
    """One line."""
    times = sorted(seconds)
    print(f"{what:24} median {statistics.median(times) * 1e3:7.2f} ms   slowest {times[-1] * 1e3:7.2f} ms")


if __name__ == "__main__":
    main()
