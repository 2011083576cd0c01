"""The way of an item from examination to verdict, the same for every door.

``Screener`` asks every catalog for each item's fingerprints and lets the policy decide. It holds no state of
its own and touches no content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nightlamp.policy import Facts, Policy, Rules, decide
from nightlamp.signals import Signal, installed
from nightlamp.values import Examination, Fingerprint, Match, Unchecked, Verdict


class Lookup(Protocol):
    """What a catalog of banks answers; ``nightlamp.banks.Catalog`` is one."""

    @property
    def unchecked(self) -> Sequence[Unchecked]:
        """Entries that no item can be checked against, e.g. of signals not installed."""

    def lookup_many(
        self, items: Sequence[Sequence[Fingerprint]], radius: Mapping[str, int] | None = None
    ) -> list[list[Match]]:
        """The matches of each item."""


@dataclass(frozen=True, slots=True)
class Screener:
    """Examinations in, verdicts out.

    Args:
        catalogs: what to match against.
        policy: what each kind of match leads to.
        radius: signal name → largest distance, where it differs from the signal's own.
        signals: the installed ones by default.
    """

    catalogs: Sequence[Lookup]
    policy: Policy | Rules = field(default_factory=Policy)
    radius: Mapping[str, int] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=installed)

    def screen(self, examinations: Sequence[Examination]) -> list[Verdict]:
        """One verdict an examination, in the same order; larger batches are faster."""
        return [decide(facts, self.policy) for facts in self.facts(examinations)]

    def facts(self, examinations: Sequence[Examination]) -> list[Facts]:
        """What the policy decides upon, for doors that know more of an item and decide themselves."""
        items = [[f for f in e.fingerprints if self._matchable(f)] for e in examinations]
        matches: list[list[Match]] = [[] for _ in items]
        for catalog in self.catalogs:
            for found, new in zip(matches, catalog.lookup_many(items, self.radius or None), strict=True):
                found.extend(new)
        always = [u for catalog in self.catalogs for u in catalog.unchecked]
        return [
            Facts.of(examination, found, always)
            for examination, found in zip(examinations, matches, strict=True)
        ]

    def _matchable(self, fingerprint: Fingerprint) -> bool:
        signal = self.signals.get(fingerprint.signal)
        return signal is not None and (
            fingerprint.quality is None or fingerprint.quality >= signal.min_quality
        )
