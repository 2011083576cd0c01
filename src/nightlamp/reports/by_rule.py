"""Reports that a rule of the policy confirms: no person has looked, and the draft says so.

What a rule confirms is written down with its case, once for each item, and drafted here. A person's word goes
first: what somebody called no CSAM is passed over, what people decided is theirs, and what they decide later
takes the draft over or takes it back. Drafts are approved as all others are; where the settings say so in as
many words, they go by themselves after a while, if nothing speaks against it by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine, Select, func, insert, select, tuple_, update

from nightlamp import audit
from nightlamp.banks.live import still_stand
from nightlamp.cases import Case, Confirmed
from nightlamp.cases.arriving import STRONGEST
from nightlamp.cases.records import lock_case
from nightlamp.cases.tables import case_item, case_print, decision
from nightlamp.intake import active_policy, get_item
from nightlamp.intake.records import matches_of
from nightlamp.intake.tables import item, policy, verdict
from nightlamp.policy import load
from nightlamp.reports.drafts import Grounds, Operator, drafted, items_confirmed
from nightlamp.reports.lifecycle import draft, let_go, move, record, rewrite
from nightlamp.reports.records import StoredReport, get_report
from nightlamp.reports.tables import report, report_approval, report_confirmation
from nightlamp.store import Clock, Writer, reading, utc_now

MOST_ITEMS = 1_000  # of one report; what comes then is in another
_AT_ONCE = 50
_T, _C, _R = report_confirmation, report_confirmation.c, report.c


def remember(connection: Connection, confirmed: Sequence[Confirmed]) -> None:
    """Write down what a rule confirmed, in the transaction that puts it into cases; an item once."""
    items = [each.item for each in confirmed]
    known = set(connection.scalars(select(_C.item).where(_C.item.in_(items))))
    rows = {
        each.item: {"item": each.item, "verdict": each.verdict, "at": each.at, "why": ""}
        for each in confirmed
        if each.item not in known
    }
    if rows:
        connection.execute(insert(report_confirmation), list(rows.values()))


def left_over(connection: Connection, before: datetime) -> int:
    """How many were confirmed before then, and neither drafted nor passed over."""
    waiting = select(func.count()).where(_C.report.is_(None), _C.why == "", _C.at < before)
    return connection.scalar(waiting) or 0


class ByRule:
    """Drafts what rules confirmed, and sends it where the operator allows that; on any number of nodes.

    Args:
        engine: to read from.
        writer: commits.
        operator: who reports, and how.
        wait: from the draft to the sending, where nobody has to approve it.
        clock: the time.
    """

    def __init__(
        self, engine: Engine, writer: Writer, operator: Operator, *, wait: timedelta, clock: Clock = utc_now
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._operator = operator
        self._wait = wait
        self._clock = clock

    def run_once(self) -> int:
        """Draft what waits and send what is due; how many it were. The first failure is raised at the end."""
        done, failed = 0, None
        work: list[Callable[[Connection], int]] = [partial(self._draft, each) for each in self._waiting()]
        work += [partial(self._send, each) for each in self._due()]
        for each in work:
            try:
                done += self._writer.write(each)
            except Exception as error:  # noqa: BLE001 (the others must not wait for it)
                failed = failed or error
        if failed is not None:
            raise failed
        return done

    def _waiting(self) -> list[str]:
        found: list[str] = []
        after: tuple[datetime, str] | None = None
        with reading(self._engine) as connection:
            while True:
                query = select(_C.at, _C.item).where(_C.report.is_(None), _C.why == "")
                if after is not None:
                    query = query.where(tuple_(_C.at, _C.item) > tuple_(*after))
                rows = connection.execute(query.order_by(_C.at, _C.item).limit(_AT_ONCE)).all()
                if not rows:
                    return found
                found += [row.item for row in rows]
                after = rows[-1].at, rows[-1].item

    def _due(self) -> list[str]:
        if not self._operator.alone:
            return []
        with reading(self._engine) as connection:
            return list(connection.scalars(self._rested().order_by(_R.created_at).limit(_AT_ONCE)))

    def _rested(self) -> Select[tuple[str]]:
        """The drafts that may go by themselves by now: all that is in them has waited."""
        before = self._clock() - self._wait
        late = select(_C.item).where(_C.report == _R.id, _C.at > before)
        query = select(_R.id).where(_R.state == "draft", _R.approvals == 0, _R.rule != "")
        return query.where(_R.created_at <= before, ~late.exists())

    def _draft(self, item_id: str, connection: Connection) -> int:
        mine = select(report_confirmation).where(_C.item == item_id).with_for_update()
        row = connection.execute(mine).one()
        if row.report is not None or row.why:
            return 0  # another node was quicker
        case = _case_of(connection, item_id)
        if case.state == "decided" and not _applied(connection, case):
            return 0  # it may still be taken back
        now = self._clock()
        why = _against(connection, [case], [item_id])
        if why:
            _settle(connection, item_id, now, why=why)
            audit.append(connection, "system", "report.passed_over", f"item:{item_id}", {"why": why}, at=now)
            return 1
        stored, hold = get_item(connection, item_id), self._operator.hold(now)
        since = now - self._wait if self._operator.alone else None
        found = _open_draft(connection, case, stored.actor, since)
        others = sorted(items_confirmed(connection, found.id)) if found is not None else []
        items = [*(get_item(connection, each) for each in others), stored]
        grounds = _grounds(connection, case, [each.id for each in items])
        new = drafted(connection, grounds, stored.actor, items, self._operator)
        if found is None:
            made = draft(connection, new, by="system", now=now, hold=hold)
        else:
            made = rewrite(connection, found, new, by="system", now=now, hold=hold).id
        _settle(connection, item_id, now, report=made)
        return 1

    def _send(self, report_id: str, connection: Connection) -> int:
        # Cases before their reports, as everywhere: what waits for the other would wait for ever.
        of = select(case_item.c.case).join(_T, _C.item == case_item.c.item).where(_C.report == report_id)
        ids = connection.scalars(of.distinct().order_by(case_item.c.case)).all()
        cases = [lock_case(connection, each) for each in ids]
        found = get_report(connection, report_id, lock=True)
        if connection.scalar(self._rested().where(_R.id == report_id)) is None:
            return 0
        why = _not_alone(connection, found, cases)
        if why:
            move(connection, report_id, approvals=self._operator.approvals, why=why)
            record(connection, "system", "report.kept_back", report_id, {"why": why}, self._clock())
        else:
            let_go(connection, found, now=self._clock())
        return 1


def _settle(
    connection: Connection, item_id: str, now: datetime, *, report: str | None = None, why: str = ""
) -> None:
    mine = update(report_confirmation).where(_C.item == item_id)
    connection.execute(mine.values(report=report, why=why, at=now))


def _case_of(connection: Connection, item_id: str) -> Case:
    """The item's case; nobody decides it meanwhile."""
    of = select(case_item.c.case).where(case_item.c.item == item_id)
    return lock_case(connection, str(connection.scalar(of)))


def _applied(connection: Connection, case: Case) -> bool:
    applied = select(decision.c.applied_at).where(decision.c.id == case.decision)
    return connection.scalar(applied) is not None


def _against(connection: Connection, cases: Sequence[Case], items: Sequence[str]) -> str:
    """What people said of cases and of items in them that goes before a rule; ``""``: nothing."""
    if any(each.state == "decided" for each in cases):
        return "people have decided it"
    ids = {each for case in cases for each in (case.id, case.earlier) if each is not None}
    # Even if it was taken back, or the case was opened again by something new: a person must look.
    no = select(decision.c.id).where(decision.c.finding == "not_csam").limit(1)
    for of in (sorted(ids), _cases_of_copies(items)):
        if connection.scalar(no.where(decision.c.case.in_(of))) is not None:
            return "somebody has said that it is not"
    return ""


def _cases_of_copies(items: Sequence[str]) -> Select[tuple[str]]:
    """The cases in which the very same content is as one of these items has, by its digests."""
    mine = case_print.alias()
    same = select(case_item.c.case).join(case_print, case_print.c.item == case_item.c.item)
    same = same.join(mine, (mine.c.signal == case_print.c.signal) & (mine.c.value == case_print.c.value))
    return same.where(mine.c.item.in_(items), mine.c.signal.in_(STRONGEST))


def _grounds(connection: Connection, case: Case, items: Sequence[str]) -> Grounds:
    """By the rules that confirmed the items; the last one's is new."""
    named: dict[str, None] = {}
    facts: dict[str, audit.Detail] = {}
    query = select(verdict.c.rule, policy.c.name, policy.c.version)
    query = query.join(policy, policy.c.id == verdict.c.policy).join(_T, _C.verdict == verdict.c.id)
    for each in items:
        row = connection.execute(query.where(_C.item == each)).one()
        named[f"rule {row.rule} of our policy {row.name}, version {row.version}"] = None
        facts = {"rule": row.rule, "policy": row.name, "policy_version": row.version}
    told = (
        f"It was confirmed automatically, by {' and '.join(named)}, and not by a person; whether a person "
        "has viewed a file is said of each file."
    )
    return Grounds(case.id, told, rule=str(facts["rule"]), facts=facts)


def _open_draft(
    connection: Connection, case: Case, actor: str, since: datetime | None
) -> StoredReport | None:
    """The rule's draft on the same actor and case, if nobody has approved any of it yet.

    What would go by itself takes no more than it had ``since`` then: what keeps coming must not keep it.
    """
    approved = select(report_approval.c.report).where(report_approval.c.version == _R.version)
    query = select(_R.id).where(
        _R.case == case.id, _R.actor == actor, _R.state == "draft", _R.rule != "", _R.decision.is_(None)
    )
    query = query.where(_R.id.not_in(approved.where(report_approval.c.report == _R.id)))
    if since is not None:
        query = query.where(_R.created_at > since)
    for report_id in connection.scalars(query.order_by(_R.id.desc())).all():
        found = get_report(connection, report_id, lock=True)
        if found.state == "draft" and not found.approved_by and len(found.files) < MOST_ITEMS:
            return found
    return None


def _not_alone(connection: Connection, found: StoredReport, cases: Sequence[Case]) -> str:
    """Why it must not go without a person; ``""``: it may."""
    if found.faults:
        return f"{found.faults[0]}"[:200]
    items = sorted(items_confirmed(connection, found.id))
    if _against(connection, cases, items):
        return "somebody has said otherwise of one of its files"
    force = active_policy(connection)
    rules = load(force.text).rules if force is not None else ()
    sure = {each.id for each in rules if each.handling.confirms}
    newest = select(item.c.id.label("item"), verdict.c.id, verdict.c.rule, verdict.c.handling)
    newest = newest.join(verdict, item.c.verdict == verdict.c.id).where(item.c.id.in_(items))
    rows = {row.item: row for row in connection.execute(newest)}
    withdrawn = _withdrawn(connection, [row.id for row in rows.values()])
    for each in items:
        row = rows[each]
        if not row.handling.get("confirms", False):
            return "the newest verdict on one of its files confirms nothing"
        if row.rule not in sure:
            return "the policy in force has no such rule any more"
        if row.id in withdrawn:
            return "a list has withdrawn an entry that one of its files matches"
    return ""


def _withdrawn(connection: Connection, verdicts: Sequence[str]) -> set[str]:
    """Of which verdicts something that counted does not stand any more on the list that it is from."""
    counted: dict[str, dict[str, set[str]]] = {}  # by bank and entry: the verdicts
    for each, matches in matches_of(connection, verdicts).items():
        for match in matches:
            if not match.bank.benign and not match.disputed:
                counted.setdefault(match.bank.name, {}).setdefault(match.entry_id, set()).add(each)
    return {
        each
        for bank, entries in counted.items()
        for gone in entries.keys() - still_stand(connection, bank, entries)
        for each in entries[gone]
    }
