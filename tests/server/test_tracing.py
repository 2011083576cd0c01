"""Traces: what waits for what, and nothing that is a secret."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.fakes.raw_server import RawServer, answer

from nightlamp.errors import ConfigError
from nightlamp.server.tracing import Tracing, open_tracing
from nightlamp.settings import TracingSettings

from .conftest import Service, Start, digest, picture

Spans = Callable[[], list[ReadableSpan]]


@pytest.fixture
def traced(start: Start, sqlite_url: str) -> tuple[Service, Spans]:
    """A service whose spans stay in memory, and how to take what came since."""
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter)

    def spans() -> list[ReadableSpan]:
        tracing._provider.force_flush()
        found = list(exporter.get_finished_spans())
        exporter.clear()
        return found

    return start(sqlite_url, tracing=tracing), spans


def test_a_request_has_a_span_and_the_stages_of_its_item_are_within(traced: tuple[Service, Spans]) -> None:
    service, spans = traced
    data = picture()
    service.bank("list", digest("sha256", data))
    spans()

    answered = service.submit(data)

    *stages, request = sorted(spans(), key=lambda span: span.end_time)
    assert [stage.name for stage in stages] == ["examine", "decide", "seal", "commit"]
    assert all(stage.parent.span_id == request.context.span_id for stage in stages)
    assert all(not stage.attributes and request.start_time <= stage.start_time for stage in stages)
    assert all(a.end_time <= b.start_time + 5e6 for a, b in pairwise(stages))
    assert (request.name, request.parent) == ("POST /v1/items", None)
    size = int(answered.request.headers["content-length"])
    assert dict(request.attributes) == {
        "http.request.method": "POST", "http.route": "/v1/items", "http.response.status_code": 200,
        "http.request.body.size": size, "nightlamp.request_id": answered.headers["x-request-id"],
    }  # fmt: skip


def test_loops_that_did_something_or_failed_have_spans_without_anything_secret(
    traced: tuple[Service, Spans], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, spans = traced
    data = picture()
    service.submit(data)
    service.bank("list", digest("md5", data))
    spans()

    # when an old item is found by a new entry, and a loop fails with a secret in its error
    for name in ("look-back", "late", "webhooks"):
        service.run(name)
    failing = next(loop for loop in service.node.supervisor.loops if loop.name == "vault")

    def fail() -> None:
        raise ValueError(f"planted {digest('md5', data)[1]}")

    monkeypatch.setattr(failing, "run", fail)
    service.node.supervisor.run_once(failing)

    # then those runs have a span of their own, and one that found nothing has none
    found = {span.name: span for span in spans()}
    assert {"loop look-back", "loop late", "loop vault"} <= set(found)
    assert "loop webhooks" not in found
    assert all(span.parent is None for span in found.values())
    assert dict(found["loop late"].attributes) == {"nightlamp.loop": "late"}
    assert dict(found["loop vault"].attributes) == {"nightlamp.loop": "vault", "error.type": "ValueError"}
    told = "".join(span.to_json() for span in found.values())
    assert "planted" not in told
    assert digest("md5", data)[1] not in told


def test_each_request_has_its_own_stages(traced: tuple[Service, Spans]) -> None:
    service, spans = traced
    hashes = [{"fingerprints": [{"signal": "md5", "value": f"{at:032x}"}]} for at in range(3)]
    service.post("/v1/fingerprints", json=hashes[0])
    service.post("/v1/fingerprints/batch", json={"items": hashes})
    found = spans()
    requests = [span for span in found if span.parent is None]
    assert [request.name for request in requests] == ["POST /v1/fingerprints", "POST /v1/fingerprints/batch"]
    for request, items in zip(requests, (1, 3), strict=True):
        within = [s.name for s in found if s.parent and s.parent.span_id == request.context.span_id]
        assert sorted(within) == ["commit"] * items + ["decide"] * items


def test_a_callers_trace_goes_on_without_what_else_it_says(traced: tuple[Service, Spans]) -> None:
    service, spans = traced
    headers = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "tracestate": "planted=planted",
        "baggage": "planted=planted",
    }
    service.get("/v1/banks", headers=headers)
    service.get("/v1/banks", headers={"traceparent": b"00-planted\xff"})
    ours, other = spans()
    assert f"{ours.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{ours.parent.span_id:016x}" == "b7ad6b7169203331"
    assert other.parent is None
    assert "planted" not in ours.to_json() + other.to_json()


def test_health_and_metrics_are_not_traced_and_a_ratio_of_zero_keeps_nothing(
    traced: tuple[Service, Spans], start: Start, sqlite_url: str
) -> None:
    service, spans = traced
    for path in ("/v1/health/live", "/v1/health/ready", "/metrics"):
        assert service.get(path).status_code in (200, 503)  # on a busy machine a node may not be ready
    assert spans() == []

    kept = InMemorySpanExporter()
    none = start(sqlite_url, tracing=Tracing(kept, ratio=0.0), admin=service.admin)
    assert none.submit(picture()).status_code == 200
    none.node.tracing._provider.force_flush()
    assert kept.get_finished_spans() == ()


def test_no_secret_is_in_a_trace(traced: tuple[Service, Spans]) -> None:
    # given planted content, hashes, ids, keys and names
    service, spans = traced
    planted: dict[str, str] = {}

    def plant(name: str) -> str:
        return planted.setdefault(name, f"{name}-{secrets.token_hex(6)}")

    data = picture() + plant("content").encode()
    planted["sha256"] = hashlib.sha256(data).hexdigest()
    planted["md5"] = digest("md5", data)[1]
    planted["key"] = service.admin.split("_")[2]
    rows = [{"signal": "md5", "value": planted["md5"], "id": plant("entry")}]
    bank = {"name": plant("bank"), "category": plant("category")}
    number = service.post("/v1/banks", json=bank).json()["id"]

    # when they pass by every way, with errors of all sorts on it
    service.post(f"/v1/banks/{number}/entries", json={"entries": rows})
    service.submit(
        data, actor=plant("actor"), platform_id=plant("post"), idempotency_key=plant("idempotency")
    )
    service.submit(picture(2), idempotency_key=planted["idempotency"])
    service.post("/v1/fingerprints", json={"fingerprints": rows, "text": f"http://{plant('host')}.example/"})
    service.post("/v1/items", json={"url": f"http://127.0.0.1/{plant('path')}?a={plant('urlquery')}"})
    service.run("urls")
    service.get(f"/v1/items?actor={planted['actor']}&{plant('query')}={plant('value')}")
    service.get(f"/v1/items/{plant('item')}")
    service.get(f"/{plant('nowhere')}", headers={"user-agent": plant("agent"), "referer": plant("referer")})
    service.get("/v1/items", "nlk_" + planted["key"] + "x")
    service.call(plant("METHOD").upper(), "/v1/items")
    planted["METHOD"] = planted["METHOD"].upper()
    decide = service.node.decider.decide
    service.node.decider.decide = lambda *_: (_ for _ in ()).throw(ValueError(plant("error")))
    assert service.submit(picture(3)).status_code == 503
    service.node.decider.decide = decide
    service.node.gate.admit = lambda *_: (_ for _ in ()).throw(ValueError(plant("bug")))
    assert service.get("/v1/banks").status_code == 500

    # then none of them is in a span
    found = spans()
    told = "\n".join(span.to_json() for span in found)
    assert len(found) > 20
    assert {span.name for span in found} >= {
        "POST /v1/items",
        "GET /v1/items",
        "GET",
        "_OTHER /v1/items",
        "decide",
    }
    errors = [span for span in found if not span.status.is_ok and span.parent is None]
    assert {span.attributes["error.type"] for span in errors} == {"IntakeError", "ValueError"}
    for name, text in planted.items():
        assert text not in told, name
    allowed = {
        "http.request.method", "http.route", "http.response.status_code", "http.request.body.size",
        "nightlamp.request_id", "nightlamp.loop", "error.type",
    }  # fmt: skip
    for span in found:
        assert set(span.attributes) <= allowed
        assert not span.events
        assert not span.links
        assert not span.status.description
        assert not any(key.startswith(("host.", "process.")) for key in span.resource.attributes)


def test_spans_go_to_the_collector(start: Start, sqlite_url: str) -> None:
    with RawServer(answer()).running() as collector:
        endpoint = f"http://127.0.0.1:{collector.port}/v1/traces"
        service = start(sqlite_url, tracing={"endpoint": endpoint, "ratio": 1.0})
        service.get("/v1/banks")
        service.node.tracing._provider.force_flush()
        [request] = collector.requests
        assert request.line.startswith("POST /v1/traces ")
        assert b"GET /v1/banks" in request.body
        assert b"nightlamp" in request.body


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_tracing(TracingSettings()) is None
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        open_tracing(TracingSettings(endpoint="http://localhost:4318/v1/traces"))
    assert caught.value.hint == "pip install 'nightlamp[otel]'"


_OFF = """
import contextlib, json, sys
from pathlib import Path
from starlette.testclient import TestClient
from nightlamp.server import Node, create_app
from nightlamp.settings import Settings

settings = Settings(data_dir=Path(sys.argv[1]), tracing={})
node = Node(settings, workers=lambda: contextlib.nullcontext())
node.prepare()
node.supervisor.start = lambda: None
with TestClient(create_app(settings, node), raise_server_exceptions=False) as client:
    key = {"authorization": "Bearer " + node.first_key.secret.reveal()}
    ask = lambda: client.get("/v1/banks?planted=planted", headers=key).status_code
    before = ask()
    ours = ("opentelemetry.sdk", "opentelemetry.exporter")  # fastapi imports the API by itself
    loaded = [name for name in sys.modules if name.startswith(ours)]

    # a provider for the whole process, as opentelemetry-instrument makes it, gets nothing of ours
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    after = ask()
    print(json.dumps([before, loaded, after, [span.name for span in exporter.get_finished_spans()]]))
"""


def test_without_an_endpoint_nothing_is_imported_and_nothing_traced(tmp_path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _OFF, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert json.loads(ran.stdout.splitlines()[-1]) == [200, [], 200, []]
