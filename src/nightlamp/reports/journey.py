"""One report on its way to the authority, step by step, under one lease.

What holds it together:

- The authority's number is committed before anything else is done with it. If the answer to /submit is lost,
  a report stays there that nobody finishes; it expires.
- A file is committed as ``sending`` before it is uploaded. Whoever finds it so, or got no answer, does not
  know whether it arrived, and of a copy whose id nobody has nothing can be said, not even that nobody viewed
  it: the report is taken back and opened anew. Where much is uploaded already, or that was done too often, it
  goes on, and the copies are counted at the end.
- ``finishing`` is committed before /finish is called. Whoever finds a report in that state, or got no clear
  answer, calls /retract, which ends all doubt: it is taken back (0), was taken back (5101) or is gone (5001),
  and is opened anew; or it had finished (5102), and is not filed again.
- A number is given up only after /retract has said so, or if it was never ``finishing``.

A step is: call, then commit what came of it, together with the call's record and the audit. A crash between
the two repeats the call, never more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, update

from nightlamp import audit
from nightlamp.errors import ReportError, VaultError
from nightlamp.reports.cybertip import Answer, as_json, write
from nightlamp.reports.cybertip.model import FileHash
from nightlamp.reports.lifecycle import record
from nightlamp.reports.records import MOVING, State, StoredFile, StoredReport, call_row
from nightlamp.reports.tables import report, report_call, report_file, report_opening
from nightlamp.vault.holds import extend, holds

if TYPE_CHECKING:
    from nightlamp.reports.sending import Sender

ACTOR = "system"
MOST_RESTARTS = 8
MOST_ATTEMPTS = 60  # in a row without getting further: half a day
FEW = 100  # files that are uploaded once more rather than finish with a copy
CLEAN_TRIES = 3  # openings anew before a copy is put up with
STOPPED = 600.0  # seconds of rest once the authority refuses our credentials
LONGEST_UPLOAD = 86_400.0  # seconds
_SLOWEST = 32 << 10  # bytes a second that a lease allows an upload
_PAUSE, _LONGEST = 5.0, 900.0

Also = Callable[[Connection], None]


class LostLeaseError(Exception):
    """Another node works on it by now."""


class Journey:
    """One report, from where it stands to where it cannot go on, under one lease.

    As long as the lease is this node's, nobody else changes the report: it is read once, and every commit
    fails if the lease is lost.
    """

    def __init__(self, sender: Sender, lease: str, now: StoredReport) -> None:
        self._s = sender
        self._client = sender.client
        self._lease = lease
        self._now = now
        self._files = list(now.files)
        self._at = 0  # the first file that may not be described yet
        self._intended = False  # this run has committed ``finishing``, and not called /finish yet

    def go(self) -> None:
        """As far as it goes."""
        while self._now.state in MOVING and self._step():
            pass

    def _step(self) -> bool:
        """One call and its commit; whether it may go on at once."""
        now = self._now
        if now.host not in ("", self._client.host.name):
            return self._stop(f"it was opened at the {now.host} host, and the settings name another")
        if now.state == "approved":
            return self._open()
        if now.state == "open":
            return self._tell()
        if self._intended:
            self._intended = False
            return self._finish()
        return self._decide("retracted" if now.state == "retracting" else "approved")

    def _open(self) -> bool:
        now = self._now
        faults = now.faults
        if faults:
            return self._stop(f"it has faults: {faults[0]}")
        if now.restarts > MOST_RESTARTS:
            return self._stop(f"it was opened {now.restarts} times, and never finished")
        says = self._schema_says()
        if says:
            return self._stop(f"the schema refuses {says}")
        answer = self._client.submit(now.document)
        remote = answer.report_id
        if answer.means != "done" or remote is None:
            return self._otherwise(answer)
        host, at = self._client.host.name, self._s.clock()

        def opened(connection: Connection) -> None:
            row = {"host": host, "remote": remote, "report": now.id, "opened_at": at}
            connection.execute(insert(report_opening).values(row))
            mine = report_file.c.report == now.id
            connection.execute(update(report_file).where(mine).values(state="waiting", remote=None))

        values = {"state": "open", "host": host, "remote": remote, "opened_at": at}
        facts = {"host": host, "number": str(remote)}
        self._files = [replace(file, state="waiting", remote=None) for file in self._files]
        self._at = 0
        return self._commit(values, answer, "report.opened", facts, opened)

    def _tell(self) -> bool:
        """The next file, or, after the last, the intent to finish."""
        while self._at < len(self._files) and self._files[self._at].state == "described":
            self._at += 1
        if self._at < len(self._files):
            file = self._files[self._at]
            if file.state == "sending":
                return self._doubt(file, None)
            return self._upload(file) if file.state == "waiting" else self._describe(file)
        self._commit({"state": "finishing"}, None, "report.finishing", {"number": str(self._now.remote)})
        self._intended = True
        return True

    def _upload(self, file: StoredFile) -> bool:
        report_id, remote = self._now.id, self._now.remote
        assert remote is not None
        name = file.details.original_file_name or file.details.file_name or file.id
        evidence = self._s.evidence
        try:
            found = evidence.measure(file.object, report_id)
            self._about_to_send(file, found.size)
            answer = self._client.upload(
                remote, name, found.size, lambda out: evidence.pour(file.object, report_id, out)
            )
        except VaultError as error:
            return self._stop(f"a file cannot be opened: {error.what}")
        nobody_knows = answer.code is None and answer.means in ("no answer", "retry")
        if nobody_knows or (answer.means == "done" and not answer.file_id):
            return self._doubt(file, answer)
        if answer.means != "done" or answer.file_id is None:
            return self._otherwise(answer, _of_file(replace(file, state="waiting")))
        if (answer.hash or "").lower() != found.md5:
            return self._stop("the authority received other bytes than were sent (MD5)", answer)
        hashes = tuple(FileHash(value=value, hash_type=kind) for kind, value in found.hashes)
        details = replace(file.details, original_file_hash=hashes)
        return self._change(replace(file, state="uploaded", remote=answer.file_id, details=details), answer)

    def _doubt(self, file: StoredFile, answer: Answer | None) -> bool:
        """Nobody knows whether a file has arrived."""
        uploaded = sum(each.remote is not None for each in self._files)
        if self._now.restarts < CLEAN_TRIES and uploaded <= FEW:
            if answer is not None:
                return self._put_off(answer, state="restarting")
            return self._commit({"state": "restarting"})
        file = replace(file, state="waiting")
        if answer is not None:
            return self._put_off(answer, _of_file(file))
        self._files[self._at] = file
        return True

    def _describe(self, file: StoredFile) -> bool:
        details = replace(file.details, report_id=self._now.remote, file_id=file.remote)
        says = self._s.valid(write(details)) if self._s.valid is not None else ""
        if says:
            return self._stop(f"the schema refuses file {self._at + 1}: {says}")
        answer = self._client.describe(details)
        if answer.means == "done":
            return self._change(replace(file, state="described"), answer)
        if answer.means == "unknown file":  # it must be uploaded again
            return self._put_off(answer, _of_file(replace(file, state="waiting", remote=None)))
        return self._otherwise(answer)

    def _finish(self) -> bool:
        assert self._now.remote is not None
        answer = self._client.finish(self._now.remote)
        if answer.means in ("done", "finished"):
            return self._finished(answer)
        if answer.means == "refused":
            return self._stop(f"/finish was refused ({answer.says})", answer)
        # Anything else may be the answer to a second copy of a request that was carried out.
        return self._put_off(answer)

    def _decide(self, then: State) -> bool:
        """Take back what was opened, or learn that it had finished."""
        if self._now.remote is None:
            return self._commit({"state": then})
        answer = self._client.retract(self._now.remote)
        if answer.means == "finished":
            return self._finished(answer)
        if answer.means in ("done", "unknown report", "retracted"):
            return self._give_up(answer, then)
        return self._otherwise(answer)

    def _give_up(self, answer: Answer, then: State) -> bool:
        """The number that it had will never be finished."""
        end = "gone" if answer.means == "unknown report" else "retracted"
        number = str(self._now.remote)
        also = self._ended(end)
        values: dict[str, Any] = {"state": then, "remote": None, "opened_at": None}
        if then == "approved":
            values |= {"host": "", "restarts": self._now.restarts + 1}
        else:
            values["why"] = self._now.why
        action = "report.restarted" if then == "approved" else "report.retracted"
        return self._commit(values, answer, action, {"end": end, "number": number}, also)

    def _finished(self, answer: Answer) -> bool:
        at = self._s.clock()
        ours, theirs = {file.remote for file in self._files}, set(answer.file_ids)
        copies = len(theirs - ours)  # whose answer was lost
        missing = len(ours - theirs) if theirs else 0
        ended = self._ended("finished")

        def also(connection: Connection) -> None:
            ended(connection)
            if self._s.term is not None:
                _hold_longer(connection, self._files, self._s.term(at), at)

        values = {"state": "finished", "finished_at": at, "lease": None}
        if missing:
            values["why"] = f"the authority does not name {missing} of its files: a follow-up may be needed"
        facts: dict[str, audit.Detail] = {"number": str(self._now.remote), "files": len(self._files)}
        facts |= {name: n for name, n in (("copies", copies), ("missing", missing)) if n}
        return self._commit(values, answer, "report.finished", facts, also)

    def _ended(self, end: str) -> Also:
        host, remote, at = self._now.host, self._now.remote, self._s.clock()

        def also(connection: Connection) -> None:
            mine = (report_opening.c.host == host) & (report_opening.c.remote == remote)
            connection.execute(update(report_opening).where(mine).values(end=end, ended_at=at))

        return also

    def _schema_says(self) -> str:
        """What the authority's schema has against the document or a file, before anything is opened."""
        if self._s.valid is None:
            return ""
        says = self._s.valid(write(self._now.document))
        if says:
            return f"it: {says}"
        for at, file in enumerate(self._files, 1):
            says = self._s.valid(write(replace(file.details, report_id=1, file_id=_NO_FILE)))
            if says:
                return f"file {at}: {says}"
        return ""

    def _otherwise(self, answer: Answer, also: Also | None = None) -> bool:
        """An answer that is not the one that was hoped for."""
        if answer.means in ("retry", "no answer", "stop", "done"):
            return self._put_off(answer, also)
        if self._now.state == "open" and answer.means in ("unknown report", "retracted"):
            return self._give_up(answer, "approved")
        return self._stop(f"/{answer.call} was refused ({answer.says})", answer)

    def _stop(self, why: str, answer: Answer | None = None) -> bool:
        """Only a person can go on."""
        why = why[:200]
        return self._commit(
            {"state": "person", "why": why, "lease": None}, answer, "report.stopped", {"why": why}
        )

    def _put_off(self, answer: Answer, also: Also | None = None, state: State | None = None) -> bool:
        attempts = self._now.attempts + 1
        stopped = answer.means == "stop"
        says = f"/{answer.call}: {answer.says}"
        if attempts > MOST_ATTEMPTS and not stopped:
            return self._stop(f"tried {attempts} times in vain, at last {says}", answer)
        wait = STOPPED if stopped else min(_PAUSE * 2 ** min(attempts - 1, 10), _LONGEST)
        due = self._s.clock() + timedelta(seconds=wait)
        values = {"attempts": attempts, "why": says, "due": due, "lease": None}
        self._commit(values | ({"state": state} if state else {}), answer, also=also)
        if stopped:
            where, hint = f"/{answer.call}", "nightlamp report status --ask"
            raise ReportError("stopped", f"the authority refuses us ({answer.says})", where=where, hint=hint)
        return False

    def _change(self, file: StoredFile, answer: Answer) -> bool:
        going = self._commit({}, answer, also=_of_file(file))
        self._files[self._at] = file
        return going

    def _commit(
        self,
        values: Mapping[str, Any],
        answer: Answer | None = None,
        action: str = "",
        facts: Mapping[str, audit.Detail] | None = None,
        also: Also | None = None,
    ) -> bool:
        """Write what came of a call, if the report is still this node's; whether it still has it then."""
        at, now = self._s.clock(), self._now
        values = {"attempts": 0, "why": "", **values}
        if "lease" not in values:
            values["lease_until"] = at + timedelta(seconds=self._s.lease)

        def work(connection: Connection) -> None:
            self._fence(connection, values)
            if answer is not None:
                connection.execute(insert(report_call).values(call_row(answer, now.id, now.remote, at)))
            if also is not None:
                also(connection)
            if action:
                record(connection, ACTOR, action, now.id, facts or {}, at)

        self._s.writer.write(work)
        self._now = replace(now, **{name: value for name, value in values.items() if name in _SHOWN})
        return "lease" not in values

    def _fence(self, connection: Connection, values: Mapping[str, Any]) -> None:
        mine = (report.c.id == self._now.id) & (report.c.lease == self._lease)
        if connection.execute(update(report).where(mine).values(values)).rowcount != 1:
            raise LostLeaseError

    def _about_to_send(self, file: StoredFile, size: int) -> None:
        until = self._s.clock() + timedelta(seconds=self._s.lease + min(size / _SLOWEST, LONGEST_UPLOAD))
        mark = _of_file(replace(file, state="sending"))

        def work(connection: Connection) -> None:
            self._fence(connection, {"lease_until": until})
            mark(connection)

        self._s.writer.write(work)


_NO_FILE = "0" * 32
_SHOWN = frozenset(field.name for field in fields(StoredReport))


def _of_file(file: StoredFile) -> Also:
    values = {"state": file.state, "remote": file.remote, "details": as_json(file.details)}

    def also(connection: Connection) -> None:
        connection.execute(update(report_file).where(report_file.c.id == file.id).values(values))

    return also


def _hold_longer(connection: Connection, files: Sequence[StoredFile], until: datetime, at: datetime) -> None:
    """The term runs from the submission on, not from the draft."""
    for file in files:
        mine = next((each for each in holds(connection, file.object) if each.id == file.hold), None)
        if mine is not None and mine.released is None and mine.expires < until:
            with suppress(VaultError):  # destroyed in the meantime: that must not undo a finished report
                extend(connection, mine.id, until, actor=ACTOR, reason="report finished", now=at)
