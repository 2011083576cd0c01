"""One report at a time: what each answer of the authority leads to."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update

from nightlamp.audit.tables import audit_record
from nightlamp.errors import ReportError
from nightlamp.outbound import Fetcher, Rules
from nightlamp.reports import Sender, calls_of, journey, retract, send_again
from nightlamp.reports.cybertip import Credentials, CyberTip, fake_host
from nightlamp.reports.fake import PASSWORD, SOCKET_FAULTS, USER, Fault, Faulty, SocketFault, serving
from nightlamp.reports.fake.desk import Response, code_answer
from nightlamp.reports.journey import CLEAN_TRIES
from nightlamp.reports.tables import report, report_opening
from nightlamp.store import reading
from nightlamp.vault import term
from nightlamp.vault.holds import holds

from .conftest import Office
from .crashing import Crash
from .model import Wire, minimal


def sender(office: Office, answer: Callable[..., Response] | None = None, **more: Any) -> Sender:
    wire = Wire(answer or office.desk.answer)
    return Sender(office.writer, office.client(wire), office.evidence, clock=office.clock, **more)


def work(office: Office, answer: Callable[..., Response] | None = None, rounds: int = 30) -> None:
    """As long as there is something to do, and the next morning again."""
    one = sender(office, answer)
    for _ in range(rounds):
        while one.run_once():
            pass
        if not office.moving():
            return
        office.clock.move(minutes=16)


def once(fault: Fault, call: str) -> Callable[[str], Fault]:
    """The fault at the first call of that name."""
    left = [fault]
    return lambda path: left.pop() if left and path.endswith(call) else ""


@pytest.mark.parametrize("call", ["/upload", "/finish"])
@pytest.mark.parametrize("fault", SOCKET_FAULTS)
def test_whatever_breaks_on_the_wire_it_is_finished_once(
    office: Office, fault: SocketFault, call: str
) -> None:
    left = [fault]
    choose = lambda path: left.pop() if left and path.endswith(call) else ""  # noqa: E731
    made = office.approved(files=2)
    with serving(office.desk.answer, choose=choose) as base:
        port = urlsplit(base).port or 0
        # Whatever the machine is too slow for by then is one fault more.
        seconds = 0.5 if fault == "no answer in time" else 60.0
        rules = Rules(frozenset({"http"}), frozenset({port}), ("127.0.0.0/8",), seconds=seconds)
        client = CyberTip(fake_host(base), Credentials(USER, PASSWORD), http=lambda _: Fetcher(rules))
        one = Sender(office.writer, client, office.evidence, clock=office.clock)
        for _ in range(30):
            while one.run_once():
                pass
            if not office.moving():
                break
            office.clock.move(minutes=16)
    assert not left
    [finished] = office.desk.finished
    found = office.read(made)
    assert (found.state, found.remote) == ("finished", finished.id)
    assert {file.remote for file in found.files} == set(finished.files)
    with reading(office.engine) as connection:
        means = [each.means for each in calls_of(connection, made) if call.endswith(each.call)]
    assert (means[0] == "done") == (fault == "slow answer")


def test_an_approved_report_is_opened_filled_and_finished(either: Office) -> None:
    office = either
    made = office.approved(files=3)

    work(office)

    found = office.read(made)
    [finished] = office.desk.finished
    assert (found.state, found.remote, found.why) == ("finished", finished.id, "")
    assert [file.details.text_of("fileId") for file in finished.files.values() if file.details] == [
        file.remote for file in found.files
    ]
    assert office.desk.calls == [f"/ispws/{c}" for c in ("submit", *("upload", "fileinfo") * 3, "finish")]
    with reading(office.engine) as connection:
        calls = calls_of(connection, made)
    assert [each.call for each in calls] == ["submit", *("upload", "fileinfo") * 3, "finish"]
    assert all(each.request and each.remote == finished.id for each in calls)
    assert office.audited() == [
        f"report.{did}" for did in ("drafted", "approved", "opened", "finishing", "finished")
    ]


def test_what_is_said_of_a_file_has_its_hashes_and_nothing_that_nobody_said(office: Office) -> None:
    office.approved()
    work(office)
    [file] = office.desk.finished[0].files.values()
    assert file.details is not None
    hashes = {h.attributes["hashType"]: h.text for h in file.details.children if h.name == "originalFileHash"}
    assert hashes["MD5"] == file.md5
    assert set(hashes) == {"MD5", "SHA1", "SHA256"}
    assert file.details.text_of("fileViewedByEsp") == "false"  # nobody did
    said = {each.name for each in file.details.children}
    assert said.isdisjoint(
        {"publiclyAvailable", "fileRelevance", "fileAnnotations", "industryClassification"}
    )


def test_a_report_without_files_is_a_report(office: Office) -> None:
    made = office.approved(files=0)
    work(office)
    assert office.read(made).state == "finished"


def test_drafts_stay_where_they_are(office: Office) -> None:
    office.draft()
    assert sender(office).run_once() == 0
    assert not office.desk.calls


@pytest.mark.parametrize("fault", ["lost answer", "502 after", "1000 after", "garbage", "twice"])
def test_a_finish_without_a_clear_answer_is_decided_by_retract(office: Office, fault: Fault) -> None:
    made = office.approved()

    work(office, Faulty(office.desk.answer, once(fault, "/finish")).answer)

    assert office.read(made).state == "finished"
    assert len(office.desk.finished) == len(office.desk.reports) == 1
    assert office.desk.calls.count("/ispws/retract") == (fault != "twice")


@pytest.mark.parametrize("fault", ["reset", "503", "1000", "401"])
def test_a_finish_that_never_arrived_starts_anew(office: Office, fault: Fault) -> None:
    made = office.approved()
    one = sender(office, Faulty(office.desk.answer, once(fault, "/finish")).answer)
    for _ in range(4):
        with suppress(ReportError):  # the 401
            while one.run_once():
                pass
        office.clock.move(minutes=16)

    found = office.read(made)
    assert (found.state, found.restarts) == ("finished", 1)
    assert [each.state for each in office.desk.reports.values()] == ["retracted", "finished"]


def test_an_open_report_that_has_expired_is_opened_anew(office: Office) -> None:
    made = office.approved(files=3)
    jump = [25]

    def answer(*request: Any) -> Response:
        if request[1].endswith("/fileinfo") and jump:
            office.clock.move(hours=jump.pop())
        return office.desk.answer(*request)

    work(office, answer)

    found = office.read(made)
    assert (found.state, found.restarts) == ("finished", 1)
    with reading(office.engine) as connection:
        ends = connection.scalars(select(report_opening.c.end).order_by(report_opening.c.remote))
        assert list(ends) == ["gone", "finished"]


@pytest.mark.parametrize("echo", [b"0", None])
def test_an_echo_that_differs_stops_the_report_and_asks_a_person(office: Office, echo: bytes | None) -> None:
    made = office.approved()

    def answer(*request: Any) -> Response:
        status, headers, body = office.desk.answer(*request)
        if echo is None:  # there is none
            return status, headers, re.sub(rb"<hash>\w*</hash>", b"", body)
        return status, headers, body.replace(b"<hash>", b"<hash>" + echo)

    work(office, answer)
    found = office.read(made)
    assert (found.state, found.why) == (
        "person",
        "the authority received other bytes than were sent (MD5)",
    )
    assert not office.desk.finished

    # and when the person says so, it starts anew
    office.writer.write(lambda c: send_again(c, made, by="person:b", now=office.clock()))
    work(office)
    assert office.read(made).state == "finished"
    assert [each.state for each in office.desk.reports.values()] == ["retracted", "finished"]


@pytest.mark.parametrize("code", [4000, 4100, 4110, 4200, 5999])
@pytest.mark.parametrize("call", ["submit", "upload", "fileinfo", "finish"])
def test_what_will_never_be_taken_needs_a_person(office: Office, code: int, call: str) -> None:
    made = office.approved()

    def answer(*request: Any) -> Response:
        return code_answer(code) if request[1].endswith(call) else office.desk.answer(*request)

    work(office, answer, rounds=3)
    found = office.read(made)
    assert found.state == "person"
    assert str(code) in found.why
    assert not office.desk.finished


@pytest.mark.parametrize("code", [2000, 3000, 3100, 3300, 401])
def test_credentials_that_are_refused_stop_the_sending_not_the_report(office: Office, code: int) -> None:
    made = office.approved()
    refusing = [True]

    def answer(*request: Any) -> Response:
        if not refusing:
            return office.desk.answer(*request)
        return (401, {}, b"") if code == 401 else code_answer(code)

    one = sender(office, answer)
    with pytest.raises(ReportError) as stopped:
        one.run_once()
    assert stopped.value.code == "stopped"
    assert office.read(made).state == "approved"

    # for a while nothing more is asked, and every run says why
    asked = len(office.desk.calls)
    with pytest.raises(ReportError):
        one.run_once()
    assert len(office.desk.calls) == asked

    refusing.clear()
    office.clock.move(minutes=11)
    while one.run_once():
        pass
    assert office.read(made).state == "finished"


def test_a_service_that_never_answers_becomes_a_persons_matter(office: Office) -> None:
    made = office.approved()
    work(office, Faulty(office.desk.answer, lambda _: "503").answer, rounds=65)
    found = office.read(made)
    assert found.state == "person"
    assert "in vain" in found.why


def test_a_file_that_is_gone_needs_a_person(office: Office) -> None:
    made = office.approved()
    for stored in list(office.vault.place.names()):
        office.vault.place.delete(stored.name)
    work(office, rounds=2)
    found = office.read(made)
    assert found.state == "person"
    assert "cannot be opened" in found.why


def test_evidence_is_held_for_the_term_from_the_day_it_was_filed(office: Office) -> None:
    made = office.draft()
    office.clock.move(days=30)
    office.approve(made)
    one = sender(office, term=lambda at: term("US", at))
    while one.run_once():
        pass
    [file] = office.read(made).files
    with reading(office.engine) as connection:
        [hold] = [each for each in holds(connection, file.object) if each.id == file.hold]
    assert hold.expires == term("US", office.clock())


def test_a_report_opened_elsewhere_is_not_sent_here(office: Office) -> None:
    made = office.approved()
    office.writer.write(
        lambda c: c.execute(update(report).values(host="test", remote=5, state="open")) and None
    )
    sender(office).run_once()
    assert office.read(made).state == "person"
    assert not office.desk.calls


def test_a_retracted_report_is_taken_back_or_turns_out_to_be_finished(office: Office) -> None:
    # given one that is open, and one that had finished a moment before
    def stop_at(call: str) -> Callable[..., Response]:
        return Faulty(office.desk.answer, lambda path: "lost answer" if path.endswith(call) else "").answer

    first = office.approved()
    sender(office, stop_at("/upload")).run_once()
    second = office.approved()
    sender(office, stop_at("/finish")).run_once()

    # when both are taken back
    for each in (first, second):
        office.writer.write(
            lambda c, each=each: retract(c, each, by="person:a", reason="a mistake", now=office.clock())
        )
    work(office)

    # then
    assert office.read(first).state == "retracted"
    assert office.read(second).state == "finished"
    assert len(office.desk.finished) == 1
    with pytest.raises(ReportError, match="cannot be taken back"):
        office.writer.write(lambda c: retract(c, second, by="person:a", reason="again", now=office.clock()))


def test_only_whoever_has_the_lease_works_on_a_report(office: Office) -> None:
    office.approved()
    other = sender(office)
    seen: list[int] = []

    def answer(*request: Any) -> Response:
        seen.append(other.run_once())
        return office.desk.answer(*request)

    while sender(office, answer).run_once():
        pass
    assert set(seen) == {0}
    assert len(office.desk.reports) == 1


def test_a_node_that_wakes_up_too_late_changes_nothing(either: Office) -> None:
    office = either
    # given a node that falls asleep between its intent and /finish, for longer than its lease
    made = office.approved()
    other = sender(office)

    def answer(*request: Any) -> Response:
        if request[1].endswith("/finish") and not office.desk.finished and len(office.desk.reports) == 1:
            office.clock.now += timedelta(hours=1)
            while other.run_once():
                pass
        return office.desk.answer(*request)

    while sender(office, answer).run_once():
        pass

    assert office.read(made).state == "finished"
    assert [each.state for each in office.desk.reports.values()] == ["retracted", "finished"]
    assert office.read(made).remote == office.desk.finished[0].id


def test_a_file_that_the_finished_report_does_not_name_is_said(office: Office) -> None:
    made = office.approved(files=2)

    def answer(*request: Any) -> Response:
        status, headers, body = office.desk.answer(*request)
        if request[1].endswith("/finish"):
            body = body.replace(b"<fileId>", b"<other>", 1).replace(b"</fileId>", b"</other>", 1)
        return status, headers, body

    work(office, answer)
    found = office.read(made)
    assert (found.state, "does not name 1 of its files" in found.why) == ("finished", True)


def copies(office: Office) -> str:
    with reading(office.engine) as connection:
        wanted = audit_record.c.action == "report.finished"
        return str(connection.scalar(select(audit_record.c.details).where(wanted)))


@pytest.mark.parametrize("fault", ["lost answer", "502 after", "garbage", "reset", "503"])
def test_a_file_that_may_have_arrived_has_the_report_opened_anew(office: Office, fault: Fault) -> None:
    made = office.approved(files=2)
    work(office, Faulty(office.desk.answer, once(fault, "/upload")).answer)
    assert [each.state for each in office.desk.reports.values()] == ["retracted", "finished"]
    [finished] = office.desk.finished
    assert len(finished.files) == 2
    assert all(each.details is not None for each in finished.files.values())
    assert (office.read(made).restarts, "copies" in copies(office)) == (1, False)


def test_so_has_one_whose_sender_died_while_a_file_was_on_its_way(office: Office) -> None:
    office.approved(files=2)

    def answer(*request: Any) -> Response:
        response = office.desk.answer(*request)
        if request[1].endswith("/upload") and len(office.desk.reports) == 1:
            raise Crash
        return response

    with suppress(Crash):
        sender(office, answer).run_once()
    office.clock.move(hours=1)
    work(office, answer)
    assert [each.state for each in office.desk.reports.values()] == ["retracted", "finished"]
    assert len(office.desk.finished[0].files) == 2


def test_so_has_one_of_a_file_whose_id_did_not_come(office: Office) -> None:
    office.approved()
    left = [1]

    def answer(*request: Any) -> Response:
        status, headers, body = office.desk.answer(*request)
        if request[1].endswith("/upload") and left:
            left.pop()
            body = re.sub(rb"<fileId>\w*</fileId>", b"", body)
        return status, headers, body

    work(office, answer)
    assert [each.state for each in office.desk.reports.values()] == ["retracted", "finished"]


def test_a_code_says_that_the_file_did_not_arrive(office: Office) -> None:
    office.approved(files=2)
    work(office, Faulty(office.desk.answer, once("1000", "/upload")).answer)
    assert [each.state for each in office.desk.reports.values()] == ["finished"]
    assert len(office.desk.finished[0].files) == 2


def test_after_some_openings_a_copy_is_put_up_with_and_counted(office: Office) -> None:
    made = office.approved()
    lost = [CLEAN_TRIES + 1]

    def choose(path: str) -> Fault:
        if path.endswith("/upload") and lost[0]:
            lost[0] -= 1
            return "lost answer"
        return ""

    work(office, Faulty(office.desk.answer, choose).answer)
    assert office.read(made).restarts == CLEAN_TRIES
    assert len(office.desk.finished[0].files) == 2
    assert '"copies":1' in copies(office)


@pytest.mark.parametrize("dies", [False, True])
def test_a_large_report_goes_on_with_a_copy(
    office: Office, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    monkeypatch.setattr(journey, "FEW", 1)
    office.approved(files=3)
    lost = [False]

    def answer(*request: Any) -> Response:
        response = office.desk.answer(*request)
        [opened] = office.desk.reports.values()
        if request[1].endswith("/upload") and len(opened.files) == 3 and not lost[0]:
            lost[0] = True
            raise Crash if dies else ConnectionResetError
        return response

    with suppress(Crash):
        sender(office, answer).run_once()
    office.clock.move(hours=1)
    work(office, answer)
    [finished] = office.desk.finished
    assert len(office.desk.reports) == 1
    assert sorted(each.details is not None for each in finished.files.values()) == [False, True, True, True]
    assert '"copies":1' in copies(office)


def test_several_reports_are_sent_at_a_time(office: Office) -> None:
    made = [office.approved(document=minimal(additional_info=str(at))) for at in range(3)]
    together = threading.Barrier(3, timeout=60)

    def answer(*request: Any) -> Response:
        if request[1].endswith("/finish"):
            together.wait()  # passes only if all three are here
        return office.desk.answer(*request)

    one = sender(office, answer)
    with ThreadPoolExecutor(3) as pool:
        assert [each.result() for each in [pool.submit(one.run_once) for _ in range(3)]] == [1, 1, 1]
    assert {office.read(each).state for each in made} == {"finished"}
    assert len(office.desk.finished) == 3


def test_nobody_takes_a_report_whose_large_file_is_on_its_way(office: Office) -> None:
    made = office.approved(files=2)
    other = sender(office, lease=0.5)  # 70,000 bytes may take longer than two such leases
    taken: list[int] = []

    def answer(*request: Any) -> Response:
        if request[1].endswith("/upload"):
            taken.append(other.run_once())
        return office.desk.answer(*request)

    sender(office, answer, lease=0.5).run_once()

    assert taken == [0, 0]
    assert office.read(made).state == "finished"
