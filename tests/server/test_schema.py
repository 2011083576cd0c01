"""Whatever fits the OpenAPI document, and much that does not, gets an answer below 500."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from .conftest import Service, digest, picture

# Nothing of the kind is there to be read: a feed, an export, a bank that is shared.
ABSENT = {"GET /v1/feeds/{name}", "GET /v1/exports/{export_id}", "GET /v1/banks/{number}/changes"}
# Without parameters and bodies there is nothing to get wrong: these are asked in the positive mode alone.
BARE = {"GET /metrics", "GET /v1/health/live", "GET /v1/health/ready"}


def explore(service: Service, things: dict[str, Any], examples: int) -> Counter[tuple[str, int]]:
    """Ask every operation of the document ``examples`` times, in each mode; how often each answered what.

    Every other case is about one of ``things``, by the name of the path's parameter.
    """
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", service.client.app)
    answers: Counter[tuple[str, int]] = Counter()
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in sorted(operations, key=lambda each: each.method == "delete"):
        service.run("changes")  # nobody else looks: without it the node would soon call itself not ready
        for mode in GenerationMode:
            if mode is GenerationMode.NEGATIVE and operation.label in BARE:
                continue
            # an upload has four kinds of bodies, and few that are drawn make sense
            times = 4 if operation.label == "POST /v1/items" else 1
            ask(service, operation, mode, things, examples * times, answers)
    assert {label for label, _ in answers} == {operation.label for operation in operations}
    return answers


def ask(
    service: Service,
    operation: Any,
    mode: GenerationMode,
    things: dict[str, Any],
    examples: int,
    answers: Counter[tuple[str, int]],
) -> None:
    turn = itertools.cycle([True, False])

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        headers = {"authorization": f"Bearer {service.admin}"}
        if next(turn):
            known = {name: things[name] for name in case.path_parameters or () if name in things}
            case.path_parameters = {**(case.path_parameters or {}), **known}
        case.headers = {k: v for k, v in (case.headers or {}).items() if k.lower() != "authorization"}
        response = conforming(case, case.call(session=service.client, headers=headers))
        answers[operation.label, response.status_code] += 1
        ready = operation.path == "/v1/health/ready"
        assert response.status_code < 500 or ready, (operation.label, response.text[:300])
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"], operation.label

    one()


def conforming(case: Any, response: Any) -> Any:
    """The response, if it is as the document describes it."""
    case.validate_response(response, checks=[response_schema_conformance])
    return response


def filled(service: Service) -> dict[str, Any]:
    """Something of each kind; their ids, by the names of the paths' parameters."""
    data = picture()
    hook = service.post("/v1/webhooks", json={"url": "https://platform.example/hook", "every": True}).json()
    number = service.bank("list", digest("md5", data))
    item = service.submit(data).json()["id"]
    report = service.post("/v1/reports", json={"document": {}}).json()
    key = service.post("/v1/keys", json={"name": "spare", "scopes": ["submit"]}).json()
    service.run("cases")
    [case] = service.get("/v1/cases").json()["cases"]
    [hold] = service.get("/v1/holds").json()["holds"]
    return {
        "item_id": item, "number": number, "webhook_id": hook["id"], "report_id": report["id"],
        "key_id": key["id"], "case_id": case["id"], "hold_id": hold["id"],
    }  # fmt: skip


def test_no_request_is_too_much(service: Service) -> None:
    answers = explore(service, filled(service), 6)
    well = {label for label, status in answers if status < 400}
    reads = {label for label, _ in answers if label.startswith("GET ")}
    assert reads - well <= ABSENT
    assert {"POST /v1/items", "POST /v1/banks", "POST /v1/keys", "POST /v1/cases/{case_id}/decide"} <= well


# Listings that nothing above puts rows into.
EMPTY = {
    "/v1/feeds", "/v1/exports", "/v1/packages",
    "/v1/cases/{case_id}/answers", "/v1/reports/{report_id}/calls",
}  # fmt: skip


def test_listings_are_as_described(service: Service) -> None:
    # given something in each listing
    given = filled(service)
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", service.client.app)
    listings = {path: fields for path in schema.raw_schema["paths"] if (fields := rows_of(schema, path))}
    assert set(listings) > EMPTY

    for path in listings.keys() - EMPTY:
        # when it is asked for
        operation = schema[path]["GET"]
        names = {name: value for name, value in given.items() if f"{{{name}}}" in path}
        case = operation.Case(path_parameters=names, media_type=None)
        headers = {"authorization": f"Bearer {service.admin}"}
        response = conforming(case, case.call(session=service.client, headers=headers))

        # then its rows are there, each of their fields is described, and none is that is not there
        [rows] = [value for key, value in response.json().items() if key != "next"]
        assert rows, path
        for row in rows:
            assert listings[path] - {"entry_id"} <= set(row) <= listings[path], path


def rows_of(schema: Any, path: str) -> set[str]:
    """The names of a listing's rows' fields, as the document has them; none if it is no listing."""

    def model(reference: str) -> dict[str, Any]:
        return schema.raw_schema["components"]["schemas"][reference.rpartition("/")[2]]["properties"]

    told = schema.raw_schema["paths"][path].get("get", {}).get("responses", {}).get("200", {})
    answer = told.get("content", {}).get("application/json", {}).get("schema", {})
    fields = model(answer["$ref"]) if "$ref" in answer else {}
    match [field for name, field in fields.items() if name != "next"]:
        case [{"type": "array", "items": {"$ref": row}}]:
            return set(model(row))
    return set()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_request_is_too_much_in_the_long_run(either: Service) -> None:
    explore(either, filled(either), 120)
