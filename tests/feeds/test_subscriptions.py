"""Adding, removing and looking at feeds, and the secrets that they name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text

from nightlamp.errors import FeedError
from nightlamp.feeds import (
    NewFeed,
    all_status,
    create_feed,
    examine_feed,
    pause_feed,
    queue_feedback,
    remove_feed,
    resume_feed,
)
from nightlamp.feeds.secrets import read_secret
from nightlamp.feeds.tables import feedback
from nightlamp.outbound import Fetcher
from nightlamp.store import connect, reading

from .conftest import World, expected, rows_of


def test_a_secret_is_read_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "hunter2")
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    file.chmod(0o600)
    for reference in ("env:PLANTED", f"file:{file}"):
        secret = read_secret(reference, "password")
        assert secret.reveal() == "hunter2"
        assert "hunter2" not in repr(secret) + str(secret) + f"{secret}"


@pytest.mark.parametrize(
    "wrong",
    [
        "hunter2",
        "env:",
        "env:A B",
        "file:relative",
        "keyring:x",
        "env:NIGHTLAMP_DATABASE_URL",
        "env:NOT_SET_1",
    ],
)
def test_what_is_no_reference_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(FeedError) as caught:
        read_secret(wrong, "password")
    assert "hunter2" not in str(caught.value)


def test_a_secret_of_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = pytest.importorskip("keyring.backend")
    import keyring
    from keyring.errors import KeyringLocked

    class Ring(backend.KeyringBackend):  # type: ignore[misc, name-defined]
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            if service == "locked":
                raise KeyringLocked("hunter2")
            return {("nightlamp", "acme/ncmec"): "hunter2"}.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

    monkeypatch.setattr(keyring.core, "_keyring_backend", Ring())

    assert read_secret("keyring:nightlamp/acme/ncmec", "password").reveal() == "hunter2"
    for reference, words in (("nightlamp/other", "no such entry"), ("locked/acme", "does not open")):
        with pytest.raises(FeedError, match=words) as caught:
            read_secret(f"keyring:{reference}", "password")
        assert "hunter2" not in f"{caught.value}"


def test_a_file_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("x")
    file.chmod(0o666)
    with pytest.raises(FeedError, match="anybody"):
        read_secret(f"file:{file}", "password")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Upper"},
        {"kind": "unknown"},
        {"config": {}},
        {"config": {"source": "s", "other": 1}},
        {"config": {"source": "https://user:hunter2@host/"}},
        {"secrets": {"password": "hunter2"}},
        {"secrets": {"other": "env:X"}},
        {"every": 1},
        {"max_loss": 2},
        {"stale_after": 60},
    ],
    ids=lambda wrong: f"{next(iter(wrong))}",
)
def test_a_feed_that_makes_no_sense_is_refused(sqlite_world: World, wrong: dict[str, object]) -> None:
    given = {"name": "one", "kind": "incremental", **wrong}
    with pytest.raises(FeedError) as caught:
        sqlite_world.add(**given)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_removing_takes_its_own_out_of_force_and_nothing_else(world: World) -> None:
    one, two = world.add("one"), world.add("two")
    for source in (one, two):
        source.put("same", [("pdq", 1)])
        world.node.sync("one" if source is one else "two")
    with world.engine.begin() as connection:
        removed = remove_feed(connection, "one", actor="test")
    assert world.node.run_once()
    while world.node.run_once():
        pass
    assert rows_of(world.engine, removed.id) == []
    assert world.rows("two") == expected(two)
    with reading(world.engine) as connection:
        kept = connection.execute(text("SELECT count(*) FROM bank_entry WHERE removed_at IS NOT NULL"))
        assert kept.scalar() == 1
    world.add("one")  # the name is free


def test_how_far_a_bank_is_behind_is_said(sqlite_world: World) -> None:
    world = sqlite_world
    world.add("one").put("k", [("pdq", 1)])
    world.node.sync("one")
    world.clock.move(hours=26)
    with reading(world.engine) as connection:
        [status] = all_status(connection, world.clock())
    assert status.stale
    assert "bank list is 26 h behind" in status.why


def test_a_paused_feed_rests_until_it_is_resumed(sqlite_world: World) -> None:
    world = sqlite_world
    world.add("one").put("k", [("pdq", 1)])
    with world.engine.begin() as connection:
        pause_feed(connection, "one", actor="test", why="holidays")
    assert not world.node.run_once()
    with world.engine.begin() as connection:
        resume_feed(connection, "one", actor="test", now=world.clock())
    assert world.node.run_once()
    assert len(world.rows("one")) == 1


def test_two_nodes_do_not_run_one_feed(world: World) -> None:
    source = world.add("one")
    source.put("k", [("pdq", 1)])
    other = world.new_node()
    seen: list[bool] = []
    world.node.sync("one", progress=lambda *_: seen.append(other.run_once()))
    assert seen == [False]


def test_the_doctor_tells_a_stale_checkpoint_and_a_missing_secret(sqlite_world: World) -> None:
    world = sqlite_world
    source = world.add("one", secrets={"password": "env:NOT_SET_1"})
    found = examine_feed(world.engine, "one", Fetcher(), kinds=world.kinds, clock=world.clock)
    [secret] = [each for each in found if not each.well]
    assert (secret.what, secret.kind) == ("secret password", "credentials")
    assert "not set" in secret.words
    source = world.add("two")
    source.put("k", [("pdq", 1)])
    world.node.sync("two")
    source.delete("k")
    source.forget()
    found = examine_feed(world.engine, "two", Fetcher(), kinds=world.kinds, clock=world.clock)
    assert [each.kind for each in found if not each.well] == ["stale"]


def test_of_two_who_take_a_name_at_once_one_is_told_that_it_is_taken(postgres_url: str) -> None:
    world = World(connect(postgres_url))
    world.add("other")  # makes the bank

    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as pool:
        with world.engine.begin() as connection:
            new = NewFeed("one", "incremental", "list", {"source": "other"})
            create_feed(connection, new, actor="test", kinds=world.kinds)
            second = pool.submit(world.add, "one")
            while not second.done() and not connection.scalar(waiting):
                pass
        with pytest.raises(FeedError, match="of this name"):
            second.result()
    world.engine.dispose()


def test_a_hit_list_does_not_go_into_a_bank_of_harmless_files(sqlite_world: World) -> None:
    sqlite_world.add("harmless", bank="known", benign=True)
    sqlite_world.add("more", bank="known", benign=True)
    with pytest.raises(FeedError, match="never match"):
        sqlite_world.add("hits", bank="known")


def test_opinions_that_wait_for_a_removed_feed_are_closed(world: World) -> None:
    world.add("one", feedback=True).put("k", [("pdq", 1)])
    world.add("two", feedback=True).put("k", [("pdq", 1)])
    for name in ("one", "two"):
        world.node.sync(name)
    with world.engine.begin() as connection:
        assert queue_feedback(connection, "list", "k", "negative", "wrong", "d1") == 2
        remove_feed(connection, "one", actor="test")
    with reading(world.engine) as connection:
        found = connection.execute(select(feedback.c.state, feedback.c.words).order_by(feedback.c.state))
        assert [tuple(row) for row in found] == [
            ("refused", "the feed was removed before it was sent"),
            ("waiting", ""),
        ]
