"""docs/reporting.md, run as it stands: from credentials to a finished report, at the fake."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from nightlamp.cli import app
from nightlamp.reports import wiring
from nightlamp.reports.cybertip import fake_host
from nightlamp.reports.fake import PASSWORD, USER, Desk, desk, serving
from nightlamp.store import connect
from nightlamp.vault import Identity

from .conftest import open_office
from .test_drafts import submitted

PAGE = (Path(__file__).parents[2] / "docs" / "reporting.md").read_text()
BLOCK = re.compile(r"(?:^ *<!-- (\w+) -->\n)?^ *```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SCHEMA = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="report"/><xs:element name="fileDetails"/>
</xs:schema>"""


class Reader:
    """Somebody who follows the page in a folder: what they know, and what was printed last."""

    def __init__(self, folder: Path, item: str) -> None:
        self.folder, self.known, self.printed = folder, {"ITEM": item}, ""

    def run(self, line: str) -> None:
        words = [self.known.get(word, word) for word in shlex.split(line, comments=True)]
        target = words.pop() if ">" in words else ""
        assert words.pop(0) == "nightlamp", line
        result = CliRunner().invoke(app, words[:-1] if target else words)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        self.printed = result.stdout
        if target:
            (self.folder / target).write_text(self.printed)
        if words[:2] == ["report", "draft"]:
            self.known["REPORT"] = self.printed.strip()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """In place of NCMEC's test host."""
    monkeypatch.setattr(desk, "XSD", SCHEMA)
    fake = Desk()
    with serving(fake.answer) as base:
        monkeypatch.setattr(wiring, "host_of", lambda _: fake_host(base))
        yield fake


@pytest.fixture
def reader(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Who has been through the page before this one: there is an item whose content is held."""
    data, identity = tmp_path / "nightlamp-data", Identity.generate()
    data.mkdir()
    shutil.copy(sqlite_template, data / "nightlamp.db")
    identity.write(data / "vault.key")
    engine = connect(f"sqlite:///{data / 'nightlamp.db'}")
    with open_office(engine, data, identity) as office:
        item = submitted(office)
    engine.dispose()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NIGHTLAMP_CONFIG", raising=False)
    monkeypatch.setenv("NIGHTLAMP_REPORTS_PASSWORD", PASSWORD)
    return Reader(tmp_path, item)


def test_the_page_leads_from_credentials_to_a_finished_report(reader: Reader, fake: Desk) -> None:
    pytest.importorskip("xmlschema", reason="the extra xsd is not installed")
    walk = PAGE[PAGE.index("## From credentials") : PAGE.index("## In earnest")]
    for mark, kind, indented in BLOCK.findall(walk):
        text = dedent(indented)
        if mark:  # asked of the service
            continue
        if kind == "toml":
            (reader.folder / "nightlamp.toml").write_text(text.replace("…", USER))
        elif kind == "json":
            (reader.folder / "report.json").write_text(text)
        elif kind == "sh":
            for line in text.splitlines():
                reader.run(line)
        else:
            told = re.escape(text.strip()).replace("…", r"\S+").replace("test\\ host", "fake\\ host")
            assert re.search(told, reader.printed), reader.printed
    [finished] = fake.finished
    [file] = finished.files.values()
    assert file.details is not None
    assert (reader.folder / "nightlamp-data" / "cybertip.xsd").exists()


def test_where_two_must_approve_they_are_two_accounts(
    reader: Reader, fake: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = '[reports]\nusername = "nightlamp"\napprovals = 2\n'
    (reader.folder / "nightlamp.toml").write_text('data_dir = "./nightlamp-data"\n' + settings)
    [report] = re.findall(r"```json\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)[:1]
    (reader.folder / "report.json").write_text(report)
    reader.run("nightlamp report draft report.json --item ITEM")
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    reader.run("nightlamp report approve REPORT --version 1")
    assert "approved by 1 of 2" in reader.printed
    refused = [["approve", reader.known["REPORT"], "--version", "1"], ["send", reader.known["REPORT"]]]
    assert [CliRunner().invoke(app, ["report", *words]).exit_code for words in refused] == [65, 65]

    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    reader.run("nightlamp report approve REPORT --version 1")
    reader.run("nightlamp report send REPORT")
    assert len(fake.finished) == 1


def test_files_are_added_and_described(reader: Reader, fake: Desk) -> None:
    (reader.folder / "nightlamp.toml").write_text('data_dir = "./nightlamp-data"\n')
    (reader.folder / "empty.json").write_text("{}")
    (reader.folder / "details.json").write_text('{"publiclyAvailable": true, "fileViewedByEsp": true}')
    reader.run("nightlamp report draft empty.json")
    reader.run("nightlamp report add REPORT --item ITEM --supplemental --version 1")
    assert "version 2" in reader.printed
    reader.run("nightlamp report show REPORT --file 1")
    assert json.loads(reader.printed)["fileRelevance"] == "Supplemental Reported"
    reader.run("nightlamp report describe REPORT 1 details.json --version 2")
    reader.run("nightlamp report show REPORT --file 1")
    told = {"fileViewedByEsp": False, "exifViewedByEsp": False, "publiclyAvailable": True}
    assert json.loads(reader.printed) == told
    missing = CliRunner().invoke(app, ["report", "show", reader.known["REPORT"], "--file", "2"])
    assert (missing.exit_code, "no such file" in missing.output) == (65, True)
