"""Items that services are asked about on their way: what they say stays with the verdict, for good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from nightlamp.errors import IntakeError, ServiceError
from nightlamp.intake import LateVerdicts, dry_run
from nightlamp.intake.records import rulings_of
from nightlamp.lookback import LookBack
from nightlamp.lookups import Lane, Lookups, Query, Said
from nightlamp.policy import load
from nightlamp.store import reading

from .conftest import Node, digest, picture

Ask = Callable[[Sequence[Query]], Sequence[Said]]


class Service:
    name = "service"
    most = 8

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.seen: list[tuple[Query, bytes]] = []

    def takes(self, query: Query) -> bool:
        return query.kind == "content"

    def ask(self, queries: Sequence[Query]) -> Sequence[Said]:
        self.seen += [(q, q.read() if q.read else b"") for q in queries]
        return self._ask(queries)


@pytest.fixture
def asked(lite: Node) -> Iterator[Callable[[Ask], Service]]:
    """Has ``lite``'s intake ask a service."""
    with ExitStack() as stack:

        def begin(ask: Ask, seconds: float = 60.0) -> Service:
            service = Service(ask)
            lookups = Lookups([Lane(service, rate=1e6)], seconds)
            stack.callback(lookups.close)
            lite.intake._lookups = lookups
            return service

        yield begin


def scoring(score: float) -> Ask:
    return lambda queries: [Said({"photodna_match": score})] * len(queries)


def test_a_service_that_breaks_before_it_is_asked_leaves_nobody_waiting(
    lite: Node, asked: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = asked(scoring(1.0))
    monkeypatch.setattr(service, "takes", None)
    with pytest.raises(IntakeError, match="TypeError"):
        lite.begin(picture(1)).result(120)


def test_a_service_sees_the_item_and_its_score_decides(lite: Node, asked: Callable[..., Service]) -> None:
    service = asked(scoring(1.0))
    data = picture(1)

    told = lite.submit(data)

    assert told.action == "review"
    query, content = service.seen[0]
    assert (content, query.media_type, query.size, query.kind) == (data, "image/png", len(data), "content")
    assert {f.signal for f in query.fingerprints} >= {"md5", "pdq"}
    with reading(lite.engine) as connection:
        [ruling] = rulings_of(connection, told.item)
    assert ruling.scores == {"photodna_match": 1.0}
    assert ruling.verdict.rule == "looked-up"
    assert lite.count("vault_object") == 1


def test_a_clean_answer_is_clean_and_nothing_is_kept(lite: Node, asked: Callable[..., Service]) -> None:
    asked(scoring(0.0))

    told = lite.submit(picture(1))

    assert told.action == "allow"
    assert lite.count("vault_object") == 0


@pytest.mark.parametrize("code", ["unavailable", "limited", "credentials", "refused", "bad answer"])
def test_no_answer_is_not_clean(lite: Node, asked: Callable[..., Service], code: str) -> None:
    def fail(_: Sequence[Query]) -> Sequence[Said]:
        raise ServiceError(code, "why")  # type: ignore[arg-type]

    asked(fail)

    told = lite.submit(picture(1))

    assert told.action == "review"
    assert told.ruling is not None
    assert [(u.what, u.why) for u in told.ruling.verdict.unchecked] == [("service", code)]
    assert told.ruling.scores == {}


def test_a_service_that_hangs_costs_the_deadline_alone(lite: Node, asked: Callable[..., Service]) -> None:
    let_go = threading.Event()

    def hang(queries: Sequence[Query]) -> Sequence[Said]:
        let_go.wait(60)
        return scoring(0.0)(queries)

    asked(hang, seconds=0.2)
    try:
        told = lite.submit(picture(1))
    finally:
        let_go.set()

    assert told.action == "review"
    assert told.ruling is not None
    assert [(u.what, u.why) for u in told.ruling.verdict.unchecked] == [("service", "timeout")]


def test_items_that_nobody_asks_about_are_as_before(lite: Node, asked: Callable[..., Service]) -> None:
    service = asked(scoring(1.0))

    told = lite.submit(text="https://x.example/a")

    assert told.action == "allow"
    assert service.seen == []


def test_a_late_verdict_keeps_what_was_said_then(lite: Node, asked: Callable[..., Service]) -> None:
    service = asked(scoring(0.0))
    data = picture(1)
    told = lite.submit(data)
    lite.add_bank("new", digest("md5", data))

    look_back = LookBack(lite.engine, clock=lite.clock)
    while look_back.run_once():
        pass
    late = LateVerdicts(lite.writer, lite.decider, lite.intake.recorder, lite.banks.poll, clock=lite.clock)
    assert late.run_once() == 1

    with reading(lite.engine) as connection:
        newest, first = rulings_of(connection, told.item)
    assert newest.late
    assert newest.scores == first.scores == {"photodna_match": 0.0}
    assert len(service.seen) == 1


def test_another_policy_is_tried_on_the_stored_scores(lite: Node, asked: Callable[..., Service]) -> None:
    asked(scoring(1.0))
    told = lite.submit(picture(1))
    text = (
        "nightlamp-policy: 1\nname: bold\nrules:\n  - id: known\n"
        "    when: has(scores.photodna_match) && scores.photodna_match == 1.0\n    then: block\n"
        '    reason: "x"\n  - id: unchecked\n    when: unchecked != []\n    then: review\n    reason: "x"\n'
        '  - id: rest\n    when: "true"\n    then: allow\n    reason: "x"\n'
    )

    old, new = lite.policies.current().rules, load(text)
    with reading(lite.engine) as connection:
        tried = dry_run(connection, old, new, limit=10)

    assert tried.items == (told.item,)
    change = tried.replay.changes[0]
    assert (change.before.action, change.after.action) == ("review", "block")
