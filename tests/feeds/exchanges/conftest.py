"""Running a client against its fake, and keeping what its pages say as a feed would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nightlamp.feeds.exchange import Exchange, Json, Page, Record


@dataclass
class Kept:
    """What a feed has: the newest state of each key that is not deleted, and where it stands."""

    records: dict[str, Record] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    checkpoint: Json | None = None
    cursor: Json | None = None
    pages: list[Page] = field(default_factory=list)

    def take(self, page: Page) -> None:
        self.pages.append(page)
        for record in page.records:
            if record.version < self.versions.get(record.key, 0):
                continue
            self.versions[record.key] = record.version
            if record.deleted:
                self.records.pop(record.key, None)
            else:
                self.records[record.key] = record
        self.cursor = page.cursor
        if page.checkpoint is not None:
            self.checkpoint = page.checkpoint

    def run(self, exchange: Exchange, most: int | None = None) -> Kept:
        """A run from where it stands, of at most so many pages."""
        if exchange.full and self.cursor is None:
            before, self.records = self.records, {}
        pages: Iterable[Page] = exchange.pages(self.checkpoint, self.cursor)
        for number, page in enumerate(pages, 1):
            assert (page.cursor is None) == (page.checkpoint is not None and page.cursor is None)
            if page.unchanged:
                assert not page.records
                self.records = before
            self.take(page)
            if number == most:
                break
        return self

    def prints(self) -> dict[str, set[tuple[str, bytes | str]]]:
        return {key: {tuple(p) for p in record.prints} for key, record in self.records.items()}
