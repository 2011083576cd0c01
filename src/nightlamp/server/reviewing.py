"""The loops of cases: opening them, and what follows from decisions."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Engine

from nightlamp.cases import Consumer, Effects, Feedback, Opener, OwnBanks, Terms
from nightlamp.feeds import queue_feedback, withdraw_feedback
from nightlamp.reports import consumer_of, remember, withdraw_drafts
from nightlamp.server.supervisor import Loop
from nightlamp.settings import Settings
from nightlamp.store import Writer


def loops(engine: Engine, writer: Writer, settings: Settings) -> Iterator[Loop]:
    """For the supervisor."""
    terms = Terms.of(settings.console)
    opener = Opener(engine, writer, terms, confirmed=remember, reopened=withdraw)
    yield Loop("cases", 1.0, opener.run_once)
    yield Loop("decisions", 1.0, Effects(engine, writer, consumers(settings)).run_once)


def consumers(settings: Settings) -> list[Consumer]:
    """What acts on final decisions, each in the same transaction."""
    terms = Terms.of(settings.console)
    return [
        OwnBanks(terms.own_bank, terms.cleared_bank, terms.radius),
        consumer_of(settings),
        Feedback(queue_feedback, terms.radius),
    ]


def withdraw(connection: Connection, decision: str) -> None:
    """What follows when a case is opened again: of its decision nothing more is sent."""
    withdraw_feedback(connection, decision)
    withdraw_drafts(connection, decision)
