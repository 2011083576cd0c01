"""Clients that keep a node busy and write down what they were told: the ledger to compare the truth with.

Every item's content is its own: a small picture, with a mark of its own behind the picture's end.
"""

from __future__ import annotations

import base64
import io
import itertools
import random
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Self

import httpx
import numpy as np
from PIL import Image

from .nodes import Node, until
from .outside import Outside

MARK = b"planted-content-"
LISTED, CHANGING, FREE = 1, range(10, 14), range(50, 60)  # seeds of pictures: by whether banks have them

Kind = Literal["sync", "raw", "async", "batch", "fingerprints", "url"]
KINDS: tuple[Kind, ...] = ("sync", "raw", "async", "batch", "fingerprints", "url")


@cache
def picture(seed: int, size: int = 64) -> bytes:
    """A small PNG with enough detail for PDQ; pictures of different seeds are far apart."""
    rough = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(rough).resize((size, size), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


@cache
def pdq(seed: int) -> str:
    """The picture's own PDQ, as in a list."""
    from nightlamp import hash_bytes

    found = hash_bytes(picture(seed)).fingerprints
    return next(f.value.hex() for f in found if f.signal == "pdq" and f.view == "as is")


@dataclass
class Op:
    """One item that was submitted, once or several times under one idempotency key.

    Args:
        name: its ``platform_id``, which no other item has.
        idempotency: ``""``: none, so it is sent once whatever becomes of it.
        answers: status and JSON of each attempt; an attempt without an answer has none.
    """

    name: str
    kind: Kind
    seed: int
    idempotency: str = ""
    data: bytes = field(default=b"", repr=False)
    attempts: int = 0
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    @property
    def taken(self) -> dict[str, Any] | None:
        """What a 2xx said, if there was one."""
        return next((body for status, body in self.answers if status < 300), None)

    @property
    def waits(self) -> bool:
        return self.kind in ("sync", "raw", "fingerprints", "batch")


@dataclass
class Change:
    """A change of banks or policy: what it leads to, and whether it was acknowledged."""

    what: str
    value: object
    done: bool


@dataclass
class Ledger:
    """What all clients together know; it outlives nodes."""

    ops: list[Op] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # bodies of answers above 399
    statuses: list[int] = field(default_factory=list)
    open: list[Op] = field(default_factory=list)  # to be sent again
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def taken(self) -> list[Op]:
        return [op for op in self.ops if op.taken is not None]


class Load:
    """Clients in threads, for as long as it is entered.

    Args:
        node: whom to ask.
        ledger: where to write down.
        outside: serves the pictures of URL items.
        seed: of what they do.
        clients: how many submit.
        kinds: what they submit.
        admin: a function that makes one change, called again and again by one client more.
        pause: seconds between a client's requests, at most.
    """

    _numbers = itertools.count()

    def __init__(
        self,
        node: Node,
        ledger: Ledger,
        outside: Outside | None = None,
        *,
        seed: int = 0,
        clients: int = 3,
        kinds: Sequence[Kind] = KINDS,
        admin: Callable[[httpx.Client, random.Random], None] | None = None,
        pause: float = 0.0,
    ) -> None:
        self._node, self._ledger, self._outside = node, ledger, outside
        self._kinds = kinds if outside else [kind for kind in kinds if kind != "url"]
        self._admin = admin
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._submit, args=(random.Random(f"{seed}.{n}"),), daemon=True)
            for n in range(clients)
        ]
        if admin is not None:
            self._threads.append(
                threading.Thread(target=self._change, args=(random.Random(f"{seed}.admin"),), daemon=True)
            )
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        if self.failure is not None:
            raise self.failure

    def _submit(self, rng: random.Random) -> None:
        try:
            with self._node.client() as client:
                while not self._stop.is_set():
                    sent = send(client, self._next(rng), self._ledger, self._outside)
                    if sent is None and not self._node.alive:
                        return
                    self._stop.wait(rng.random() * self._pause)
        except BaseException as error:  # noqa: BLE001 (told by __exit__)
            self.failure = error

    def _change(self, rng: random.Random) -> None:
        assert self._admin is not None
        try:
            with self._node.client() as client:
                while not self._stop.is_set() and self._node.alive:
                    self._admin(client, rng)
                    self._stop.wait(0.02 + rng.random() * 0.05)
        except BaseException as error:  # noqa: BLE001 (told by __exit__)
            self.failure = error

    def _next(self, rng: random.Random) -> list[Op]:
        """What was left open before, or something new; a batch is several."""
        with self._ledger.lock:
            if self._ledger.open and rng.random() < 0.5:
                return [self._ledger.open.pop(0)]
            if self._ledger.taken and rng.random() < 0.05:  # said twice though it was answered
                again = rng.choice(self._ledger.taken)
                if again.idempotency and again.kind != "batch":
                    return [again]
        kind = rng.choice(self._kinds)
        return [new_op(kind, rng) for _ in range(4 if kind == "batch" else 1)]


def new_op(kind: Kind, rng: random.Random, seed: int | None = None) -> Op:
    """A new item, by default of a picture that is listed, not listed, or sometimes so and sometimes not."""
    if seed is None:
        seed = rng.choice([LISTED, rng.choice(CHANGING), rng.choice(FREE)])
    name = f"{kind}-{next(Load._numbers)}-{secrets.token_hex(4)}"
    keyed = kind == "batch" or rng.random() < 0.7
    data = picture(seed) + MARK + secrets.token_hex(12).encode()
    return Op(name, kind, seed, f"idem-{name}" if keyed else "", data)


def send(
    client: httpx.Client, ops: Sequence[Op], ledger: Ledger, outside: Outside | None = None
) -> int | None:
    """Send one item, or several as a batch; the status, None if there was no answer."""
    for op in ops:
        op.attempts += 1
    with ledger.lock:
        ledger.ops += [op for op in ops if op.attempts == 1]
    try:
        response = _request(client, ops, outside)
    except httpx.TransportError:
        with ledger.lock:
            ledger.open += [op for op in ops if op.idempotency]
        return None
    results = [response.json()]
    if ops[0].kind == "batch" and response.is_success:
        results = response.json()["results"]
    with ledger.lock:
        ledger.statuses.append(response.status_code)
        if response.status_code >= 400:
            ledger.problems.append(response.text)
            results *= len(ops)
        for op, told in zip(ops, results, strict=True):
            problem = told.get("problem")
            if problem:
                ledger.problems.append(str(problem))
            status = problem["status"] if problem else response.status_code
            op.answers.append((status, told))
            if status >= 500 and op.idempotency:
                ledger.open.append(op)
    return response.status_code


def _request(client: httpx.Client, ops: Sequence[Op], outside: Outside | None) -> httpx.Response:
    op = ops[0]
    headers = {"idempotency-key": op.idempotency} if op.idempotency else {}
    about = {"platform_id": op.name, "actor": f"actor-{op.seed}"}
    if op.kind == "batch":
        items = [
            {
                "content": base64.b64encode(each.data).decode(),
                "platform_id": each.name,
                "idempotency_key": each.idempotency,
            }
            for each in ops
        ]
        return client.post("/v1/items/batch", json={"items": items})
    if op.kind == "fingerprints":
        given = [{"signal": "pdq", "value": pdq(op.seed), "quality": 100}]
        return client.post("/v1/fingerprints", json={**about, "fingerprints": given}, headers=headers)
    if op.kind == "url":
        assert outside is not None
        outside.pictures[op.name] = op.data
        url = f"{outside.address}/{op.name}"
        return client.post("/v1/items", json={**about, "url": url}, headers=headers)
    if op.kind == "raw":
        return client.post("/v1/items", content=op.data, params=about, headers=headers)
    mode = {"mode": op.kind}
    return client.post("/v1/items", files={"file": op.data}, data={**about, **mode}, headers=headers)


def resend_open(node: Node, ledger: Ledger, outside: Outside | None = None) -> None:
    """What every good client does at last: send again what was never answered, until it is."""
    with node.client() as client:

        def answered() -> bool:
            with ledger.lock:
                waiting, ledger.open = ledger.open, []
            for op in waiting:
                send(client, [op], ledger, outside)
            return not ledger.open

        until(answered, "every request is answered", pause=0.2)
