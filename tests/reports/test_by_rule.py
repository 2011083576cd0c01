"""Reports that a rule of the policy confirms: once, as no person's word, and never against a person's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from nightlamp.audit.tables import audit_record
from nightlamp.banks import Entry as ListEntry
from nightlamp.banks.live import add_entries, all_banks, create_bank
from nightlamp.cases import Answer, Effects, Opener, decide, get_case, next_case, split
from nightlamp.cases.tables import case_item, review_case
from nightlamp.errors import ReportError
from nightlamp.intake import (
    Submission,
    activate_policy,
    active_policy,
    add_policy,
    dry_run,
    roll_back_policy,
)
from nightlamp.intake.deciding import Subject
from nightlamp.intake.recording import Entry, Recorder
from nightlamp.intake.submission import Ruling
from nightlamp.intake.tables import for_review
from nightlamp.policy import Facts, load
from nightlamp.policy import decide as policy_decide
from nightlamp.reports import (
    ByRule,
    Operator,
    Sender,
    StoredReport,
    change,
    draft_for,
    get_report,
    page_reports,
    remember,
    retract,
    standing,
)
from nightlamp.reports.fake import Desk, Faulty
from nightlamp.reports.tables import report_confirmation
from nightlamp.store import Writer, new_id, reading
from nightlamp.values import Bank, Examination, Fingerprint, Match
from nightlamp.vault import destroy

from .conftest import Office
from .crashing import Crash, DyingWriter, Fate, dying
from .model import Wire, minimal
from .test_drafts import OPERATOR, WHERE, viewed

ALONE = replace(OPERATOR, alone=True)
CSAM, CLEAR = Answer("csam", "A1"), Answer("not_csam", reason="adult")
WAIT = timedelta(minutes=15)
POLICY = """
nightlamp-policy: 1
name: sure
rules:
  - id: exact
    when: matches.exists(m, m.exact && !m.disputed && m.trust == 'high')
    then: block
    reason: "An equal copy."
    hold: P1Y
    confirms: {confirms}
  - id: rest
    when: "true"
    then: review
    reason: "A person looks."
    hold: P1Y
"""


@dataclass
class Shop:
    """All that stands between an item and its report."""

    office: Office
    operator: Operator = OPERATOR

    def __post_init__(self) -> None:
        """A list with the entry that all items match."""

        def work(connection: Any) -> int:
            if there := all_banks(connection):
                return there[0].id
            made = create_bank(connection, Bank("list", "a hotline", "csam", "high"), actor="key:a")
            add_entries(connection, made.id, [ListEntry("sha256", bytes(32), "entry-1")], actor="key:a")
            return made.id

        self.bank = self.office.writer.write(work)

    def policy(self, confirms: bool = True) -> int:
        def work(connection: Any) -> int:
            text = POLICY.format(confirms=str(confirms).lower())
            made = add_policy(connection, text, actor="key:a", now=self.office.clock())
            return activate_policy(connection, made.id, actor="key:a", now=self.office.clock()).id

        return self.office.writer.write(work)

    def submit(
        self, actor: str = "u-1", *, trust: str = "high", content: bytes | None = None, item: str = ""
    ) -> str:
        """An item by the policy in force; of one that is there already, a late verdict."""
        office, late = self.office, bool(item)
        item, data = item or new_id(), content or new_id().encode()
        with reading(office.engine) as connection:
            force = active_policy(connection)
        assert force is not None
        prints = (Fingerprint("sha256", data.ljust(32)[:32]),)
        match = Match(prints[0], Bank("list", "a hotline", "csam", trust), "entry-1", "csam", 0)  # type: ignore[arg-type]
        verdict = policy_decide(Facts((match,)), load(force.text))
        submission = Submission("thekey", actor=actor, where=WHERE)
        subject = Subject(item, submission, Examination("image/png", len(data), 10, 10, 1, prints), late)
        ruling = Ruling(new_id(), item, verdict, force.id, 0, late, 1, office.clock())
        sealed = None if late or content == b"" else office.vault.seal(data)
        entry = Entry(subject, ruling, office.clock(), sealed=sealed)
        recorder = Recorder(office.writer, office.vault, timedelta(0))
        office.writer.write(lambda c: recorder.write(c, [entry]))
        return item

    def run(self) -> None:
        """Cases, and what rules confirm in them."""
        office = self.office
        opener = Opener(office.engine, office.writer, confirmed=remember, clock=office.clock)
        while opener.run_once():
            pass
        self.rules().run_once()

    def rules(self, writer: Any = None) -> ByRule:
        office = self.office
        return ByRule(office.engine, writer or office.writer, self.operator, wait=WAIT, clock=office.clock)

    def case_of(self, item: str) -> str:
        with reading(self.office.engine) as connection:
            return str(connection.scalar(select(case_item.c.case).where(case_item.c.item == item)))

    def answer(
        self, case: str, answer: Answer, by: str = "person:r", *, apply: bool = True, writer: Any = None
    ) -> None:
        office, writer = self.office, writer or self.office.writer
        with reading(office.engine) as connection:
            version = get_case(connection, case).version
        writer.write(lambda c: decide(c, case, answer, by=by, version=version, now=office.clock()) and None)
        if apply:
            office.clock.move(minutes=2)
            self.apply()

    def apply(self, writer: Any = None) -> None:
        """Draft what people have decided."""
        office = self.office
        consumer = lambda c, final: draft_for(c, final, operator=self.operator, clock=office.clock)  # noqa: E731
        Effects(office.engine, writer or office.writer, [consumer], clock=office.clock).run_once()

    def reports(self, actor: str = "") -> list[StoredReport]:
        with reading(self.office.engine) as connection:
            found = list(reversed(page_reports(connection)))
            return [get_report(connection, each.id) for each in found if actor in ("", each.actor)]

    def live(self) -> list[StoredReport]:
        return [each for each in self.reports() if each.state not in ("retracted", "retracting")]

    def send(self) -> None:
        office = self.office
        sender = Sender(office.writer, office.client(), office.evidence, clock=office.clock)
        while sender.run_once():
            pass

    def facts(self, action: str) -> str:
        with reading(self.office.engine) as connection:
            query = select(audit_record.c.details).where(audit_record.c.action == action)
            return str(connection.scalar(query))

    def waiting(self) -> int:
        """What is not yet in a case, or confirmed and not drafted."""
        with reading(self.office.engine) as connection:
            c = report_confirmation.c
            open_ = select(func.count()).where(c.report.is_(None), c.why == "")
            cases = select(func.count()).select_from(for_review)
            return (connection.scalar(open_) or 0) + (connection.scalar(cases) or 0)

    def undecided(self) -> str | None:
        """A case that nobody has decided."""
        with reading(self.office.engine) as connection:
            waits = select(review_case.c.id).where(review_case.c.state == "open").limit(1)
            return connection.scalar(waits)

    def why(self, item: str) -> str | None:
        with reading(self.office.engine) as connection:
            c = report_confirmation.c
            return connection.scalar(select(c.why).where(c.item == item))


@pytest.fixture
def shop(office: Office) -> Shop:
    made = Shop(office)
    made.policy()
    return made


def test_what_a_rule_confirms_is_a_draft_that_says_so(either: Office) -> None:
    shop = Shop(either)
    shop.policy(confirms=False)
    number = shop.policy()
    item = shop.submit()

    shop.run()
    shop.run()

    [draft] = shop.reports()
    assert (draft.state, draft.rule, draft.decision, draft.approvals) == ("draft", "exact", None, 1)
    assert draft.case == shop.case_of(item)
    assert not draft.faults
    [file] = draft.files
    assert (file.details.file_viewed_by_esp, file.details.exif_viewed_by_esp) == (False, False)
    told = draft.document.additional_info or ""
    assert "by rule exact of our policy sure, version 2, and not by a person" in told
    assert "a hotline" in told
    facts = shop.facts("report.drafted")
    assert '"rule":"exact"' in facts
    assert '"policy":"sure","policy_version":2' in facts
    assert number == 2
    either.approve(draft.id)
    shop.send()
    assert either.read(draft.id).state == "finished"


def test_a_rule_that_does_not_say_so_confirms_nothing(office: Office) -> None:
    shop = Shop(office, ALONE)
    shop.policy(confirms=False)
    shop.submit()
    shop.policy()  # from now on it would; the verdict stays what it was
    shop.submit(trust="medium")
    shop.run()
    office.clock.move(hours=1)
    shop.run()
    assert not shop.reports()


def test_a_dry_run_confirms_nothing(office: Office) -> None:
    shop = Shop(office, ALONE)
    shop.policy(confirms=False)
    shop.submit()
    shop.run()
    old, new = (load(POLICY.format(confirms=each)) for each in ("false", "true"))
    with reading(office.engine) as connection:
        found = dry_run(connection, old, new, limit=10)
    assert found.replay.changed == 1
    assert found.replay.changes[0].after.handling.confirms
    shop.run()
    with reading(office.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(report_confirmation)) == 0
    assert not shop.reports()


def test_what_an_actor_sends_at_a_time_is_one_report(shop: Shop) -> None:
    shop.submit()
    shop.run()
    shop.submit()
    shop.submit("u-2")
    shop.run()
    assert {each.actor: len(each.files) for each in shop.reports()} == {"u-1": 2, "u-2": 1}
    [first, _] = shop.reports()
    assert first.version == 2


def test_what_somebody_has_edited_or_approved_keeps_that(shop: Shop) -> None:
    office = shop.office
    shop.submit()
    shop.run()
    [made] = shop.reports()
    edited = minimal(additional_info="an account that we know")
    office.writer.write(lambda c: change(c, made.id, edited, version=1, by="person:a", now=office.clock()))
    shop.submit()
    shop.run()
    [found] = shop.reports()
    assert found.document == edited
    assert len(found.files) == 2
    assert "after it was edited" in found.asks[-1].what

    office.approve(found.id)
    shop.submit()
    shop.run()
    assert [len(each.files) for each in shop.reports()] == [2, 1]


def test_without_the_settings_word_nothing_goes_without_a_person(shop: Shop) -> None:
    shop.submit()
    shop.run()
    shop.office.clock.move(days=2)
    shop.run()
    shop.send()
    [draft] = shop.reports()
    assert draft.state == "draft"
    with reading(shop.office.engine) as connection:
        assert standing(connection, now=shop.office.clock()).overdue == 1


def test_with_it_a_report_goes_by_itself_after_a_while(office: Office) -> None:
    shop = Shop(office, ALONE)
    shop.policy()
    shop.submit()
    shop.run()
    office.clock.move(minutes=14)
    shop.run()
    assert [each.state for each in shop.reports()] == ["draft"]
    office.clock.move(minutes=2)
    shop.run()
    shop.send()
    [made] = shop.reports()
    assert (made.state, made.approved_by) == ("finished", ())
    assert '"rule":"exact"' in shop.facts("report.approved")
    [sent] = office.desk.finished[0].files.values()
    assert sent.details is not None
    assert sent.details.text_of("fileViewedByEsp") == "false"


def test_who_looked_in_time_is_in_it_all_the_same(office: Office) -> None:
    shop = Shop(office, ALONE)
    shop.policy()
    item = shop.submit()
    shop.run()
    viewed(office, item)
    office.clock.move(minutes=16)
    shop.run()
    [made] = shop.reports()
    assert made.state == "approved"
    assert made.files[0].details.file_viewed_by_esp


def speaks(shop: Shop, how: str, item: str) -> None:
    office = shop.office
    [made] = shop.reports()
    if how == "policy":
        shop.policy(confirms=False)
    elif how == "rolled back":
        office.writer.write(lambda c: roll_back_policy(c, actor="key:a", now=office.clock()) and None)
    elif how == "edited":
        office.writer.write(
            lambda c: change(c, made.id, minimal(), version=1, by="person:a", now=office.clock())
        )
    elif how == "verdict":
        shop.submit(item=item, trust="medium")
    elif how == "doubt":
        shop.answer(shop.case_of(item), CLEAR, apply=False)


@pytest.mark.parametrize("how", ["policy", "rolled back", "edited", "verdict", "doubt"])
def test_what_speaks_against_it_meanwhile_keeps_it_for_people(office: Office, how: str) -> None:
    shop = Shop(office, ALONE)
    shop.policy(confirms=False)
    shop.policy()
    item = shop.submit()
    shop.run()
    speaks(shop, how, item)
    office.clock.move(minutes=16)
    for _ in range(3):
        shop.run()
        shop.send()
        office.clock.move(hours=1)
    [made] = shop.reports()
    assert (made.state, made.approvals) == ("draft", 1)
    assert made.why or how == "edited"
    assert not office.desk.reports


@pytest.mark.parametrize("gone", ["never kept", "destroyed"])
def test_without_its_content_it_does_not_go_by_itself(office: Office, gone: str) -> None:
    shop = Shop(office, ALONE)
    shop.policy()
    item = shop.submit(content=b"" if gone == "never kept" else None)
    if gone == "destroyed":
        with reading(office.engine) as connection:
            from nightlamp.intake import get_item

            object_id = get_item(connection, item).object
        assert object_id is not None
        destroy(office.vault, object_id, actor="operator:a", request="FBI 7")
    shop.run()
    [made] = shop.reports()
    assert (made.approvals, made.files) == (1, ())


def test_people_who_confirm_it_take_the_draft_over(shop: Shop) -> None:
    first, second = shop.submit(), shop.submit()
    shop.run()
    [before] = shop.reports()
    case = shop.case_of(first)
    assert case == shop.case_of(second)

    shop.answer(case, CSAM)

    [after] = shop.reports()
    assert (after.id, after.state, after.version) == (before.id, "draft", before.version + 1)
    assert after.decision is not None
    assert "confirmed by 1 person" in (after.document.additional_info or "")
    assert "rule" not in (after.document.additional_info or "")
    assert {each.item for each in after.files} == {first, second}
    with reading(shop.office.engine) as connection:
        assert standing(connection, now=shop.office.clock()).well


@pytest.mark.parametrize("state", ["approved", "finished"])
def test_people_who_confirm_what_is_on_its_way_report_only_the_rest(shop: Shop, state: str) -> None:
    shop.submit()
    shop.run()
    [sent] = shop.reports()
    shop.office.approve(sent.id)
    if state == "finished":
        shop.send()
    other = shop.submit(trust="medium")
    shop.run()
    shop.answer(shop.case_of(sent.files[0].item or ""), CSAM)
    if shop.case_of(other) != sent.case:
        shop.answer(shop.case_of(other), CSAM)
    [old, new] = shop.reports()
    assert (old.id, old.state) == (sent.id, state)
    assert [each.item for each in new.files] == [other]
    with reading(shop.office.engine) as connection:
        assert standing(connection, now=shop.office.clock()).unreported == 0


def test_people_who_clear_it_take_it_back(shop: Shop) -> None:
    item = shop.submit()
    shop.run()
    shop.answer(shop.case_of(item), CLEAR)
    assert [each.state for each in shop.reports()] == ["retracted"]

    # and a new entry that the rule believes in does not go over their heads
    shop.submit(item=item)
    shop.run()
    assert [each.state for each in shop.reports()] == ["retracted"]


def test_if_it_was_finished_by_then_the_report_says_that_people_disagree(shop: Shop) -> None:
    item = shop.submit()
    shop.run()
    [made] = shop.reports()
    shop.office.approve(made.id)
    shop.send()
    shop.answer(shop.case_of(item), CLEAR)
    [after] = shop.reports()
    assert (after.state, after.why.split(":")[0]) == (
        "finished", "people decided otherwise after it was finished",
    )  # fmt: skip
    assert shop.office.audited()[-1] == "report.contradicted"


@pytest.mark.parametrize("answer", [CSAM, CLEAR])
def test_a_rule_waits_for_an_answer_that_may_still_be_taken_back(shop: Shop, answer: Answer) -> None:
    item = shop.submit()
    office = shop.office
    opener = Opener(office.engine, office.writer, confirmed=remember, clock=office.clock)
    opener.run_once()
    shop.answer(shop.case_of(item), answer, apply=False)
    shop.rules().run_once()
    assert not shop.reports()
    assert shop.why(item) == ""

    office.clock.move(minutes=2)
    consumer = lambda c, final: draft_for(c, final, operator=OPERATOR, clock=office.clock)  # noqa: E731
    Effects(office.engine, office.writer, [consumer], clock=office.clock).run_once()
    shop.rules().run_once()
    assert len(shop.reports()) == (answer is CSAM)
    assert shop.why(item) == "people have decided it"


def test_a_copy_of_what_people_cleared_is_passed_over(shop: Shop) -> None:
    first = shop.submit(content=b"the same")
    shop.run()
    shop.answer(shop.case_of(first), CLEAR)
    again = shop.submit("u-9", content=b"the same")
    shop.run()
    assert shop.why(again) == "somebody has said that it is not"
    assert not shop.live()


def test_a_report_that_a_person_took_back_stays_so(shop: Shop) -> None:
    item = shop.submit()
    shop.run()
    office = shop.office
    [made] = shop.reports()
    office.writer.write(lambda c: retract(c, made.id, by="person:a", reason="no", now=office.clock()))
    shop.submit(item=item)  # a late verdict that confirms it again
    shop.run()
    assert not shop.live()
    # until people confirm it
    shop.answer(shop.case_of(item), CSAM)
    assert [[each.item for each in found.files] for found in shop.live()] == [[item]]


@pytest.mark.parametrize("sent", [False, True])
def test_what_is_split_off_and_cleared_does_not_take_the_others_with_it(shop: Shop, sent: bool) -> None:
    office = shop.office
    kept, cleared = shop.submit(), shop.submit()
    shop.run()
    [made] = shop.reports()
    if sent:
        office.approve(made.id)
    case = shop.case_of(kept)
    office.writer.write(lambda c: next_case(c, "person:r", now=office.clock()) and None)
    with reading(office.engine) as connection:
        version = get_case(connection, case).version
    office.writer.write(
        lambda c: split(c, case, [cleared], by="person:r", version=version, now=office.clock()) and None
    )
    shop.answer(case, CSAM)
    shop.answer(shop.case_of(cleared), CLEAR)
    shop.send()
    assert [[each.item for each in found.files] for found in shop.live()] == [[kept]]
    [live] = shop.live()
    assert live.decision is not None


def test_a_late_verdict_is_confirmed_too(shop: Shop) -> None:
    item = shop.submit(trust="low")
    shop.run()
    assert not shop.reports()
    shop.submit(item=item)
    shop.run()
    [made] = shop.reports()
    assert [each.item for each in made.files] == [item]


def test_what_is_left_over_is_named(shop: Shop) -> None:
    office = shop.office
    shop.submit()
    Opener(office.engine, office.writer, confirmed=remember, clock=office.clock).run_once()
    office.clock.move(hours=3)
    with reading(office.engine) as connection:
        assert standing(connection, now=office.clock()).unreported == 1


def test_two_nodes_that_saw_it_wait_draft_it_once(shop: Shop) -> None:
    office = shop.office
    item = shop.submit()
    Opener(office.engine, office.writer, confirmed=remember, clock=office.clock).run_once()

    class Slow:
        """Another node drafts it, and people approve it, before this one comes to write."""

        def write(self, work: Callable[..., int]) -> int:
            shop.rules().run_once()
            [made] = shop.reports()
            office.approve(made.id)
            return office.writer.write(work)

    shop.rules(Slow()).run_once()
    assert [[each.item for each in found.files] for found in shop.reports()] == [[item]]


def test_nodes_at_once_and_people_report_each_item_once(either: Office) -> None:
    """Three nodes open cases, draft and apply decisions together, while people confirm some of the cases."""
    office, shop = either, Shop(either, ALONE)
    shop.policy()
    items = [shop.submit(f"u-{at % 6}") for at in range(30)]
    late: list[Exception] = []

    def node(confirms: bool) -> None:
        consumer = lambda c, final: draft_for(c, final, operator=ALONE, clock=office.clock)  # noqa: E731
        opener = Opener(office.engine, office.writer, confirmed=remember, clock=office.clock)
        effects = Effects(office.engine, office.writer, [consumer], clock=lambda: office.clock() + WAIT)
        with Writer(office.engine) as writer:
            rules = shop.rules(writer)
            for _ in range(200):
                opener.run_once()
                rules.run_once()
                if confirms and (case := shop.undecided()) is not None:
                    shop.answer(case, CSAM, apply=False)
                effects.run_once()
                if not shop.waiting() and not (confirms and shop.undecided()):
                    return

    def run(confirms: bool) -> None:
        try:
            node(confirms)
        except Exception as error:  # noqa: BLE001 (told by the test)
            late.append(error)

    threads = [threading.Thread(target=run, args=(at == 0,)) for at in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=300)
    assert not late
    assert not shop.waiting()
    reported = [file.item for each in shop.live() for file in each.files]
    assert sorted(filter(None, reported)) == sorted(items)
    with reading(office.engine) as connection:
        assert standing(connection, now=office.clock()).unreported == 0


def fated(office: Office, seed: int) -> str:
    """Some items through a node that dies anywhere, to finished reports; raises where one is there twice."""
    fate = Fate(seed)
    desk = Desk(clock=office.clock, first=100_000 * seed + 1)
    shop = Shop(office, ALONE)
    shop.policy()
    actor = f"u-{seed}"
    items = [shop.submit(actor) for _ in range(fate.draw.randint(1, 3))]
    writer: Any = DyingWriter(office.writer, fate)
    clears = fate.draw.random() < 0.2

    def step() -> None:
        opener = Opener(office.engine, writer, confirmed=remember, clock=office.clock)
        while opener.run_once():
            pass
        shop.rules(writer).run_once()
        wire = Wire(dying(Faulty(desk.answer, fate.fault).answer, fate))
        sender = Sender(writer, office.client(wire), office.evidence, clock=office.clock, lease=60)
        while sender.run_once():
            pass

    for round_ in range(200):
        with suppress(Crash, ReportError):
            step()
        if clears and round_ == 2 and shop.case_of(items[0]) != "None":
            with suppress(Exception):
                shop.answer(shop.case_of(items[0]), CLEAR)
        office.clock.move(minutes=fate.draw.choice((2, 16, 70)))
        mine = shop.reports(actor)
        done = all(each.state in ("finished", "retracted") for each in mine)
        if done and not fate.left and round_ > 2 and not shop.waiting():
            break
    finished = [each for each in mine if each.state == "finished"]
    reported = [file.item for each in finished for file in each.files]
    assert len(reported) == len(set(reported)), (seed, fate.happened)
    assert {each.remote for each in finished} == {each.id for each in desk.finished}, (seed, fate.happened)
    if not clears:
        assert set(reported) == set(items), (seed, fate.happened, [each.state for each in mine])
    return "cleared" if clears else "finished"


def test_whatever_crashes_each_item_is_reported_once(office: Office) -> None:
    assert {fated(office, seed) for seed in range(12)} == {"finished", "cleared"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_schedules(office: Office) -> None:
    for seed in range(100, 400):
        fated(office, seed)
