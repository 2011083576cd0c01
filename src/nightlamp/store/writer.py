"""Many small durable writes that share one commit.

A *work* is a function of a connection. One thread gathers the works that wait, runs them in one
transaction, commits once, and only then resolves their futures: a result in hand is on the disk.

What happens when something fails:

- A work raises: its future gets the exception. Its companions are run again without it, each in a
  savepoint (which nobody pays for as long as all goes well).
- The database is locked, away or restarting: the whole group is run again, until ``patience`` is over.
  Then each future gets ``UnavailableError``: nothing was written.
- The disk is full: ``UnavailableError`` at once, nothing was written; waiting would only fill the memory
  too.
- The connection is lost *during the commit*: nobody knows whether it took place. Each group therefore
  writes its number into this writer's row of ``writer_receipt``, in the same transaction. The next
  attempt first locks that row, which waits for the old transaction to end on the server, and reads it:
  the group's number means that it was committed, and the results in hand are right; an older number means
  that it was not, and it is run again in the very transaction that made sure. If the database stays away
  longer than ``patience``, the futures get ``UndecidedError``, which says so.

So a work may be run more than once, and takes effect at most once; it must do nothing but use its
connection. A caller who got ``UndecidedError``, or whose process died, tries again under a key of its own
that is unique in the tables which the work writes (the API's idempotency key).
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError

from nightlamp.errors import StoreError, UnavailableError, UndecidedError
from nightlamp.store.clock import Clock, utc_now
from nightlamp.store.direct import Prepared, together
from nightlamp.store.engine import in_transaction, is_full, is_passing, said
from nightlamp.store.tables import writer_receipt

T = TypeVar("T")
Work = Callable[[Connection], T]

# Made once: building a statement costs more than running it.
_STAMP = Prepared(
    update(writer_receipt)
    .where(writer_receipt.c.writer == bindparam("mine"))
    .values(last_group=bindparam("group"), at=bindparam("now"))
    .returning(writer_receipt.c.last_group)
)
_PAUSE = (0.01, 0.5)  # seconds between attempts: first, longest


@dataclass(slots=True)
class _Job:
    """A work, its future, and what came of its last run."""

    work: Work[Any]
    future: Future[Any]
    size: Callable[[], int]
    result: Any = field(default=None, repr=False)
    error: Exception | None = None

    def settle(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """One thread that commits works in groups. Close it, or use it as a context manager.

    Args:
        engine: where to write; the schema must be there.
        gather: seconds that a group waits for company, and only if the group before had some.
        most: works in one group.
        waiting: works in line before ``submit`` refuses more.
        patience: seconds for which a database that is away or locked is tried again.
        clock: for the receipt's time, which is for people only.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        gather: float = 0.002,
        most: int = 256,
        waiting: int = 10_000,
        patience: float = 10.0,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._gather = gather
        self._most = most
        self._patience = patience
        self._clock = clock
        self.fault = ""  # why the last group could not be written; "": it could
        self._name = str(uuid.uuid4())
        self._enrolled = False
        self._connection: Connection | None = None  # between groups too
        self._group = 0  # number of the group that is being written
        self._company = False
        self._queue: queue.Queue[_Job | None] = queue.Queue(waiting)
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="nightlamp-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T], size: Callable[[], int] = lambda: 1) -> Future[T]:
        """Have ``work`` run and committed; the future resolves when it is durable.

        ``size`` tells, once it was run, for how many it was: more than one counts as company.

        Raises:
            UnavailableError: too many works are waiting.
            StoreError: the writer is closed.
        """
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise StoreError("the writer is closed")
            try:
                self._queue.put_nowait(_Job(work, future, size))
            except queue.Full:
                raise UnavailableError("too many writes are waiting", hint="later") from None
        return future

    def write(self, work: Work[T]) -> T:
        """``submit`` and wait for the result."""
        return self.submit(work).result()

    def close(self) -> None:
        """Write what is in line, then stop."""
        with self._closing:
            already, self._closed = self._closed, True
        if not already:
            self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        last = False
        while not last:
            first = self._queue.get()
            if first is None:
                break
            jobs, last = self._gathered(first)
            jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._write(jobs)
                self._company = sum(job.size() for job in jobs) > 1
        self._let_go()

    def _gathered(self, first: _Job) -> tuple[list[_Job], bool]:
        """``first`` and its company, and whether the end of the line was met."""
        jobs = [first]
        end = time.monotonic() + (self._gather if self._company else 0.0)
        while len(jobs) < self._most:
            try:
                left = end - time.monotonic()
                job = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _write(self, jobs: list[_Job]) -> None:
        """Write ``jobs`` as one group; whatever happens, settle every future."""
        self._group += 1
        try:
            self._persist(jobs)
            self.fault = ""
        except (UnavailableError, UndecidedError) as error:
            self.fault = error.what
            for job in jobs:
                job.error = error
        except Exception as error:  # noqa: BLE001 (the thread must live, and no future may hang)
            # A work spoilt the whole group, or the commit was refused for good; nothing is written: find it.
            if len(jobs) > 1:
                for job in jobs:
                    self._write([job])
                return
            jobs[0].error = error
        for job in jobs:
            job.settle()

    def _persist(self, jobs: list[_Job]) -> None:
        """Run ``jobs`` and commit them, once; try again while that can help."""
        end = time.monotonic() + self._patience
        pause, longest = _PAUSE
        in_doubt = careful = False
        while True:
            committing = False
            try:
                self._enrol()
                with self._held() as connection, connection.begin() as transaction:
                    if in_doubt and self._committed(connection):
                        return
                    in_doubt = False  # the row is ours now: the earlier attempt did not commit
                    self._stamp(connection)
                    for job in jobs:
                        _attempt(job, connection, careful)
                        if not in_transaction(connection):
                            raise StoreError("a work ended the transaction that it was part of")
                    committing = True
                    transaction.commit()
                return
            except _FailedWorkError:
                if len(jobs) == 1:
                    return
                careful = True  # once more, each in a savepoint, so that the others need not suffer
            except DBAPIError as error:
                if not is_passing(error):
                    raise
                if is_full(error) and not in_doubt:  # in COMMIT too: the database itself says that it failed
                    raise said(error, self._engine) from None
                in_doubt = in_doubt or committing
                if time.monotonic() + pause > end:
                    if in_doubt:
                        raise UndecidedError(
                            "the database went away during a commit, and is still away",
                            hint="the same request again, with the same idempotency key",
                        ) from None
                    raise said(error, self._engine) from None
                time.sleep(pause)
                pause = min(pause * 2, longest)

    @contextmanager
    def _held(self) -> Iterator[Connection]:
        """This thread's own connection: to take one from the pool for each group costs more than to begin."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            yield self._connection
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _enrol(self) -> None:
        """Make this writer's row, once, by itself: only a row that is there can be locked."""
        if self._enrolled:
            return
        with self._engine.begin() as connection:
            known = select(writer_receipt.c.writer).where(writer_receipt.c.writer == self._name)
            if connection.scalar(known) is None:
                connection.execute(
                    insert(writer_receipt).values(writer=self._name, last_group=0, at=self._clock())
                )
        self._enrolled = True

    def _stamp(self, connection: Connection) -> None:
        with together(connection):  # with its BEGIN
            stamped = _STAMP.rows(connection, mine=self._name, group=self._group, now=self._clock())
        if not stamped:
            self._enrolled = False
            raise StoreError(
                "this writer's receipt is gone", where="writer_receipt", hint="restore the database"
            )

    def _committed(self, connection: Connection) -> bool:
        """Whether the group was committed after all; waits until the server has ended its transaction."""
        receipt = select(writer_receipt.c.last_group).where(writer_receipt.c.writer == self._name)
        return connection.scalar(receipt.with_for_update()) == self._group


class _FailedWorkError(Exception):
    """A work has failed that was not in a savepoint."""


def _attempt(job: _Job, connection: Connection, careful: bool) -> None:
    """Run one work, ``careful``: in a savepoint. Only what makes the whole group fail is raised."""
    job.error = None
    savepoint = connection.begin_nested() if careful else None
    try:
        job.result = job.work(connection)
        if savepoint is not None:
            savepoint.commit()
    except Exception as error:
        if isinstance(error, DBAPIError) and is_passing(error):
            raise  # SQLite may have undone the whole transaction already: touch it no more
        job.error = error
        if savepoint is None:
            raise _FailedWorkError from None
        savepoint.rollback()
