"""Lists that somebody lays into a folder: Project VIC and CAID sets, NSRL's sets of known files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, field_validator

from nightlamp.access.keys import Secret
from nightlamp.banks.options import ListOptions
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import ExchangeConfig, Finding, Json, Page
from nightlamp.feeds.exchanges.reading import digest_of, mark_of, pages_of
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock

SETTLED = 30.0  # seconds without a change, after which a file is taken to be whole
_MOST = 1_000  # files of a folder


class DropConfig(ExchangeConfig):
    """What an operator sets for a list in files.

    Args:
        path: a file, or a folder whose files together are the list.
        pattern: of the names in the folder, e.g. ``*.json``; names that begin with a dot are left out.
    """

    path: str
    pattern: str = Field("*", min_length=1, max_length=200)

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError("an absolute path, since nobody knows where the service is started")
        return path

    def options(self) -> ListOptions:
        """How the files are read."""
        return ListOptions()


class Drop:
    """A client; see ``nightlamp.feeds.exchange.Exchange``. Files that did not change are not read again."""

    full = True

    def __init__(
        self, config: DropConfig, _secrets: Mapping[str, Secret], _http: Fetcher, clock: Clock
    ) -> None:
        self._config = config
        self._clock = clock
        self._name = "file drop"

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """All files, if one of them is new or changed."""
        options = self._config.options()
        files = self._files()
        looks = self._looks(files)
        before = checkpoint if isinstance(checkpoint, dict) else {}
        if cursor is None and looks == before.get("looks") and mark_of(options, []) == before.get("how"):
            yield Page((), None, checkpoint, unchanged=True)
            return
        digests = [digest_of(path) for path in files]
        mark = mark_of(options, digests)
        done = {"mark": mark, "looks": looks, "how": mark_of(options, [])}
        if cursor is None and mark == before.get("mark"):
            yield Page((), None, done, unchanged=True)
            return
        for page in pages_of(self._name, files, options, mark, cursor, done):
            if page.cursor is None and self._looks(self._files()) != looks:
                raise ExchangeError("stale", "a file has changed while it was read", where=self._name)
            yield page

    def stale(self, _checkpoint: Json, _now: datetime) -> bool:
        """Never: every run gives the whole list."""
        return False

    def probe(self) -> Sequence[Finding]:
        """Look for files, and whether the first can be read."""
        try:
            files = self._files()
        except ExchangeError as error:
            return [Finding("list", False, error.what, error.kind, error.hint)]
        words = f"{len(files):,} files, {sum(path.stat().st_size for path in files):,} bytes"
        findings = [Finding("files", True, words)]
        try:
            first = next(pages_of(self._name, files, self._config.options(), "", None, {}))
        except ExchangeError as error:
            return [*findings, Finding("list", False, error.what, error.kind, error.hint)]
        return [*findings, Finding("list", bool(first.records), f"{len(first.records):,} entries and more")]

    def _files(self) -> list[Path]:
        """The list's files by name.

        Raises:
            ExchangeError: there are none, or one is still being written.
        """
        path = Path(self._config.path)
        try:
            if path.is_dir():
                chosen = [
                    each
                    for each in sorted(path.iterdir())
                    if fnmatchcase(each.name, self._config.pattern)
                    and not each.name.startswith(".")
                    and each.is_file()
                ]
            else:
                chosen = [path] if path.is_file() else []
            changed = max((each.stat().st_mtime for each in chosen), default=0.0)
        except OSError as error:
            raise self._gone(error.strerror or "it cannot be read") from None
        if not chosen:
            raise self._gone("there is no such file")
        if len(chosen) > _MOST:
            raise ExchangeError("hostile", f"more than {_MOST:,} files", where=self._name, hint="pattern=")
        age = self._clock().timestamp() - changed
        if 0 <= age < SETTLED:
            raise ExchangeError(
                "limited", "a file is still being written", where=self._name, retry_after=SETTLED - age
            )
        return chosen

    def _gone(self, what: str) -> ExchangeError:
        hint = "check path= and pattern=, and that the service may read there"
        return ExchangeError("gone", what, where=self._name, hint=hint)

    def _looks(self, files: Sequence[Path]) -> list[list[str | int]]:
        """What tells a changed file without reading it."""
        found: list[list[str | int]] = []
        for path in files:
            state = path.stat()
            found.append([path.name, state.st_size, state.st_mtime_ns, state.st_ino])
        return found
