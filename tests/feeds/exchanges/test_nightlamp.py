"""Following a bank of another Nightlamp: real pages of a real bank, over a wire that may be hostile."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from tests.fakes.exchanges.exchange import Answer, Asked, FakeExchange, body
from tests.feeds.exchanges.conftest import Kept

from nightlamp.access.keys import Secret
from nightlamp.audit import SigningKey
from nightlamp.banks import Entry
from nightlamp.banks.live import (
    add_entries,
    create_bank,
    find_entries,
    get_bank,
    remove_entries,
    set_disputed,
)
from nightlamp.banks.live.changes import Place, page_changes
from nightlamp.errors import BankError, ExchangeError
from nightlamp.feeds import sharing
from nightlamp.feeds.exchanges.nightlamp import KIND, Nightlamp, NightlampConfig
from nightlamp.store import connect, reading, upgrade
from nightlamp.values import Bank

KEY = "nlk_key"
_NUMBERS = count()
MD5S = [bytes([number]) * 16 for number in range(10)]


class Other(FakeExchange):
    """The other operator's side: what its server does, without the rest of it."""

    def __init__(self, engine: Engine, benign: bool = False) -> None:
        super().__init__()
        self.engine = engine
        self.signing = SigningKey.generate()
        with engine.begin() as connection:
            name = f"shared-{next(_NUMBERS)}"
            self.bank = create_bank(connection, Bank(name, "x", "csam", benign=benign), actor="test").id

    def put(self, *numbers: int) -> None:
        entries = [Entry("md5", MD5S[n], f"own id {n}", f"c{n}") for n in numbers]
        with self.engine.begin() as connection:
            add_entries(connection, self.bank, entries, actor="test")

    def take(self, number: int) -> None:
        with self.engine.begin() as connection:
            ids = find_entries(connection, self.bank, values=[("md5", MD5S[number])])
            remove_entries(connection, self.bank, ids, actor="test")

    def flag(self, number: int, disputed: bool = True) -> None:
        with self.engine.begin() as connection:
            ids = find_entries(connection, self.bank, values=[("md5", MD5S[number])])
            set_disputed(connection, self.bank, ids, disputed, actor="test")

    def respond(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Answer(status=401)
        after = asked.query.get("after", "")
        with reading(self.engine) as connection:
            try:
                place = Place.parse(after) if after else None
                limit = int(asked.query["limit"])
                found = page_changes(connection, self.bank, place, limit=limit, owners=False)
            except (BankError, ValueError):
                return Answer(status=409)
            bank = get_bank(connection, self.bank)
        page = sharing.page_of(bank, found, nonce=asked.query["nonce"], after=after, at=self.now)
        return self.signed(page)

    def signed(self, page: bytes) -> Answer:
        signature = base64.b64encode(self.signing.sign_for(sharing.PURPOSE, page)).decode()
        return Answer(page, 200, {sharing.HEADER: signature})

    def follower(self, **config: object) -> Nightlamp:
        key = base64.b64encode(self.signing.public.public_bytes_raw()).decode()
        settings = {"url": self.url, "bank": self.bank, "public_key": key, "page_size": 3, **config}
        made = KIND.open(
            NightlampConfig.model_validate(settings), {"key": Secret(KEY)}, self.fetcher(), self.clock
        )
        assert isinstance(made, Nightlamp)
        return made


def fresh(path: Path) -> Engine:
    engine = connect(f"sqlite:///{path}")
    upgrade(engine)
    return engine


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return fresh(tmp_path_factory.mktemp("other") / "other.db")


@pytest.fixture
def other(database: Engine) -> Iterator[Other]:
    fake = Other(database)
    with fake.running():
        yield fake


def held(kept: Kept) -> dict[bytes | str, bool]:
    return {r.prints[0].value: r.disputed for r in kept.records.values()}


def failure(exchange: Nightlamp, kept: Kept | None = None) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        (kept or Kept()).run(exchange)
    assert KEY not in str(caught.value)
    return caught.value


def test_what_is_added_removed_and_flagged_comes(other: Other) -> None:
    other.put(0, 1, 2, 3)
    other.take(0)
    other.flag(1)
    kept = Kept().run(other.follower())
    assert held(kept) == {MD5S[1]: True, MD5S[2]: False, MD5S[3]: False}
    assert {r.category for r in kept.records.values()} == {"c1", "c2", "c3"}

    other.put(4, 0)
    other.take(2)
    other.flag(1, False)
    other.flag(3)
    kept.run(other.follower())

    assert held(kept) == {MD5S[0]: False, MD5S[1]: False, MD5S[3]: True, MD5S[4]: False}
    assert "own id" not in str([p.records for p in kept.pages])


@settings(max_examples=12)
@given(
    history=st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ptfu"), st.integers(0, 2)), max_size=25)
)
def test_after_any_history_the_follower_has_what_the_bank_has(
    database: Engine, history: list[tuple[int, str, int]]
) -> None:
    other = Other(database)
    kept, model = Kept(), {}
    with other.running():
        for number, what, pages in history:
            if what == "p":
                other.put(number)
                model.setdefault(MD5S[number], False)
            elif MD5S[number] in model:
                if what == "t":
                    other.take(number)
                    del model[MD5S[number]]
                else:
                    other.flag(number, what == "f")
                    model[MD5S[number]] = what == "f"
            if pages:
                kept.run(other.follower(page_size=2), most=pages)
        while True:
            kept.run(other.follower(page_size=2))
            if kept.cursor is None:
                break

    assert held(kept) == model


def test_a_bank_that_was_restored_is_another_history(other: Other, tmp_path: Path) -> None:
    other.put(0, 1)
    kept = Kept().run(other.follower())

    other.engine = fresh(tmp_path / "restored.db")
    with other.engine.begin() as connection:
        create_bank(connection, Bank("shared", "x", "csam"), actor="test")

    assert failure(other.follower(), kept).kind == "stale"


def test_a_page_that_somebody_else_signed_or_changed_is_hostile(other: Other) -> None:
    other.put(0, 1)
    follower = other.follower()
    honest = other.respond

    def changed(asked: Asked) -> Answer:
        answer = honest(asked)
        return Answer(answer.body.replace(b'"c0"', b'"c9"'), 200, answer.headers)

    def unsigned(asked: Asked) -> Answer:
        return Answer(honest(asked).body)

    other.respond = changed  # type: ignore[method-assign]
    assert failure(follower).kind == "hostile"
    other.respond = unsigned  # type: ignore[method-assign]
    assert failure(follower).kind == "hostile"
    other.respond = honest  # type: ignore[method-assign]
    other.signing = SigningKey.generate()
    assert failure(follower).kind == "hostile"


def test_a_page_that_was_kept_back_and_given_later_is_hostile(other: Other) -> None:
    other.put(0, 1)
    kept_back = other.respond(
        Asked("GET", "", {"limit": "3", "nonce": "old"}, {"authorization": f"Bearer {KEY}"}, b"")
    )
    other.faults = [body(kept_back.body, Nightlamp_Signature=kept_back.headers[sharing.HEADER])]

    assert failure(other.follower()).kind == "hostile"


def test_a_page_of_another_time_is_a_wrong_clock(other: Other) -> None:
    follower = other.follower()
    follower._clock = lambda: other.now + timedelta(hours=1)

    assert failure(follower).kind == "clock"


@pytest.mark.parametrize("page", [b"[]", b"{}", b"<html>", json.dumps({"format": sharing.FORMAT}).encode()])
def test_what_is_no_page_is_no_empty_page(other: Other, page: bytes) -> None:
    other.respond = lambda _: other.signed(page)  # type: ignore[method-assign]

    assert failure(other.follower()).kind == "malformed"


@pytest.mark.parametrize(("benign", "known"), [(True, False), (False, True)])
def test_known_files_and_hits_are_not_mixed_up(database: Engine, benign: bool, known: bool) -> None:
    other = Other(database, benign)
    with other.running():
        assert failure(other.follower(known=known)).kind == "environment"


@pytest.mark.parametrize("form", ["base64", "pem"])
def test_keys_in_either_form(form: str, tmp_path: Path) -> None:
    key = SigningKey.generate()
    key.write(tmp_path / "audit.key")
    raw = key.public.public_bytes_raw()
    text = base64.b64encode(raw).decode() if form == "base64" else (tmp_path / "audit.key.pub").read_text()

    assert sharing.public_key(text) == raw
    with pytest.raises(ValueError):  # noqa: PT011
        sharing.public_key("AAAA")


def test_the_doctor(other: Other) -> None:
    assert [(f.what, f.well) for f in other.follower().probe()][-1] == ("signature", True)
    follower = other.follower()
    other.signing = SigningKey.generate()
    assert [(f.what, f.well) for f in follower.probe()][-1] == ("signature", False)
