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
                ask(service, operation, mode, examples, answers)
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
        response = case.call(session=service.client, headers=headers)
        answers[operation.label, response.status_code] += 1
        ready = operation.path == "/v1/health/ready"
        assert response.status_code < 500 or ready, (operation.label, response.text[:300])
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"], operation.label

    with suppress(Unsatisfiable):  # an operation without parameters has nothing to get wrong
        one()


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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_request_is_too_much_in_the_long_run(either: Service) -> None:
    explore(filled(either), 120)
