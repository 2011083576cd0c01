"""``nightlamp report`` and the built-in fake, from the outside."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nightlamp.cli import app
from nightlamp.reports import Sender, change, wiring
from nightlamp.reports.cybertip import Credentials, CyberTip, FileDetails, as_json, fake_host
from nightlamp.reports.cybertip.schema import validator
from nightlamp.reports.cybertip.xml import write
from nightlamp.reports.fake import PASSWORD, USER, Desk, serving
from nightlamp.vault import Identity

from .conftest import Office
from .model import minimal
from .test_sending import work


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs ``nightlamp …`` on a data folder of the test's own."""
    monkeypatch.setenv("NIGHTLAMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("NIGHTLAMP_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, status: int = 0) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == status, result.output
        return result.output

    return call


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, run: Any, tmp_path: Path) -> Any:
    """A service that is set up, whose authority is a fake."""
    run("db", "upgrade")
    Identity.generate().write(tmp_path / "data" / "vault.key")
    desk = Desk()
    with serving(desk.answer) as base:
        client = CyberTip(fake_host(base), Credentials(USER, PASSWORD))
        monkeypatch.setattr(wiring, "client_of", lambda _: client)
        monkeypatch.setattr("nightlamp.reports.client_of", lambda _: client)
        yield desk


def test_a_report_from_a_file_to_a_number(run: Any, desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("{}")
    made = run("report", "draft", path).strip()
    assert "reporter: must be given" in run("report", "show", made)
    run("report", "approve", made, "--version", 1, status=65)

    path.write_text(json.dumps(as_json(minimal())))
    assert "version 2" in run("report", "change", made, path, "--version", 1)
    run("report", "approve", made, "--version", 2)
    assert "approved" in run("report", "list")
    assert "number 10000001 at the fake host" in run("report", "send", made)
    assert [each.id for each in desk.finished] == [10000001]

    shown = run("report", "show", made)
    assert "finish" in shown
    assert "<incidentSummary>" in run("report", "show", made, "--xml")
    assert json.loads(run("report", "show", made, "--json")) == as_json(minimal())
    run("report", "retract", made, "--reason", "too late", status=65)
    assert "0 success" in run("report", "status", "--ask")
    assert len(run("report", "follow-up", made).strip()) == 36


def test_the_schema_is_fetched_and_kept(run: Any, desk: Desk, tmp_path: Path) -> None:
    path, said = run("report", "xsd").splitlines()
    assert "does not speak of fileDetails" in said
    assert Path(path).read_bytes().startswith(b"<?xml")


def test_without_credentials_nothing_is_asked(run: Any) -> None:
    run("db", "upgrade")
    assert "reports.username" in run("report", "status", "--ask", status=78)
    assert "reports.username" in run("report", "xsd", status=78)


def test_the_drill_shows_that_all_is_as_it_should_be(run: Any) -> None:
    said = run("report", "drill")
    assert said.rstrip().endswith("all as it should be")
    assert "4 finished reports of 6 that were opened" in said


XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="report"><xs:complexType><xs:sequence>
    <xs:element name="incidentSummary"><xs:complexType><xs:sequence>
      <xs:element name="incidentType" type="xs:string"/>
      <xs:element name="incidentDateTime" type="xs:dateTime"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="internetDetails" maxOccurs="unbounded"/>
    <xs:element name="reporter"/>
    <xs:element name="additionalInfo" minOccurs="0">
      <xs:simpleType><xs:restriction base="xs:string">
        <xs:maxLength value="5"/>
      </xs:restriction></xs:simpleType>
    </xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def test_a_schema_at_hand_has_the_last_word(office: Office, tmp_path: Path) -> None:
    pytest.importorskip("xmlschema", reason="the extra xsd is not installed")
    path = tmp_path / "cybertip.xsd"
    path.write_text(XSD)
    says = validator(path)
    assert says(write(minimal())) == ""
    secret = minimal(additional_info="a secret that is too long")
    assert "/report/additionalInfo" in says(write(secret))

    made = office.approved(document=secret)
    Sender(office.writer, office.client(), office.evidence, clock=office.clock, valid=says).run_once()
    found = office.read(made)
    assert found.state == "person"
    assert "the schema refuses it" in found.why
    assert "secret" not in found.why
    assert not office.desk.calls


FILES = XSD.replace(
    "</xs:schema>",
    """<xs:element name="fileDetails"><xs:complexType><xs:sequence>
    <xs:element name="reportId" type="xs:long"/>
    <xs:element name="fileId" type="xs:string"/>
    <xs:element name="fileName" minOccurs="0">
      <xs:simpleType><xs:restriction base="xs:string">
        <xs:maxLength value="5"/>
      </xs:restriction></xs:simpleType>
    </xs:element>
    <xs:element name="fileViewedByEsp" type="xs:boolean" minOccurs="0"/>
    <xs:element name="exifViewedByEsp" type="xs:boolean" minOccurs="0"/>
    %s
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>""",
)
HASHES = '<xs:element name="originalFileHash" minOccurs="0" maxOccurs="unbounded"/>'


@pytest.mark.parametrize(
    ("more", "name", "state", "calls"),
    [
        (HASHES, "a.png", "finished", 6),
        (HASHES, "secret.png", "person", 0),  # before anything is opened
        ("", "a.png", "person", 2),  # what is known after the upload alone, before it is said
    ],
)
def test_the_details_of_files_are_checked_by_it_too(
    office: Office, tmp_path: Path, more: str, name: str, state: str, calls: int
) -> None:
    pytest.importorskip("xmlschema", reason="the extra xsd is not installed")
    path = tmp_path / "cybertip.xsd"
    path.write_text(FILES % more)
    says = validator(path)
    made = office.draft(files=2)
    [_, second] = office.read(made).files
    details = {second.id: FileDetails(file_name=name)}
    office.writer.write(
        lambda c: change(c, made, minimal(), version=1, by="person:a", now=office.clock(), files=details)
    )
    office.approve(made)
    Sender(office.writer, office.client(), office.evidence, clock=office.clock, valid=says).run_once()
    found = office.read(made)
    assert (found.state, len(office.desk.calls)) == (state, calls)
    if state == "person":
        assert re.match(r"the schema refuses file [12]: /fileDetails", found.why)
        assert "secret" not in found.why


def test_evidence_is_nowhere_in_clear_on_the_disk(office: Office, tmp_path: Path) -> None:
    marker = b"harmless, and easy to find " * 400
    office.objects = [office.keep(marker)]
    made = office.approved()
    work(office)
    assert office.read(made).state == "finished"
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert marker[:27] not in path.read_bytes(), path.name
