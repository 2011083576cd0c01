"""/v1/transparency."""

from __future__ import annotations

import pytest

from .conftest import Service

RANGE = "/v1/transparency?from=2026-01-01&to=2026-02-28"


def test_the_figures_come_as_json_csv_and_a_page(service: Service) -> None:
    assert service.get(RANGE).json()["months"] == ["2026-01", "2026-02"]
    assert service.get(f"{RANGE}&format=csv").headers["content-type"].startswith("text/csv")
    assert service.get(f"{RANGE}&format=html").text.startswith("<!doctype html>")


def test_what_makes_no_sense_is_refused(service: Service) -> None:
    assert service.get("/v1/transparency?from=2026-02-01&to=2026-01-01").status_code == 422
    assert service.get("/v1/transparency?from=2026-02-01").status_code == 422


@pytest.mark.parametrize("scope", ["submit", "read"])
def test_other_keys_get_no_figures(service: Service, scope: str) -> None:
    assert service.get(RANGE, service.key(scope)).status_code == 403
