from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from nightlamp import audit
from nightlamp.audit import PublicKeys
from nightlamp.audit.tables import audit_record
from nightlamp.errors import VaultError
from nightlamp.store import Writer, reading
from nightlamp.vault import (
    HoldRequest,
    Identity,
    Recipients,
    Vault,
    adopt_stranger,
    holds,
    purge,
    reconcile,
    rekey,
    remove_stranger,
    still_strange,
    strangers,
    term,
)
from nightlamp.vault.tables import vault_blob

US = HoldRequest("test hold", "US")


def keep(vault, data=b"content", hold=US) -> str:
    sealed = vault.seal(data)
    with vault.engine.begin() as connection:
        return vault.keep(connection, sealed, hold, actor="key:test")


def actions(vault) -> list[str]:
    with reading(vault.engine) as connection:
        assert audit.verify_log(connection, PublicKeys({})).intact
        return list(connection.scalars(select(audit_record.c.action).order_by(audit_record.c.sequence)))


def states(vault) -> list[str]:
    with reading(vault.engine) as connection:
        return sorted(connection.scalars(select(vault_blob.c.state)))


def the_hold(vault, object_id):
    with reading(vault.engine) as connection:
        return holds.holds(connection, object_id)[0]


def names(vault) -> set[str]:
    return {stored.name for stored in vault.place.names()}


def test_content_is_kept_and_given_out_with_a_record_first(vault, identity):
    object_id = keep(vault, b"the content")
    assert vault.open(object_id, identity, actor="reviewer:r1", why="case 7").data == b"the content"
    assert actions(vault) == ["vault.kept", "vault.held", "vault.opened"]


def test_an_attempt_to_open_with_the_wrong_key_is_recorded_too(vault):
    object_id = keep(vault)
    with pytest.raises(VaultError, match="does not open"):
        vault.open(object_id, Identity.generate(), actor="reviewer:r1", why="case 7")
    assert actions(vault)[-1] == "vault.opened"


def test_a_node_without_public_keys_takes_nothing_in(engine, tmp_path):
    from nightlamp.vault import DiskPlace

    with pytest.raises(VaultError, match="keygen"):
        Vault(engine, DiskPlace(tmp_path)).seal(b"x")


def test_what_is_kept_goes_with_its_transaction(vault):
    sealed = vault.seal(b"content")

    def fail():
        with vault.engine.begin() as connection:
            vault.keep(connection, sealed, US, actor="key:test")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (states(vault), actions(vault)) == ([], [])
    # and the same sealed bytes can be entered by the next attempt
    with Writer(vault.engine) as writer:
        writer.write(lambda c: vault.keep(c, sealed, US, actor="key:test"))
    assert states(vault) == ["kept"]


def test_terms_are_a_year_and_not_a_day_shorter():
    assert term("US", datetime(2026, 5, 7, tzinfo=UTC)) == datetime(2027, 5, 7, tzinfo=UTC)
    assert term("UK", datetime(2028, 2, 29, tzinfo=UTC)) == datetime(2029, 3, 1, tzinfo=UTC)
    with pytest.raises(VaultError, match="no legal term"):
        term("Atlantis", datetime(2026, 5, 7, tzinfo=UTC))


def test_what_is_held_is_not_purged_and_what_is_expired_is(vault, clock, identity):
    object_id = keep(vault)
    clock.move(days=364)
    assert purge(vault).destroyed == 0
    clock.move(days=2)
    assert purge(vault).destroyed == 1
    assert (names(vault), states(vault)) == (set(), ["destroyed"])
    assert actions(vault)[-1] == "vault.destroyed"
    with pytest.raises(VaultError, match="does not keep"):
        vault.open(object_id, identity, actor="reviewer:r1", why="case 7")
    assert purge(vault).destroyed == 0
    assert actions(vault).count("vault.destroyed") == 1


def test_two_holds_keep_until_the_later_one(vault, clock):
    object_id = keep(vault, hold=HoldRequest("short", "test", clock() + timedelta(days=5)))
    with vault.engine.begin() as connection:
        holds.place_hold(connection, object_id, US, actor="key:test", now=clock())
    clock.move(days=30)
    assert purge(vault).destroyed == 0
    clock.move(days=340)
    assert purge(vault).destroyed == 1


def test_a_hold_can_be_extended_but_not_shortened(vault, clock):
    hold = the_hold(vault, keep(vault))
    later = hold.expires + timedelta(days=90)
    with vault.engine.begin() as connection:
        holds.extend(connection, hold.id, later, actor="key:test", reason="request", now=clock())
    with pytest.raises(VaultError, match="later"), vault.engine.begin() as connection:
        holds.extend(connection, hold.id, hold.expires, actor="key:test", reason="request", now=clock())
    clock.move(days=400)
    assert purge(vault).destroyed == 0
    clock.move(days=60)
    assert purge(vault).destroyed == 1
    assert "vault.extended" in actions(vault)
    with pytest.raises(VaultError, match="does not keep"), vault.engine.begin() as connection:
        holds.extend(connection, hold.id, clock() + timedelta(days=9), actor="a", reason="late", now=clock())


def test_a_released_object_is_destroyed_without_delay(vault, clock):
    hold = the_hold(vault, keep(vault))
    with vault.engine.begin() as connection:
        holds.release(connection, hold.id, actor="key:test", reason="request of the police", now=clock())
    assert purge(vault, delay=timedelta(days=1)).destroyed == 1
    with pytest.raises(VaultError, match="already"), vault.engine.begin() as connection:
        holds.release(connection, hold.id, actor="key:test", reason="again", now=clock())


def test_a_clock_that_jumps_ahead_and_is_put_right_destroys_nothing(vault, clock, identity):
    object_id = keep(vault)
    day = timedelta(days=1)
    right = clock.now
    clock.move(days=4000)
    assert purge(vault, delay=day).due == 1
    clock.now = right + timedelta(hours=1)
    assert purge(vault, delay=day).due == 0
    clock.move(days=4000)  # and once more: the delay begins anew
    report = purge(vault, delay=day)
    assert (report.due, report.destroyed) == (1, 0)
    clock.now = right
    assert vault.open(object_id, identity, actor="a", why="b").data == b"content"
    # while a hold that is truly over goes after the delay
    clock.move(days=366)
    assert purge(vault, delay=day).destroyed == 0
    clock.move(hours=25)
    assert purge(vault, delay=day).destroyed == 1


def test_orphans_are_removed_with_a_record_and_young_ones_left_alone(vault, clock):
    keep(vault)
    sealed = vault.seal(b"never kept")
    assert reconcile(vault).orphans == 0
    clock.move(hours=2)
    report = reconcile(vault)
    assert (report.orphans, report.lost, report.failed) == (1, (), 0)
    assert sealed.name not in names(vault)
    assert states(vault) == ["destroyed", "kept"]
    assert reconcile(vault) == type(report)(0, 0, (), (), 0)


def test_what_was_entered_is_never_an_orphan_and_stays_until_a_person_says_so(vault, clock, identity):
    # given content that was kept in a database that is lost since: this one does not know it
    known = keep(vault)
    reconcile(vault)
    names_then = names(vault)
    for content in (b"adopted", b"removed"):
        vault.enter(vault.seal(content).name)
    clock.move(days=1_000)

    # when the vault is tended again and again, then it is told of, and there
    for _ in range(3):
        report = reconcile(vault)
        assert (report.orphans, len(report.strangers)) == (0, 2)
    found = strangers(vault)
    assert {stored.name for stored in found} == set(report.strangers) == names(vault) - names_then

    # and only a person's word adopts or removes it
    object_id = adopt_stranger(vault, found[0].name, US, actor="operator")
    assert vault.open(object_id, identity, actor="a", why="b").data in (b"adopted", b"removed")
    assert remove_stranger(vault, found[1].name, actor="operator", reason="not ours")
    assert not vault.place.exists(found[1].name)
    assert still_strange(vault, report.strangers) == reconcile(vault).strangers == ()
    assert actions(vault)[-5:] == [
        "vault.adopted",
        "vault.held",
        "vault.opened",
        "vault.removed",
        "vault.destroyed",
    ]
    assert known


def test_what_a_crash_left_between_commit_and_entering_is_entered_later(vault):
    keep(vault)
    assert [stored.entered for stored in vault.place.names()] == [False]
    reconcile(vault)
    assert [stored.entered for stored in vault.place.names()] == [True]


def test_a_transaction_that_comes_too_late_for_its_orphan_fails_and_promises_nothing(vault, clock):
    sealed = vault.seal(b"slow")
    reconcile(vault, older_than=timedelta(days=-1))
    with pytest.raises(Exception, match=r"UNIQUE|unique"), vault.engine.begin() as connection:
        vault.keep(connection, sealed, US, actor="key:test")
    assert states(vault) == ["destroyed"]


def test_a_lost_object_is_named_and_taken_back_when_it_is_there_again(vault, identity):
    object_id = keep(vault)
    (path,) = (p for p in vault.place._root.rglob("*") if p.is_file())
    path.rename(aside := path.parents[3] / "aside")
    assert reconcile(vault).lost == (object_id,)
    assert reconcile(vault).lost == ()
    with pytest.raises(VaultError):
        vault.open(object_id, identity, actor="a", why="b")
    aside.rename(path)
    assert reconcile(vault).found == (object_id,)
    assert vault.open(object_id, identity, actor="a", why="b").data == b"content"
    assert actions(vault)[-3:] == ["vault.lost", "vault.found", "vault.opened"]


def test_bytes_that_come_back_from_a_backup_are_destroyed_again(vault, clock):
    keep(vault)
    (path,) = (p for p in vault.place._root.rglob("*") if p.is_file())
    data = path.read_bytes()
    clock.move(days=400)
    purge(vault)
    path.write_bytes(data)
    assert reconcile(vault).orphans == 1
    assert (names(vault), states(vault)) == (set(), ["destroyed"])


def test_what_cannot_be_removed_is_said_and_done_later(vault, clock, monkeypatch):
    keep(vault)
    clock.move(days=400)
    with monkeypatch.context() as patch:

        def refuse(_):
            raise VaultError("refused")

        patch.setattr(vault.place, "delete", refuse)
        report = purge(vault)
        assert (report.destroyed, report.failed) == (0, 1)
    assert "vault.destroyed" not in actions(vault)
    assert purge(vault).destroyed == 1


def test_after_rekeying_the_old_identity_opens_nothing(vault, identity, recipients):
    objects = [keep(vault, b"content %d" % n) for n in range(5)]
    old_bytes = {p.read_bytes() for p in vault.place._root.rglob("*") if p.is_file()}
    fresh = Identity.generate()
    report = rekey(vault, identity, Recipients.of([fresh.public]), actor="admin:a")
    assert (report.resealed, report.failed) == (5, ())
    for n, object_id in enumerate(objects):
        assert vault.open(object_id, fresh, actor="a", why="b").data == b"content %d" % n
        with pytest.raises(VaultError, match="does not open"):
            vault.open(object_id, identity, actor="a", why="b")
    # and nothing that was sealed for it is left
    assert not old_bytes & {p.read_bytes() for p in vault.place._root.rglob("*") if p.is_file()}
    assert rekey(vault, fresh, Recipients.of([fresh.public]), actor="admin:a").resealed == 0


def test_rekeying_goes_on_where_it_was_stopped(vault, identity):
    objects = [keep(vault, b"%d" % n) for n in range(6)]
    fresh = Identity.generate()
    seen = []

    def stop(object_id):
        seen.append(object_id)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rekey(vault, identity, Recipients.of([fresh.public]), actor="admin:a", progress=stop)
    report = rekey(vault, identity, Recipients.of([fresh.public]), actor="admin:a")
    assert (report.resealed, report.failed) == (3, ())
    assert [vault.open(o, fresh, actor="a", why="b").data for o in objects] == [b"%d" % n for n in range(6)]


def test_an_object_that_cannot_be_resealed_is_named_and_kept(vault, identity):
    good, bad = keep(vault, b"good"), keep(vault, os.urandom(100))
    with vault.engine.begin() as connection:
        name = connection.scalar(select(vault_blob.c.name).where(vault_blob.c.object == bad))
    path = vault.place._path(name, ".new")
    path.write_bytes(path.read_bytes()[:-1])
    fresh = Identity.generate()
    report = rekey(vault, identity, Recipients.of([fresh.public]), actor="admin:a")
    assert (report.resealed, report.failed) == (1, (bad,))
    assert path.exists()
    assert vault.open(good, fresh, actor="a", why="b").data == b"good"


def test_no_hash_of_content_is_in_the_log(vault, clock):
    keep(vault)
    clock.move(days=400)
    purge(vault)
    with reading(vault.engine) as connection:
        blob = connection.execute(select(vault_blob)).one()
        found = select(func.count()).where(audit_record.c.details.contains(blob.sha256))
        assert connection.scalar(found) == 0
