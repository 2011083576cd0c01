"""A list in a file of its own form, from a folder, over HTTPS or over SFTP: IWF-style lists and plain ones.

Nothing public tells the form of such lists, so the operator says it: format, columns, categories. A list
that did not change (ETag, Last-Modified, or the same bytes) is not read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator

from nightlamp.access.keys import Secret
from nightlamp.banks.arriving import Arriving
from nightlamp.banks.options import ListOptions
from nightlamp.errors import ExchangeError, FeedError
from nightlamp.feeds.exchange import ExchangeConfig, Finding, Json, Kind, Page
from nightlamp.feeds.exchanges.drop import Drop, DropConfig
from nightlamp.feeds.exchanges.reading import mark_of, pages_of
from nightlamp.feeds.exchanges.service import Service, basic
from nightlamp.feeds.exchanges.sftp import download
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock


class ListConfig(ExchangeConfig):
    """What an operator sets.

    Args:
        url: ``https://…``, ``sftp://host:port/path`` or ``file:///path`` (a file or a folder).
        format: ``plain``, ``csv``, ``jsonl`` or ``json``; told from the content, if not set.
        columns: our word → the list's column: any signal's name, ``value`` and ``signal`` (a column of hashes
            and one that names their signal), ``id``, ``category``.
        signal: of bare hashes or URLs: ``md5``, ``pdq``, ``url``, ``url-host`` …
        categories: the list's category → ours; ``null``: not a hit. Others are refused as unreadable.
        delimiter: of a CSV list.
        username: for HTTPS (Basic, with the secret ``password``) and SFTP.
        header: the name of a header that carries the secret ``token``; ``Authorization`` gets it as Bearer.
        host_key: of the SFTP server, as in known_hosts: ``ssh-ed25519 AAAA…``.
        max_bytes: of the list.
        known: the list is of known harmless files; its bank must be a benign one.
    """

    url: str = Field(pattern=r"^(https?|sftp|file)://.+")
    format: Literal["plain", "csv", "jsonl", "json"] | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    signal: str | None = None
    categories: dict[str, str | None] | None = None
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    username: str = Field("", max_length=200)
    header: str = Field("Authorization", pattern=r"^[A-Za-z0-9-]{1,64}$")
    host_key: str = ""
    max_bytes: int = Field(1 << 30, ge=1, le=1 << 36)
    known: bool = False

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if "@" in urlsplit(url).netloc:
            raise ValueError("no user and no password in the address; use username= and a secret")
        return url

    @property
    def benign(self) -> bool:
        """Whether the entries are known harmless files."""
        return self.known

    def options(self) -> ListOptions:
        """How the list is read."""
        mapped: dict[int | str, str | None] | None = None
        if self.categories is not None:
            mapped = dict(self.categories.items())
        return ListOptions(self.format, self.columns, self.signal, mapped, self.delimiter)


class _FolderConfig(DropConfig):
    """A list in a folder, as ``Drop`` takes it."""

    given: ListConfig

    def options(self) -> ListOptions:
        return self.given.options()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A list as it came.

    Args:
        path: where it lies for the moment.
        digest: SHA-256 of its bytes.
        etag, modified: what to ask with the next time.
    """

    path: Path
    digest: str
    etag: str = ""
    modified: str = ""


class RemoteList:
    """A client; see ``nightlamp.feeds.exchange.Exchange``."""

    full = True

    def __init__(
        self, config: ListConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock
    ) -> None:
        self._config = config
        self._secrets = secrets
        self._http = http
        parts = urlsplit(config.url)
        self._name = f"list at {parts.hostname}"
        self._service = Service(self._name, config.url, http, clock, self._headers())

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """The whole list, if it changed."""
        options = self._config.options()
        before = checkpoint if isinstance(checkpoint, dict) and cursor is None else {}
        if before.get("how") != mark_of(options, []):
            before = {}
        with self._fetched(str(before.get("etag", "")), str(before.get("modified", ""))) as fetched:
            if fetched is None:
                yield Page((), None, checkpoint, unchanged=True)
                return
            mark = mark_of(options, [fetched.digest])
            done = {
                "mark": mark,
                "how": mark_of(options, []),
                "etag": fetched.etag,
                "modified": fetched.modified,
            }
            if mark == before.get("mark"):
                yield Page((), None, done, unchanged=True)
                return
            yield from pages_of(self._name, [fetched.path], options, mark, cursor, done)

    def stale(self, _checkpoint: Json, _now: datetime) -> bool:
        """Never: every run gives the whole list."""
        return False

    def probe(self) -> Sequence[Finding]:
        """Fetch the list, and read its beginning."""
        try:
            with self._fetched("", "") as fetched:
                assert fetched is not None
                findings = [
                    Finding("connection", True, f"the {self._name} is there"),
                    Finding("credentials", True, "they are taken, or none are needed"),
                ]
                try:
                    options = self._config.options()
                    first = next(pages_of(self._name, [fetched.path], options, "", None, {}))
                except ExchangeError as error:
                    return [*findings, Finding("list", False, error.what, error.kind, error.hint)]
                return [
                    *findings,
                    Finding("list", bool(first.records), f"{len(first.records):,} entries and more"),
                ]
        except ExchangeError as error:
            what = {"network": "connection", "credentials": "credentials"}.get(error.kind, "list")
            return [Finding(what, False, error.what, error.kind, error.hint)]

    def _headers(self) -> dict[str, str]:
        token, password = self._secrets.get("token"), self._secrets.get("password")
        if token is not None:
            text = token.reveal()
            return {self._config.header: f"Bearer {text}" if self._config.header == "Authorization" else text}
        if self._config.username and password is not None:
            return {"Authorization": basic(self._config.username, password)}
        return {}

    def _fetched(self, etag: str, modified: str) -> AbstractContextManager[Fetched | None]:
        """The list in a file that is gone after the block; ``None`` if it is as it was."""
        return self._by_sftp() if self._config.url.startswith("sftp:") else self._by_https(etag, modified)

    @contextmanager
    def _by_https(self, etag: str, modified: str) -> Iterator[Fetched | None]:
        asked = {}
        if etag:
            asked["If-None-Match"] = etag
        elif modified:
            asked["If-Modified-Since"] = modified
        with Arriving() as file:
            digest = hashlib.sha256()
            with self._service.asking("", headers=asked, also=(304,), follow=True) as answer:
                unchanged = answer.status == 304
                if unchanged and not asked:
                    raise self._service.error("malformed", "it says unchanged to one who has nothing yet")
                if not unchanged:
                    for piece in answer.pieces(self._config.max_bytes):
                        digest.update(piece)
                        file.write(piece)
                tags = [(answer.header(name) or "")[:500] for name in (b"etag", b"last-modified")]
            if unchanged:
                yield None
                return
            yield Fetched(file.path(), digest.hexdigest(), *tags)

    @contextmanager
    def _by_sftp(self) -> Iterator[Fetched | None]:
        c = self._config
        with Arriving() as file:
            digest = hashlib.sha256()
            for piece in download(
                c.url, c.username, self._secrets, c.host_key, self._http, c.max_bytes, self._name
            ):
                digest.update(piece)
                file.write(piece)
            yield Fetched(file.path(), digest.hexdigest())


def _open(
    config: ListConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock
) -> RemoteList | Drop:
    parts = urlsplit(config.url)
    if parts.scheme == "file":
        return Drop(_FolderConfig(path=unquote(parts.path), pattern="*", given=config), secrets, http, clock)
    if parts.scheme == "sftp" and not (config.username and config.host_key):
        raise FeedError(
            "SFTP needs a user, and the key of the host",
            where="list",
            hint="username= and host_key=, from ssh-keyscan",
        )
    return RemoteList(config, secrets, http, clock)


KIND = Kind(
    "list",
    "a list of one's own form: file, HTTPS or SFTP (IWF-style lists)",
    ListConfig,
    _open,
    {
        "password": "for HTTPS with username, or SFTP",
        "token": "for HTTPS, in the header that is set",
        "key": "private key for SFTP, in OpenSSH's form",
    },
    frozenset({"password", "token", "key"}),
)
