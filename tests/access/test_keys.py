from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, select

from nightlamp.access import SCOPES, Gate, Refused, Secret, create, every, first, named, revoke
from nightlamp.access.tables import access_key
from nightlamp.audit.tables import audit_record
from nightlamp.banks.live import current_mark
from nightlamp.errors import AccessError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> list[datetime]:
    return [NOW]


def test_a_key_opens_the_gate_until_it_expires(engine: Engine, clock: list[datetime]) -> None:
    # given a key for a day
    with engine.begin() as connection:
        made = create(
            connection, "a", ["submit"], actor="test", now=NOW, expires_at=NOW + timedelta(days=1), rate=5.0
        )
    gate = Gate(engine, clock=lambda: clock[0])
    gate.refresh()

    # when it is shown
    principal = gate.admit(made.secret)

    # then it is known for what it is, until its day is over
    assert principal.key == made.key.id
    assert principal.may("submit")
    assert not principal.may("read", "admin")
    assert principal.rate == 5.0
    clock[0] = NOW + timedelta(days=1)
    with pytest.raises(Refused):
        gate.admit(made.secret)


def test_a_revoked_key_is_refused_at_once_here_and_elsewhere_after_a_look(engine: Engine) -> None:
    # given two nodes
    with engine.begin() as connection:
        made = create(connection, "a", ["read"], actor="test", now=NOW)
    here, elsewhere = Gate(engine), Gate(engine)
    assert here.refresh()
    assert elsewhere.refresh()
    assert not here.refresh()

    # when one revokes the key
    with engine.begin() as connection:
        assert revoke(connection, made.key.id, actor="test", now=NOW).revoked_at == NOW
    assert here.refresh()

    # then it refuses it, and the other as soon as it has looked
    with pytest.raises(Refused):
        here.admit(made.secret)
    elsewhere.admit(made.secret)
    elsewhere.refresh()
    with pytest.raises(Refused):
        elsewhere.admit(made.secret)


def test_who_is_told_that_nothing_is_new_does_not_ask(engine: Engine) -> None:
    # given a gate that knows the keys
    with engine.begin() as connection:
        made = create(connection, "a", ["read"], actor="test", now=NOW)
        newest = current_mark(connection)
    gate, asked = Gate(engine), []
    gate.refresh()
    event.listen(engine, "checkout", lambda *_: asked.append(1))

    # when it is told where the database stands, it asks for no connection; of anything newer it does
    assert not gate.refresh(newest)
    assert not asked
    with engine.begin() as connection:
        revoke(connection, made.key.id, actor="test", now=NOW)
        newest = current_mark(connection)
    assert gate.refresh(newest)
    with pytest.raises(Refused):
        gate.admit(made.secret)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text[:-1] + ("b" if text[-1] != "b" else "c"),
        lambda text: text.replace("nlk_", "nlk-"),
        lambda text: text.upper(),
        lambda text: text + "\n",
        lambda text: "nlk_" + "a" * 12 + text[16:],
        lambda text: "nlk_ä" + text[5:],
    ],
)
def test_nothing_but_the_key_itself_is_admitted(sqlite_url: str, change) -> None:
    from nightlamp.store import connect

    engine = connect(sqlite_url)
    with engine.begin() as connection:
        made = create(connection, "a", SCOPES, actor="test", now=NOW)
    gate = Gate(engine)
    gate.refresh()
    with pytest.raises(Refused):
        gate.admit(Secret(change(made.secret.reveal())))


def test_the_secret_is_neither_stored_nor_shown(engine: Engine) -> None:
    with engine.begin() as connection:
        made = create(connection, "a", ["admin"], actor="test", now=NOW)
        text = made.secret.reveal()
        secret = text.rpartition("_")[2]
        rows = [*connection.execute(select(access_key)), *connection.execute(select(audit_record))]
    assert secret not in repr(rows)
    for shown in (repr(made), str(made.secret), f"{made.secret!r}", repr(made.key)):
        assert secret not in shown
        assert made.key.digest.hex() not in shown
        assert repr(made.key.digest) not in shown
    with pytest.raises(TypeError):
        pickle.dumps(made.secret)


def test_secrets_have_256_bits_and_differ(engine: Engine) -> None:
    with engine.begin() as connection:
        texts = {create(connection, "a", ["admin"], actor="t", now=NOW).secret.reveal() for _ in range(20)}
    assert len({text.split("_")[1] for text in texts}) == 20
    assert len({text.split("_")[2] for text in texts}) == 20
    assert {len(text.split("_")[2]) for text in texts} == {52}  # 256 bits in base 32


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["submit", "everything"]},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "a" * 101},
        {"rate": 0},
        {"rate": -1},
        {"rate": float("nan")},
        {"expires_at": NOW},
    ],
)
def test_keys_that_make_no_sense_are_not_made(engine: Engine, wrong: dict) -> None:
    with pytest.raises(AccessError), engine.begin() as connection:
        create(connection, actor="test", now=NOW, **{"name": "a", "scopes": ["read"], **wrong})
    with engine.begin() as connection:
        assert every(connection) == []


def test_the_first_key_is_made_once_by_nodes_that_start_together(engine: Engine) -> None:
    def start(_: int) -> bool:
        with engine.begin() as connection:
            return first(connection, now=NOW) is not None

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(start, range(4)))
    assert made.count(True) == 1
    with engine.begin() as connection:
        [key] = every(connection)
    assert key.scopes == set(SCOPES)


def test_revoking_again_changes_nothing_and_unknown_keys_are_said(engine: Engine) -> None:
    with engine.begin() as connection:
        made = create(connection, "a", ["admin"], actor="test", now=NOW)
        revoke(connection, made.key.id, actor="test", now=NOW)
        later = NOW + timedelta(hours=1)
        assert revoke(connection, made.key.id, actor="test", now=later).revoked_at == NOW
        assert named(connection, made.key.id).revoked_at == NOW
        with pytest.raises(AccessError):
            revoke(connection, "nobody", actor="test", now=NOW)
