from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from nightlamp.audit.tables import audit_record
from nightlamp.banks import Entry, ListOptions, read_list
from nightlamp.banks.live import (
    StoredBank,
    add_entries,
    all_banks,
    count_entries,
    create_bank,
    delete_bank,
    disable_bank,
    enable_bank,
    export_bank,
    find_bank,
    find_entries,
    get_bank,
    import_list,
    page_entries,
    remove_entries,
    rename_bank,
    set_disputed,
    set_trust,
)
from nightlamp.banks.live.entries import MOST
from nightlamp.banks.live.tables import bank_entry, bank_list
from nightlamp.errors import BankError, ListError
from nightlamp.store import reading
from nightlamp.values import Bank

from .conftest import value_of


def test_a_bank_is_made_renamed_switched_and_deleted(engine: Engine) -> None:
    with engine.begin() as connection:
        made = create_bank(connection, Bank("one", "IWF", "A1", "low"), actor="test", enabled=False)
    with engine.begin() as connection:
        rename_bank(connection, made.id, "two", actor="test")
        set_trust(connection, made.id, "high", actor="test")
        on = enable_bank(connection, made.id, actor="test")
    assert on.bank == Bank("two", "IWF", "A1", "high")
    assert on.enabled
    assert on.enabled_generation > made.enabled_generation
    with engine.begin() as connection:
        assert not disable_bank(connection, made.id, actor="test").enabled
        delete_bank(connection, made.id, actor="test")
        assert all_banks(connection) == []
        with pytest.raises(BankError):
            get_bank(connection, made.id)
        again = create_bank(connection, Bank("two"), actor="test")  # the name is free
        assert find_bank(connection, "two").id == again.id != made.id


@pytest.mark.parametrize(
    "wrong",
    [Bank("first"), Bank(" "), Bank("a" * 101), Bank("a\nb"), Bank("x", trust="great")],  # type: ignore[arg-type]
    ids=["taken", "blank", "long", "two lines", "trust"],
)
def test_a_bank_that_makes_no_sense_is_refused(engine: Engine, bank: StoredBank, wrong: Bank) -> None:
    with pytest.raises(BankError), engine.begin() as connection:
        create_bank(connection, wrong, actor="test")
    with reading(engine) as connection:
        assert all_banks(connection) == [bank]


def test_adding_again_adds_nothing_and_another_category_replaces(engine: Engine, bank: StoredBank) -> None:
    one, two = (Entry("pdq", value_of("pdq", 1), source) for source in ("a", "b"))
    with engine.begin() as connection:
        first = add_entries(connection, bank.id, [one, two, one], actor="test")
        again = add_entries(connection, bank.id, [one, two], actor="test")
        other = Entry("pdq", one.value, "a", "B2")
        changed = add_entries(connection, bank.id, [other], actor="test")
        page = page_entries(connection, bank.id)
    assert (first.added, first.known) == (2, 1)
    assert (again.added, again.replaced, again.known) == (0, 0, 2)
    assert (changed.added, changed.replaced) == (0, 1)
    assert [(e.source_id, e.category) for e in page] == [("b", ""), ("a", "B2")]


def test_removing_leaves_a_tombstone_and_hides_no_other_entry(engine: Engine, bank: StoredBank) -> None:
    entries = [Entry("pdq", value_of("pdq", 1), source) for source in ("a", "b")]
    with engine.begin() as connection:
        add_entries(connection, bank.id, entries, actor="test")
        ids = find_entries(connection, bank.id, source_ids=["a"])
        assert remove_entries(connection, bank.id, ids, actor="test") == 1
        assert remove_entries(connection, bank.id, ids, actor="test") == 0
        assert find_entries(connection, bank.id, values=[("pdq", value_of("pdq", 1))]) != ids
        assert [e.source_id for e in page_entries(connection, bank.id)] == ["b"]
        assert [e.removed_at is None for e in page_entries(connection, bank.id, removed=True)] == [
            False,
            True,
        ]
        # An entry that comes back is a new one: the look-back must see it.
        add_entries(connection, bank.id, entries[:1], actor="test")
        assert page_entries(connection, bank.id)[-1].id > max(ids)
        assert count_entries(connection, bank.id) == {"pdq": 2}


def test_another_banks_entries_cannot_be_changed(
    engine: Engine, bank: StoredBank, put: Callable[..., int]
) -> None:
    put(bank, "pdq", 1)
    with engine.begin() as connection:
        other = create_bank(connection, Bank("other"), actor="test")
        ids = find_entries(connection, bank.id, source_ids=["id-1"])
        assert remove_entries(connection, other.id, ids, actor="test") == 0
        assert set_disputed(connection, other.id, ids, True, actor="test") == 0
        assert set_disputed(connection, bank.id, ids, True, actor="test") == 1
        assert page_entries(connection, bank.id)[0].disputed


@pytest.mark.parametrize(
    "wrong",
    [
        Entry("pdq", b"short", "a"),
        Entry("", bytes(32), "a"),
        Entry("pdq", bytes(32), "a" * 2000),
        Entry("pdq", bytes(32), "a", "c" * 101),
        Entry("pdq", bytes(32), "nul\0"),
    ],
    ids=["size", "signal", "id", "category", "nul"],
)
def test_an_entry_that_does_not_fit_is_refused_with_its_companions(
    engine: Engine, bank: StoredBank, wrong: Entry
) -> None:
    good = Entry("pdq", value_of("pdq", 1), "good")
    with pytest.raises(BankError) as caught, engine.begin() as connection:
        add_entries(connection, bank.id, [good, wrong], actor="test")
    assert "entry 2" in str(caught.value)
    assert value_of("pdq", 1).hex() not in str(caught.value)
    with reading(engine) as connection:
        assert page_entries(connection, bank.id) == []


def test_a_benign_bank_takes_exact_digests_only(engine: Engine) -> None:
    with engine.begin() as connection:
        known = create_bank(connection, Bank("known", benign=True), actor="test")
        add_entries(connection, known.id, [Entry("md5", bytes(16), "a")], actor="test")
    with pytest.raises(BankError, match="exact"), engine.begin() as connection:
        add_entries(connection, known.id, [Entry("pdq", bytes(32), "a")], actor="test")


def test_too_many_at_once_are_refused(engine: Engine, bank: StoredBank) -> None:
    with pytest.raises(BankError, match="50,000"), engine.begin() as connection:
        remove_entries(connection, bank.id, range(MOST + 1), actor="test")


def test_every_change_is_in_the_audit_log_without_secrets(
    engine: Engine, bank: StoredBank, put: Callable[..., int]
) -> None:
    put(bank, "pdq", "planted")
    with engine.begin() as connection:
        ids = find_entries(connection, bank.id, source_ids=["id-planted"])
        set_disputed(connection, bank.id, ids, True, actor="test")
        remove_entries(connection, bank.id, ids, actor="test")
        disable_bank(connection, bank.id, actor="test")
        enable_bank(connection, bank.id, actor="test")
        rename_bank(connection, bank.id, "new", actor="test")
        delete_bank(connection, bank.id, actor="test")
    with reading(engine) as connection:
        rows = connection.execute(select(audit_record).order_by(audit_record.c.sequence)).all()
    assert [row.action.removeprefix("banks.") for row in rows] == [
        "created",
        "entries_added",
        "entries_disputed",
        "entries_removed",
        "disabled",
        "enabled",
        "renamed",
        "deleted",
    ]
    text = " ".join(map(str, rows))
    assert value_of("pdq", "planted").hex() not in text
    assert "id-planted" not in text


def test_what_is_undone_leaves_nothing(engine: Engine, bank: StoredBank) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        add_entries(connection, bank.id, [Entry("pdq", bytes(32), "a")], actor="test")
        transaction.rollback()
    with reading(engine) as connection:
        assert page_entries(connection, bank.id) == []
        assert len(connection.execute(select(audit_record)).all()) == 1


def test_reprs_hold_no_secrets(engine: Engine, bank: StoredBank, put: Callable[..., int]) -> None:
    put(bank, "pdq", "planted")
    with reading(engine) as connection:
        text = repr(page_entries(connection, bank.id))
    assert "planted" not in text
    assert str(value_of("pdq", "planted")) not in text


def test_pages_follow_a_cursor(engine: Engine, bank: StoredBank, put: Callable[..., int]) -> None:
    put(bank, "pdq", *range(7))
    seen: list[str] = []
    after = 0
    with reading(engine) as connection:
        while page := page_entries(connection, bank.id, after=after, limit=3):
            seen += [e.source_id for e in page]
            after = page[-1].id
    assert seen == [f"id-{n}" for n in range(7)]


def test_a_list_is_imported_in_pieces_and_again_without_effect(
    engine: Engine, bank: StoredBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightlamp.banks.live.lists.PIECE", 4)
    path = tmp_path / "list.csv"
    rows = [f"{value_of('md5', n).hex()},c{n}\n" for n in range(10)]
    path.write_text("md5,category\n" + "".join(rows) + "nonsense,c\n")
    first = import_list(engine, bank.id, path, actor="test")
    assert (first.rows, first.added, first.bad, first.bad_rows[0].row) == (11, 10, 1, 12)
    path.write_text("md5,category\n" + rows[9] + "".join(rows))  # rows move: they are no ids
    again = import_list(engine, bank.id, path, actor="test")
    assert (again.added, again.replaced, again.known) == (0, 0, 11)
    with reading(engine) as connection:
        assert count_entries(connection, bank.id) == {"md5": 10}
        stored = connection.execute(select(bank_list).order_by(bank_list.c.id)).all()
        lists = {row.list for row in connection.execute(select(bank_entry))}
    assert [row.counts["added"] for row in stored] == [10, 0]
    assert lists == {stored[0].id}
    assert stored[0].finished_at is not None


def test_a_strict_list_with_a_bad_row_adds_nothing(engine: Engine, bank: StoredBank, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"md5\n{value_of('md5', 1).hex()}\nnonsense\n")
    with pytest.raises(ListError):
        import_list(engine, bank.id, path, ListOptions(strict=True), actor="test")
    with reading(engine) as connection:
        assert page_entries(connection, bank.id) == []


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_is_a_list_that_can_be_imported(
    engine: Engine, bank: StoredBank, tmp_path: Path, form: str
) -> None:
    entries = [
        Entry("pdq", value_of("pdq", 1), 'odd ",;\n id', "A1"),
        Entry("md5", value_of("md5", 1), "", "ü"),
        Entry("photodna", b"its own text", "p", parsed=False),
    ]
    with engine.begin() as connection:
        add_entries(connection, bank.id, entries, actor="test")
        other = create_bank(connection, Bank("other"), actor="test")
    path = tmp_path / f"export.{form}"
    path.write_bytes(b"".join(export_bank(engine, bank.id, form, actor="test")))  # type: ignore[arg-type]
    read = [e for e in read_list(path) if isinstance(e, Entry)]
    assert len(read) == 3
    text = path.read_text()
    ids = (
        [row["id"] for row in csv.DictReader(io.StringIO(text))]
        if form == "csv"
        else [json.loads(line)["id"] for line in text.splitlines()]
    )
    assert sorted(ids) == sorted(e.entry_id for e in entries)
    assert import_list(engine, other.id, path, actor="test").added == 3
    with reading(engine) as connection:
        kept = [
            {(e.signal, e.value, e.category, e.parsed) for e in page_entries(connection, b.id)}
            for b in (bank, other)
        ]
    assert kept[0] == kept[1]


def test_an_import_that_breaks_off_is_completed_by_importing_again(
    engine: Engine, bank: StoredBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightlamp.banks.live.lists.PIECE", 3)
    path = tmp_path / "list.csv"
    path.write_text("md5\n" + "".join(f"{value_of('md5', n).hex()}\n" for n in range(8)))
    pieces = [0]

    def failing(*given: object, **named: object) -> object:
        pieces[0] += 1
        if pieces[0] == 2:
            raise OSError("the power went")
        return add_entries(*given, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr("nightlamp.banks.live.lists.add_entries", failing)
        with pytest.raises(OSError, match="power"):
            import_list(engine, bank.id, path, actor="test")
    with reading(engine) as connection:
        assert count_entries(connection, bank.id) == {"md5": 3}
    again = import_list(engine, bank.id, path, actor="test")
    assert (again.added, again.known) == (5, 3)
    with reading(engine) as connection:
        lists = connection.execute(select(bank_list.c.finished_at).order_by(bank_list.c.id)).scalars().all()
    assert [done is None for done in lists] == [True, False]
