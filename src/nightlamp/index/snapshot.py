"""Named arrays in one immutable file that is opened by mapping it; see ``docs/formats/snapshot.md``.

A file is either whole or refused. The first open of a file reads all of it and checks every byte against
its checksums; a small sidecar then remembers the file's identity, so that later opens need not.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nightlamp.errors import SnapshotError

if TYPE_CHECKING:
    import numpy as np

MAGIC = b"nightlamp snapshot 1\n"
ALIGN = 4096
FIXED = 64  # magic, zeros, header length at 32, header checksum at 40, zeros to 64
MAX_HEADER = 16 << 20
KINDS = frozenset({"|u1", "<u2", "<u4", "<u8", "<i4", "<i8", "<f4", "<f8"})
STEP = 1 << 20  # small enough to stay in cache between reading and hashing
REBUILD = "build the index again from its lists"
# A file changed within one tick of the file system's clock may keep its times: trust no younger record.
YOUNG_NS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Snapshot:
    """An open snapshot; its arrays are read-only views of the mapped file, valid as long as they are held.

    Args:
        path: the file.
        meta: what the writer wanted to say, of JSON types.
        arrays: by name.
        verified: every byte was checked in this very open, not only known from an earlier one. Content
            that was not checked before should be looked at now.
    """

    path: Path
    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    verified: bool

    def __repr__(self) -> str:
        """The path and how many arrays."""
        return f"Snapshot({self.path}, {len(self.arrays)} arrays)"

    def under(self, prefix: str) -> dict[str, np.ndarray]:
        """The arrays whose names begin with ``prefix``, without it."""
        return {name[len(prefix) :]: a for name, a in self.arrays.items() if name.startswith(prefix)}


def write_snapshot(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> None:
    """Write ``arrays`` and ``meta`` as one file, which appears under ``path`` whole or not at all.

    Args:
        path: replaced if it exists; those who have the old file open keep it.
        arrays: by name; integers or floats of fixed size, of any shape.
        meta: anything that JSON can hold.

    Raises:
        ValueError: an array's type cannot be stored, or ``meta`` is too long to be read again.
        OSError: the file cannot be written.
    """
    import numpy as np
    import xxhash

    path = Path(path)
    stored = {name: np.ascontiguousarray(a, a.dtype.newbyteorder("<")) for name, a in arrays.items()}
    rows: list[dict[str, Any]] = []
    end = 0
    for name, array in stored.items():
        if array.dtype.str not in KINDS:
            raise ValueError(f"array {name!r}: {array.dtype} cannot be stored")
        offset = _aligned(end)
        end = offset + array.nbytes
        rows.append(
            {
                "name": name,
                "dtype": array.dtype.str,
                "shape": list(arrays[name].shape),
                "offset": offset,  # from the end of the header, rounded up to ALIGN
                "xxh3_128": xxhash.xxh3_128_hexdigest(_bytes_of(array)),
            }
        )
    header = json.dumps({"meta": dict(meta), "arrays": rows, "size": end}, separators=(",", ":")).encode()
    if len(header) > MAX_HEADER:
        raise ValueError(f"a header of {len(header):,} bytes; at most {MAX_HEADER:,} are read")
    fixed = MAGIC.ljust(32, b"\0") + len(header).to_bytes(8, "little")
    fixed += xxhash.xxh3_128_digest(fixed + header) + bytes(FIXED - 56)
    start = _aligned(FIXED + len(header))

    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        # Readable by its owner alone: an index holds a hash list.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(fixed + header)
            for row, array in zip(rows, stored.values(), strict=True):
                file.seek(start + row["offset"])
                file.write(_bytes_of(array))
            file.truncate(start + end)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_snapshot(path: str | os.PathLike[str], *, verify: bool = False) -> Snapshot:
    """Map a snapshot; an unknown or changed file is read and checked first.

    Args:
        path: as given to :func:`write_snapshot`.
        verify: check every byte even if this very file passed before.

    Raises:
        SnapshotError: it is no snapshot, is of another version, or any byte of it is not as written.
        OSError: it cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        if before.st_size < FIXED:
            raise SnapshotError("too short to be an index", where=str(path), hint=REBUILD)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            header, end = _read_header(mapped, path)
            arrays = _map_arrays(header, _aligned(end), mapped, path)
            fresh = verify or not _known(path, before)
            if fresh:
                _verify(header, end, file.fileno(), path)
                after = os.fstat(file.fileno())
                if _identity(after) != _identity(before):
                    raise SnapshotError("it changed while it was read", where=str(path), hint="open it again")
                _remember(path, before)
        except BaseException:
            arrays = {}
            with contextlib.suppress(BufferError):
                mapped.close()
            raise
    return Snapshot(path, MappingProxyType(header["meta"]), MappingProxyType(arrays), fresh)


def _bytes_of(array: np.ndarray) -> memoryview:
    """The array's bytes, without a copy."""
    import numpy as np

    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")


def _aligned(offset: int) -> int:
    """The next multiple of ``ALIGN``."""
    return -(-offset // ALIGN) * ALIGN


def _read_header(mapped: mmap.mmap, path: Path) -> tuple[dict[str, Any], int]:
    """The checked header, and where it ends."""
    import xxhash

    if mapped[: len(MAGIC)] != MAGIC:
        if mapped[: len(MAGIC) - 2] == MAGIC[:-2]:
            raise SnapshotError("an index of another version", where=str(path), hint=REBUILD)
        raise SnapshotError("not a Nightlamp index", where=str(path), hint="check the path")
    length = int.from_bytes(mapped[32:40], "little")
    if length > min(MAX_HEADER, len(mapped) - FIXED):
        raise SnapshotError("the header is cut short", where=str(path), hint=REBUILD)
    text = mapped[FIXED : FIXED + length]
    if xxhash.xxh3_128_digest(mapped[:40] + text) != mapped[40:56] or any(mapped[56:FIXED]):
        raise SnapshotError("the header is damaged", where=str(path), hint=REBUILD)
    try:
        header = json.loads(text)
        whole = len(mapped) == _aligned(FIXED + length) + header["size"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SnapshotError("the header makes no sense", where=str(path), hint=REBUILD) from None
    if not whole:
        raise SnapshotError("it is longer or shorter than written", where=str(path), hint=REBUILD)
    return header, FIXED + length


def _map_arrays(header: dict[str, Any], start: int, mapped: mmap.mmap, path: Path) -> dict[str, np.ndarray]:
    """Read-only views into the file, each inside it and none over another."""
    import numpy as np

    arrays: dict[str, np.ndarray] = {}
    end = 0
    try:
        for row in header["arrays"]:
            shape = tuple(row["shape"])
            if (
                row["dtype"] not in KINDS
                or row["name"] in arrays
                or not all(type(s) is int and s >= 0 for s in shape)
            ):
                raise ValueError
            kind = np.dtype(row["dtype"])
            count = prod(shape)
            offset = row["offset"]
            if offset != _aligned(end) or start + offset + count * kind.itemsize > len(mapped):
                raise ValueError
            end = offset + count * kind.itemsize
            if count:
                arrays[row["name"]] = np.frombuffer(mapped, kind, count, start + offset).reshape(shape)
            else:
                arrays[row["name"]] = np.empty(shape, kind)
        if end != header["size"] or not isinstance(header["meta"], dict):
            raise ValueError
    except (ValueError, KeyError, TypeError, OverflowError):
        raise SnapshotError("the header makes no sense", where=str(path), hint=REBUILD) from None
    return arrays


def _verify(header: dict[str, Any], header_end: int, descriptor: int, path: Path) -> None:
    """Compare every byte behind the header with its checksum; what lies between arrays must be zero."""
    import xxhash

    buffer = memoryview(bytearray(min(STEP, os.fstat(descriptor).st_size)))

    def read(begin: int, end: int) -> Iterator[memoryview]:
        """Pieces of the file, from its own descriptor: through the map each page would cost a fault."""
        while begin < end:
            got = os.preadv(descriptor, [buffer[: min(STEP, end - begin)]], begin)
            if not got:
                raise SnapshotError("it ends too early", where=str(path), hint=REBUILD)
            yield buffer[:got]
            begin += got

    at = header_end
    start = _aligned(header_end)
    for row in [*header["arrays"], {"offset": header["size"], "dtype": "|u1", "shape": [0]}]:
        begin = start + row["offset"]
        for piece in read(at, begin):
            if any(piece):
                raise SnapshotError("it is damaged between arrays", where=str(path), hint=REBUILD)
        at = begin + int(row["dtype"][2:]) * prod(row["shape"])
        digest = xxhash.xxh3_128()
        for piece in read(begin, at):
            digest.update(piece)
        if digest.hexdigest() != row.get("xxh3_128", digest.hexdigest()):
            raise SnapshotError(f"array {row['name']!r} is damaged", where=str(path), hint=REBUILD)


def _identity(status: os.stat_result) -> str:
    """What changes whenever the file's content does."""
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "nightlamp verified 1 " + " ".join(map(str, parts)) + "\n"


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _known(path: Path, status: os.stat_result) -> bool:
    """Whether a sidecar says that this very file passed, and is clearly younger than the file."""
    try:
        with _sidecar(path).open("rb") as file:
            written = os.fstat(file.fileno()).st_mtime_ns
            same = file.read(512) == _identity(status).encode()
    except OSError:
        return False
    return same and written - max(status.st_mtime_ns, status.st_ctime_ns) > YOUNG_NS


def _remember(path: Path, status: os.stat_result) -> None:
    """Write the sidecar; where that is not allowed, the file is checked again next time."""
    sidecar = _sidecar(path)
    temporary = sidecar.with_name(f".{sidecar.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(_identity(status).encode())
        temporary.replace(sidecar)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
