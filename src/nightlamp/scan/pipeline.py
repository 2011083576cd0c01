"""From items to rows: examined in the workers, unpacked where they are archives, judged in batches.

However many items there are, only a window of them is in memory; they leave it in the order in which they
came, so a scan's output has a fixed order. An archive's members come before the archive itself: a row of the
archive says that all of it was done.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from nightlamp.examine import Workers
from nightlamp.media import ARCHIVES, Member
from nightlamp.scan.items import Item
from nightlamp.scan.names import MEMBER, member_text
from nightlamp.scan.row import Row, Secrets, row_of
from nightlamp.screening import Screener
from nightlamp.values import Examination, Unchecked

_BATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How items become rows.

    Args:
        workers: examine them; entered by the caller.
        screener: judges them.
        archives: unpack zip, tar and 7z.
        secrets: what may be written into rows.
        skip: whether an item is done already.
        stop: asked now and then; once true, no new item is begun and those under way are finished.
        window: most items in memory.
        window_bytes: most bytes of archive members in memory (one member more may be on its way).
        batch: most items judged at once.
    """

    workers: Workers
    screener: Screener
    archives: bool = True
    secrets: Secrets = field(default_factory=Secrets)
    skip: Callable[[Item], bool] = lambda _: False
    stop: Callable[[], bool] = lambda: False
    window: int = 512
    window_bytes: int = 256 << 20
    batch: int = 128

    def rows(self, items: Iterable[Item]) -> Iterator[list[Row]]:
        """The rows of ``items``, in order, a batch at a time."""
        batch: list[tuple[Item, Examination]] = []
        flushed = time.monotonic()
        for examined in self._examined(items):
            if examined is not None:
                batch.append(examined)
            late = time.monotonic() - flushed > _BATCH_SECONDS
            if len(batch) >= self.batch or (late and batch):
                yield self._judged(batch)
                batch = []
                flushed = time.monotonic()
        if batch:
            yield self._judged(batch)

    def _judged(self, batch: list[tuple[Item, Examination]]) -> list[Row]:
        verdicts = self.screener.screen([examination for _, examination in batch])
        return [
            row_of(item, examination, verdict, self.secrets)
            for (item, examination), verdict in zip(batch, verdicts, strict=True)
        ]

    def _examined(self, items: Iterable[Item]) -> Iterator[tuple[Item, Examination] | None]:
        """Items with their examinations, in order; ``None`` before there is anything to wait for."""
        waiting: deque[tuple[Item, Future[Examination]]] = deque()
        held = 0
        for item in items:
            if self.stop():
                break
            if self.skip(item):
                continue
            waiting.append((item, self._begin(item)))
            held += len(item.content or b"")
            while waiting and (
                len(waiting) >= self.window or held > self.window_bytes or waiting[0][1].done()
            ):
                first, future = waiting.popleft()
                held -= len(first.content or b"")
                yield from self._finished(first, future)
        while waiting:
            if self.stop():
                # The last ones first: what a worker has begun cannot be called off, and is finished below.
                for _, future in reversed(waiting):
                    future.cancel()
            first, future = waiting.popleft()
            if not future.cancelled():
                yield from self._finished(first, future)

    def _begin(self, item: Item) -> Future[Examination]:
        if item.problem is not None:
            known: Future[Examination] = Future()
            known.set_result(Examination("", item.size, unchecked=(item.problem,)))
            return known
        source = Path(item.file or "") if item.content is None else item.content
        return self.workers.examine(source, received=_changed(item))

    def _finished(self, item: Item, future: Future[Examination]) -> Iterator[tuple[Item, Examination] | None]:
        if not future.done():
            yield None
        examination = future.result()
        # Archives in archives need no second look: their members come with those of the outermost one.
        if item.file is not None and examination.media_type in ARCHIVES:
            problems: list[Unchecked] = []
            if self.archives:
                yield from self._examined(self._members(item, examination.media_type, problems))
                if self.stop():
                    return
            else:
                problems.append(Unchecked("members", "not unpacked", "archives are not looked into"))
            examination = replace(examination, unchecked=(*examination.unchecked, *problems))
        yield replace(item, content=None), examination

    def _members(self, archive: Item, media_type: str, problems: list[Unchecked]) -> Iterator[Item]:
        """The members of an archive as items; what keeps others from being seen goes into ``problems``."""
        for member in self.workers.unpack(Path(archive.file or ""), media_type):
            if member.error is not None and not member.name:
                problems.append(Unchecked("members", member.error.code, member.error.detail))
            else:
                yield _member_item(archive, member)


def _changed(item: Item) -> datetime | None:
    """When the item's file last changed: what was taken later is odd. None where a clock was never right."""
    try:
        return datetime.fromtimestamp(item.mtime / 1e6, UTC) if item.mtime > 0 else None
    except (OSError, OverflowError, ValueError):
        return None


def _member_item(archive: Item, member: Member) -> Item:
    problem = None
    if member.error is not None:
        # A name that ends so stands for all that is in an archive within.
        what = "members" if member.name.endswith(MEMBER) else "content"
        problem = Unchecked(what, member.error.code, member.error.detail)
    path = member_text(archive.path, member.name)
    return Item(path, max(member.size, 0), archive.mtime, content=member.data or b"", problem=problem)
