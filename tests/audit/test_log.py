from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, text, update

from nightlamp import audit
from nightlamp.audit import PublicKeys, SigningKey
from nightlamp.audit.tables import audit_checkpoint, audit_head, audit_record
from nightlamp.errors import AuditError
from nightlamp.store import Writer, connect, reading

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


def verified(engine, key, witnesses=()):
    with reading(engine) as connection:
        return audit.verify_log(connection, PublicKeys.of([key.public]), witnesses)


def fill(engine, key, count=10, every=4):
    with engine.begin() as connection:
        for n in range(1, count + 1):
            audit.append(
                connection, "key:abc", "test.done", f"item:{n}", {"n": n, "words": ["a", None]}, at=NOW
            )
            if n % every == 0:
                audit.checkpoint(connection, key, at=NOW)


def test_what_is_appended_is_chained_signed_and_intact(engine, key):
    fill(engine, key)
    report = verified(engine, key)
    assert report.intact
    assert (report.records, report.signed, report.checkpoints) == (10, 8, 2)


def test_a_record_goes_with_the_transaction_that_it_is_part_of(engine, key):
    with pytest.raises(KeyError), engine.begin() as connection:  # noqa: PT012
        audit.append(connection, "system", "test.done", "item:1")
        raise KeyError
    with engine.begin() as connection:
        assert audit.append(connection, "system", "test.done", "item:1").sequence == 1
    assert verified(engine, key).intact


def test_several_nodes_share_one_chain_without_gaps(engine, key):
    # given four nodes that append at once, some of whose transactions are rolled back
    others = [connect(engine.url.render_as_string(hide_password=False)) for _ in range(4)]

    def node(own):
        for n in range(15):
            connection = own.connect()
            transaction = connection.begin()
            audit.append(connection, "system", "test.done", f"item:{n}", {"n": n})
            transaction.rollback() if n % 5 == 4 else transaction.commit()
            connection.close()

    threads = [threading.Thread(target=node, args=(own,)) for own in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = verified(engine, key)
    assert report.intact
    assert report.records == 4 * 12
    for own in others:
        own.dispose()


def test_the_writer_and_the_log_work_together(engine, key):
    def work(connection):
        return audit.append(connection, "system", "test.done", "item:1", {"n": 1}).sequence

    def broken(connection):
        work(connection)
        raise KeyError

    with Writer(engine) as writer:
        futures = [writer.submit(broken if n % 3 == 0 else work) for n in range(30)]
    assert sorted(f.result() for f in futures if not f.exception()) == list(range(1, 21))
    assert verified(engine, key).intact


TAMPERINGS = {
    "edit": update(audit_record).where(audit_record.c.sequence == 5).values(actor="nobody"),
    "time": update(audit_record)
    .where(audit_record.c.sequence == 5)
    .values(at=NOW + timedelta(microseconds=1)),
    "details": update(audit_record).where(audit_record.c.sequence == 5).values(details='{"n":6}'),
    "spelling": update(audit_record).where(audit_record.c.sequence == 5).values(details='{"n": 5}'),
    "no json": update(audit_record).where(audit_record.c.sequence == 5).values(details="{"),
    "hash": update(audit_record).where(audit_record.c.sequence == 5).values(hash="00" * 32),
    "delete": delete(audit_record).where(audit_record.c.sequence == 5),
    "renumber": update(audit_record).where(audit_record.c.sequence == 5).values(sequence=50),
    "insert": insert(audit_record).values(
        sequence=5000, at=NOW, actor="a", action="b.c", subject="d", details="{}", hash="11" * 32
    ),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_with_the_tables_is_found_at_its_place(engine, key, how):
    fill(engine, key)
    with engine.begin() as connection:
        connection.execute(TAMPERINGS[how])
    report = verified(engine, key)
    assert not report.intact
    assert report.first_bad == (11 if how == "insert" else 5)


def test_a_cut_tail_is_found_with_and_without_its_head(engine, key):
    fill(engine, key)
    with engine.begin() as connection:
        connection.execute(delete(audit_record).where(audit_record.c.sequence > 6))
    assert ("cut", 7) in {(f.fault, f.at) for f in verified(engine, key).findings}
    # when the forger also mends the head, the checkpoint still tells
    with engine.begin() as connection:
        last = connection.execute(audit_record.select().where(audit_record.c.sequence == 6)).one()
        connection.execute(update(audit_head).values(sequence=6, hash=last.hash))
    assert [(f.fault, f.at, f.first, f.last) for f in verified(engine, key).findings] == [("cut", 7, 5, 8)]
    # and when they also remove the checkpoint, a witness does
    with reading(engine) as connection:
        kept = list(audit.log.checkpoints(connection))
    with engine.begin() as connection:
        connection.execute(delete(audit_checkpoint).where(audit_checkpoint.c.number == 2))
    assert verified(engine, key).intact
    assert verified(engine, key, kept).first_bad == 7


def test_another_key_is_not_believed(engine, key):
    fill(engine, key)
    assert {f.fault for f in verified(engine, SigningKey.generate()).findings} == {"unknown key"}


def test_a_checkpoint_is_due_by_number_or_by_time(engine, key):
    def due(at, records=3, seconds=60):
        with engine.begin() as connection:
            return audit.checkpoint_if_due(connection, key, records=records, seconds=seconds, at=at)

    assert due(NOW) is None  # nothing to sign
    fill(engine, key, count=1, every=99)
    assert due(NOW).sequence == 1  # the first one
    fill(engine, key, count=2, every=99)
    assert due(NOW + timedelta(seconds=59)) is None
    assert due(NOW + timedelta(seconds=60)).sequence == 3
    fill(engine, key, count=3, every=99)
    assert due(NOW + timedelta(seconds=61)).sequence == 6  # by number
    assert due(NOW + timedelta(days=9)) is None  # nothing new
    fill(engine, key, count=1, every=99)
    assert due(NOW - timedelta(days=400)).sequence == 7  # a clock that jumped back
    assert verified(engine, key).intact


REFUSED = {
    "hash": {"details": {"value": "d41d8cd98f00b204e9800998ecf8427e"}},
    "hash in a list": {"details": {"values": ["f" * 64]}},
    "hash as subject": {"subject": "pdq:" + "0f" * 32},
    "hash as actor": {"actor": "A" * 40},
    "bytes": {"details": {"content": b"x"}},
    "fraction": {"details": {"score": 0.5}},
    "nested": {"details": {"a": {"b": 1}}},
    "large": {"details": {f"k{n}": "word " * 190 for n in range(10)}},
    "long": {"details": {"text": "word " * 300}},
    "huge": {"details": {"n": 2**60}},
    "name": {"details": {"Not A Name": 1}},
    "control": {"subject": "item:\x1b[31m"},
    "surrogate": {"details": {"a": "\ud800"}},
    "action": {"action": "done"},
    "empty": {"actor": ""},
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_has_no_place_in_the_log_is_refused_without_being_shown(sqlite_url, how):
    engine = connect(sqlite_url)
    fields = {"actor": "system", "action": "test.done", "subject": "item:1", "details": {}} | REFUSED[how]
    with engine.begin() as connection, pytest.raises(AuditError) as caught:
        audit.append(connection, **fields)
    assert "d41d8" not in str(caught.value)
    assert "ffff" not in str(caught.value)
    engine.dispose()


def test_a_log_without_its_head_is_an_error_and_a_finding(engine, key):
    fill(engine, key)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_head"))
    with pytest.raises(AuditError, match="head"), engine.begin() as connection:
        audit.append(connection, "system", "test.done", "item:1")
    assert not verified(engine, key).intact
