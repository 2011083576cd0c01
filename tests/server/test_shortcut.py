"""The shorter way to the busiest endpoints answers as the router would."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from nightlamp.server.shortcut import Shortcut

from .conftest import Service

GOOD: dict[str, Any] = {"fingerprints": [{"signal": "md5", "value": "0" * 32}]}
JSON = {"content-type": "application/json"}


def both(service: Service, monkeypatch: pytest.MonkeyPatch, ask: Any) -> list[httpx.Response]:
    """The same request by the shorter way, and past it."""
    short = ask()

    async def past(self: Shortcut, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    with monkeypatch.context() as patch:
        patch.setattr(Shortcut, "__call__", past)
        return [short, ask()]


BODIES: list[tuple[bytes | None, str, int]] = [  # None: a good one
    (None, "application/json", 200),
    (None, "application/problem+json; charset=utf-8", 200),
    (None, "text/plain", 422),
    (None, "", 422),
    (b"", "application/json", 422),
    (b"{", "application/json", 422),
    (b"[1]", "application/json", 422),
    (b'"\xff"', "application/json", 422),
    (b"[" * 50_000, "application/json", 422),
    (b'{"fingerprints": [], "items": [], "more": 1}', "application/json", 422),
    (b" " * (5 << 20), "application/json", 413),
]


@pytest.mark.parametrize("path", ["/v1/fingerprints", "/v1/fingerprints/batch"])
def test_bodies(service: Service, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    good = json.dumps({"items": [GOOD, GOOD]} if path.endswith("batch") else GOOD).encode()
    for given, media_type, status in BODIES:
        body = good if given is None else given
        headers = {"content-type": media_type}
        short, router = both(
            service, monkeypatch, lambda b=body, h=headers: service.post(path, content=b, headers=h)
        )
        assert short.status_code == router.status_code == status, (body[:50], media_type)
        assert short.headers.keys() == router.headers.keys()
        assert _same(short.json()) == _same(router.json())


@pytest.mark.parametrize("path", ["/v1/fingerprints", "/v1/fingerprints/batch", "/v1/items"])
def test_keys(service: Service, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    for key, status in ((None, 401), ("nlk_none", 401), (service.key("read"), 403)):
        short, router = both(service, monkeypatch, lambda k=key: service.post(path, k, json={"broken": True}))
        assert short.status_code == router.status_code == status
        assert _same(short.json()) == _same(router.json())


def test_idempotency_keys(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, status in (("n" * 200, 200), ("n" * 201, 422), ("a\x7fb", 422)):
        headers = {"idempotency-key": name}
        short, router = both(
            service, monkeypatch, lambda h=headers: service.post("/v1/fingerprints", json=GOOD, headers=h)
        )
        assert short.status_code == router.status_code == status
        if status == 200:
            assert router.json()["replayed"]
            assert router.json()["id"] == short.json()["id"]
        else:
            assert short.json()["errors"][0]["where"] == ["header", "Idempotency-Key"]


def test_items(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    form = "multipart/form-data"
    given: list[tuple[bytes, dict[str, str], str, int]] = [
        (b"some bytes", {"content-type": "application/octet-stream"}, "", 200),
        (b"some bytes", {}, "?actor=u-1&mode=async", 202),
        (b"some bytes", {}, "?mode=later", 422),
        (b"some bytes", {"idempotency-key": "n" * 201}, "", 422),
        (b"some bytes", {"content-encoding": "gzip"}, "", 415),
        (b"some bytes", {"content-encoding": "Identity"}, "", 200),
        (b"", {}, "", 422),
        (b"file=1", {"content-type": "application/x-www-form-urlencoded"}, "", 415),
        (b'{"url": "https://files.example/1.jpg"}', JSON, "", 202),
        (b'{"url": ""}', JSON, "", 422),
        (b"--b", {"content-type": form}, "", 400),
        (b"--b--\r\n", {"content-type": f"{form}; boundary=b"}, "", 422),
    ]
    for body, headers, query, status in given:
        path = f"/v1/items{query}"
        short, router = both(
            service, monkeypatch, lambda p=path, b=body, h=headers: service.post(p, content=b, headers=h)
        )
        assert short.status_code == router.status_code == status, (body, headers, query)
        assert short.headers.keys() == router.headers.keys()
        assert _same(short.json()) == _same(router.json())


def test_other_methods_go_to_the_router(service: Service) -> None:
    assert service.get("/v1/fingerprints").status_code == 405
    assert service.call("PUT", "/v1/fingerprints/batch", json={}).status_code == 405


def test_it_is_logged_and_counted_under_its_route(service: Service) -> None:
    service.post("/v1/fingerprints", json=GOOD)
    line = json.loads(service.log.getvalue().splitlines()[-1])
    assert (line["route"], line["status"]) == ("/v1/fingerprints", 200)
    assert 'route="/v1/fingerprints"' in service.get("/metrics").text


def _same(told: Any) -> Any:
    """Without what differs from request to request."""
    if isinstance(told, list):
        return [_same(each) for each in told]
    if isinstance(told, dict):
        each_time = ("id", "item", "request_id", "decided_at", "headers")
        return {name: _same(value) for name, value in told.items() if name not in each_time}
    return told
