"""A package: parts that are each sealed for the recipient, and a signed manifest. A folder, or one tar file.

Only sealed bytes are written. Whoever has the package and the signer's public key can check that it is whole
and unchanged, without the recipient's private key; with it, also that every part says what the report says.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature

from nightlamp.audit import PublicKeys, SigningKey, canonical
from nightlamp.audit.record import time_text
from nightlamp.errors import OutputError, ReportError
from nightlamp.reports.document import Purpose
from nightlamp.vault import Recipients
from nightlamp.vault.disk import sync_folder
from nightlamp.vault.place import Sink, new_name
from nightlamp.vault.sealing import seal_into

FORMAT, VERSION = "nightlamp-bundle", 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
REPORT, PAPER, AUDIT = "report.json.age", "report.pdf.age", "audit.jsonl.age"
_PURPOSE = b"nightlamp bundle v1\n"
_PART = re.compile(r"(report\.json|report\.pdf|audit\.jsonl|files/[0-9]{5})\.age")
_LARGEST_MANIFEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A sealed part: its size and SHA-256 are those of the sealed bytes, and say nothing of the content."""

    name: str
    size: int
    sha256: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is signed.

    Args:
        id: the package's.
        key: id of the signing key.
        public: the keys that the manifest offers to check it with.
    """

    id: str
    purpose: Purpose
    made_at: str
    recipients: tuple[str, ...]
    parts: tuple[Part, ...]
    key: str
    public: PublicKeys

    def encode(self) -> bytes:
        """The bytes that are signed: canonical JSON."""
        parts = [{"name": each.name, "sha256": each.sha256, "size": each.size} for each in self.parts]
        value: dict[str, Any] = {
            "format": FORMAT,
            "id": self.id,
            "key": self.key,
            "keys": self.public.as_object(),
            "made_at": self.made_at,
            "parts": parts,
            "purpose": self.purpose,
            "recipients": list(self.recipients),
            "v": VERSION,
        }
        return canonical.encode(value)

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """The inverse of ``encode``.

        Raises:
            ReportError: it is malformed, or of another version.
        """
        try:
            value = canonical.decode(data)
            if value["format"] != FORMAT or value["v"] != VERSION:
                raise ReportError("malformed", "not a package of this version", where=MANIFEST)
            parts = tuple(Part(each["name"], each["size"], each["sha256"]) for each in value["parts"])
            keys = PublicKeys.from_object(value["keys"])
            made = cls(
                value["id"],
                value["purpose"],
                value["made_at"],
                tuple(value["recipients"]),
                parts,
                value["key"],
                keys,
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ReportError("malformed", "not a manifest", where=MANIFEST) from None
        if not all(isinstance(each.name, str) and _PART.fullmatch(each.name) for each in parts):
            raise ReportError("malformed", "a part that no package has", where=MANIFEST)
        return made


class Packer:
    """Seals parts into a folder; see ``packing``."""

    def __init__(self, folder: Path, recipients: Recipients) -> None:
        self._folder = folder
        self._recipients = recipients
        self._parts: list[Part] = []

    def add(self, name: str, data: bytes) -> None:
        """A part that is in memory."""
        self.pour(name, lambda out: seal_into(out, io.BytesIO(data), self._recipients))

    def pour(self, name: str, fill: Callable[[Sink], tuple[str, int]]) -> None:
        """A part that ``fill`` writes sealed; it gives the SHA-256 and the size of what it wrote."""
        assert _PART.fullmatch(name), name
        path = self._folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with _new(path) as file:
            digest, size = fill(file)
        self._parts.append(Part(name, size, digest))

    def close(self, key: SigningKey, id_: str, purpose: Purpose, made_at: datetime) -> Manifest:
        """Write and sign the manifest."""
        parts = tuple(sorted(self._parts, key=lambda each: each.name))
        names, public = self._recipients.names, PublicKeys.of([key.public])
        manifest = Manifest(id_, purpose, time_text(made_at), names, parts, key.id, public)
        data = manifest.encode()
        with _new(self._folder / MANIFEST) as file:
            file.write(data)
        with _new(self._folder / SIGNATURE) as file:
            file.write(base64.b64encode(key.sign_for(_PURPOSE, data)) + b"\n")
        return manifest


@contextmanager
def packing(out: Path, recipients: Recipients, *, one_file: bool = False) -> Iterator[Packer]:
    """A packer whose package has the name ``out`` once all went well, and is nowhere otherwise.

    Args:
        out: a folder, or a file, that is not there yet.
        recipients: whom it is sealed for.
        one_file: a tar file instead of a folder.

    Raises:
        OutputError: ``out`` is there already, or cannot be written.
    """
    if os.path.lexists(out):
        raise OutputError("is there already", where=str(out), hint="another name")
    work = out.with_name(f".{out.name}.{new_name()}")
    try:
        work.mkdir(mode=0o700, parents=True)
        yield Packer(work, recipients)
        if one_file:
            tar = work / "package.tar"
            _tar(work, tar)
            os.link(tar, out)  # fails if somebody was quicker
        else:
            work.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=str(out)) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Args:
        faults: what is wrong; none: it is whole and unchanged.
        trusted: it was checked with a key that did not come with it.
        opened: the parts were opened, and compared with the report.
    """

    manifest: Manifest
    faults: tuple[str, ...]
    trusted: bool
    opened: bool = False


def check(path: Path, keys: PublicKeys | None = None) -> Checked:
    """Check a package offline: the signature, and size and SHA-256 of every part.

    Args:
        path: a folder or a tar file.
        keys: whose signature is believed; by default the key that the manifest offers, which proves only
            that the holder of *some* key signed it: compare the key's id with one from elsewhere.

    Raises:
        ReportError: it is no package.
    """
    with opened(path) as parts:
        manifest = _signed(parts, path)
        faults = [] if _good(parts, manifest, keys or manifest.public) else ["the signature is not good"]
        wanted = {each.name: each for each in manifest.parts}
        for name in sorted(set(parts) - set(wanted) - {MANIFEST, SIGNATURE}):
            faults.append(f"{_shown(name)}: not in the manifest")
        for name, part in wanted.items():
            if name not in parts:
                faults.append(f"{name}: missing")
                continue
            digest, size = hashlib.sha256(), 0
            with parts[name]() as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
                    size += len(piece)
            if (size, digest.hexdigest()) != (part.size, part.sha256):
                faults.append(f"{name}: changed or cut")
    return Checked(manifest, tuple(faults), keys is not None)


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, Callable[[], IO[bytes]]]]:
    """The files of a package by name, each with what opens it.

    Raises:
        ReportError: it cannot be read.
    """
    try:
        if path.is_dir():
            files = [each for each in path.rglob("*") if each.is_file() or each.is_symlink()]
            found = {each.relative_to(path).as_posix(): each for each in files}
            yield {name: _opener(each) for name, each in found.items()}
            return
        with tarfile.open(path, "r:") as tar:
            members = tar.getmembers()
            if len({each.name for each in members}) < len(members):
                raise ReportError("malformed", "a part occurs twice", where=str(path))
            yield {each.name: _member(tar, each) for each in members if not each.isdir()}
    except (OSError, tarfile.TarError) as error:
        raise ReportError("malformed", f"cannot be read ({type(error).__name__})", where=str(path)) from None


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    if path.is_symlink():
        raise ReportError("malformed", "a link has no place in a package", where=_shown(path.name))
    return lambda: path.open("rb")


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def open_it() -> IO[bytes]:
        file = tar.extractfile(member) if member.isreg() else None
        if file is None:
            raise ReportError("malformed", "not a file", where=_shown(member.name))
        return file

    return open_it


def _signed(parts: Mapping[str, Callable[[], IO[bytes]]], path: Path) -> Manifest:
    if MANIFEST not in parts or SIGNATURE not in parts:
        raise ReportError("malformed", "not a package: it has no signed manifest", where=str(path))
    return Manifest.decode(_read(parts[MANIFEST]))


def _good(parts: Mapping[str, Callable[[], IO[bytes]]], manifest: Manifest, keys: PublicKeys) -> bool:
    key = keys.by_id.get(manifest.key)
    try:
        signature = base64.b64decode(_read(parts[SIGNATURE]).strip(), validate=True)
        if key is None:
            return False
        key.verify(signature, _PURPOSE + _read(parts[MANIFEST]))
    except (InvalidSignature, ValueError):
        return False
    return True


def _read(opener: Callable[[], IO[bytes]]) -> bytes:
    with opener() as file:
        data = file.read(_LARGEST_MANIFEST + 1)
    if len(data) > _LARGEST_MANIFEST:
        raise ReportError("malformed", "too large", where=MANIFEST)
    return data


def _shown(name: str) -> str:
    return name[:100].encode("ascii", "backslashreplace").decode()


def _tar(folder: Path, target: Path) -> None:
    names: Sequence[str] = sorted(
        each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()
    )
    first = [MANIFEST, SIGNATURE, REPORT, PAPER]
    ordered = [name for name in first if name in names] + [name for name in names if name not in first]
    with _new(target) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ordered:
            info = tarfile.TarInfo(name)
            with (folder / name).open("rb") as source:
                info.size, info.mode = os.fstat(source.fileno()).st_size, 0o600
                tar.addfile(info, source)


@contextmanager
def _new(path: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
