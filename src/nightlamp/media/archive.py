"""``members``: an archive → what is in it, archives in it included, one member in memory at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from nightlamp.errors import ArchiveError
from nightlamp.media.limits import Limits
from nightlamp.media.sniff import ARCHIVES, HEAD, sniff

if TYPE_CHECKING:
    from nightlamp.media.unpack import Budget

WITHIN = "!/"
"""Between the names of an archive and of its member, as in ``a.zip!/b.tar!/c.jpg``."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive, or what kept it, or the rest, from being read.

    Args:
        name: within the outermost archive, unique; data only, never to be used as a path. ``""`` stands for
            the outermost archive itself. Valid text, but not safe to print: it may hold any character.
        size: bytes unpacked; if it could not be unpacked, what the archive says, or -1.
        data: the content, or None with an ``error``.
        error: why it was not read. After the last member it is of the archive as a whole.
        media_type: of ``data``, by ``sniff``. Members of a member that is itself an archive follow it.
    """

    name: str
    size: int
    data: bytes | None = field(repr=False)
    error: ArchiveError | None = None
    media_type: str = ""


def members(file: BinaryIO, media_type: str, limits: Limits) -> Iterator[Member]:
    """Everything in an archive, depth first, without writing anything anywhere.

    Directories, links and devices are left out. A compressed file that is no tar has one member, ``content``.
    A member that cannot be read (encrypted, damaged, too large, a bomb) is a ``Member`` with an ``error``,
    and reading goes on; where it cannot, or a limit on the whole is hit, the last one has the error.

    Args:
        file: open for reading and seeking, owned by the caller; read from its start.
        media_type: one of ``ARCHIVES``, by ``sniff``.
        limits: ``archive_*`` count over this file and all archives in it.

    Raises:
        OSError: if the operating system does not give us the bytes of ``file``.
    """
    from nightlamp.media.unpack import Budget, Exhausted

    packed = file.seek(0, io.SEEK_END)
    file.seek(0)
    budget = Budget(limits, packed)
    try:
        yield from _walk(file, media_type, "", 1, budget)
    except Exhausted as limit:
        yield Member("", -1, None, limit.error)


def _walk(file: BinaryIO, media_type: str, within: str, depth: int, budget: Budget) -> Iterator[Member]:
    from nightlamp.media import containers
    from nightlamp.media.unpack import Exhausted

    names = _Names()
    try:
        for said_name, said_size, content in containers.reader_of(media_type)(file, budget):
            budget.count()
            name = within + names.unique(said_name)
            if isinstance(content, ArchiveError):
                yield Member(name, said_size, None, content)
                continue
            inner = sniff(content[:HEAD])
            yield Member(name, len(content), content, media_type=inner)
            if inner not in ARCHIVES:
                continue
            if depth >= budget.limits.archive_depth:
                too_deep = ArchiveError("too deep", f"archives within archives, the limit is {depth}")
                yield Member(f"{name}{WITHIN}", -1, None, too_deep)
                continue
            yield from _walk(io.BytesIO(content), inner, name + WITHIN, depth + 1, budget)
    except Exhausted:
        raise
    except Exception as error:  # noqa: BLE001 -- archive readers raise anything on hostile bytes
        yield Member(within, -1, None, containers.typed(error))


class _Names:
    """Names as the archive gives them, made valid text, and told apart where several members share one."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """``a.jpg``, then ``a.jpg#2``, ``a.jpg#3`` …"""
        name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        seen = self._seen.get(name, 0) + 1
        self._seen[name] = seen
        if seen == 1:
            return name
        return self.unique(f"{name}#{seen}")
