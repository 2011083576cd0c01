"""Evidence in clear: nowhere on a disk, in no log, in no answer, whatever is done with it."""

from __future__ import annotations

import base64
import ctypes
import io
import os
import resource
import sys
import tarfile
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import pyrage
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import update
from tests.forking import FORKING
from tests.server.conftest import Service, digest, service, start, workers  # noqa: F401 (fixtures)

from nightlamp.audit import SigningKey
from nightlamp.cases.tables import decision
from nightlamp.cli import app
from nightlamp.dumps import forbid_core_dumps
from nightlamp.reports import Evidence, Sender
from nightlamp.reports.bundle import Office as Maker
from nightlamp.reports.bundle import bundle, disclose
from nightlamp.reports.cybertip import Credentials, CyberTip, as_json, fake_host
from nightlamp.reports.fake import PASSWORD, USER, Desk
from nightlamp.reports.transparency import figures, page
from nightlamp.settings.reports import ReportsSettings
from nightlamp.store import reading, utc_now
from nightlamp.vault import Identity, Recipients

from .model import Wire, minimal

WORDS = b"marker-of-harmless-evidence"


def drawn() -> tuple[bytes, list[bytes]]:
    """A picture with words in it, and pieces that must be found nowhere."""
    info, out = PngInfo(), io.BytesIO()
    info.add_text("Comment", WORDS.decode())
    Image.effect_noise((300, 300), 90).save(out, "PNG", pnginfo=info)
    data = out.getvalue()
    pieces = [data[at : at + 64] for at in (len(data) // 3, len(data) // 2)]
    coded = [WORDS.hex().encode(), *(base64.b64encode(each)[4:-4] for each in (WORDS, *pieces))]
    return data, [WORDS, *pieces, *(each.hex().encode() for each in pieces), *coded]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary files are looked at, too."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def found_in(folder: Path, pieces: list[bytes]) -> list[str]:
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert files
    return [str(each) for each in files if any(piece in each.read_bytes() for piece in pieces)]


def test_the_search_finds_what_is_in_clear(tmp_path: Path) -> None:
    data, pieces = drawn()
    for at, content in enumerate((data, data.hex().encode(), base64.b64encode(WORDS + b"12"))):
        (tmp_path / f"{at}").write_bytes(content)
    assert len(found_in(tmp_path, pieces)) == 3


def test_a_whole_run_leaves_nothing_in_clear(service: Service, tmp_path: Path) -> None:  # noqa: F811
    data, pieces = drawn()
    node, theirs, told = service.node, Identity.generate(), []
    identity = Identity.read(node.settings.data_dir / "vault.key")
    key = SigningKey.read(node.settings.audit_key_file)
    # an item comes, is matched, held, reviewed and confirmed
    service.bank("list", digest("md5", data))
    told.append(service.submit(data, actor="u-1").text)
    service.run("cases")
    case = service.post("/v1/cases/next", json={}).json()["case"]
    told.append(service.get(f"/v1/cases/{case['id']}").text)
    answer = {"version": case["version"], "finding": "csam"}
    assert service.post(f"/v1/cases/{case['id']}/decide", json=answer).status_code == 200
    node.writer.write(lambda c: c.execute(update(decision).values(effective_at=utc_now())))
    service.run("decisions")
    # the report is completed, approved and sent to the fake
    [draft] = service.get("/v1/reports").json()["reports"]
    path = f"/v1/reports/{draft['id']}"
    changed = {"version": draft["version"], "document": as_json(minimal())}
    assert service.call("PUT", path, json=changed).status_code == 200
    assert service.post(f"{path}/approve", json={"version": draft["version"] + 1}).status_code == 200
    desk = Desk()
    client = CyberTip(
        fake_host("http://127.0.0.1:9/ispws"), Credentials(USER, PASSWORD), http=lambda _: Wire(desk.answer)
    )
    while Sender(node.writer, client, Evidence(node.vault, identity)).run_once():
        pass
    told.append(service.get(path).text)
    assert [len(each.files) for each in desk.finished] == [1]
    # packages and figures are made of it
    settings = ReportsSettings(company="Example", contact_email="a@example.org")
    maker = Maker(node.vault, identity, key, settings, "operator:a")
    to = Recipients.of([theirs.public])
    bundle(maker, case["id"], tmp_path / "package", to, authority="nca")
    disclose(maker, case["id"], tmp_path / "warrant.tar", to, process="warrant 1")
    with reading(node.engine) as connection:
        today = utc_now().date()
        told.append(page(figures(connection, today, today, threshold=0)))

    # then it was there, and is nowhere in clear
    with tarfile.open(tmp_path / "warrant.tar") as tar:
        member = tar.extractfile("files/00001.age")
        assert member is not None
        assert pyrage.decrypt(member.read(), [theirs.key]) == data
    assert found_in(tmp_path, pieces) == []
    pdf = pyrage.decrypt((tmp_path / "package/report.pdf.age").read_bytes(), [theirs.key])
    for text in (service.log.getvalue(), *told):
        assert not any(piece.decode("latin-1") in text for piece in pieces)
    assert not any(piece in pdf for piece in pieces)
    assert b"/Subtype /Image" not in pdf


@pytest.mark.parametrize("name", ["bundle", "disclosure"])
def test_a_package_that_breaks_off_leaves_nothing_either(
    service: Service,  # noqa: F811
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, pieces = drawn()
    service.bank("list", digest("md5", data))
    item = service.submit(data).json()["id"]
    node = service.node
    identity = Identity.read(node.settings.data_dir / "vault.key")
    maker = Maker(node.vault, identity, SigningKey.generate(), ReportsSettings(), "operator:a")

    def full(*_: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nightlamp.reports.bundle.making.write_paper", full)
    to = Recipients.of([Identity.generate().public])
    with suppress(Exception):
        if name == "bundle":
            service.run("cases")
            case = service.get("/v1/cases").json()["cases"][0]
            answer = {"version": case["version"], "finding": "csam"}
            service.post(f"/v1/cases/{case['id']}/claim")
            service.post(f"/v1/cases/{case['id']}/decide", json=answer)
            bundle(maker, case["id"], tmp_path / "out", to)
        else:
            disclose(maker, item, tmp_path / "out", to, process="w")
    assert not [each for each in tmp_path.iterdir() if "out" in each.name]
    assert found_in(tmp_path, pieces) == []


def _dumpable() -> int:
    return int(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)) if sys.platform == "linux" else 0  # PR_GET_DUMPABLE


def _limits(tell: Pipe) -> None:
    forbid_core_dumps()
    tell.send((resource.getrlimit(resource.RLIMIT_CORE), _dumpable()))


def test_a_process_that_opens_evidence_leaves_no_core_dump() -> None:
    ours, theirs = FORKING.Pipe()
    process = FORKING.Process(target=_limits, args=(theirs,))
    process.start()
    assert ours.poll(60)
    assert ours.recv() == ((0, 0), 0)
    process.join()


def _after_commands(tell: Pipe, folder: Path) -> None:
    """What each command leaves of a process that may be dumped, though it then fails for want of anything."""
    os.environ["NIGHTLAMP_DATA_DIR"] = str(folder / "data")
    os.environ.pop("NIGHTLAMP_CONFIG", None)
    os.chdir(folder)
    nothing, to = ["--identity", "nothing.key"], ["--to", Identity.generate().public]
    commands = (
        ["report", "send"],
        ["report", "bundle", "case", *to, "--out", "package"],
        ["report", "bundle", "verify", "package", *nothing],
        ["disclose", "case", "--process", "warrant 1", *to, "--out", "out.tar"],
        ["vault", "rekey", *nothing, "--to", "new.pub"],
        ["vault", "keygen", "new.key"],
        ["serve", "--data-dir", "/dev/null/nowhere"],
    )
    left = []
    for words in commands:
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
        CliRunner().invoke(app, words)
        left.append((" ".join(words[:3]), _dumpable()))
    tell.send(left)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it of itself")
def test_every_command_that_opens_evidence_or_keys_forbids_it_first(tmp_path: Path) -> None:
    ours, theirs = FORKING.Pipe()
    process = FORKING.Process(target=_after_commands, args=(theirs, tmp_path))
    process.start()
    assert ours.poll(60)
    assert [name for name, dumpable in ours.recv() if dumpable] == []
    process.join()
