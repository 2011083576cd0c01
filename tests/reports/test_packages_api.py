"""Packages and disclosures over the API: sealed, for whom it names, and the log says which key asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.server.conftest import Service, digest, picture, service, start, workers  # noqa: F401 (fixtures)

from nightlamp.audit.tables import audit_record
from nightlamp.reports.bundle import check, check_opened
from nightlamp.store import reading
from nightlamp.vault import Identity


@pytest.fixture(scope="module")
def theirs() -> Identity:
    return Identity.generate()


def held(service: Service, data: bytes | None = None) -> str:  # noqa: F811
    data = data or picture()
    service.bank("list", digest("md5", data))
    return str(service.submit(data).json()["id"])


def confirmed(service: Service) -> str:  # noqa: F811
    """A case that people have confirmed."""
    held(service)
    service.run("cases")
    [case] = service.get("/v1/cases").json()["cases"]
    path = f"/v1/cases/{case['id']}"
    service.post(f"{path}/claim")
    answer = {"finding": "csam", "version": service.get(path).json()["case"]["version"]}
    assert service.post(f"{path}/decide", json=answer).status_code == 200
    return str(case["id"])


def by_of(service: Service, action: str) -> str:  # noqa: F811
    with reading(service.node.engine) as connection:
        query = select(audit_record.c.actor).where(audit_record.c.action == action)
        return str(connection.scalars(query).all()[-1])


def named(service: Service, key: str) -> str:  # noqa: F811
    """As the log names a key."""
    secret = service.key(key)
    return f"key:{secret.split('_')[1]}"


def test_a_package_for_an_authority(service: Service, theirs: Identity, tmp_path: Path) -> None:  # noqa: F811
    case = confirmed(service)
    body = {"case": case, "recipients": [theirs.public], "urgent": "a child may be in danger"}
    answer = service.post("/v1/packages", service.key("disclose"), json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-tar")
    out = tmp_path / "it.tar"
    out.write_bytes(answer.content)
    found, document = check_opened(out, theirs)
    assert (found.faults, found.opened) == ((), True)
    assert document.urgent == "a child may be in danger"
    assert answer.headers["nightlamp-package"] == document.id
    assert by_of(service, "report.bundled") == named(service, "disclose")
    # and nothing of it stays
    assert list((service.node.settings.data_dir / "packages").iterdir()) == []

    [row] = service.get("/v1/packages", service.key("report")).json()["packages"]
    assert (row["id"], row["case"], row["by"]) == (document.id, case, named(service, "disclose"))
    names = service.get("/v1/packages/authorities", service.key("report")).json()["authorities"]
    assert {each["name"] for each in names} >= {"generic", "nca"}


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"case": "nothing"}, 404, ""),
        ({"authority": "nobody"}, 404, "authority"),
        ({"authority": "nca"}, 422, "nca"),  # whom the NCA may reach is not set
        ({"recipients": ["age1nonsense"]}, 409, ""),
        ({"recipients": []}, 422, ""),
    ],
)
def test_what_cannot_be_made_is_a_problem_that_says_why(
    service: Service, theirs: Identity, change: dict[str, Any], status: int, where: str  # noqa: F811
) -> None:  # fmt: skip
    body = {"case": confirmed(service), "recipients": [theirs.public]} | change
    answer = service.post("/v1/packages", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("where", "").startswith(where)
    assert service.get("/v1/packages").json()["packages"] == []


def test_a_disclosure_by_two_keys(start: Any, sqlite_url: str, theirs: Identity, tmp_path: Path) -> None:  # noqa: F811
    service = start(sqlite_url, reports={"disclosure_people": 2})  # noqa: F811
    item = held(service)
    body = {"subject": item, "process": "warrant 7", "recipients": [theirs.public]}
    one, two = service.key("disclose"), service.key("disclose", "audit")
    for _ in range(2):  # the same person once more is one person
        asked = service.post("/v1/disclosures", one, json=body)
        assert (asked.status_code, asked.json()) == (202, {"asked": True})
    made = service.post("/v1/disclosures", two, json=body)
    assert made.status_code == 200
    out = tmp_path / "it.tar"
    out.write_bytes(made.content)
    assert check(out).faults == ()
    with reading(service.node.engine) as connection:
        query = select(audit_record.c.actor).where(audit_record.c.action == "disclosure.asked")
        assert len(set(connection.scalars(query))) == 2
    [hold] = [each for each in service.get("/v1/holds").json()["holds"] if each["legal"]]
    assert "warrant 7" in hold["reason"]


def test_only_whom_the_settings_name_may_disclose(start: Any, sqlite_url: str, theirs: Identity) -> None:  # noqa: F811
    service = start(sqlite_url, reports={"disclosers": ["operator:counsel"]})  # noqa: F811
    body = {"subject": held(service), "process": "warrant 7", "recipients": [theirs.public]}
    answer = service.post("/v1/disclosures", service.key("disclose"), json=body)
    assert (answer.status_code, answer.json()["where"]) == (403, named(service, "disclose"))


def test_a_node_without_the_private_key_makes_none(service: Service, theirs: Identity) -> None:  # noqa: F811
    case = confirmed(service)
    (service.node.settings.data_dir / "vault.key").unlink()
    body = {"case": case, "recipients": [theirs.public]}
    answer = service.post("/v1/packages", service.key("disclose"), json=body)
    assert (answer.status_code, "no private key" in answer.json()["detail"]) == (503, True)
