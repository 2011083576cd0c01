"""Exports of originals: two people, one time, sealed; and all that must stop one."""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from sqlalchemy import insert, select, update

from nightlamp.audit import PublicKeys, SigningKey
from nightlamp.audit.tables import audit_record
from nightlamp.cases.tables import case_item, review_case
from nightlamp.errors import CaseError, ReportError, VaultError
from nightlamp.intake import get_item
from nightlamp.reports import (
    Export,
    ask_export,
    authorise_export,
    get_export,
    page_exports,
    stop_export,
)
from nightlamp.reports.bundle import Office as Maker
from nightlamp.reports.bundle import check_opened, export_originals
from nightlamp.reports.tables import report_package
from nightlamp.settings.reports import ReportsSettings
from nightlamp.store import new_id, reading
from nightlamp.vault import Identity, Recipients, destroy

from .conftest import Office
from .test_bundle import case_of, confirmed
from .test_drafts import submitted

DAY = timedelta(days=1)
ASKER, OTHER, THIRD = "person:asker", "person:other", "person:third"
WHY = "a second look by the clinic"


@pytest.fixture
def theirs() -> Identity:
    return Identity.generate()


def to(identity: Identity) -> Recipients:
    return Recipients.of([identity.public])


def ask(office: Office, case: str, theirs: Identity, **more: Any) -> Export:
    given = {"by": ASKER, "now": office.clock(), "good_for": DAY, **more}
    reason = given.pop("reason", WHY)
    return office.writer.write(lambda c: ask_export(c, case, to(theirs), reason, **given))


def authorise(office: Office, export: Export, by: str = OTHER) -> Export:
    return office.writer.write(
        lambda c: authorise_export(c, export.id, by=by, now=office.clock(), good_for=DAY)
    )


def stop(office: Office, export: Export, by: str) -> Export:
    return office.writer.write(lambda c: stop_export(c, export.id, by=by, now=office.clock()))


def state(office: Office, export: Export) -> str:
    with reading(office.engine) as connection:
        return get_export(connection, export.id, now=office.clock()).state


def maker(office: Office, actor: str = ASKER) -> Maker:
    return Maker(office.vault, office.identity, SigningKey.generate(), ReportsSettings(), actor)


def audited(office: Office) -> list[tuple[str, str]]:
    with reading(office.engine) as connection:
        query = select(audit_record.c.action, audit_record.c.actor).order_by(audit_record.c.sequence)
        wanted = query.where(audit_record.c.action.like("export.%"))
        return [tuple(row) for row in connection.execute(wanted)]


def refused(work: Callable[[], object]) -> ReportError:
    with pytest.raises(ReportError) as caught:
        work()
    return caught.value


def test_what_two_people_agreed_on_is_given_once_and_sealed(
    either: Office, theirs: Identity, tmp_path: Path
) -> None:
    case, out, office = confirmed(either), tmp_path / "out.tar", either
    export = ask(office, case, theirs)
    assert (export.state, export.items, export.recipients) == ("asked", 2, (theirs.public,))
    assert refused(lambda: export_originals(maker(office), export.id, out)).code == "conflict"
    assert authorise(office, export).state == "authorised"
    by = maker(office)
    made = export_originals(by, export.id, out)
    # then the files are in it, and nothing of people
    found, document = check_opened(out, theirs, PublicKeys.of([by.key.public]))
    assert (found.faults, found.trusted, document.purpose) == ((), True, "export")
    assert [each.content.name for each in document.items if each.content] == ["files/00001", "files/00002"]
    assert (document.persons, document.decision, document.elsewhere) == ((), None, ())
    assert {each.person + each.url + each.room + each.platform_id for each in document.items} == {""}
    with tarfile.open(out) as tar:
        file = tar.extractfile("files/00001.age")
        assert file is not None
        assert pyrage.decrypt(file.read(), [theirs.key]) == b"marker 0" * 40_000
    assert b"marker 0" not in out.read_bytes()
    with pytest.raises(ReportError):
        check_opened(out, office.identity)  # our own key does not open it
    # and it is over
    assert state(office, export) == "given"
    again = tmp_path / "again.tar"
    assert "already" in refused(lambda: export_originals(maker(office), export.id, again)).what
    assert list(tmp_path.glob("*again*")) == list(tmp_path.glob(".*again*")) == []
    assert audited(office) == [
        ("export.asked", ASKER),
        ("export.authorised", OTHER),
        ("export.given", ASKER),
    ]
    with reading(office.engine) as connection:
        kept = connection.execute(select(report_package).where(report_package.c.purpose == "export")).one()
    assert (kept.id, kept.case, kept.files, kept.by) == (made.id, case, 2, ASKER)


def test_one_item_alone(office: Office, theirs: Identity, tmp_path: Path) -> None:
    items = [submitted(office, content=b"marker %d" % at * 1000) for at in range(3)]
    case = case_of(office, *items)
    export = ask(office, case, theirs, item=items[1])
    authorise(office, export)
    export_originals(maker(office), export.id, tmp_path / "out.tar")
    _, document = check_opened(tmp_path / "out.tar", theirs)
    assert [each.id for each in document.items] == [items[1]]
    elsewhere = submitted(office, content=b"another")
    assert refused(lambda: ask(office, case, theirs, item=elsewhere)).code == "conflict"


def test_who_asks_cannot_authorise_and_who_authorises_cannot_fetch(
    either: Office, theirs: Identity, tmp_path: Path
) -> None:
    export = ask(either, confirmed(either), theirs)
    assert refused(lambda: authorise(either, export, by=ASKER)).code == "refused"
    assert state(either, export) == "asked"
    authorise(either, export)
    for other in (OTHER, THIRD):
        error = refused(lambda other=other: export_originals(maker(either, other), export.id, tmp_path / "x"))
        assert error.code == "refused"
    assert state(either, export) == "authorised"


def both(one: Callable[[], object], two: Callable[[], object]) -> list[object]:
    """Run two things at once; what each gave or raised."""
    gate = threading.Barrier(2)

    def run(work: Callable[[], object]) -> object:
        gate.wait(30)
        try:
            return work()
        except ReportError as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, (one, two)))


def test_two_authorise_at_once_and_one_of_them_is_told(either: Office, theirs: Identity) -> None:
    export = ask(either, confirmed(either), theirs)

    def by(person: str) -> Callable[[], object]:
        def work() -> str:
            with either.engine.begin() as connection:
                found = authorise_export(connection, export.id, by=person, now=either.clock(), good_for=DAY)
            return found.state

        return work

    assert sorted(map(str, both(by(OTHER), by(THIRD)))) == ["authorised", "conflict"]
    assert [action for action, _ in audited(either)] == ["export.asked", "export.authorised"]


def test_two_fetch_at_once_and_one_gets_it(either: Office, theirs: Identity, tmp_path: Path) -> None:
    export = ask(either, confirmed(either), theirs)
    authorise(either, export)
    outs = [tmp_path / "one.tar", tmp_path / "two.tar"]
    works = [lambda out=out: export_originals(maker(either), export.id, out).id for out in outs]
    given = both(*works)
    assert given.count("conflict") == 1
    assert sum(out.exists() for out in outs) == 1
    assert [action for action, _ in audited(either)].count("export.given") == 1


def test_one_authorises_while_the_asker_withdraws(either: Office, theirs: Identity) -> None:
    export = ask(either, confirmed(either), theirs)

    def authorised() -> object:
        with either.engine.begin() as connection:
            return authorise_export(connection, export.id, by=OTHER, now=either.clock(), good_for=DAY).state

    def withdrawn() -> object:
        with either.engine.begin() as connection:
            return stop_export(connection, export.id, by=ASKER, now=either.clock()).state

    given = both(authorised, withdrawn)
    assert given in (["authorised", "withdrawn"], ["conflict", "withdrawn"])
    assert state(either, export) == "withdrawn"


def test_it_expires_before_and_after_it_is_authorised(
    office: Office, theirs: Identity, tmp_path: Path
) -> None:
    late, kept = ask(office, confirmed(office), theirs), ask(office, confirmed(office), theirs)
    office.clock.now += DAY - timedelta(seconds=1)
    authorise(office, kept)
    office.clock.now += timedelta(seconds=1)
    assert state(office, late) == "expired"
    assert "in time" in refused(lambda: authorise(office, late)).what
    assert state(office, kept) == "authorised"
    office.clock.now += DAY
    assert state(office, kept) == "expired"
    assert refused(lambda: export_originals(maker(office), kept.id, tmp_path / "x")).code == "conflict"
    assert refused(lambda: stop(office, kept, OTHER)).code == "conflict"


@pytest.mark.parametrize("who", [ASKER, OTHER])
@pytest.mark.parametrize("when", ["asked", "authorised"])
def test_it_is_stopped(office: Office, theirs: Identity, tmp_path: Path, who: str, when: str) -> None:
    export = ask(office, confirmed(office), theirs)
    if when == "authorised":
        authorise(office, export)
    ended = "withdrawn" if who == ASKER else "refused"
    assert stop(office, export, who).state == ended
    assert refused(lambda: authorise(office, export, THIRD)).code == "conflict"
    assert refused(lambda: export_originals(maker(office), export.id, tmp_path / "x")).code == "conflict"
    assert audited(office)[-1] == (f"export.{ended}", who)


@pytest.mark.parametrize("authorised_first", [False, True])
@pytest.mark.parametrize(
    "change", [{"decision": "another"}, {"decision": None, "state": "open"}, {"round": 2}]
)
def test_a_case_that_was_decided_otherwise_ends_it(
    office: Office, theirs: Identity, tmp_path: Path, authorised_first: bool, change: dict[str, Any]
) -> None:
    case = confirmed(office)
    export = ask(office, case, theirs)
    if authorised_first:
        authorise(office, export)
    office.writer.write(
        lambda c: c.execute(update(review_case).where(review_case.c.id == case).values(change))
    )
    assert state(office, export) == "overtaken"
    assert "otherwise" in refused(lambda: authorise(office, export)).what
    assert refused(lambda: export_originals(maker(office), export.id, tmp_path / "x")).code == "conflict"


def test_what_joins_the_case_later_is_not_in_it_and_what_leaves_it_ends_it(
    office: Office, theirs: Identity, tmp_path: Path
) -> None:
    case = confirmed(office)
    export = ask(office, case, theirs)
    authorise(office, export)
    later = submitted(office, content=b"later" * 1000)
    row = {"item": later, "case": case, "verdict": new_id(), "how": "near", "actor": "u", "place": ""}
    office.clock.now += timedelta(hours=1)
    office.writer.write(lambda c: c.execute(insert(case_item).values(added_at=office.clock(), **row)))
    export_originals(maker(office), export.id, tmp_path / "out.tar")
    _, document = check_opened(tmp_path / "out.tar", theirs)
    assert later not in {each.id for each in document.items}
    again = ask(office, case, theirs)
    assert again.items == 3
    other = confirmed(office, 1)
    office.writer.write(
        lambda c: c.execute(update(case_item).where(case_item.c.item == later).values(case=other))
    )
    assert "other items" in refused(lambda: authorise(office, again)).what


def destroy_first(office: Office, case: str) -> str:
    """Destroy the content of a case's first item; its id."""
    with reading(office.engine) as connection:
        of = select(case_item.c.item).where(case_item.c.case == case).order_by(case_item.c.item).limit(1)
        gone = get_item(connection, connection.scalars(of).one())
    assert gone.object is not None
    assert destroy(office.vault, gone.object, actor="operator:ann", request="order 1")
    return gone.id


def test_what_was_destroyed_meanwhile_is_named_as_missing(
    office: Office, theirs: Identity, tmp_path: Path
) -> None:
    case = confirmed(office)
    export = ask(office, case, theirs)
    authorise(office, export)
    gone = destroy_first(office, case)
    export_originals(maker(office), export.id, tmp_path / "out.tar")
    _, document = check_opened(tmp_path / "out.tar", theirs)
    [missing] = [each for each in document.items if each.content is None]
    assert (missing.id, missing.without_content) == (gone, "it is not kept (any more)")


def test_if_the_content_cannot_be_opened_nothing_is_given_and_it_can_be_tried_again(
    office: Office, theirs: Identity, tmp_path: Path
) -> None:
    export = ask(office, confirmed(office), theirs)
    authorise(office, export)
    wrong = Maker(office.vault, Identity.generate(), SigningKey.generate(), ReportsSettings(), ASKER)
    with pytest.raises(VaultError):
        export_originals(wrong, export.id, tmp_path / "out.tar")
    assert list(tmp_path.glob("out*")) == list(tmp_path.glob(".out*")) == []
    assert state(office, export) == "authorised"
    export_originals(maker(office), export.id, tmp_path / "out.tar")


@pytest.mark.parametrize("reason", ["", "   ", "why", "x" * 501, "with a \x1b[31m in it"])
def test_a_reason_is_asked_for(office: Office, theirs: Identity, reason: str) -> None:
    case = confirmed(office)
    assert refused(lambda: ask(office, case, theirs, reason=reason)).where == "reason"
    assert audited(office) == []


def test_only_for_recipients_that_are_allowed_and_of_what_is_there(office: Office, theirs: Identity) -> None:
    case = confirmed(office)
    assert refused(lambda: ask(office, case, theirs, allowed={"age1other"})).code == "refused"
    assert ask(office, case, theirs, allowed={theirs.public}).state == "asked"
    with pytest.raises(CaseError):
        ask(office, new_id(), theirs)
    gone = confirmed(office, 1)
    unknown = ask(office, gone, theirs)
    destroy_first(office, gone)
    assert refused(lambda: ask(office, gone, theirs)).code == "conflict"
    assert refused(lambda: authorise(office, replace(unknown, id=new_id()))).code == "not found"


def test_they_are_listed_the_newest_first(office: Office, theirs: Identity) -> None:
    made = [ask(office, confirmed(office, 1), theirs).id for _ in range(3)]
    with reading(office.engine) as connection:
        first = page_exports(connection, now=office.clock(), limit=2)
        rest = page_exports(connection, now=office.clock(), before=first[-1].id)
    assert [each.id for each in (*first, *rest)] == made[::-1]
