"""zip, tar, 7z and single compressed files, each as a stream of entries, one in memory at a time.

A reader yields (name, size said, content or the ``ArchiveError`` that took its place) for what is content;
directories, links and devices are not. It raises ``ArchiveError`` where the rest cannot be read.
"""

from __future__ import annotations

import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from tarfile import HeaderError
from typing import Any, BinaryIO, Self

from nightlamp.errors import ArchiveError
from nightlamp.media.sniff import HEAD, sniff
from nightlamp.media.unpack import CHUNK, HEADER_BYTES, Budget, Exhausted, Metered, Readable, Unpacked

Entry = tuple[str, int, bytes | ArchiveError]
Reader = Callable[[BinaryIO, Budget], Iterator[Entry]]

_LINK_BYTES = 4096


def reader_of(media_type: str) -> Reader:
    """The reader of an archive type.

    Raises:
        ArchiveError: ``"no decoder"`` if there is none.
    """
    if media_type in ("application/gzip", "application/x-bzip2", "application/x-xz"):
        return lambda file, budget: _compressed(file, media_type, budget)
    readers = {"application/zip": _zip, "application/x-tar": _tar, "application/x-7z-compressed": _7z}
    if media_type not in readers:
        raise ArchiveError("no decoder", f"nothing installed opens {media_type or 'this type'}")
    return readers[media_type]


def typed(error: Exception) -> ArchiveError:
    """The ``ArchiveError`` for what a library raised, without the library's own words."""
    if isinstance(error, ArchiveError):
        return error
    name = type(error).__name__
    if isinstance(error, MemoryError) or (isinstance(error, lzma.LZMAError) and "limit" in str(error)):
        return ArchiveError("out of memory", "unpacking asks for more memory than allowed")
    if name == "PasswordRequired" or (isinstance(error, RuntimeError) and "password" in str(error)):
        return ArchiveError("encrypted", "a password is needed")
    if isinstance(error, NotImplementedError | ImportError) or name == "UnsupportedCompressionMethodError":
        return ArchiveError("no decoder", "a compression method that nothing installed knows")
    return ArchiveError("damaged", f"the reader gave up ({name})")


def _attempt(read: Callable[[], bytes]) -> bytes | ArchiveError:
    """A member's content, or the error that is the member's alone."""
    try:
        return read()
    except Exhausted:
        raise
    except Exception as error:  # noqa: BLE001 -- archive readers raise anything on hostile bytes
        return typed(error)


def _zip(file: BinaryIO, budget: Budget) -> Iterator[Entry]:
    _check_directory(file, budget)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        overlapping = _overlapping(infos)
        for info in infos:
            mode = info.external_attr >> 16
            if info.is_dir() and info.file_size == 0:
                continue
            if stat.S_ISLNK(mode) and info.file_size <= _LINK_BYTES:
                continue

            def read(info: zipfile.ZipInfo = info) -> bytes:
                if info.flag_bits & 1:
                    raise ArchiveError("encrypted", "a password is needed")
                if info.header_offset in overlapping:
                    raise ArchiveError("damaged", "its bytes are also another member's, as in a zip bomb")
                budget.check(info.file_size, info.compress_size)
                with archive.open(info) as stream:
                    return budget.read(stream, info.compress_size)

            yield info.filename, info.file_size, _attempt(read)
        if min((info.header_offset for info in infos), default=archive.start_dir) > 0:
            # It began as a zip, but another one at its end was taken for it: cut, or made to hide something.
            raise ArchiveError("damaged", "what stands before the first member is not in the directory")


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Offsets of local headers whose data reach into the next one's, or that several members share."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    found: set[int] = set()
    reach, owner = -1, -1
    for info in ordered:
        if info.header_offset < reach:
            found |= {owner, info.header_offset}
        end = info.header_offset + 30 + info.compress_size
        if end > reach:
            reach, owner = end, info.header_offset
    return found


def _check_directory(file: BinaryIO, budget: Budget) -> None:
    """Count a zip's members before ``zipfile`` makes an object of each.

    Raises:
        ArchiveError: if there are more than allowed; none is read then.
    """
    size = file.seek(0, io.SEEK_END)
    tail_at = max(0, size - 65_557 - 76)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        raise ArchiveError("damaged", "a zip without its directory, probably truncated")
    length = struct.unpack_from("<I", tail, at + 12)[0]
    end = tail_at + at
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    if wide >= 0 and wide + 48 <= len(tail) and tail.find(b"PK\x06\x07", wide) >= 0:
        length, end = struct.unpack_from("<Q", tail, wide + 40)[0], tail_at + wide
    if length <= 46 * budget.limits.archive_members:
        return
    file.seek(max(0, end - length))
    count = 0
    while file.tell() < end and len(entry := file.read(46)) == 46:
        count += 1
        if count > budget.limits.archive_members:
            raise ArchiveError(
                "too many members", f"the limit is {budget.limits.archive_members}; none was read"
            )
        file.seek(sum(struct.unpack_from("<HHH", entry, 28)), io.SEEK_CUR)


_TAR_EMPTY: type[HeaderError] = tarfile.EmptyHeaderError  # type: ignore[attr-defined]
_TAR_END: tuple[type[HeaderError], ...] = (tarfile.EOFHeaderError, _TAR_EMPTY)  # type: ignore[attr-defined]


class _Header(tarfile.TarInfo):
    """A tar header whose damage is said: ``tarfile`` takes a broken header in the middle for the end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except _TAR_END as end:
            if isinstance(end, _TAR_EMPTY) and tarfile.offset:
                raise ArchiveError("damaged", "a tar without its end mark, probably truncated") from None
            raise
        except HeaderError as error:
            raise ArchiveError("damaged", f"a broken tar header ({type(error).__name__})") from None


def _tar(file: Readable, budget: Budget) -> Iterator[Entry]:
    metered = Metered(file, budget)
    metered.allow(HEADER_BYTES)
    source: Any = metered
    with tarfile.open(fileobj=source, mode="r|", tarinfo=_Header, errors="surrogateescape") as archive:
        skip = 0
        while True:
            metered.allow(HEADER_BYTES + skip)
            info = archive.next()
            if info is None:
                return
            archive.members = []  # type: ignore[attr-defined] # it would keep every header
            skip = max(0, info.size)
            if not info.isreg():
                continue
            metered.allow(skip + HEADER_BYTES)

            def read(info: tarfile.TarInfo = info) -> bytes:
                budget.check(info.size)
                stream: Any = archive.extractfile(info)
                return budget.read(stream, spent=not info.issparse())

            content = _attempt(read)
            yield info.name, info.size, content
            if isinstance(content, ArchiveError) and content.code == "damaged":
                return  # the place of the next header is not known any more


def _compressed(file: BinaryIO, media_type: str, budget: Budget) -> Iterator[Entry]:
    """A compressed tar as a tar, anything else as one member named ``content``."""
    stream = Unpacked(file, media_type, budget.limits.memory // 2)
    if sniff(stream.peek(HEAD)) == "application/x-tar":
        yield from _tar(stream, budget)
        return
    yield "content", -1, _attempt(lambda: budget.read(stream))


def _7z(file: BinaryIO, budget: Budget) -> Iterator[Entry]:
    """Folder by folder, in the order in which they are packed, so that nothing is unpacked twice.

    py7zr's own ``extract`` refuses a whole archive for one hostile name, and pushes instead of being asked,
    so this goes through its folders and their decompressors.
    """
    from py7zr import SevenZipFile

    with SevenZipFile(file) as archive:
        for item in archive.files:
            if item.emptystream and not item.is_directory:
                yield item.filename, 0, b""
        streams = getattr(archive.header, "main_streams", None)
        if streams is None:
            return
        for folder, position in zip(streams.unpackinfo.folders, streams.packinfo.packpositions, strict=False):
            yield from _7z_folder(_Folder(file, folder, archive.afterheader + position, budget))


class _Folder:
    """A 7z folder: some members packed as one stream, of which each is the next ``size`` bytes."""

    def __init__(self, file: BinaryIO, folder: Any, start: int, budget: Budget) -> None:
        self.items = folder.files or ()
        self.broken: ArchiveError | None = None
        self._file = file
        self._folder = folder
        self._start = start
        self._budget = budget
        self._unpack: Any = None

    def take(self, item: Any) -> bytes:
        """The next member; one too large is unpacked and dropped, for the sake of those after it."""
        try:
            if self._unpack is None:
                _check_coders(self._folder.coders, self._budget.limits.memory // 2)
                self._unpack = self._folder.get_decompressor(item.compressed)
                self._file.seek(self._start)
            kept, crc = bytearray(), 0
            keep = item.uncompressed <= self._budget.limits.member_bytes
            for chunk in self._chunks(item.uncompressed):
                crc = zlib.crc32(chunk, crc)
                if keep:
                    kept += chunk
        except Exhausted:
            raise
        except Exception as error:  # noqa: BLE001 -- decoders raise anything on hostile bytes
            self.broken = typed(error)
            raise self.broken from None
        self._budget.check(item.uncompressed)
        if item.crc32 is not None and crc != item.crc32:
            raise ArchiveError("damaged", "a member's checksum is wrong")
        return bytes(kept)

    def _chunks(self, size: int) -> Iterator[bytes]:
        while size > 0:
            before = self._file.tell()
            chunk = self._unpack.decompress(self._file, min(size, CHUNK))
            if not chunk and self._file.tell() == before:
                raise EOFError
            self._budget.spend(len(chunk))
            size -= len(chunk)
            yield chunk


def _7z_folder(folder: _Folder) -> Iterator[Entry]:
    for item in folder.items:

        def read(item: Any = item) -> bytes:
            return folder.take(item)

        content = folder.broken or _attempt(read)
        if not (item.is_symlink and item.uncompressed <= _LINK_BYTES):
            yield item.filename, item.uncompressed, content


def _check_coders(coders: list[dict[str, Any]], memory: int) -> None:
    """A 7z folder's dictionaries, by its coders' properties, before anything allocates them.

    Raises:
        ArchiveError: ``"out of memory"`` above ``memory`` bytes.
    """
    for coder in coders:
        method, properties = coder["method"], coder.get("properties") or b""
        need = 0
        if method in (b"\x03\x01\x01", b"\x03\x04\x01") and len(properties) >= 5:  # LZMA, PPMd
            need = struct.unpack_from("<I", properties, 1)[0]
        elif method == b"\x21" and properties:  # LZMA2
            need = (2 | properties[0] & 1) << (properties[0] // 2 + 11)
        if need > memory:
            raise ArchiveError("out of memory", f"a dictionary of {need >> 20} MiB")
