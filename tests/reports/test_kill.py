"""A real process that sends, killed by SIGKILL before or after the authority has done what it was asked."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.forking import FORKING

from nightlamp.reports import Evidence, Sender
from nightlamp.reports.cybertip import Credentials, CyberTip, fake_host
from nightlamp.reports.fake import PASSWORD, USER, Desk, serving
from nightlamp.reports.fake.desk import Response
from nightlamp.store import Writer, connect
from nightlamp.vault import DiskPlace, Identity, Vault

from .conftest import Office

CALLS = 6  # of a report with two files


def send(url: str, vault_folder: Path, key: Path, base: str) -> None:
    """What the process does: it works until nothing is left, whoever had it before."""
    identity = Identity.read(key)
    engine = connect(url)
    vault = Vault(engine, DiskPlace(vault_folder))
    client = CyberTip(fake_host(base), Credentials(USER, PASSWORD))
    with Writer(engine) as writer:
        sender = Sender(writer, client, Evidence(vault, identity), lease=0.01)
        while sender.run_once():
            pass
    os._exit(0)


class Killer:
    """Kills the sender at given calls, by their numbers; half of them after the call was carried out."""

    def __init__(self, answer: Callable[..., Response], at: set[tuple[int, bool]]) -> None:
        self._answer, self._at = answer, at
        self.calls = 0
        self.victim = 0

    def answer(self, *request: object) -> Response:
        number, self.calls = self.calls, self.calls + 1
        if (number, False) in self._at:
            os.kill(self.victim, signal.SIGKILL)
            raise ConnectionResetError
        response = self._answer(*request)
        if (number, True) in self._at:
            os.kill(self.victim, signal.SIGKILL)
        return response


SINGLE = [{(call, after)} for call in range(CALLS) for after in (False, True)]
DOUBLE = [{(a, a % 2 == 0), (b, b % 3 == 0)} for a in range(CALLS) for b in range(a + 1, CALLS + 3)]
SCHEDULES = [
    *SINGLE[::2], SINGLE[-1], DOUBLE[-1],
    *(pytest.param(each, marks=pytest.mark.slow) for each in (*SINGLE[1:-1:2], *DOUBLE[:-1])),
]  # fmt: skip


@pytest.mark.parametrize("kills", SCHEDULES)
def test_a_killed_sender_leaves_one_finished_report(
    office: Office, tmp_path: Path, kills: set[tuple[int, bool]]
) -> None:
    office.clock.move(days=-365)  # due, by the process's own clock
    made = office.approved(files=2)
    desk = Desk()
    killer = Killer(desk.answer, kills)
    url = office.engine.url.render_as_string(hide_password=False)
    office.identity.write(tmp_path / "identity.key")
    killed = 0
    with serving(killer.answer) as base:
        for _ in range(200):  # a lease that has not ended yet is waited for
            arguments = (url, tmp_path / "vault", tmp_path / "identity.key", base)
            process = FORKING.Process(target=send, args=arguments)
            process.start()
            killer.victim = process.pid or 0
            process.join()
            killed += process.exitcode == -signal.SIGKILL
            if not office.moving():
                break

    assert killed == len([each for each in kills if each[0] < killer.calls])
    found = office.read(made)
    assert found.state == "finished", found.why
    assert [each.id for each in desk.finished] == [found.remote]
    assert all(found_file.remote in desk.finished[0].files for found_file in found.files)
