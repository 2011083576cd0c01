"""Thousands of files of one incident in one report: resumed where it stopped, and never all in memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import pytest
from tests.forking import FORKING

from nightlamp.reports import Evidence, NewFile, Sender, add_files
from nightlamp.reports.cybertip import Credentials, CyberTip, FileDetails, fake_host
from nightlamp.reports.cybertip.choices import Relevance
from nightlamp.reports.fake import PASSWORD, USER, serving
from nightlamp.reports.fake.desk import Response
from nightlamp.reports.journey import CLEAN_TRIES, FEW
from nightlamp.store import Writer, connect
from nightlamp.vault import DiskPlace, Identity, Vault

from .conftest import Office
from .crashing import Crash
from .model import Wire

SUPPLEMENTAL = FileDetails(file_relevance=Relevance.SUPPLEMENTAL)


def filled(office: Office, count: int, size: int = 100) -> str:
    """An approved report of so many files, every tenth of them supplemental and added later."""
    noise = random.Random(3)
    office.objects = [office.keep(noise.randbytes(size)) for _ in range(count)]
    late = count // 10
    made = office.draft(count - late)
    more = [NewFile(each, details=SUPPLEMENTAL) for each in office.objects[count - late :]]
    office.writer.write(lambda c: add_files(c, made, more, version=1, by="person:a", now=office.clock()))
    office.approve(made)
    return made


class Dying:
    """The process dies after so many of its calls, half of them before the answer is stored."""

    def __init__(self, answer: Callable[..., Response], every: int) -> None:
        self._answer, self._every = answer, every
        self.deaths = self._calls = 0

    def answer(self, *request: Any) -> Response:
        self._calls += 1
        dies = self._calls % self._every == 0
        self.deaths += dies
        if dies and self.deaths % 2:
            raise Crash
        response = self._answer(*request)
        if dies:
            raise Crash
        return response


@pytest.mark.parametrize(("files", "every"), [(60, 7), pytest.param(2_000, 151, marks=pytest.mark.slow)])
def test_a_large_report_goes_on_where_it_stopped(office: Office, files: int, every: int) -> None:
    made = filled(office, files)
    dying = Dying(office.desk.answer, every)
    while office.moving():
        sender = Sender(office.writer, office.client(Wire(dying.answer)), office.evidence, clock=office.clock)
        with suppress(Crash):
            while sender.run_once():
                pass
        office.clock.move(minutes=16)  # the lease of the one that died ends

    assert office.read(made).state == "finished"
    [finished] = office.desk.finished
    described = [file for file in finished.files.values() if file.details is not None]
    assert len(described) == files
    said = [file.details.text_of("fileRelevance") for file in described if file.details is not None]
    assert said.count("Supplemental Reported") == files // 10
    uploads = sum(call.endswith("/upload") for call in office.desk.calls)
    assert files <= uploads <= files + dying.deaths + CLEAN_TRIES * FEW
    assert len(office.desk.reports) <= CLEAN_TRIES + 1
    assert dying.deaths >= files * 2 // every


def send_measured(url: str, folder: Path, key: Path, base: str, tell: Pipe) -> None:
    identity = Identity.read(key)
    engine = connect(url)
    client = CyberTip(fake_host(base), Credentials(USER, PASSWORD))
    with Writer(engine) as writer:
        sender = Sender(writer, client, Evidence(Vault(engine, DiskPlace(folder)), identity))
        tracemalloc.start()
        while sender.run_once():
            pass
        tell.send(tracemalloc.get_traced_memory()[1])


@pytest.mark.slow
def test_files_are_never_all_in_memory(office: Office, tmp_path: Path) -> None:
    office.clock.move(days=-365)  # due, by the process's own clock
    made = filled(office, 300, 500_000)  # 150 MB
    ours, theirs = FORKING.Pipe()
    office.identity.write(tmp_path / "identity.key")
    with serving(office.desk.answer) as base:
        url = office.engine.url.render_as_string(hide_password=False)
        given = (url, tmp_path / "vault", tmp_path / "identity.key", base, theirs)
        process = FORKING.Process(target=send_measured, args=given)
        process.start()
        assert ours.poll(250)
        peak = ours.recv()
        process.join()
    assert office.read(made).state == "finished"
    assert peak < 30e6
