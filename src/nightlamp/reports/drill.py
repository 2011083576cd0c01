"""A drill: the whole way of a report against the built-in fake, in a folder that goes away.

Nothing of it touches the service's database, its vault or the network beyond loopback.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from nightlamp.reports.cybertip import Credentials, CyberTip, FileDetails, Report, fake_host
from nightlamp.reports.cybertip.choices import IncidentType
from nightlamp.reports.cybertip.model import IncidentSummary, InternetDetails, Reporter, WebPageIncident
from nightlamp.reports.cybertip.parts import Email, Person
from nightlamp.reports.evidence import Evidence
from nightlamp.reports.fake import PASSWORD, USER, Desk, Fault, Faulty, serving
from nightlamp.reports.lifecycle import NewFile, NewReport, approve, draft, follow_up, retract
from nightlamp.reports.records import MOVING, calls_of, get_report
from nightlamp.reports.sending import Sender
from nightlamp.store import Writer, connect, reading, upgrade
from nightlamp.vault import DiskPlace, HoldRequest, Identity, Recipients, Vault, term

Say = Callable[[str], None]


class _Clock:
    """The time, and what was waited for."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def drill(say: Say, content: bytes) -> bool:
    """Run it, saying what happens; whether all was as it should be.

    Args:
        say: is told each step in a line.
        content: harmless bytes that are reported.
    """
    folder = tempfile.TemporaryDirectory(prefix="nightlamp-drill-")
    with folder as name, _office(Path(name), content, say) as run:
        return run()


@contextmanager
def _office(folder: Path, content: bytes, say: Say) -> Iterator[Callable[[], bool]]:
    clock = _Clock()
    desk = Desk(clock=clock)
    planned: list[tuple[str, Fault]] = []

    def choose(path: str) -> Fault:
        if planned and path.endswith(planned[0][0]):
            return planned.pop(0)[1]
        return ""

    engine = connect(f"sqlite:///{folder / 'drill.db'}")
    upgrade(engine)
    identity = Identity.generate()
    vault = Vault(engine, DiskPlace(folder / "vault"), Recipients.of([identity.public]), clock=clock)
    with Writer(engine) as writer, serving(Faulty(desk.answer, choose).answer) as base:
        client = CyberTip(fake_host(base), Credentials(USER, PASSWORD))
        sender = Sender(
            writer, client, Evidence(vault, identity), term=lambda at: term("US", at), clock=clock
        )
        yield _Drill(say, content, clock, desk, planned, writer, vault, client, sender).run
    engine.dispose()


class _Drill:
    def __init__(
        self,
        say: Say,
        content: bytes,
        clock: _Clock,
        desk: Desk,
        planned: list[tuple[str, Fault]],
        writer: Writer,
        vault: Vault,
        client: CyberTip,
        sender: Sender,
    ) -> None:
        self.say, self.content, self.clock, self.desk, self.planned = say, content, clock, desk, planned
        self.writer, self.vault, self.client, self.sender = writer, vault, client, sender

    def run(self) -> bool:
        self.say(f"a fake CyberTipline listens on {self.client.host.base}")
        answer = self.client.status()
        self.say(f"/status: {answer.says} (Request-ID {answer.request_id})")

        self.say("")
        self.say("1. a report that goes well")
        first = self._drafted("the first")
        well = self._sent(first) == "finished"

        self.say("")
        self.say("2. the answer to /finish is lost: /retract says that it had finished, and that is it")
        self.planned.append(("/finish", "lost answer"))
        well &= self._sent(self._drafted("the second")) == "finished"

        self.say("")
        self.say("3. /finish never arrives: the report is taken back and opened anew")
        self.planned.append(("/finish", "reset"))
        well &= self._sent(self._drafted("the third")) == "finished"

        self.say("")
        self.say("4. a report that is taken back before it is finished")
        self.planned.append(("/fileinfo", "503"))
        fourth = self._drafted("the fourth")
        self._approved(fourth)
        self.sender.run_once()
        self.writer.write(lambda c: retract(c, fourth, by="person:drill", reason="a drill", now=self.clock()))
        well &= self._sent(fourth, approve_it=False) == "retracted"

        self.say("")
        self.say("5. a report that adds to the first, and names it")
        fifth = self.writer.write(lambda c: follow_up(c, first, by="person:drill", now=self.clock()))
        well &= self._sent(fifth) == "finished"

        self.say("")
        finished = len(self.desk.finished)
        well &= finished == 4
        self.say(f"the fake has {finished} finished reports of {len(self.desk.reports)} that were opened")
        return well

    def _drafted(self, which: str) -> str:
        sealed = self.vault.seal(self.content)
        document = Report(
            incident_summary=IncidentSummary(
                incident_type=IncidentType.CSAM, platform="A drill", incident_date_time=self.clock()
            ),
            internet_details=(
                InternetDetails(web_page_incident=WebPageIncident(url=("https://drill.example/1",))),
            ),
            reporter=Reporter(
                reporting_person=Person(last_name="Drill", email=(Email(value="drill@example.org"),))
            ),
            additional_info=f"A drill: {which}.",
        )

        def work(connection: Connection) -> str:
            kept = self.vault.keep(connection, sealed, HoldRequest("a drill", "US"), actor="person:drill")
            details = FileDetails(original_file_name="drawn.png", file_viewed_by_esp=False)
            new = NewReport(document, [NewFile(kept, details=details)])
            return draft(connection, new, by="person:drill", now=self.clock())

        return self.writer.write(work)

    def _approved(self, report_id: str) -> None:
        self.writer.write(lambda c: approve(c, report_id, version=1, by="person:drill", now=self.clock()))

    def _sent(self, report_id: str, *, approve_it: bool = True) -> str:
        if approve_it:
            self._approved(report_id)
        for _ in range(20):
            while self.sender.run_once():
                pass
            with reading(self.vault.engine) as connection:
                found = get_report(connection, report_id)
            if found.state not in MOVING:
                break
            self.say(f"   waits: {found.why}")
            self.clock.ahead += timedelta(minutes=16)
        with reading(self.vault.engine) as connection:
            for call in calls_of(connection, report_id):
                self.say(f"   /{call.call:<9} {call.remote or '':<9} {call.means}")
        self.say(f"   {found.state}{f', number {found.remote}' if found.remote else ''}")
        return found.state
