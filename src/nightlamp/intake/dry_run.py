"""What another policy would have said to past items, before it is put in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from nightlamp.intake.records import stored_facts
from nightlamp.policy import Facts, Replay, Rules, replay


@dataclass(frozen=True, slots=True)
class DryRun:
    """The difference, and the ids of the items in ``replay.changes``, in the same order."""

    replay: Replay
    items: tuple[str, ...]


def dry_run(connection: Connection, old: Rules, new: Rules, *, limit: int, keep: int = 100) -> DryRun:
    """Decide the newest items anew under both policies.

    Both are asked, so that what has changed since (banks, matches) is not taken for the policy's doing.

    Args:
        connection: best of ``reading(engine)``.
        old: the policy in force.
        new: the one to try.
        limit: so many items at most.
        keep: so many changes in full.
    """
    ids: list[str] = []

    def stored() -> Iterator[Facts]:
        for item, facts in stored_facts(connection, limit):
            ids.append(item)
            yield facts

    found = replay(old, new, stored(), keep=keep)
    return DryRun(found, tuple(ids[change.index] for change in found.changes))
