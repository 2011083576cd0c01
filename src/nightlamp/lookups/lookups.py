"""All services at once: each with its threads, its pace and its circuit, and one deadline for the item."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from nightlamp.errors import ServiceError
from nightlamp.lookups.pace import Circuit, Pace
from nightlamp.lookups.query import NOTHING, Query, Said, Service, unchecked


@dataclass(slots=True)
class _Pending:
    """An item that waits for its services; whatever comes after the deadline is thrown away."""

    query: Query
    deadline: float
    missing: set[str]
    said: Said = NOTHING
    done: Future[Said] = field(default_factory=Future)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def settle(self, name: str, said: Said) -> None:
        with self.lock:
            if name not in self.missing:
                return
            self.missing.discard(name)
            self.said += said
            whole = not self.missing
        if whole:
            self.done.set_result(self.said)

    def expire(self) -> None:
        for name in list(self.missing):
            self.settle(name, unchecked(name, "timeout", "no answer in time"))


class Lane:
    """One service, its threads and what waits for it.

    Args:
        service: its client.
        rate: calls a second, of this node.
        threads: calls at once.
        failures, pause: see ``Circuit``.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        service: Service,
        *,
        rate: float = 5.0,
        threads: int = 2,
        failures: int = 5,
        pause: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self._pace = Pace(rate)
        self._circuit = Circuit(failures, pause)
        self._clock = clock
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._waiting: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        name = f"nightlamp-{service.name}"
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def fault(self) -> str:
        """Why it is not asked at the moment; ``""``: it is."""
        return self._circuit.why

    def put(self, pending: _Pending) -> None:
        """Have it asked."""
        self._waiting.put(pending)

    def close(self) -> None:
        """End the threads; what waits runs into its deadline."""
        self._stopping.set()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            together = [first]
            last = False
            while len(together) < self.service.most and not last:
                try:
                    more = self._waiting.get_nowait()
                except queue.Empty:
                    break
                last = more is None
                if more is not None:
                    together.append(more)
            self._ask(together)
            if last:
                return

    def _ask(self, together: list[_Pending]) -> None:
        name = self.service.name
        with self._lock:
            allowed = self._circuit.allows(self._clock())
            wait = self._pace.wait(self._clock()) if allowed else 0.0
            why = self._circuit.why
        if not allowed:
            self._settle(together, unchecked(name, "unavailable", why))
            return
        self._stopping.wait(wait)
        now = self._clock()
        in_time = [each for each in together if each.deadline > now and name in each.missing]
        try:
            answers = self.service.ask([each.query for each in in_time]) if in_time else ()
            if len(answers) != len(in_time):
                raise ServiceError("bad answer", "not one answer a question", where=name)
        except ServiceError as error:
            refused = error.code == "refused"  # no reason to stop: anybody can hand in a broken picture
            with self._lock:
                if refused:
                    self._circuit.worked()
                else:
                    self._circuit.failed(self._clock(), error.code, error.retry_after)
            if refused and len(in_time) > 1:  # one of them is the cause: the others must not suffer
                for each in in_time:
                    self._ask([each])
            else:
                self._settle(in_time, unchecked(name, error.code, error.what))
        except Exception as error:  # noqa: BLE001 (a client's mistake must not end the thread, nor pass for clean)
            with self._lock:
                self._circuit.failed(self._clock(), "failed")
            self._settle(in_time, unchecked(name, "failed", type(error).__name__))
        else:
            with self._lock:
                self._circuit.worked()
            for each, said in zip(in_time, answers, strict=True):
                each.settle(name, said)

    def _settle(self, together: Sequence[_Pending], said: Said) -> None:
        for each in together:
            each.settle(self.service.name, said)


class Lookups:
    """Asks services about items.

    Args:
        lanes: one a service.
        seconds: for an item and all services together.
        clock: monotonic seconds.
    """

    def __init__(
        self, lanes: Sequence[Lane], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.lanes = tuple(lanes)
        self._seconds = seconds
        self._clock = clock
        self._pending: deque[_Pending] = deque()  # deadlines rise
        self._changed = threading.Condition()
        self._closed = False
        self._sweeper = threading.Thread(target=self._sweep, name="nightlamp-lookups", daemon=True)
        self._sweeper.start()

    def ask(self, query: Query) -> Future[Said] | None:
        """What the services say, by the deadline at the latest; None if none is asked about such items."""
        asked = [lane for lane in self.lanes if lane.service.takes(query)]
        if not asked:
            return None
        pending = _Pending(query, self._clock() + self._seconds, {lane.service.name for lane in asked})
        with self._changed:
            self._pending.append(pending)
            self._changed.notify()
        for lane in asked:
            lane.put(pending)
        return pending.done

    def close(self) -> None:
        """Answer what is still open with "not checked", and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._sweeper.join()
        for lane in self.lanes:
            lane.close()

    def _sweep(self) -> None:
        """Settle what has waited long enough."""
        while True:
            with self._changed:
                while self._pending and self._pending[0].done.done():
                    self._pending.popleft()
                left = self._pending[0].deadline - self._clock() if self._pending else None
                if not self._closed and (left is None or left > 0):
                    self._changed.wait(left)
                    continue
                late = list(self._pending) if self._closed else [self._pending[0]]
                for pending in late:
                    self._pending.remove(pending)
                closed = self._closed
            for pending in late:
                pending.expire()
            if closed:
                return
