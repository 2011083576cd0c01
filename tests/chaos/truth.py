"""What must be true of a database, a vault and a receiver after any chaos, against the clients' ledger.

Reads the tables themselves: a mistake in how the API reads must not hide a mistake in what was written.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

import nightlamp.server  # noqa: F401 (declares every table)
from nightlamp.cli.app import app
from nightlamp.store import metadata, reading
from nightlamp.vault import Identity, Vault, reconcile

from .load import FREE, LISTED, Ledger, Op
from .nodes import Node, until
from .outside import Outside

Rows = list[dict[str, Any]]


def settle(node: Node, outside: Outside | None, engine: Engine, *, step: float = 600.0) -> None:
    """Let the work that is left be done: leases of the dead end as the clock moves on by ``step`` seconds."""
    tables = metadata.tables
    if outside is not None:
        outside.moody = 0.0
    ahead = 0.0

    def left() -> list[str]:
        nonlocal ahead
        ahead += step
        node.shift(ahead)
        waiting = {
            "urls": select(func.count()).select_from(tables["fetch"]),
            "webhooks": select(func.count()).where(tables["outbox"].c.state == "pending"),
            "look-back tasks": select(func.count()).select_from(tables["lookback_task"]),
            "look-back behind": select(func.count()).select_from(tables["lookback_behind"]),
            "late": select(func.count()).where(tables["lookback_hit"].c.handled_at.is_(None)),
            "unplanned": select(tables["bank_counter"].c.generation).where(
                tables["bank_counter"].c.generation
                > select(tables["lookback_state"].c.generation).scalar_subquery()
            ),
        }
        with reading(engine) as connection:
            return [name for name, query in waiting.items() if connection.scalar(query)]

    until(lambda: not left(), "the background work is done", pause=0.3)


class Truth:
    """Everything that is stored, once no node runs.

    Args:
        engine: the database.
        ledger: what the clients were told.
        vault: with its place.
        identity: opens what is sealed.
    """

    def __init__(self, engine: Engine, ledger: Ledger, vault: Vault, identity: Identity) -> None:
        self.engine, self.ledger, self.vault, self.identity = engine, ledger, vault, identity
        self.reconciled = reconcile(vault, older_than=timedelta(0))
        with reading(engine) as connection:
            self.rows: dict[str, Rows] = {
                name: [dict(row._mapping) for row in connection.execute(select(table))]
                for name, table in metadata.tables.items()
            }
        self.items = {row["id"]: row for row in self.rows["item"]}
        self.verdicts = {row["id"]: row for row in self.rows["verdict"]}
        self.of_item: dict[str, Rows] = defaultdict(list)
        for row in self.rows["verdict"]:
            self.of_item[row["item"]].append(row)
        self.audit: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows["audit_record"]:
            self.audit[row["action"], row["subject"]].append(json.loads(row["details"]))
        self.by_name = Counter(row["platform_id"] for row in self.rows["item"])

    def check(self) -> None:
        """All of it."""
        self.every_item_that_was_taken_is_there_once()
        self.nothing_is_half_done()
        self.verdicts_matches_and_audit_agree()
        self.held_content_opens_and_is_right()
        self.fingerprints_are_remembered()

    def every_item_that_was_taken_is_there_once(self) -> None:
        names = {op.name for op in self.ledger.ops}
        assert set(self.by_name) <= names
        for op in self.ledger.ops:
            if op.taken is None:
                assert self.by_name[op.name] <= 1, (
                    f"{op.name} was refused or not answered, and is there twice"
                )
                continue
            assert self.by_name[op.name] == 1, (
                f"{op.name} was taken and is there {self.by_name[op.name]} times"
            )
            ids = {body["id"] for status, body in op.answers if status < 300}
            assert len(ids) == 1, f"{op.name} has several ids"
            row = self.items[ids.pop()]
            assert row["platform_id"] == op.name
            self._was_told_the_truth(op, row)

    def _was_told_the_truth(self, op: Op, row: dict[str, Any]) -> None:
        assert op.taken is not None
        told = op.taken.get("verdict")
        if op.waits:
            assert told is not None, f"{op.name} waited for its verdict"
            stored = self.verdicts[told["id"]]
            assert (stored["item"], stored["action"], stored["rule"]) == (
                row["id"],
                told["action"],
                told["rule"],
            )
            assert stored["matches"] == told["match_count"]
        states = {"failed", "done"} if op.kind == "url" else {"done"}
        assert row["state"] in states, f"{op.name} is {row['state']}"
        first = min(self.of_item[row["id"]], key=lambda v: v["late"])
        if op.seed == LISTED:
            assert first["action"] != "allow", f"{op.name} is listed and was allowed"
        if op.seed in FREE and not first["unchecked"]:
            assert first["action"] == "allow", f"{op.name} is not listed: {first['rule']}"
        if first["unchecked"]:
            assert first["action"] != "allow", f"{op.name} was not checked and was allowed"

    def nothing_is_half_done(self) -> None:
        for row in self.rows["item"]:
            verdict = self.verdicts.get(row["verdict"])
            assert verdict is not None, "an item without its verdict"
            assert verdict["item"] == row["id"]
            assert verdict["action"] == row["action"]
            newest = max(self.of_item[row["id"]], key=lambda v: (v["late"], v["decided_at"], v["id"]))
            assert verdict["late"] == newest["late"]
            assert sum(not v["late"] for v in self.of_item[row["id"]]) == 1, "decided twice"
        assert not self.rows["fetch"]
        counted = Counter(row["verdict"] for row in self.rows["match"])
        for row in self.rows["verdict"]:
            assert row["item"] in self.items, "a verdict without its item"
            assert counted.pop(row["id"], 0) == min(row["matches"], 200)
        assert not counted, "matches without their verdict"
        keyed = {op.idempotency: op for op in self.ledger.ops if op.idempotency}
        named = Counter(row["name"] for row in self.rows["idempotency"])
        assert not named or max(named.values()) == 1
        for row in self.rows["idempotency"]:
            assert self.items[row["item"]]["platform_id"] == keyed[row["name"]].name
        if self.engine.dialect.name == "sqlite":
            with sqlite3.connect(str(self.engine.url.database)) as raw:
                assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert raw.execute("PRAGMA foreign_key_check").fetchall() == []

    def verdicts_matches_and_audit_agree(self) -> None:
        for verdict in self.rows["verdict"]:
            action = "item.late" if verdict["late"] else "item.decided"
            told = [d for d in self.audit[action, f"item:{verdict['item']}"] if d["verdict"] == verdict["id"]]
            assert len(told) == 1, f"{len(told)} audit records of one verdict"
            for name in ("action", "rule", "policy", "generation", "matches"):
                assert told[0][name] == verdict[name]
            assert told[0]["unchecked"] == len(verdict["unchecked"])
        decided = sum(
            len(d) for (action, _), d in self.audit.items() if action in ("item.decided", "item.late")
        )
        assert decided == len(self.verdicts)
        for row in self.rows["item"]:
            received = self.audit["item.received", f"item:{row['id']}"]
            assert len(received) == (row["kind"] == "url")

    def held_content_opens_and_is_right(self) -> None:
        data = {op.name: op.data for op in self.ledger.ops}
        blobs: dict[str, Rows] = defaultdict(list)
        for blob in self.rows["vault_blob"]:
            if blob["object"]:
                blobs[blob["object"]].append(blob)
        held = {row["object"]: row for row in self.rows["item"] if row["object"]}
        assert set(held) == {row["id"] for row in self.rows["vault_object"]}, "objects and items disagree"
        for object_id, row in held.items():
            content = data[row["platform_id"]]
            [blob] = blobs[object_id]
            assert blob["state"] == "kept", f"held content is {blob['state']}"
            with self.vault.place.open(blob["name"]) as sealed:
                raw = sealed.read()
            assert (len(raw), hashlib.sha256(raw).hexdigest()) == (blob["size"], blob["sha256"])
            assert len(self.audit["vault.kept", f"object:{object_id}"]) == 1
            holds = [hold for hold in self.rows["vault_hold"] if hold["object"] == object_id]
            assert [hold["released"] for hold in holds] == [None]
            out = io.BytesIO()
            self.vault.open_to(out, object_id, self.identity, actor="test", why="test")
            assert out.getvalue() == content, "the vault gives back something else"
        for row in self.rows["item"]:
            first = next(v for v in self.of_item[row["id"]] if not v["late"])
            got_content = row["kind"] == "content" or (row["kind"] == "url" and row["state"] == "done")
            assert bool(row["object"]) == (got_content and first["handling"].get("hold") is not None)
        kept = {blob["name"] for blob in self.rows["vault_blob"] if blob["state"] == "kept"}
        there = {stored.name: stored.entered for stored in self.vault.place.names()}
        assert set(there) == kept, "bytes that no row speaks of, or none"
        assert all(there.values()), "held bytes that would pass for an orphan's"
        assert not self.reconciled.strangers
        assert not self.reconciled.lost
        assert not self.reconciled.failed

    def fingerprints_are_remembered(self) -> None:
        ref = {row["item"]: row["id"] for row in self.rows["lookback_item"]}
        assert set(ref) == set(self.items)
        digests = {(row["ref"], bytes(row["value"])) for row in self.rows["lookback_digest"]}
        data = {op.name: op.data for op in self.ledger.ops}
        for row in self.rows["item"]:
            if row["kind"] != "fingerprints" and row["state"] == "done":
                digest = hashlib.sha256(data[row["platform_id"]]).digest()
                assert (ref[row["id"]], digest) in digests, "an item whose fingerprints are not remembered"

    def entries_in_force_caught_the_past(self, seeds: set[int]) -> None:
        """Items of pictures that are listed now, and stay so, are blocked by now, from before too."""
        seed_of = {op.name: op.seed for op in self.ledger.ops}
        for row in self.rows["item"]:
            whole = not any(u[0] in ("content", "frames", "pdq") for u in row["unchecked"])
            if seed_of[row["platform_id"]] in seeds and whole and row["state"] == "done":
                assert row["action"] == "block", f"{row['platform_id']} is listed now, and is {row['action']}"

    def webhooks_arrived(self, outside: Outside, *, exactly_once: bool = False) -> None:
        """Each verdict that the submitter did not wait for was told, under one id."""
        told: dict[tuple[str, bool], set[str]] = defaultdict(set)
        for row in self.rows["outbox"]:
            assert row["state"] == "delivered"
            assert outside.taken[row["id"]] >= 1
            assert outside.bodies[row["id"]] == {row["payload"].encode()}
            if exactly_once:
                assert outside.taken[row["id"]] == 1
            body = json.loads(row["payload"])
            told[body["id"], body["late"]].add(row["id"])
        for item, verdicts in self.of_item.items():
            late = sum(v["late"] for v in verdicts)
            first = 0 if self.items[item]["wait"] and self.items[item]["kind"] != "url" else 1
            assert len(told.pop((item, False), ())) == first
            assert len(told.pop((item, True), ())) == late
        assert not told
        assert {i for i in outside.taken if i} <= {row["id"] for row in self.rows["outbox"]}, (
            "a webhook of something that was undone"
        )


def audit_is_intact(node: Node) -> bool:
    """What ``nightlamp audit verify`` says."""
    status: int = app.main(["audit", "verify", "--config", str(node.config)], standalone_mode=False)
    return status == 0


def spilled(folder: Path) -> list[str]:
    """Files under ``folder`` that hold marked content in clear."""
    from .load import MARK

    return [str(path) for path in folder.rglob("*") if path.is_file() and MARK in path.read_bytes()]
