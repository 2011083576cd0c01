from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nightlamp.client.answers import AuditReport, Health, Item, Key, Outcome
from nightlamp.client.reading import read

KEY = {
    "id": "k", "name": "n", "scopes": ["submit"], "rate": 2, "created_at": "2026-01-02T03:04:05+00:00",
    "created_by": "system", "expires_at": None, "revoked_at": None,
}  # fmt: skip


def test_values_get_the_types_that_their_fields_say() -> None:
    key = read(Key, KEY)
    assert key.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert key.scopes == ("submit",)
    assert (key.rate, type(key.rate)) == (2.0, float)
    finding = {"fault": "cut", "at": 3, "first": 2, "last": 3, "text": "x"}
    report = read(AuditReport, {"intact": False, "records": 2, "signed": 0, "findings": [finding]})
    assert report.findings[0].first == 2


def test_what_a_newer_service_adds_is_passed_over() -> None:
    assert (
        read(Outcome, {"id": "i", "state": "thinking", "action": None, "more": {"x": 1}}).state == "thinking"
    )


def test_what_a_key_may_not_see_has_a_default() -> None:
    item = read(Item, {"id": "i", "state": "done", "action": "allow"})
    assert (item.kind, item.context, item.received_at) == (None, {}, None)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Outcome, {"id": "planted"}),
        (Outcome, ["planted"]),
        (Outcome, None),
        (Outcome, {"id": 1, "state": "done", "action": None}),
        (Key, {**KEY, "rate": "planted"}),
        (Key, {**KEY, "rate": True}),
        (Key, {**KEY, "scopes": "planted"}),
        (Key, {**KEY, "scopes": [1]}),
        (Health, {"status": "ready", "checks": {"planted": 1}}),
    ],
)
def test_what_does_not_fit_is_an_error_that_does_not_quote_it(kind: type[Any], value: object) -> None:
    with pytest.raises(ValueError, match=kind.__name__) as caught:
        read(kind, value)
    assert "planted" not in str(caught.value)
