"""Clear bytes to sealed bytes and back, in a stream, so that large content is never whole in memory or on a
disk.

Sealing is age (https://age-encryption.org/v1): each object has its own random key, wrapped for every
recipient by X25519; the content is ChaCha20-Poly1305 in chunks of 64 KiB, and a cut or changed chunk is
refused.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyrage

from nightlamp.errors import VaultError
from nightlamp.vault.keys import Identity, Recipients
from nightlamp.vault.place import Place, Sink, Source

_CHUNK = 1 << 16
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed bytes that are durable at a place, and not yet in the database.

    Args:
        name: at the place.
        sha256: of the sealed bytes; says nothing of the content.
        size: sealed bytes.
        recipients: fingerprint of the keys.
    """

    name: str
    sha256: str = field(repr=False)
    size: int
    recipients: str


@dataclass(frozen=True, slots=True)
class Content:
    """Clear content in memory. Its ``repr`` shows the size alone; ``data`` must be asked for on purpose."""

    data: bytes = field(repr=False)

    def __repr__(self) -> str:
        return f"Content({len(self.data)} bytes)"


def seal_to(place: Place, name: str, source: Source, recipients: Recipients) -> Sealed:
    """Seal ``source`` into ``place`` under ``name``.

    Raises:
        VaultError: the storage failed; else what ``source`` raised. Nothing has the name then.
    """
    done: list[tuple[str, int]] = []
    place.put(name, lambda out: done.append(seal_into(out, source, recipients)))
    return Sealed(name, *done[-1], recipients.fingerprint)


def seal_into(out: Sink, source: Source, recipients: Recipients) -> tuple[str, int]:
    """Seal ``source`` into ``out``; gives the SHA-256 and the size of the sealed bytes.

    Raises:
        what ``source`` or ``out`` raised; ``out`` has a part then: drop it.
    """
    target, given = _Tap(out), _Source(source)
    _stream(lambda: pyrage.encrypt_io(given, target, recipients.keys), target, given)
    return target.digest.hexdigest(), target.size


def unseal_to(out: Sink, sealed: Source, sha256: str, identity: Identity) -> None:
    """Write the clear content to ``out``, which must not be a disk; check the sealed bytes on the way.

    Raises:
        VaultError: the identity does not fit, the sealed bytes are damaged, or reading or writing failed.
            ``out`` has a part then: drop it.
    """
    source, target = _Source(sealed), _Tap(out)
    try:
        _stream(lambda: pyrage.decrypt_io(source, target, [identity.key]), source, target)
    except (pyrage.DecryptError, OSError) as error:
        if error in (source.error, target.error):
            raise VaultError(f"a sealed object cannot be read ({error})") from None
        source.drain()
        if source.digest.hexdigest() == sha256:
            raise VaultError(
                "the identity does not open this object", hint="the identity that it was sealed for"
            ) from None
    source.drain()
    if source.digest.hexdigest() != sha256:
        raise VaultError("a sealed object is damaged", hint="restore it from a backup")


def reseal_to(
    place: Place, name: str, sealed: Source, sha256: str, identity: Identity, recipients: Recipients
) -> Sealed:
    """Unseal and seal anew, chunk by chunk in memory, never clear on a disk.

    Raises:
        VaultError: as ``unseal_to`` and ``seal_to``; nothing has the name then.
    """
    return through(
        lambda pipe: unseal_to(pipe, sealed, sha256, identity),
        lambda pipe: seal_to(place, name, pipe, recipients),
    )


def through(give: Callable[[Sink], None], take: Callable[[Source], T]) -> T:
    """What ``take`` makes of the bytes that ``give`` writes, a few chunks of them in memory at a time.

    Raises:
        what either raised.
    """
    pipe = _Pipe()

    def feed() -> None:
        try:
            give(pipe)
        except BaseException as error:  # noqa: BLE001 (the other thread must hear of it, whatever it is)
            pipe.end(error)
        else:
            pipe.end()

    feeder = threading.Thread(target=feed, name="nightlamp-reseal", daemon=True)
    feeder.start()
    try:
        return take(pipe)
    finally:
        pipe.hang_up()
        feeder.join()


class _Tap:
    """Counts and hashes what is written through it, and keeps the error that pyrage would turn into text."""

    def __init__(self, out: Sink) -> None:
        self._out = out
        self.digest = hashlib.sha256()
        self.size = 0
        self.error: BaseException | None = None

    def write(self, data: bytes, /) -> int:
        try:
            self._out.write(data)
        except BaseException as error:
            self.error = error
            raise
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Left to the sink."""


class _Source:
    """Hashes what is read through it, and keeps the error that pyrage would turn into text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.digest = hashlib.sha256()
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            data = self._source.read(size)
        except BaseException as error:
            self.error = error
            raise
        self.digest.update(data)
        return data

    def drain(self) -> None:
        """Read to the end."""
        while self.read(_CHUNK):
            pass


def _stream(run: Callable[[], Any], *ends: _Tap | _Source) -> None:
    """``run``, and if an end failed, raise its own error, whatever pyrage made of it."""
    try:
        run()
    finally:
        # Also after a success: pyrage passes over some errors of its writer.
        for end in ends:
            if end.error is not None:
                raise end.error from None


class _Pipe:
    """Bytes from one thread to another, a few chunks at a time; an error of the writer reaches the reader."""

    def __init__(self) -> None:
        self._chunks: queue.Queue[bytes | BaseException | None] = queue.Queue(4)
        self._rest = b""
        self._done = False
        self._gone = threading.Event()

    def write(self, data: bytes, /) -> int:
        self._put(bytes(data))
        return len(data)

    def end(self, error: BaseException | None = None) -> None:
        """No more comes."""
        self._put(error)

    def hang_up(self) -> None:
        """Nobody reads any more."""
        self._gone.set()

    def read(self, size: int = -1, /) -> bytes:
        while not self._rest and not self._done:
            chunk = self._chunks.get()
            if isinstance(chunk, BaseException):
                raise chunk
            self._done = chunk is None
            self._rest = chunk or b""
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _put(self, chunk: bytes | BaseException | None) -> None:
        while not self._gone.is_set():
            try:
                self._chunks.put(chunk, timeout=0.1)
            except queue.Full:
                continue
            return
        if isinstance(chunk, bytes):
            raise BrokenPipeError
