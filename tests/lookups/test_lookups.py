"""Many items, several services, one deadline: nobody waits longer, and nobody is called clean by mistake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from nightlamp.errors import ServiceError
from nightlamp.lookups import Lane, Lookups, Query, Said
from nightlamp.lookups.pace import Circuit, Pace

ITEM = Query("content", "image/png", 1, lambda: b"x")
LONG = 60.0


class Scripted:
    """A service that does what a test says."""

    def __init__(self, name: str, ask: Callable[[Sequence[Query]], Sequence[Said]], most: int = 1) -> None:
        self.name = name
        self.most = most
        self.calls: list[int] = []
        self._ask = ask

    def takes(self, query: Query) -> bool:
        return query.kind == "content"

    def ask(self, queries: Sequence[Query]) -> Sequence[Said]:
        self.calls.append(len(queries))
        return self._ask(queries)


def clean(queries: Sequence[Query]) -> Sequence[Said]:
    return [Said({"a": 0.0})] * len(queries)


def failing(code: str = "unavailable", **more: float) -> Callable[[Sequence[Query]], Sequence[Said]]:
    def ask(_: Sequence[Query]) -> Sequence[Said]:
        raise ServiceError(code, "why", **more)  # type: ignore[arg-type]

    return ask


@pytest.fixture
def asking() -> Iterator[Callable[..., Lookups]]:
    with ExitStack() as stack:

        def begin(*services: Scripted, seconds: float = LONG, **lane: object) -> Lookups:
            lanes = [Lane(each, **{"rate": 1e6, "threads": 1, **lane}) for each in services]  # type: ignore[arg-type]
            return stack.enter_context(closing(Lookups(lanes, seconds)))

        yield begin


def said(lookups: Lookups, query: Query = ITEM) -> Said:
    future = lookups.ask(query)
    assert future is not None
    return future.result(LONG)


def whys(found: Said) -> list[tuple[str, str]]:
    return sorted((u.what, u.why) for u in found.unchecked)


def test_what_all_services_say_is_added_up(asking: Callable[..., Lookups]) -> None:
    found = said(
        asking(
            Scripted("one", clean),
            Scripted("two", lambda q: [Said({"b": 1.0})] * len(q)),
            Scripted("three", failing()),
        )
    )

    assert found.scores == {"a": 0.0, "b": 1.0}
    assert whys(found) == [("three", "unavailable")]


def test_nobody_is_asked_about_what_nobody_takes(asking: Callable[..., Lookups]) -> None:
    assert asking(Scripted("one", clean)).ask(Query("fingerprints")) is None


def test_a_service_that_does_not_answer_costs_the_deadline_and_no_more(
    asking: Callable[..., Lookups],
) -> None:
    let_go = threading.Event()

    def stuck(queries: Sequence[Query]) -> Sequence[Said]:
        let_go.wait(LONG)
        return clean(queries)

    lookups = asking(Scripted("stuck", stuck), Scripted("well", lambda q: [Said({"b": 1.0})]), seconds=3)
    first, second = (lookups.ask(ITEM) for _ in range(2))
    assert first is not None
    assert second is not None
    found = [first.result(LONG), second.result(LONG)]
    let_go.set()

    assert [f.scores for f in found] == [{"b": 1.0}] * 2
    assert [whys(f) for f in found] == [[("stuck", "timeout")]] * 2


def test_items_that_wait_go_together(asking: Callable[..., Lookups]) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def slow(queries: Sequence[Query]) -> Sequence[Said]:
        begun.set()
        let_go.wait(LONG)
        return [Said({"a": float(q.size)}) for q in queries]

    service = Scripted("one", slow, most=32)
    lookups = asking(service)
    futures = [lookups.ask(Query("content", size=0))]
    begun.wait(LONG)
    futures += [lookups.ask(Query("content", size=n)) for n in range(1, 41)]
    let_go.set()

    assert [f.result(LONG).scores["a"] for f in futures if f] == list(range(41))
    assert service.calls == [1, 32, 8]


@pytest.mark.parametrize("broken", [lambda _: [], lambda _: 1 / 0, lambda q: [Said()] * (len(q) + 1)])
def test_a_client_that_is_broken_is_not_clean(
    broken: Callable[[Sequence[Query]], Sequence[Said]], asking: Callable[..., Lookups]
) -> None:
    lookups = asking(Scripted("one", broken))

    assert [whys(said(lookups))[0][1] for _ in range(2)] in (["bad answer"] * 2, ["failed"] * 2)


def test_one_item_that_is_refused_harms_no_other(asking: Callable[..., Lookups]) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def picky(queries: Sequence[Query]) -> Sequence[Said]:
        begun.set()
        let_go.wait(LONG)
        if any(q.size == 2 for q in queries):
            raise ServiceError("refused", "why")
        return clean(queries)

    lookups = asking(Scripted("one", picky, most=32), failures=1)
    futures = [lookups.ask(Query("content", size=0))]
    begun.wait(LONG)
    futures += [lookups.ask(Query("content", size=n)) for n in (1, 2, 3)]
    let_go.set()

    assert [whys(f.result(LONG)) for f in futures if f] == [[], [], [("one", "refused")], []]


def test_a_service_that_fails_is_left_alone_for_a_while(asking: Callable[..., Lookups]) -> None:
    now = [0.0]
    answers: list[Callable[[Sequence[Query]], Sequence[Said]]] = [
        failing(),
        failing(),
        failing(),
        clean,
        clean,
    ]
    service = Scripted("one", lambda q: answers.pop(0)(q))
    lookups = asking(service, failures=2, pause=30.0, clock=lambda: now[0] - 1e9)

    assert [whys(said(lookups))[0][1] for _ in range(4)] == ["unavailable"] * 4
    assert len(service.calls) == 2  # the others were not asked
    assert lookups.lanes[0].fault == "unavailable"
    now[0] = 31.0
    assert whys(said(lookups))  # one is tried, and fails
    assert len(service.calls) == 3
    now[0] = 62.0
    assert said(lookups).scores == {"a": 0.0}
    assert lookups.lanes[0].fault == ""
    assert said(lookups).scores == {"a": 0.0}


def test_closing_answers_what_is_open(asking: Callable[..., Lookups]) -> None:
    let_go = threading.Event()

    def stuck(queries: Sequence[Query]) -> Sequence[Said]:
        let_go.wait(LONG)
        return clean(queries)

    lookups = Lookups([Lane(Scripted("one", stuck), threads=1)], LONG)
    future = lookups.ask(ITEM)
    assert future is not None
    future.add_done_callback(lambda _: let_go.set())
    lookups.close()

    assert whys(future.result(LONG)) == [("one", "timeout")]


def test_the_pace_is_even() -> None:
    pace = Pace(4.0)

    assert [pace.wait(10.0) for _ in range(3)] == [0.0, 0.25, 0.5]
    assert pace.wait(20.0) == 0.0


def test_the_circuit() -> None:
    circuit = Circuit(3, 10.0)
    for now in (0.0, 1.0):
        circuit.failed(now, "down")
    circuit.worked()
    for now in (2.0, 3.0):
        circuit.failed(now, "down")
    assert circuit.allows(3.0)
    circuit.failed(4.0, "down")
    assert [circuit.allows(now) for now in (4.0, 13.9, 14.0, 14.0)] == [False, False, True, False]
    circuit.failed(15.0, "down")
    assert [circuit.allows(now) for now in (24.9, 25.0)] == [False, True]
    circuit.worked()
    assert circuit.allows(25.0)
    circuit.failed(26.0, "limited", 60.0)
    assert [circuit.allows(now) for now in (85.9, 86.0)] == [False, True]
