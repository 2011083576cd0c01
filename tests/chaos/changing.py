"""Changes that an administrator makes under load, and what must be in force after them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import httpx

from nightlamp.policy.profiles import profile_text

from .load import CHANGING, LISTED, Change, Ledger, pdq
from .nodes import Node


@dataclass
class Changes:
    """One bank that always lists, one whose entries come and go, and two policies that take turns.

    ``entries`` and ``policy`` hold what was acknowledged last; None: an answer is missing since.
    """

    ledger: Ledger
    steady: int = 0
    moving: int = 0
    policies: list[int] = field(default_factory=list)
    entries: dict[int, bool | None] = field(default_factory=lambda: dict.fromkeys(CHANGING, False))
    policy: int | None = None

    @classmethod
    def prepared(cls, node: Node, ledger: Ledger) -> Changes:
        """Banks and policies made on ``node``."""
        text = profile_text("default")
        other = text.replace("name: default", "name: other").replace("P1Y", "P2Y")
        made = cls(ledger)
        made.steady = node.bank("steady", ("pdq", pdq(LISTED)), trust="high")
        made.moving = node.bank("moving", trust="high")
        made.policies = [node.told("/v1/policies", text=each)["id"] for each in (text, other)]
        return made

    def make_one(self, client: httpx.Client, rng: random.Random) -> None:
        """One change, written down."""
        if rng.random() < 0.3:
            self._activate(client, rng.choice(self.policies))
        else:
            seed = rng.choice(CHANGING)
            self._move(client, seed, there=rng.random() < 0.6)

    def _activate(self, client: httpx.Client, number: int) -> None:
        self.policy = None
        if self._done(client, f"/v1/policies/{number}/activate", {}, "policy", number):
            self.policy = number

    def _move(self, client: httpx.Client, seed: int, *, there: bool) -> None:
        self.entries[seed] = None
        path = f"/v1/banks/{self.moving}/entries"
        if there:
            body: dict[str, Any] = {
                "entries": [{"signal": "pdq", "value": pdq(seed), "id": f"moving-{seed}"}]
            }
        else:
            path, body = path + "/remove", {"ids": [f"moving-{seed}"]}
        if self._done(client, path, body, f"entry {seed}", there):
            self.entries[seed] = there

    def _done(self, client: httpx.Client, path: str, body: dict[str, Any], what: str, value: object) -> bool:
        try:
            response = client.post(path, json=body)
        except httpx.TransportError:
            self.ledger.changes.append(Change(what, value, done=False))
            return False
        if not response.is_success:
            self.ledger.problems.append(response.text)
        self.ledger.changes.append(Change(what, value, done=response.is_success))
        return response.is_success
