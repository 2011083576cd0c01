"""Writes the test vectors beside it: ``python tests/audit/vectors/make.py`` (docs/formats/audit.md)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nightlamp.audit import PublicKeys, Record, SigningKey, canonical
from nightlamp.audit.chain import ZERO, link_hash
from nightlamp.audit.record import time_text

HERE = Path(__file__).parent
SEED = bytes(range(32))
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(SEED))
THIEF = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
START = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


def lines(key: SigningKey = KEY, records: int = 9, every: int = 4, edit: int = 0) -> list[dict]:
    """A sound export of so many records, of which one may say something else."""
    out: list[dict] = [
        {"after": {"hash": ZERO, "sequence": 0}, "format": "nightlamp-audit", "v": 1}
        | {"keys": PublicKeys.of([KEY.public]).as_object()}
    ]
    before, number = ZERO, 0
    for n in range(1, records + 1):
        details = {"n": n, "words": ["ü", '"\\', None, True], "large": 2**53 - 1}
        actor = "reviewer:mallory" if n == edit else "key:k1"
        record = Record(n, START + timedelta(seconds=n), actor, "test.done", f"item:{n}", details)
        before = link_hash(before, record.as_object())
        out.append({"hash": before, "record": record.as_object(), "sequence": n})
        if n % every == 0:
            number += 1
            out.append(key.sign(number, n, before, time_text(START)).as_object())
    out.append({"end": {"checkpoints": number, "hash": before, "sequence": records}})
    return out


def of(kind: str, found: list[dict], n: int) -> dict:
    """Record or checkpoint number ``n``."""
    return next(
        x for x in found if kind in x and (x["sequence"] if kind == "record" else x[kind]["number"]) == n
    )


def edited() -> list[dict]:
    found = lines()
    of("record", found, 6)["record"]["actor"] = "reviewer:mallory"
    return found


def swapped() -> list[dict]:
    found = lines()
    a, b = found.index(of("record", found, 2)), found.index(of("record", found, 3))
    found[a], found[b] = found[b], found[a]
    return found


def without(kind: str, n: int) -> list[dict]:
    found = lines()
    found.remove(of(kind, found, n))
    return found


def forged() -> list[dict]:
    found = lines(edit=3)
    for n in (1, 2):
        bad, good = of("checkpoint", found, n), of("checkpoint", lines(), n)
        bad["signature"] = good["signature"]
    return found


def rehashed() -> list[dict]:
    """Record 6 changed and every later hash computed anew; the checkpoints are the true ones."""
    found, good = lines(edit=6), lines()
    for n in (1, 2):
        found[found.index(of("checkpoint", found, n))] = of("checkpoint", good, n)
    return found


def cut() -> list[dict]:
    found = lines()
    del found[found.index(of("record", found, 7)) : found.index(of("checkpoint", found, 2))]
    del found[-2]  # record 9
    found[-1]["end"].update(sequence=6, hash=of("record", found, 6)["hash"])
    return found


VECTORS = {  # each finding: fault, at, first, last
    "intact": (lines(), []),
    "empty": (lines(records=0), []),
    "edited": (edited(), [["edited", 6, 5, 6]]),
    "missing": (without("record", 5), [["missing", 5, 5, 5]]),
    "swapped": (swapped(), [["missing", 2, 2, 2], ["out of order", 2, 2, 2]]),
    "rehashed": (rehashed(), [["rewritten", 8, 5, 8]]),
    "cut": (cut(), [["cut", 7, 5, 8]]),
    "cut-file": (lines()[:-1], [["cut", 10, 10, 10]]),
    "forged-signature": (forged(), [["bad signature", 4, 4, 4], ["bad signature", 8, 8, 8]]),
    "other-key": (lines(THIEF), [["unknown key", 4, 4, 4], ["unknown key", 8, 8, 8]]),
    "checkpoint-missing": (without("checkpoint", 1), [["cut", 10, 9, 10]]),
}

if __name__ == "__main__":
    for name, (found, _) in VECTORS.items():
        (HERE / f"{name}.jsonl").write_bytes(b"".join(canonical.encode(line) + b"\n" for line in found))
    expected = {
        "signing_seed": SEED.hex(),
        "public_key": KEY.public.public_bytes_raw().hex(),
        "key_id": KEY.id,
        "files": {f"{name}.jsonl": {"findings": findings} for name, (_, findings) in VECTORS.items()},
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
