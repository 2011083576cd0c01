"""Calls for those who report, answer requests and review: on a service, and by the service's shapes."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from tests.looping import run

from nightlamp.client import AsyncClient, Client, ClientError, cases, holds, reports
from nightlamp.server import case_shapes, exports, packages, report_shapes
from nightlamp.server import holds as holds_api

from .conftest import Service

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DOCUMENT = {
    "incidentSummary": {"incidentType": "Child Pornography (possession, manufacture, and distribution)"}
}


@pytest.mark.parametrize(
    ("answer", "model"),
    [
        (reports.Export, exports.ExportRow),
        (reports.Report, report_shapes.ReportOut),
        (reports.ReportFile, report_shapes.FileOut),
        (reports.ReportFault, report_shapes.FaultOut),
        (reports.AuthorityCall, report_shapes.CallOut),
        (reports.Standing, report_shapes.StandingOut),
        (reports.Package, packages.PackageRow),
        (reports.Authority, packages.AuthorityOut),
        (holds.Hold, holds_api.HoldRow),
        (holds.Destroyed, holds_api.DestroyedOut),
        (cases.CaseItem, case_shapes.CaseItemOut),
        (cases.GivenAnswer, case_shapes.GivenOut),
    ],
    ids=lambda each: each.__name__,
)
def test_the_service_answers_with_what_is_read(answer: Any, model: type[BaseModel]) -> None:
    wanted = {each.name for each in fields(answer)}
    assert wanted <= set(model.model_fields)
    rows = {"document", "files", "faults", "asks", "approved_by"} if answer is reports.Report else set()
    needed = {each.name for each in fields(answer) if each.default is each.default_factory is MISSING}
    assert rows.isdisjoint(needed)


def test_a_report_is_drafted_changed_approved_and_taken_back(client: Client) -> None:
    drafted = client.draft_report({}, actor="u-1")
    assert (drafted.state, drafted.version, drafted.files) == ("draft", 1, ())
    assert any(each.missing for each in drafted.faults)
    changed = client.change_report(drafted.id, {"additionalInfo": "a test"}, version=drafted.version)
    assert changed.version == drafted.version + 1
    with pytest.raises(ClientError) as stale:
        client.change_report(drafted.id, {}, version=drafted.version)
    assert stale.value.code == "conflict"
    with pytest.raises(ClientError):  # it is not complete
        client.approve_report(drafted.id, version=changed.version)
    with pytest.raises(ClientError):
        client.add_report_files(drafted.id, ["nothing"], version=changed.version)
    with pytest.raises(ClientError):
        client.follow_up_report(drafted.id)
    assert client.report_calls(drafted.id) == ()
    assert client.report_standing().states["draft"] >= 1
    assert drafted.id in {each.id for each in client.reports(state="draft")}
    assert client.retract_report(drafted.id, "a test").state == "retracted"
    assert client.report(drafted.id).why == "a test"
    with pytest.raises(ClientError):
        client.send_report(drafted.id)


def test_an_object_is_held_longer_let_go_and_destroyed(client: Client, service: Service) -> None:
    from nightlamp.vault import HoldRequest

    vault = service.node.vault
    sealed = vault.seal(b"harmless")
    hold = HoldRequest("a test", "US")
    kept = service.node.writer.write(lambda c: vault.keep(c, sealed, hold, actor="system"))
    asked = client.hold_for_request(kept, "warrant 1", NOW + timedelta(days=900))
    assert (asked.object, asked.legal, asked.expires) == (kept, True, NOW + timedelta(days=900))
    later = NOW + timedelta(days=1000)
    assert client.hold_for_request(kept, "warrant 1", later).id == asked.id
    client.extend_hold(asked.id, later + timedelta(days=1), "a judge says so")
    assert len(list(client.holds(object=kept))) == 2
    assert kept not in {each.object for each in client.holds(ends_before=NOW)}
    client.release_hold(asked.id, "over")
    [released] = [each for each in client.holds(object=kept) if each.id == asked.id]
    assert released.released is not None
    assert client.destroy_content(kept, "order 1").destroyed
    with pytest.raises(ClientError) as gone:
        client.hold_for_request("0" * 26, "warrant 2", later)
    assert gone.value.code in ("not found", "conflict")


def test_figures_packages_exports_and_cases_are_read(client: Client) -> None:
    found = client.transparency(date(2026, 1, 1), date(2026, 2, 1), threshold=0)
    assert found["format"] == "nightlamp-transparency"
    assert found["months"] == ["2026-01", "2026-02"]
    assert "generic" in {each.name for each in client.package_authorities()}
    assert list(client.packages()) == list(client.exports()) == []
    assert client.next_case() is None
    for call in (
        lambda: client.export("0"),
        lambda: client.stop_export("0"),
        lambda: client.case_answers("0"),
        lambda: client.release_case("0"),
        lambda: client.split_case("0", ["i"], version=1),
        lambda: client.reopen_case("0", "why", version=1),
        lambda: list(client.make_package("0", ["age1x"])),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.code in ("not found", "conflict", "invalid")


async def read_with_asyncio(service: Service) -> tuple[Any, list[Any]]:
    async with AsyncClient(service.address, service.key) as client:
        return await client.report_standing(), [each async for each in client.holds()]


def test_the_same_with_asyncio(service: Service) -> None:

    standing, kept = run(read_with_asyncio(service))
    assert standing.unreported >= 0
    assert all(each.object for each in kept)
