"""``disclose``, ``report bundle`` and ``hold`` from the outside."""

from __future__ import annotations

import pytest

from nightlamp.intake import Submission
from nightlamp.intake.deciding import Subject
from nightlamp.intake.recording import Entry, Recorder
from nightlamp.intake.submission import Ruling
from nightlamp.settings import load
from nightlamp.store import Writer, connect, new_id, utc_now
from nightlamp.values import Examination, Handling, Hold, Verdict
from nightlamp.vault import Identity, open_vault

from .test_service_commands import ready, run  # noqa: F401 (fixtures)


@pytest.fixture
def item(ready, tmp_path, monkeypatch) -> tuple[str, str]:  # noqa: F811
    """An item that is held: its id, and its object's."""
    monkeypatch.setenv("NIGHTLAMP_REPORTS_IDENTITY_FILE", str(tmp_path / "vault.key"))
    settings = load()
    engine, made = connect(settings.database_url), new_id()
    vault = open_vault(settings, engine)
    with Writer(engine) as writer:
        from datetime import timedelta

        verdict = Verdict("block", (), (), rule="listed", handling=Handling(hold=Hold(months=12)))
        subject = Subject(made, Submission("thekey"), Examination("image/png", 4, 1, 1, 1, ()), False)
        ruling = Ruling(new_id(), made, verdict, None, 0, False, 0, utc_now())
        sealed = vault.seal(b"a drawn picture")
        recorder = Recorder(writer, vault, timedelta(0))
        writer.write(lambda c: recorder.write(c, [Entry(subject, ruling, utc_now(), sealed=sealed)]))
    engine.dispose()
    held = ready("hold", "list").splitlines()[-1].split()
    return made, held[1]


def test_a_disclosure_is_made_checked_and_held_for(ready, item, tmp_path):  # noqa: F811
    theirs = Identity.generate()
    theirs.write(tmp_path / "theirs.key")
    out = tmp_path / "warrant.tar"
    asked = ("disclose", item[0], "--process", "warrant 1", "--to", theirs.public)
    assert "signed by" in ready(*asked, "--out", out)
    ready(*asked, "--out", out, status=73)
    verify = ("report", "bundle", "verify", out)
    pub = ("--public-key", tmp_path / "data/audit.key.pub")
    assert "whole and unchanged: 4 parts" in ready(*verify, *pub, "--identity", tmp_path / "theirs.key")
    data = bytearray(out.read_bytes())
    data[len(data) // 2] ^= 1
    out.write_bytes(data)
    assert "NOT WELL" in ready(*verify, status=1)
    assert "legal request warrant 1" in ready("hold", "list", item[1])


def test_what_is_no_package_is_said(ready, tmp_path):  # noqa: F811
    (tmp_path / "x").write_bytes(b"not a tar")
    assert "cannot be read" in ready("report", "bundle", "verify", tmp_path / "x", status=65)
    assert "nca: Report to the National Crime Agency" in ready("report", "bundle", "authorities")


def test_a_case_that_is_not_there_is_said(ready, item, tmp_path):  # noqa: F811
    to = Identity.generate().public
    assert "no such case" in ready("report", "bundle", "nothing", "--to", to, "--out", "x", status=65)


def test_a_legal_request_and_an_order_to_destroy(ready, item):  # noqa: F811
    ready("hold", "request", item[1], "--process", "warrant 1", "--until", "2099-01-01")
    assert "legal request keeps it" in ready("hold", "destroy", item[1], "--request", "o", "--yes", status=65)
    hold = next(x for x in ready("hold", "list", item[1]).splitlines() if "warrant" in x).split()[0]
    ready("hold", "release", hold, "--reason", "withdrawn")
    assert ready("hold", "destroy", item[1], "--request", "order 7", "--yes") == "destroyed\n"
    assert "vault.destruction_ordered" in ready("audit", "show", "--subject", f"object:{item[1]}")
