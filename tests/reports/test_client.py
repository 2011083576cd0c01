"""The calls over real HTTP, what their answers mean, and that nothing is ever sent to production."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nightlamp.errors import ReportError
from nightlamp.reports import wiring
from nightlamp.reports.cybertip import Credentials, CyberTip, FileDetails, fake_host, host_of, test_host
from nightlamp.reports.cybertip.codes import CODES, meaning
from nightlamp.reports.cybertip.hosts import Host
from nightlamp.reports.fake import PASSWORD, USER, Desk, serving
from nightlamp.reports.fake.desk import XSD, code_answer
from nightlamp.settings import Settings
from nightlamp.settings.reports import IN_EARNEST, ReportsSettings

from .model import Wire, minimal

ADDRESS = "report.cybertip.org/ispws"
SOURCES = Path(wiring.__file__).parents[1]


def over(answer: Any) -> CyberTip:
    wire = Wire(answer)
    return CyberTip(fake_host("http://127.0.0.1:9/ispws"), Credentials(USER, PASSWORD), http=lambda _: wire)


def test_all_seven_calls_over_http() -> None:
    desk = Desk()
    content = bytes(range(256)) * 1000
    with serving(desk.answer) as base:
        client = CyberTip(fake_host(base), Credentials(USER, PASSWORD))

        def pour(out: Any) -> None:
            for at in range(0, len(content), 65536):
                out(content[at : at + 65536])

        status = client.status()
        assert (status.means, status.report_id) == ("done", None)
        assert client.xsd()[1] == XSD
        report = client.submit(minimal()).report_id
        assert report is not None
        uploaded = client.upload(report, 'a \r\n"file".png', len(content), pour)
        assert uploaded.hash == hashlib.md5(content).hexdigest()
        described = client.describe(FileDetails(report_id=report, file_id=uploaded.file_id))
        assert (described.means, bool(described.request_id)) == ("done", True)
        assert client.finish(report).file_ids == (uploaded.file_id,)
        assert client.retract(report).means == "finished"
        other = client.submit(minimal()).report_id
        assert other is not None
        assert client.retract(other).means == "done"
        assert client.finish(other).means == "retracted"
        assert client.finish(1).means == "unknown report"
        assert client.describe(FileDetails(report_id=report, file_id="x")).means == "finished"


def test_wrong_credentials_are_a_401_without_a_body() -> None:
    with serving(Desk().answer) as base:
        answer = CyberTip(fake_host(base), Credentials("somebody", "else")).status()
    assert (answer.means, answer.code, answer.status) == ("stop", None, 401)


@pytest.mark.parametrize("code", [*CODES, 1999, 2999, 3999, 4999, 5999, 9999])
def test_what_a_code_means_is_the_bodys_word_under_200(code: int) -> None:
    answer = over(lambda *_: code_answer(code)).finish(1)
    assert (answer.code, answer.means, answer.status) == (code, meaning(code), 200)
    thousands = {0: "done", 1: "retry", 2: "stop", 3: "stop", 4: "refused"}
    assert code >= 5000 or answer.means == thousands[code // 1000]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>fine</html>",
        b"<reportResponse><responseCode>zero</responseCode></reportResponse>",
        b"<reportResponse/>",
        b'<!DOCTYPE a [<!ENTITY b "0">]><reportResponse><responseCode>&b;</responseCode></reportResponse>',
        b"<reportResponse>" + b"<a>" * 100 + b"</a>" * 100 + b"</reportResponse>",
        b"<reportResponse><responseCode>0</responseCode>",
    ],
)
def test_an_answer_that_is_not_the_cybertiplines_is_no_answer(body: bytes) -> None:
    assert over(lambda *_: (200, {}, body)).finish(1).means == "no answer"


def test_an_answer_of_absurd_size_is_no_answer() -> None:
    def answer(*_: Any) -> Any:
        return 200, {}, b"<reportResponse>" + b" " * (5 << 20) + b"</reportResponse>"

    with serving(answer) as base:
        assert CyberTip(fake_host(base), Credentials(USER, PASSWORD)).status().means == "no answer"


@pytest.mark.parametrize(
    ("status", "means"),
    [(500, "retry"), (503, "retry"), (429, "retry"), (403, "stop"), (404, "stop"), (302, "stop")],
)
def test_a_status_that_is_no_success(status: int, means: str) -> None:
    assert over(lambda *_: (status, {}, b"<html/>")).submit(minimal()).means == means


def test_nobody_there_is_no_answer() -> None:
    with serving(Desk().answer) as base:
        pass
    assert CyberTip(fake_host(base), Credentials(USER, PASSWORD)).status().means == "no answer"


UPLOAD = """
import sys, tracemalloc
from nightlamp.reports.cybertip import Credentials, CyberTip, fake_host
client = CyberTip(fake_host(sys.argv[1]), Credentials("nightlamp", "only for the fake"))
size, piece = 64 << 20, bytes(1 << 16)
def pour(out):
    for _ in range(size // len(piece)):
        out(piece)
client.status()
tracemalloc.start()
answer = client.upload(int(sys.argv[2]), "zeros", size, pour)
print(answer.means, tracemalloc.get_traced_memory()[1] < 4 << 20)
"""


def test_a_large_upload_is_never_whole_in_memory() -> None:
    desk = Desk()
    with serving(desk.answer) as base:
        report = CyberTip(fake_host(base), Credentials(USER, PASSWORD)).submit(minimal()).report_id
        done = subprocess.run(
            [sys.executable, "-c", UPLOAD, base, str(report)], capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == ["done", "True"]


# -- production -------------------------------------------------------------------------------------------


def test_production_cannot_be_reached_from_a_test(attempts: list[Any]) -> None:
    earnest = Settings(reports={"send_to": IN_EARNEST, "username": "u", "password": "p"})
    with pytest.raises(ReportError, match="runs tests"):
        host_of(earnest.reports)
    with pytest.raises(ReportError, match="runs tests"):
        wiring.client_of(earnest)
    assert not attempts


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("2001:db8::1", 443, 0, 0)])
def test_nor_any_other_machine(address: Any, attempts: list[Any]) -> None:
    kind = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with socket.socket(kind) as ours, pytest.raises(OSError, match="tests stay on this machine"):
        ours.connect(address)
    assert attempts == [address]


def test_not_from_a_process_that_a_test_starts_either() -> None:
    code = (
        "from nightlamp.reports.cybertip import host_of\n"
        "from nightlamp.settings.reports import IN_EARNEST, ReportsSettings\n"
        "host_of(ReportsSettings(send_to=IN_EARNEST))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "must not reach production" in done.stderr


@pytest.mark.parametrize(
    "base",
    [
        "https://report.cybertip.org/ispws",
        "http://report.cybertip.org/ispws",
        "http://10.0.0.1/ispws",
        "http://localhost.example/ispws",
        "http://127.0.0.1@report.cybertip.org/ispws",
        "report.cybertip.org",
    ],
)
def test_a_fake_is_on_this_machine_or_none(base: str) -> None:
    with pytest.raises(ReportError):
        fake_host(base)


def test_a_host_is_not_made_from_a_url() -> None:
    with pytest.raises(ReportError):
        Host("production", "https://report.cybertip.org/ispws")


def test_the_test_host_is_the_default_and_half_a_sentence_is_none() -> None:
    assert host_of(ReportsSettings()) == test_host()
    for text in ("production", "production: ", IN_EARNEST.upper(), True):
        with pytest.raises(ValueError, match="send_to"):
            ReportsSettings(send_to=text)


def test_productions_address_stands_in_one_place() -> None:
    found = {
        path.relative_to(SOURCES).as_posix(): path.read_text().count(ADDRESS)
        for path in SOURCES.rglob("*.py")
        if ADDRESS in path.read_text()
    }
    # the other is the name of the schema, which is no address that anything connects to
    assert found == {"reports/cybertip/hosts.py": 1, "reports/cybertip/xml.py": 1}


def test_nothing_here_shows_a_password() -> None:
    client = wiring.client_of(Settings(reports={"username": "user-name", "password": "pass-word"}))
    shown = repr(client) + repr(Credentials("user-name", "pass-word")) + str(vars(client).get("host"))
    assert "pass-word" not in shown
    assert "user-name" not in shown
