"""Packages: made, signed, checked, opened; and what may not be made."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import insert, update

from nightlamp.audit import PublicKeys, SigningKey, verify_export
from nightlamp.cases.tables import case_item, decision, review_case
from nightlamp.errors import OutputError, ReportError, VaultError
from nightlamp.intake import get_item
from nightlamp.origin import origin_of
from nightlamp.reports.authorities import GROUP, authorities, conforms
from nightlamp.reports.bundle import Document, bundle, check, check_opened, disclose
from nightlamp.reports.bundle import Office as Maker
from nightlamp.reports.bundle.paper import _Type
from nightlamp.reports.tables import report
from nightlamp.settings.reports import ReportsSettings
from nightlamp.store import new_id, reading
from nightlamp.values import Hold
from nightlamp.vault import Identity, Recipients, destroy
from nightlamp.vault.holds import running

from .conftest import Office
from .model import NOON
from .test_drafts import submitted

SETTINGS = ReportsSettings(company="Example Ltd", contact_email="trust@example.org", platform="Example")


@pytest.fixture
def maker(office: Office) -> Maker:
    return Maker(office.vault, office.identity, SigningKey.generate(), SETTINGS, "operator:ann")


@pytest.fixture
def theirs() -> Identity:
    return Identity.generate()


def to(identity: Identity) -> Recipients:
    return Recipients.of([identity.public])


def case_of(office: Office, *items: str, finding: str | None = "csam") -> str:
    """A case of these items, decided or not."""
    case, decided = new_id(), new_id()
    row = {
        "id": case, "queue": "", "priority": 2, "two_person": False, "known": False,
        "state": "decided" if finding else "open", "round": 1, "rule": "", "opened_at": NOON,
        "order_at": NOON, "grown_at": NOON, "items": len(items), "actors": 1, "places": 1, "version": 1,
        "changed": "", "decided_at": NOON if finding else None, "decision": decided if finding else None,
    }  # fmt: skip
    given = {
        "id": decided, "case": case, "round": 1, "version": 1, "by": "person:a", "at": NOON,
        "finding": finding, "classification": "A1", "ai_made": "unknown", "drawn": False, "reason": "",
        "note": "never shown", "opinion": "first", "before": "open", "final": True, "effective_at": NOON,
    }  # fmt: skip
    of = [
        {"item": each, "case": case, "verdict": new_id(), "how": "first", "actor": "u-1", "place": "",
         "added_at": NOON}
        for each in items
    ]  # fmt: skip

    def work(connection: Any) -> None:
        connection.execute(insert(review_case).values(row))
        connection.execute(insert(case_item), of)
        if finding:
            connection.execute(insert(decision).values(given))

    office.writer.write(work)
    return case


def confirmed(office: Office, files: int = 2) -> str:
    return case_of(office, *(submitted(office, content=b"marker %d" % at * 40_000) for at in range(files)))


def opened(path: Path, identity: Identity) -> dict[str, bytes]:
    """Every sealed part, as age would give it."""
    return {
        each.relative_to(path).as_posix().removesuffix(".age"): pyrage.decrypt(
            each.read_bytes(), [identity.key]
        )
        for each in path.rglob("*.age")
    }


def test_a_package_says_what_is_known_and_only_its_recipient_reads_it(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path
) -> None:
    case, out = confirmed(office), tmp_path / "package"
    made = bundle(maker, case, out, to(theirs))
    assert check(out) == replace(check(out), manifest=made, faults=(), trusted=False)
    found, document = check_opened(out, theirs, PublicKeys.of([maker.key.public]))
    assert (found.faults, found.trusted, found.opened) == ((), True, True)
    assert document.decision is not None
    assert (document.decision.finding, document.decision.people) == ("csam", 1)
    assert [each.content.name for each in document.items if each.content] == ["files/00001", "files/00002"]
    assert document.items[0].found_by == ("a hotline",)
    assert not document.items[0].viewed_whole
    assert document.persons[0].addresses[0].ip == "192.0.2.7"
    parts = opened(out, theirs)
    assert parts["files/00001"] == b"marker 0" * 40_000
    assert parts["report.pdf"].startswith(b"%PDF-")
    everything = b"".join(parts[name] for name in ("report.json", "report.pdf"))
    for hidden in (b"never shown", b"entry-1", b"person:a"):
        assert hidden not in everything
    with pytest.raises(ReportError, match="private key"):
        check_opened(out, Identity.generate())


def test_why_a_file_is_declared_ai_made_is_said_and_its_prompt_is_not(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, out, printed = PngInfo(), io.BytesIO(), []
    info.add_text("parameters", "a secret prompt\nSteps: 20, Sampler: Euler a, Seed: 1234567, Model: abc")
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    origin = origin_of(out.getvalue())
    assert origin.outcome == "declared AI-made"
    case = case_of(office, submitted(office, content=out.getvalue(), origin=origin))
    real = _Type.set
    monkeypatch.setattr(
        _Type, "set", lambda self, text, *more: (printed.append(str(text)), real(self, text, *more))[1]
    )

    bundle(maker, case, tmp_path / "package", to(theirs))

    _, document = check_opened(tmp_path / "package", theirs)
    assert document.items[0].origin_sentence == origin.sentence
    assert origin.sentence in printed
    for told in (document.model_dump_json(), "\n".join(printed)):
        assert "secret prompt" not in told
        assert "1234567" not in told


def test_nothing_on_the_disk_is_clear(office: Office, maker: Maker, theirs: Identity, tmp_path: Path) -> None:
    case, out = confirmed(office), tmp_path / "package"
    bundle(maker, case, out, to(theirs))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"marker 0" not in path.read_bytes(), path
    for path in out.rglob("*"):
        if path.is_file():
            assert b"192.0.2.7" not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


@pytest.mark.parametrize("how", ["flip", "cut", "remove", "add", "swap", "manifest", "signature", "rename"])
def test_any_change_is_found(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path, how: str
) -> None:
    case, out = confirmed(office), tmp_path / "package"
    bundle(maker, case, out, to(theirs))
    first, second = out / "files/00001.age", out / "files/00002.age"
    data = bytearray(first.read_bytes())
    if how == "flip":
        data[-1] ^= 1
        first.write_bytes(data)
    elif how == "cut":
        first.write_bytes(data[:-1])
    elif how == "remove":
        first.unlink()
    elif how == "add":
        (out / "files/00003.age").write_bytes(data)
    elif how == "swap":
        first.write_bytes(second.read_bytes())
    elif how == "manifest":
        manifest = out / "manifest.json"
        manifest.write_bytes(manifest.read_bytes().replace(b'"purpose":"report"', b'"purpose":"disclosure"'))
    elif how == "signature":
        (out / "manifest.sig").write_bytes(b"AAAA\n")
    else:
        first.rename(out / "files/00009.age")
    assert check(out).faults


def test_a_part_of_another_package_is_not_what_the_report_says(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path
) -> None:
    """Whoever has the signing key could sign it; the recipient still sees it."""
    one, two = tmp_path / "one", tmp_path / "two"
    bundle(maker, case_of(office, submitted(office, content=b"a" * 99)), one, to(theirs))
    bundle(maker, case_of(office, submitted(office, content=b"b" * 99)), two, to(theirs))
    report_of_two = (two / "report.json.age").read_bytes()
    (one / "report.json.age").write_bytes(report_of_two)
    found, _ = check_opened(one, theirs)
    assert any("another package" in each for each in found.faults)
    assert any("not what the report says" in each for each in found.faults)


@pytest.mark.parametrize("name", ["../outside.age", "/etc/passwd", "files/../../x.age", "files/1.age", "x"])
def test_a_manifest_that_names_other_places_is_refused(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "package"
    bundle(maker, confirmed(office, 1), out, to(theirs))
    manifest = out / "manifest.json"
    value = json.loads(manifest.read_text())
    value["parts"][0]["name"] = name
    manifest.write_text(json.dumps(value))
    with pytest.raises(ReportError, match="part"):
        check(out)


def test_another_key_is_not_believed(office: Office, maker: Maker, theirs: Identity, tmp_path: Path) -> None:
    out = tmp_path / "package"
    bundle(maker, confirmed(office), out, to(theirs))
    assert check(out, PublicKeys.of([SigningKey.generate().public])).faults == ("the signature is not good",)


@pytest.mark.parametrize("finding", [None, "not_csam"])
def test_only_confirmed_cases_are_reported(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path, finding: str | None
) -> None:
    case = case_of(office, submitted(office), finding=finding)
    with pytest.raises(ReportError, match="not decided as csam"):
        bundle(maker, case, tmp_path / "package", to(theirs))
    assert not (tmp_path / "package").exists()


def test_a_failure_leaves_no_package(office: Office, maker: Maker, theirs: Identity, tmp_path: Path) -> None:
    case = confirmed(office)
    stranger = replace(maker, identity=Identity.generate())
    with pytest.raises(VaultError, match="identity"):
        bundle(stranger, case, tmp_path / "package", to(theirs))
    assert not list(tmp_path.glob("*package*"))
    (tmp_path / "package").mkdir()
    with pytest.raises(OutputError, match="already"):
        bundle(maker, case, tmp_path / "package", to(theirs))


def test_content_that_is_not_there_is_said(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path
) -> None:
    item, out = submitted(office), tmp_path / "package"
    case = case_of(office, item)
    with reading(office.engine) as connection:
        gone = get_item(connection, item).object
    assert gone is not None
    assert destroy(office.vault, gone, actor="operator:a", request="order 1")
    bundle(maker, case, out, to(theirs))
    _, document = check_opened(out, theirs)
    assert (document.items[0].content, document.items[0].without_content) == (
        None,
        "it is not kept (any more)",
    )


def test_the_content_is_held_and_the_log_says_what_was_made(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path
) -> None:
    bundle(maker, confirmed(office, 1), tmp_path / "package", to(theirs), authority="nca")
    with office.engine.begin() as connection:
        held = [each for each in running(connection) if each.reason == "report to nca"]
    assert [each.jurisdiction for each in held] == ["UK"]
    assert (held[0].expires - NOON).days >= 365
    assert "report.bundled" in office.audited()


@pytest.mark.parametrize(("days", "held"), [(30, 365), (400, 400)])
def test_what_the_operator_sets_makes_the_term_longer_and_never_shorter(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path, days: int, held: int
) -> None:
    of = replace(maker, settings=SETTINGS.model_copy(update={"hold_days": days}))
    for name in ("nca", "generic"):
        bundle(of, confirmed(office, 1), tmp_path / name, to(theirs), authority=name)
    with reading(office.engine) as connection:
        terms = {each.reason: (each.expires - NOON).days for each in running(connection)}
    assert (terms["report to nca"], terms["report to generic"]) == (held, held)


class TestUnitedKingdom:
    def test_what_ncmec_has_need_not_be_reported_again(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        case = confirmed(office, 1)
        made = office.draft(0, case=case)
        finished = {"state": "finished", "host": "production", "remote": 7, "finished_at": NOON}
        office.writer.write(lambda c: c.execute(update(report).where(report.c.id == made).values(**finished)))
        with pytest.raises(ReportError, match="need not be reported again"):
            bundle(maker, case, tmp_path / "package", to(theirs), authority="nca")
        bundle(maker, case, tmp_path / "package", to(theirs), authority="nca", again=True)
        _, document = check_opened(tmp_path / "package", theirs)
        assert [each.number for each in document.elsewhere] == ["7"]

    def test_a_report_to_a_test_host_frees_from_nothing(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        case = confirmed(office, 1)
        made = office.draft(0, case=case)
        finished = {"state": "finished", "host": "test", "remote": 7, "finished_at": NOON}
        office.writer.write(lambda c: c.execute(update(report).where(report.c.id == made).values(**finished)))
        bundle(maker, case, tmp_path / "package", to(theirs), authority="nca")

    def test_an_immediate_threat_is_said_first(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        out = tmp_path / "package"
        bundle(maker, confirmed(office, 1), out, to(theirs), authority="nca", urgent="live stream")
        _, document = check_opened(out, theirs)
        assert document.notes[0].startswith("Priority 1")
        assert any("was not sent" in each for each in document.notes)

    def test_who_reports_must_be_known(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        nobody = replace(maker, settings=ReportsSettings())
        with pytest.raises(ReportError, match=r"reports\.company"):
            bundle(nobody, confirmed(office, 1), tmp_path / "p", to(theirs), authority="nca")


@pytest.mark.parametrize("name", sorted(authorities()))
def test_every_authority_conforms(name: str) -> None:
    assert conforms(authorities()[name]) == []


def test_an_authority_that_leaves_things_out_does_not_conform() -> None:
    class Bad:
        profile = replace(authorities()["generic"].profile, name="Bad Name", jurisdiction="nowhere")

        def faults(self, document: Document) -> tuple[str, ...]:
            return ()

        def prepare(self, document: Document) -> Document:
            return document.model_copy(update={"items": (), "notes": ()})

    wrong = "\n".join(conforms(Bad()))
    for each in ("profile.name", "profile.retention", "changed items", "lost notes", "of nothing"):
        assert each in wrong


PLUGIN = """
from nightlamp.reports.authorities import Profile
from nightlamp.values import Hold

class Atlantis:
    profile = Profile("atlantis", "The hotline of Atlantis", "AT", "By hand.", retention=Hold(months=6))
    def faults(self, document):
        return () if document.items else ("there is nothing in it",)
    def prepare(self, document):
        return document

ATLANTIS = Atlantis()
NOTHING = object()
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs, for this process, what a package brings under the entry point group."""
    site = tmp_path / "site"
    info = site / "atlantis-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "atlantis_authority.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: atlantis\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(site)

    def install(*values: str) -> None:
        entries = [f"a{at} = atlantis_authority:{value}" for at, value in enumerate(values)]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *entries, ""]))
        authorities.cache_clear()

    yield install
    authorities.cache_clear()
    sys.modules.pop("atlantis_authority", None)


def test_a_plugin_brings_an_authority_and_the_term_of_its_law(
    office: Office, maker: Maker, theirs: Identity, tmp_path: Path, plugin: Callable[..., None]
) -> None:
    plugin("ATLANTIS")
    assert conforms(authorities()["atlantis"]) == []
    bundle(maker, confirmed(office, 1), tmp_path / "package", to(theirs), authority="atlantis")
    with reading(office.engine) as connection:
        [hold] = [each for each in running(connection) if each.reason == "report to atlantis"]
    assert (hold.jurisdiction, hold.expires) == ("AT", Hold(months=6).until(NOON))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["MISSING"], r"cannot be imported \(AttributeError\)"),
        (["NOTHING"], "is no authority"),
        (["ATLANTIS", "ATLANTIS"], "two plug-ins bring"),
    ],
)
def test_a_plugin_that_is_none_is_named(plugin: Callable[..., None], values: list[str], says: str) -> None:
    plugin(*values)
    with pytest.raises(ReportError, match=says) as refused:
        authorities()
    assert "atlantis_authority" in str(refused.value.where)


def test_the_schema_is_the_one_that_is_documented() -> None:
    path = Path(__file__).parents[2] / "docs/formats/report.schema.json"
    assert json.loads(path.read_text()) == Document.model_json_schema()


class TestDisclosure:
    def test_it_has_all_and_proves_its_chain_of_custody(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        case, out = confirmed(office), tmp_path / "warrant.tar"
        submitted(office)  # another item, which is nobody's business
        made = disclose(maker, case, out, to(theirs), process="warrant  26-114")
        assert made is not None
        found, document = check_opened(out, theirs, PublicKeys.of([maker.key.public]))
        assert (found.faults, document.process) == ((), "warrant 26-114")
        with tarfile.open(out) as tar:
            tar.extractall(tmp_path / "unpacked", filter="data")
        parts = opened(tmp_path / "unpacked", theirs)
        (tmp_path / "audit.jsonl").write_bytes(parts["audit.jsonl"])
        report_, _ = verify_export(tmp_path / "audit.jsonl", PublicKeys.of([maker.key.public]))
        assert report_.intact
        shown = [
            json.loads(line)["record"] for line in parts["audit.jsonl"].splitlines() if b'"record"' in line
        ]
        assert [each["sequence"] for each in shown] == [each.sequence for each in document.custody]
        actions = [each["action"] for each in shown]
        for step in ("vault.kept", "vault.held", "disclosure.asked", "vault.opened", "disclosure.made"):
            assert step in actions
        subjects = {each["subject"] for each in shown}
        objects = {each for each in subjects if each.startswith("object:")}
        assert len(objects) == 2

    def test_the_content_is_held_for_the_process(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        item = submitted(office)
        until = NOON.replace(year=2035)
        disclose(maker, item, tmp_path / "d.tar", to(theirs), process="warrant 1", until=until)
        with office.engine.begin() as connection:
            held = [each for each in running(connection) if each.legal]
        assert [(each.reason, each.expires) for each in held] == [("legal request warrant 1", until)]

    def test_two_people_must_ask_for_the_same(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        two = replace(maker, settings=SETTINGS.model_copy(update={"disclosure_people": 2}))
        bob, out = replace(two, actor="operator:bob"), tmp_path / "d.tar"
        item = submitted(office)
        assert disclose(two, item, out, to(theirs), process="warrant 1") is None
        assert disclose(two, item, out, to(theirs), process="warrant 1") is None
        assert disclose(bob, item, out, to(theirs), process="warrant 2") is None
        assert disclose(bob, item, out, to(Identity.generate()), process="warrant 1") is None
        assert not out.exists()
        assert disclose(bob, item, out, to(theirs), process="warrant 1") is not None
        # and what was asked for is used up
        assert disclose(two, item, tmp_path / "again.tar", to(theirs), process="warrant 1") is None

    def test_a_request_of_last_month_does_not_count(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        two = replace(maker, settings=SETTINGS.model_copy(update={"disclosure_people": 2}))
        item = submitted(office)
        assert disclose(two, item, tmp_path / "d.tar", to(theirs), process="warrant 1") is None
        office.clock.move(days=8)
        bob = replace(two, actor="operator:bob")
        assert disclose(bob, item, tmp_path / "d.tar", to(theirs), process="warrant 1") is None

    def test_only_those_who_are_named_may(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        few = replace(maker, settings=ReportsSettings(disclosers="operator:lead, operator:counsel"))
        with pytest.raises(ReportError, match="does not name you"):
            disclose(few, submitted(office), tmp_path / "d.tar", to(theirs), process="warrant 1")

    def test_an_undecided_case_can_be_disclosed_and_nothing_cannot(
        self, office: Office, maker: Maker, theirs: Identity, tmp_path: Path
    ) -> None:
        case = case_of(office, submitted(office), finding=None)
        assert disclose(maker, case, tmp_path / "d.tar", to(theirs), process="w") is not None
        with pytest.raises(ReportError, match="no such case or item"):
            disclose(maker, "nothing", tmp_path / "e.tar", to(theirs), process="w")
