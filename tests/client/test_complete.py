"""The client knows every operation of the API, and asks for nothing else."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

import nightlamp.client
from nightlamp.client import Client, administration, banks, cases, feeds, holds, items, reports
from nightlamp.client.call import Call, Download, Paged
from nightlamp.errors import ClientCode
from nightlamp.values import Fingerprint

from .conftest import Service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# For machines that need no client: probes, and other Nightlamps that follow a bank.
OF_NOBODY = {
    ("GET", "/v1/health/live"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/banks/{number}/changes"),
}
# Answered in two ways: the package, or that another person must ask for the same.
OF_PEOPLE = {("POST", "/v1/disclosures")}
CALLS = {
    "submit": items.submit(b"x"),
    "submit_url": items.submit_url("https://example.com/"),
    "submit_batch": items.submit_batch([items.BatchItem(b"x")]),
    "submit_fingerprints": items.submit_fingerprints([Fingerprint("md5", bytes(16))]),
    "submit_fingerprint_batch": items.submit_fingerprint_batch([]),
    "item": items.item("i"),
    "items": items.items(action="block", state="done", actor="a", platform_id="p"),
    "verdicts_on": items.verdicts_on("i"),
    "verdicts": items.verdicts(action="block"),
    "matches": items.matches(bank="b"),
    "banks": banks.banks(),
    "bank": banks.bank(1),
    "create_bank": banks.create_bank("b"),
    "change_bank": banks.change_bank(1, enabled=False),
    "delete_bank": banks.delete_bank(1),
    "entries": banks.entries(1),
    "add_entries": banks.add_entries(1, []),
    "remove_entries": banks.remove_entries(1),
    "dispute_entries": banks.dispute_entries(1),
    "import_list": banks.import_list(1, b"x", format="plain", signal="pdq", profile="p", strict=True),
    "export_bank": banks.export_bank(1),
    "feeds": feeds.feeds(),
    "feed": feeds.feed("f"),
    "add_feed": feeds.add_feed("f", "list", "b"),
    "change_feed": feeds.change_feed("f", every=60),
    "sync_feed": feeds.sync_feed("f"),
    "pause_feed": feeds.pause_feed("f"),
    "resume_feed": feeds.resume_feed("f"),
    "remove_feed": feeds.remove_feed("f"),
    "examine_feed": feeds.examine_feed("f"),
    "cases": cases.cases(state="open", queue="q", priority="high", finding="csam"),
    "case": cases.case("c"),
    "claim_case": cases.claim_case("c"),
    "decide_case": cases.decide_case("c", "csam", version=1),
    "undo_answer": cases.undo_answer("c", "a"),
    "case_items": cases.case_items("c"),
    "case_answers": cases.case_answers("c"),
    "next_case": cases.next_case(["q"]),
    "release_case": cases.release_case("c"),
    "split_case": cases.split_case("c", ["i"], version=1),
    "reopen_case": cases.reopen_case("c", "why", version=1),
    "report_calls": reports.report_calls("r"),
    "report_standing": reports.report_standing(),
    "draft_report": reports.draft_report({}, items=["i"], supplemental=["s"]),
    "change_report": reports.change_report("r", {}, version=1),
    "add_report_files": reports.add_report_files("r", ["i"], version=1),
    "approve_report": reports.approve_report("r", version=1),
    "send_report": reports.send_report("r"),
    "retract_report": reports.retract_report("r", "why"),
    "follow_up_report": reports.follow_up_report("r"),
    "packages": reports.packages(),
    "package_authorities": reports.package_authorities(),
    "make_package": reports.make_package("c", ["age1"]),
    "holds": holds.holds(object="o", ends_before=NOW),
    "hold_for_request": holds.hold_for_request("o", "p", NOW),
    "extend_hold": holds.extend_hold("h", NOW, "why"),
    "release_hold": holds.release_hold("h", "why"),
    "destroy_content": holds.destroy_content("o", "r"),
    "transparency": holds.transparency(NOW.date(), NOW.date()),
    "reports": reports.reports(state="draft", case="c"),
    "report": reports.report("r"),
    "exports": reports.exports(),
    "export": reports.export("e"),
    "stop_export": reports.stop_export("e"),
    "policies": administration.policies(),
    "policy": administration.policy(1),
    "policy in force": administration.policy(),
    "add_policy": administration.add_policy(""),
    "lint_policy": administration.lint_policy(""),
    "try_policy": administration.try_policy(1),
    "activate_policy": administration.activate_policy(1),
    "roll_back_policy": administration.roll_back_policy(),
    "keys": administration.keys(),
    "create_key": administration.create_key("k", ["submit"]),
    "revoke_key": administration.revoke_key("k"),
    "webhooks": administration.webhooks(),
    "create_webhook": administration.create_webhook("https://example.com/"),
    "remove_webhook": administration.remove_webhook("w"),
    "deliveries": administration.deliveries("w", state="dead"),
    "replay_deliveries": administration.replay_deliveries("w", since=NOW),
    "audit": administration.audit(after=1),
    "verify_audit": administration.verify_audit(),
    "export_audit": administration.export_audit(after=1),
    "health": administration.health(),
    "metrics": administration.metrics(),
}


@pytest.fixture(scope="module")
def operations(service: Service) -> dict[tuple[str, str], set[str]]:
    """Each operation of the OpenAPI document, with its query parameters."""
    with Client(service.address, service.key) as client:
        paths = client.send(Call("GET", "/v1/openapi.json", lambda response: response.json()))["paths"]
    return {
        (method.upper(), path): {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def operation(name: str) -> Call:
    call = CALLS[name]
    return call.call if isinstance(call, Paged | Download) else call


def fits(call: Call, method: str, path: str) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    return call.method == method and re.fullmatch(pattern, call.path) is not None


def test_there_is_a_call_for_every_method_of_the_client() -> None:
    plain = {"close", "send", "each", "download"}
    methods = {name for name in vars(Client) if not name.startswith("_")} - plain
    assert methods == {name for name in CALLS if " " not in name}


def test_every_operation_has_a_call(operations) -> None:
    missing = {
        each
        for each in operations
        if each not in OF_NOBODY | OF_PEOPLE and not any(fits(operation(name), *each) for name in CALLS)
    }
    assert not missing


@pytest.mark.parametrize("name", CALLS)
def test_every_call_is_an_operation_with_parameters_that_it_has(operations, name: str) -> None:
    call = operation(name)
    known = [parameters for (method, path), parameters in operations.items() if fits(call, method, path)]
    assert known
    assert set(call.query) <= set().union(*known)
    if isinstance(CALLS[name], Paged):
        assert "cursor" in known[0]


def test_the_page_names_what_there_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        compile(block, "docs/client.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for names in re.findall(r"^from nightlamp.client import (.+)$", block, re.MULTILINE):
            assert all(hasattr(nightlamp.client, name.strip()) for name in names.split(","))
    table = page.split("## Everything else")[1].split("## Webhooks")[0]
    named = set(re.findall(r"`(\w+)`", table)) | set(re.findall(r"`(submit\w*)\(", page))
    assert named == {name for name in CALLS if " " not in name}


@pytest.mark.parametrize("code", get_args(ClientCode))
def test_the_page_tells_of_every_code(code: str) -> None:
    assert f"`{code}`" in (Path(__file__).parents[2] / "docs" / "client.md").read_text().replace("\n", " ")
