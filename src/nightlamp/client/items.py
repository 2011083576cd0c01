"""Calls that submit items, and read what became of them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from nightlamp.client.answers import Item, Outcome, State, StoredMatch, Verdict
from nightlamp.client.bodies import Content, Form, body, json_body
from nightlamp.client.call import Call, Paged
from nightlamp.client.failures import failure_in
from nightlamp.client.making import called, listed, one, quoted, some
from nightlamp.client.reading import read
from nightlamp.errors import ClientError
from nightlamp.values import Action, Fingerprint

if TYPE_CHECKING:
    import httpx


class About(TypedDict, total=False):
    """What the platform tells of an item, as far as it wants to.

    ``platform_id``: its own id of the item. ``actor``: who it is from, under a pseudonym. ``service``,
    ``room``: where. ``submitted_at``: when it came to the platform, with a zone. ``jurisdiction``: whose law
    applies. ``ip``, ``port``: of the actor, for a report. ``text``: that comes with it; the URLs in it are
    matched, and it is not kept.
    """

    platform_id: str
    actor: str
    service: str
    room: str
    submitted_at: datetime
    jurisdiction: str
    ip: str
    port: int
    text: str


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One item of a batch: content or a URL to fetch, and what the platform tells of it."""

    content: Content | None = field(default=None, repr=False)
    url: str = field(default="", repr=False)
    about: About = field(default_factory=lambda: About(), repr=False)
    wait: bool = True
    idempotency_key: str = field(default_factory=lambda: new_name(), repr=False)


@dataclass(frozen=True, slots=True)
class FingerprintItem:
    """One item of fingerprints, and what the platform tells of it."""

    fingerprints: tuple[Fingerprint, ...] = ()
    about: About = field(default_factory=lambda: About(), repr=False)
    wait: bool = True
    idempotency_key: str = field(default_factory=lambda: new_name(), repr=False)


def new_name() -> str:
    """An idempotency key that nobody else has."""
    return uuid.uuid4().hex


def submit(
    content: Content, *, wait: bool = True, idempotency_key: str = "", **about: Unpack[About]
) -> Call[Outcome]:
    """Submit content, streamed: bytes, a path or an open binary file.

    Sent again after a failure, it is one item all the same. Call it again yourself with the same
    ``idempotency_key`` and the same arguments, and that is one item too.

    Args:
        content: what to check.
        wait: for the verdict; if not, it goes to the webhooks.
        idempotency_key: your own name for this submission; by default a random one.
        about: see ``About``.
    """
    fields = {name: str(value) for name, value in _told(about, wait).items()}
    return _submission("/v1/items", Form(fields, body(content)), idempotency_key)


def submit_url(
    url: str, *, wait: bool = False, idempotency_key: str = "", **about: Unpack[About]
) -> Call[Outcome]:
    """Submit a URL, which the service fetches; the outcome is ``pending``, the verdict comes by webhook."""
    return _submission("/v1/items", json_body({"url": url, **_told(about, wait)}), idempotency_key)


def submit_batch(items: Iterable[BatchItem]) -> Call[tuple[Outcome | ClientError, ...]]:
    """Submit many items in one request, in memory; each gets an outcome or an error, in the same order."""
    told = []
    for item in items:
        one: dict[str, Any] = {**_told(item.about, item.wait), "idempotency_key": item.idempotency_key}
        if item.content is not None:
            data = b"".join(body(item.content).pieces())
            one["content"] = base64.b64encode(data).decode()
        else:
            one["url"] = item.url
        told.append(one)
    return called("POST", "/v1/items/batch", _results, {"items": told})


def submit_fingerprints(
    fingerprints: Iterable[Fingerprint],
    *,
    wait: bool = True,
    idempotency_key: str = "",
    **about: Unpack[About],
) -> Call[Outcome]:
    """Have fingerprints matched that you computed; the verdict speaks of these alone.

    ``nightlamp.hash_file("photo.jpg").fingerprints`` are some. With ``text`` and no fingerprints, the URLs
    in it are matched.
    """
    told = {"fingerprints": [_fingerprint(each) for each in fingerprints], **_told(about, wait)}
    return _submission("/v1/fingerprints", json_body(told), idempotency_key)


def submit_fingerprint_batch(items: Iterable[FingerprintItem]) -> Call[tuple[Outcome | ClientError, ...]]:
    """As ``submit_fingerprints``, for many items in one request."""
    told = [
        {
            "fingerprints": [_fingerprint(each) for each in item.fingerprints],
            "idempotency_key": item.idempotency_key,
            **_told(item.about, item.wait),
        }
        for item in items
    ]
    return called("POST", "/v1/fingerprints/batch", _results, {"items": told})


def item(item_id: str) -> Call[Item]:
    """One item as it stands."""
    return called("GET", f"/v1/items/{quoted(item_id)}", one(Item))


def items(
    *,
    action: Action | None = None,
    state: State | None = None,
    actor: str | None = None,
    platform_id: str | None = None,
    limit: int = 500,
) -> Paged[Item]:
    """Items, the newest first, narrowed down by what is given; ``limit``: of one page."""
    narrowed = {"action": action, "state": state, "actor": actor, "platform_id": platform_id}
    return listed("/v1/items", "items", Item, limit=limit, **narrowed)


def verdicts_on(item_id: str) -> Call[tuple[Verdict, ...]]:
    """All verdicts on an item, the newest first, with their matches."""
    return called("GET", f"/v1/items/{quoted(item_id)}/verdicts", some("verdicts", Verdict))


def verdicts(*, action: Action | None = None, limit: int = 100) -> Paged[Verdict]:
    """Verdicts on all items, the newest first."""
    return listed("/v1/verdicts", "verdicts", Verdict, limit=limit, action=action)


def matches(*, bank: str | None = None, limit: int = 500) -> Paged[StoredMatch]:
    """Matches of all items, the newest first."""
    return listed("/v1/matches", "matches", StoredMatch, limit=limit, bank=bank)


def _submission(path: str, content: Any, name: str) -> Call[Outcome]:
    headers = {"Idempotency-Key": name or new_name()}
    return Call("POST", path, one(Outcome), headers=headers, body=content)


def _told(about: Mapping[str, Any], wait: bool) -> dict[str, Any]:
    """What goes into the request; what says nothing is left out."""
    unknown = set(about) - About.__annotations__.keys()
    if unknown:
        raise TypeError(f"nothing to be told of an item: {', '.join(sorted(unknown))}")
    told = {name: value for name, value in about.items() if value not in ("", None)}
    if "submitted_at" in told:
        told["submitted_at"] = told["submitted_at"].isoformat()
    return {**told, "mode": "sync" if wait else "async"}


def _fingerprint(given: Fingerprint) -> dict[str, Any]:
    told: dict[str, Any] = {"signal": given.signal, "value": given.value.hex()}
    told |= {"view": given.view, "frame": given.frame}
    told |= {"quality": given.quality, "seconds": given.seconds}
    return {name: value for name, value in told.items() if value is not None}


def _results(response: httpx.Response) -> tuple[Outcome | ClientError, ...]:
    return tuple(
        failure_in(each["problem"]) if "problem" in each else read(Outcome, each)
        for each in response.json()["results"]
    )
