"""The loops of cases: opening them, and what follows from decisions."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from nightlamp.cases import Consumer, Effects, Opener, OwnBanks, Terms
from nightlamp.server.supervisor import Loop
from nightlamp.settings.console import ConsoleSettings
from nightlamp.store import Writer


def loops(engine: Engine, writer: Writer, settings: ConsoleSettings) -> Iterator[Loop]:
    """For the supervisor."""
    terms = Terms.of(settings)
    yield Loop("cases", 1.0, Opener(engine, writer, terms).run_once)
    yield Loop("decisions", 1.0, Effects(engine, writer, consumers(terms)).run_once)


def consumers(terms: Terms) -> list[Consumer]:
    """What acts on final decisions, each in the same transaction."""
    return [OwnBanks(terms.own_bank, terms.cleared_bank)]
