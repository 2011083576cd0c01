"""Lists of one's own form: over HTTPS, over SFTP, from a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.fakes.exchanges.exchange import NOW, half, status
from tests.fakes.exchanges.files import PASSWORD, USER, FakeFiles, FakeSftp, new_key
from tests.fakes.resolver import FakeResolver
from tests.feeds.exchanges.conftest import Kept

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError, FeedError
from nightlamp.feeds.exchange import Exchange
from nightlamp.feeds.exchanges import reading
from nightlamp.feeds.exchanges.lists import KIND, ListConfig
from nightlamp.outbound import Fetcher, Rules

MD5S = [f"{number:032x}" for number in range(7)]


@pytest.fixture
def web() -> Iterator[FakeFiles]:
    server = FakeFiles("\n".join(MD5S).encode())
    with server.running():
        yield server


def opened(fake: FakeFiles, secrets: Mapping[str, str] | None = None, **config: object) -> Exchange:
    given = ListConfig.model_validate({"url": f"{fake.url}/list", **config})
    secret = {name: Secret(text) for name, text in (secrets or {}).items()}
    return KIND.open(given, secret, fake.fetcher(), fake.clock)


def values(kept: Kept) -> set[tuple[str, bytes | str]]:
    return {each for prints in kept.prints().values() for each in prints}


def failure(exchange: Exchange, kept: Kept | None = None) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        (kept or Kept()).run(exchange)
    assert not any(md5 in f"{caught.value} {caught.value!r}" for md5 in MD5S)
    return caught.value


@pytest.mark.parametrize("tags", ["etag", "modified", "none"])
def test_a_list_is_read_once_until_it_changes(web: FakeFiles, tags: str) -> None:
    web.tags = tags
    exchange = opened(web)

    kept = Kept().run(exchange).run(exchange)
    assert [p.unchanged for p in kept.pages] == [False, True]
    assert values(kept) == {("md5", bytes.fromhex(md5)) for md5 in MD5S}

    web.data = "\n".join(MD5S[3:]).encode()
    web.now = NOW.replace(minute=1)
    kept.run(exchange)
    assert values(kept) == {("md5", bytes.fromhex(md5)) for md5 in MD5S[3:]}


def test_what_is_read_otherwise_is_read_again(web: FakeFiles) -> None:
    kept = Kept().run(opened(web))
    kept.run(opened(web, signal="md5"))

    assert [p.unchanged for p in kept.pages] == [False, False]


@pytest.mark.parametrize("broken_off", [1, 2])
def test_a_run_goes_on_behind_its_last_page(
    web: FakeFiles, broken_off: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PER_PAGE", 3)
    kept = Kept().run(opened(web), most=broken_off)
    kept.run(opened(web))

    assert [len(p.records) for p in kept.pages] == [3, 3, 1]
    assert [p.checkpoint is None for p in kept.pages] == [True, True, False]


def test_a_list_that_changed_meanwhile_is_stale(web: FakeFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PER_PAGE", 3)
    kept = Kept().run(opened(web), most=1)
    web.data += b"\n" + b"f" * 32

    assert failure(opened(web), kept).kind == "stale"
    assert failure(opened(web), Kept(cursor={"mark": 1})).kind == "stale"


def test_columns_and_categories_are_the_operators(web: FakeFiles) -> None:
    web.data = f"Bild;Stufe;Nr\n{MD5S[0]};A;1\n{MD5S[1]};C;2\n{MD5S[2]};x;3\nnonsense;A;4\n".encode()
    columns = {"md5": "Bild", "category": "Stufe", "id": "Nr"}

    kept = Kept().run(opened(web, columns=columns, categories={"A": "category A", "C": None}, format="csv"))

    assert [(r.category, r.key.endswith(" 1")) for r in kept.records.values()] == [("category A", True)]
    assert kept.pages[0].unreadable == 2


def test_one_id_with_several_hashes_and_one_hash_with_several_ids_are_all_kept(web: FakeFiles) -> None:
    sha1 = "b" * 40
    web.data = f"id,hash,type\n1,{MD5S[0]},md5\n2,{MD5S[0]},md5\n1,{sha1},sha1\n".encode()

    kept = Kept().run(opened(web))

    assert len(kept.records) == 3
    assert values(kept) == {("md5", bytes.fromhex(MD5S[0])), ("sha1", bytes.fromhex(sha1))}


def test_lists_of_urls(web: FakeFiles) -> None:
    web.data = b"https://bad.example/a\nhttps://bad.example/b?c=d\n"

    kept = Kept().run(opened(web, signal="url"))

    assert {signal for signal, _ in values(kept)} == {"url"}
    assert len(values(kept)) == 2


@pytest.mark.parametrize(
    ("secrets", "config", "header"),
    [
        ({"password": "p"}, {"username": "u"}, "Basic dTpw"),
        ({"token": "t"}, {}, "Bearer t"),
    ],
)
def test_credentials(web: FakeFiles, secrets: dict[str, str], config: dict[str, object], header: str) -> None:
    web.authorization = header

    assert len(Kept().run(opened(web, secrets, **config)).records) == 7
    assert failure(opened(web)).kind == "credentials"


@pytest.mark.parametrize(
    ("data", "config"),
    [
        (b"", {}),
        (b"<html>Sign in</html>", {}),
        (b"a,b\n1,2\n", {"format": "csv"}),
        (b"nothing\nof\nuse", {"signal": "md5"}),
        (b"a;b\n1;2\n", {"columns": {"md5": "c"}}),
        (b"PK\x03\x04zip", {}),
    ],
)
def test_what_is_no_list_withdraws_nothing(web: FakeFiles, data: bytes, config: dict[str, object]) -> None:
    kept = Kept().run(opened(web))
    web.data = data

    with pytest.raises(ExchangeError) as caught:
        kept.run(opened(web, **config))

    assert caught.value.kind == "malformed"


def test_half_a_list_is_none_and_a_large_one_is_refused(web: FakeFiles) -> None:
    web.faults = [half]
    assert failure(opened(web)).kind == "network"
    assert failure(opened(web, max_bytes=50)).kind == "hostile"
    web.faults = [status(304)]
    assert failure(opened(web)).kind == "malformed"


def test_no_file_has_a_name_even_while_it_is_read(
    web: FakeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(reading, "PER_PAGE", 3)
    pages = opened(web).pages(None, None)

    assert len(next(pages).records) == 3
    assert list(tmp_path.iterdir()) == []  # nothing would stay if the process died now
    assert sum(len(page.records) for page in pages) == 4


@pytest.mark.parametrize("url", ["https://u:p@x.example/", "ftp://x.example/", "list.csv", "sftp://u@h/x"])
def test_addresses_that_are_not_taken(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        ListConfig(url=url)


# SFTP


@pytest.fixture
def sftp() -> Iterator[FakeSftp]:
    server = FakeSftp("\n".join(MD5S).encode())
    with server.running():
        yield server


def by_sftp(fake: FakeSftp, secrets: dict[str, str], **config: object) -> Exchange:
    given = {
        "url": f"sftp://127.0.0.1:{fake.port}/lists/a%20list",
        "username": USER,
        "host_key": fake.host_key,
        **config,
    }
    rules = Rules(allow=("127.0.0.1/32",), ports=frozenset({fake.port}), seconds=60)
    fetcher = Fetcher(rules, resolve=FakeResolver())
    secret = {name: Secret(text) for name, text in secrets.items()}
    return KIND.open(ListConfig.model_validate(given), secret, fetcher, lambda: NOW)


def test_a_list_over_sftp_by_password_and_by_key(sftp: FakeSftp) -> None:
    sftp.allowed, text = new_key()

    exchange = by_sftp(sftp, {"password": PASSWORD})
    kept = Kept().run(exchange).run(exchange)

    assert len(values(kept)) == 7
    assert [p.unchanged for p in kept.pages] == [False, True]
    assert len(values(Kept().run(by_sftp(sftp, {"key": text})))) == 7


@pytest.mark.parametrize(
    ("secrets", "config", "kind"),
    [
        ({"password": "wrong"}, {}, "credentials"),
        ({"key": "nonsense"}, {}, "credentials"),
        ({"key": new_key()[1]}, {}, "credentials"),
        ({}, {}, "credentials"),
        ({"password": PASSWORD}, {"host_key": FakeSftp().host_key}, "hostile"),
        ({"password": PASSWORD}, {"max_bytes": 10}, "hostile"),
        ({"password": PASSWORD}, {"url": "sftp://127.0.0.2:22/x"}, "network"),
        ({"password": PASSWORD}, {"path": "/other"}, "gone"),
    ],
)
def test_sftp_that_does_not_work(
    sftp: FakeSftp, secrets: dict[str, str], config: dict[str, object], kind: str
) -> None:
    if "path" in config:
        config = {"url": f"sftp://127.0.0.1:{sftp.port}/other"}

    error = failure(by_sftp(sftp, secrets, **config))

    assert error.kind == kind
    assert PASSWORD not in str(error)


def test_sftp_needs_the_key_of_its_host() -> None:
    with pytest.raises(FeedError, match="key of the host"):
        KIND.open(ListConfig(url="sftp://h/x", username="u"), {}, Fetcher(), lambda: NOW)


# folders


def test_a_folder_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(MD5S[:3]))
    (tmp_path / "b.txt").write_text("\n".join(MD5S[3:]))
    (tmp_path / ".hidden").write_text("f" * 32)
    settle(tmp_path)
    exchange = KIND.open(ListConfig(url=f"file://{tmp_path}"), {}, Fetcher(), lambda: NOW)

    kept = Kept().run(exchange).run(exchange)
    (tmp_path / "b.txt").unlink()
    kept.run(exchange)

    assert [p.unchanged for p in kept.pages] == [False, True, False]
    assert values(kept) == {("md5", bytes.fromhex(md5)) for md5 in MD5S[:3]}


def settle(folder: Path, seconds_ago: float = 60) -> None:
    at = NOW.timestamp() - seconds_ago
    for path in folder.iterdir():
        os.utime(path, (at, at))


def test_the_doctor(web: FakeFiles) -> None:
    assert [f.well for f in opened(web).probe()] == [True, True, True]
    web.data = b"PK\x03\x04"
    assert [f.well for f in opened(web).probe()] == [True, True, False]
    web.authorization = "x"
    assert [(f.what, f.well) for f in opened(web).probe()] == [("credentials", False)]
