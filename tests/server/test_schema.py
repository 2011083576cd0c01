"""Whatever fits the OpenAPI document, and much that does not, gets an answer below 500."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from .conftest import Service, digest, picture


def explore(service: Service, examples: int) -> Counter[tuple[str, int]]:
    """Ask every operation ``examples`` times, in each mode; how often each answered what."""
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", service.client.app)
    answers: Counter[tuple[str, int]] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.label != "DELETE /v1/keys/{key_id}":  # it might revoke the key that asks
            service.run("changes")  # nobody else looks: without it the node would soon call itself not ready
            for mode in GenerationMode:
                # an upload has four kinds of bodies, and few that are drawn make sense
                times = 4 if operation.label == "POST /v1/items" else 1
                ask(service, operation, mode, examples * times, answers)
    return answers


def ask(
    service: Service, operation: Any, mode: GenerationMode, examples: int, answers: Counter[tuple[str, int]]
) -> None:
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
        case.headers = {k: v for k, v in (case.headers or {}).items() if k.lower() != "authorization"}
        response = conforming(case, case.call(session=service.client, headers=headers))
        answers[operation.label, response.status_code] += 1
        ready = operation.path == "/v1/health/ready"
        assert response.status_code < 500 or ready, (operation.label, response.text[:300])
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"], operation.label

    with suppress(Unsatisfiable):  # an operation without parameters has nothing to get wrong
        one()


def conforming(case: Any, response: Any) -> Any:
    """The response, if it is as the document describes it."""
    case.validate_response(response, checks=[response_schema_conformance])
    return response


def filled(service: Service) -> Service:
    data = picture()
    service.bank("list", digest("md5", data))
    service.submit(data)
    return service


def test_no_request_is_too_much(service: Service) -> None:
    answers = explore(filled(service), 10)
    well = {label for label, status in answers if status < 400}
    assert len({label for label, _ in answers}) > 38
    assert {"POST /v1/items", "POST /v1/banks", "GET /v1/items", "POST /v1/keys"} <= well


LISTINGS = [
    "items", "items/{item_id}/verdicts", "verdicts", "matches", "banks", "banks/{number}/entries", "policies",
    "keys", "webhooks", "webhooks/{webhook_id}/deliveries", "audit", "reports",
]  # fmt: skip


def test_listings_are_as_described(service: Service) -> None:
    # given something in each listing
    hook = service.post("/v1/webhooks", json={"url": "https://platform.example/hook", "every": True}).json()
    service.post("/v1/reports", json={"document": {}})
    filled(service)
    [item] = service.get("/v1/items").json()["items"]
    given = {"item_id": item["id"], "number": 1, "webhook_id": hook["id"]}
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", service.client.app)

    for listing in LISTINGS:
        # when it is asked for
        operation = schema[f"/v1/{listing}"]["GET"]
        names = [name for name in given if f"{{{name}}}" in listing]
        case = operation.Case(path_parameters={name: given[name] for name in names}, media_type=None)
        headers = {"authorization": f"Bearer {service.admin}"}
        response = conforming(case, case.call(session=service.client, headers=headers))

        # then its rows are there, every field of them is described, and none is described that is not there
        [rows] = [value for key, value in response.json().items() if key != "next"]
        assert rows, listing
        fields = described(schema.raw_schema, operation.path)
        for row in rows:
            assert fields - {"entry_id"} <= set(row) <= fields, listing


def described(document: dict[str, Any], path: str) -> set[str]:
    """The names of a listing's rows' fields."""

    def model(schema: dict[str, Any]) -> dict[str, Any]:
        return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]

    answer = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    [rows] = [field for field in model(answer).values() if field.get("type") == "array"]
    return set(model(rows["items"]))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_request_is_too_much_in_the_long_run(either: Service) -> None:
    explore(filled(either), 120)
