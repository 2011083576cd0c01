from __future__ import annotations

import io
import subprocess
import sys

import pytest

from nightlamp.errors import VaultError
from nightlamp.vault import Content, DiskPlace, Identity, Recipients
from nightlamp.vault.place import new_name
from nightlamp.vault.sealing import reseal_to, seal_to, unseal_to

CLEAR = b"planted clear bytes " * 20_000


def unsealed(place, sealed, identity, sha256=None) -> bytes:
    out = io.BytesIO()
    with place.open(sealed.name) as file:
        unseal_to(out, file, sha256 or sealed.sha256, identity)
    return out.getvalue()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 400_000])
def test_what_is_sealed_can_be_opened_by_its_identity_alone(place, identity, recipients, size):
    sealed = seal_to(place, new_name(), io.BytesIO(CLEAR[:size]), recipients)
    assert unsealed(place, sealed, identity) == CLEAR[:size]
    with pytest.raises(VaultError, match="does not open"):
        unsealed(place, sealed, Identity.generate())


def test_any_of_several_identities_opens(tmp_path):
    identities = [Identity.generate() for _ in range(3)]
    place = DiskPlace(tmp_path)
    sealed = seal_to(place, new_name(), io.BytesIO(CLEAR), Recipients.of(i.public for i in identities))
    assert all(unsealed(place, sealed, i) == CLEAR for i in identities)


def test_no_clear_byte_touches_the_disk(tmp_path, identity, recipients):
    place = DiskPlace(tmp_path)
    sealed = seal_to(place, new_name(), io.BytesIO(CLEAR), recipients)
    with place.open(sealed.name) as file:
        reseal_to(place, new_name(), file, sealed.sha256, identity, recipients)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert not any(b"planted" in data for data in files)


@pytest.mark.parametrize("damage", ["flip head", "flip body", "cut", "append", "empty"])
def test_damage_is_found(tmp_path, identity, recipients, damage):
    place = DiskPlace(tmp_path)
    sealed = seal_to(place, new_name(), io.BytesIO(CLEAR), recipients)
    (path,) = (p for p in tmp_path.rglob("*") if p.is_file())
    data = bytearray(path.read_bytes())
    at = {"flip head": 30, "flip body": len(data) - 9}.get(damage)
    if at:
        data[at] ^= 1
    data = {"cut": data[:-70_000], "append": data + b"x", "empty": b""}.get(damage, data)
    path.write_bytes(data)
    with pytest.raises(VaultError, match="damaged"):
        unsealed(place, sealed, identity)
    # and nothing is made of it
    with pytest.raises(VaultError, match="damaged"), place.open(sealed.name) as file:
        reseal_to(place, name := new_name(), file, sealed.sha256, identity, recipients)
    assert not place.exists(name)


def test_a_source_that_breaks_leaves_nothing_and_its_error_comes_through(place, recipients):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 200_000:
                raise KeyError("planted")
            return super().read(size)

    with pytest.raises(KeyError):
        seal_to(place, name := new_name(), Broken(CLEAR), recipients)
    assert not place.exists(name)


MEASURED = """
import sys, tracemalloc
from pathlib import Path
from nightlamp.vault import DiskPlace, Identity, Recipients
from nightlamp.vault.place import new_name
from nightlamp.vault.sealing import reseal_to, seal_to, unseal_to


class Endless:
    left = 60_000_000

    def read(self, size=-1):
        size = min(self.left, size if size >= 0 else self.left)
        self.left -= size
        return bytes(size)


class Nowhere:
    def write(self, data, /):
        return len(data)


place, identity = DiskPlace(Path(sys.argv[1])), Identity.generate()
recipients = Recipients.of([identity.public])
tracemalloc.start()
sealed = seal_to(place, new_name(), Endless(), recipients)
with place.open(sealed.name) as file:
    again = reseal_to(place, new_name(), file, sealed.sha256, identity, recipients)
with place.open(again.name) as file:
    unseal_to(Nowhere(), file, again.sha256, identity)
print(tracemalloc.get_traced_memory()[1])
"""


def test_large_content_is_never_whole_in_memory(tmp_path):
    # In a process of its own: the peak is the whole process's, and other tests leave threads behind.
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 3_000_000


def test_content_does_not_show_itself():
    content = Content(b"planted")
    assert "planted" not in f"{content} {content!r}"
    assert content.data == b"planted"
