"""A snapshot is whole, or it is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightlamp.errors import SnapshotError
from nightlamp.index import HammingIndex, open_snapshot, write_snapshot

ARRAYS = {
    "a/codes": np.random.default_rng(0).integers(0, 256, (100, 32), np.uint8),
    "a/numbers": np.arange(100),
    "b/empty": np.empty((0, 7), np.uint32),
    "b/floats": np.linspace(0, 1, 1000),
    "b/none at the end": np.empty(0, np.uint16),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_snapshot(tmp_path / "list.index", ARRAYS, {"entries": 100, "names": ["é"]})
    return tmp_path / "list.index"


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def grow_old(path: Path) -> None:
    """Let the sidecar be clearly younger than the file, without waiting."""
    later = path.stat().st_ctime_ns + 10**9
    os.utime(sidecar(path), ns=(later, later))


def test_what_is_written_is_read(path: Path) -> None:
    snapshot = open_snapshot(path)

    assert snapshot.meta == {"entries": 100, "names": ["é"]}
    assert list(snapshot.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(snapshot.arrays[name], array)
        assert snapshot.arrays[name].dtype == array.dtype
        assert snapshot.arrays[name].shape == array.shape
        assert snapshot.arrays[name].ctypes.data % 64 == 0 or array.size == 0
    assert set(snapshot.under("b/")) == {"empty", "floats", "none at the end"}


def test_arrays_are_read_only(path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        open_snapshot(path).arrays["a/codes"][0, 0] = 1


def test_a_scalar_and_other_layouts_are_stored_as_they_look(tmp_path: Path) -> None:
    arrays = {
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big": np.arange(4, dtype=">u4"),
        "s": np.array(5),
    }
    write_snapshot(tmp_path / "x", arrays, {})

    read = open_snapshot(tmp_path / "x").arrays

    assert read["fortran"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read["big"].tolist() == [0, 1, 2, 3]
    assert read["s"].shape == ()


def test_no_arrays_at_all(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "x", {}, {"only": "words"})

    assert open_snapshot(tmp_path / "x").meta == {"only": "words"}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_refused(path: Path, data: st.DataObject) -> None:
    good = path.read_bytes()
    # Given one bit flipped: anywhere, or in the dense parts at the front
    at = data.draw(st.integers(0, len(good) - 1) | st.integers(0, 1200))
    bad = bytearray(good)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    broken = path.with_name("broken")
    broken.write_bytes(bad)

    with pytest.raises(SnapshotError):
        open_snapshot(broken)
    assert not sidecar(broken).exists()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_truncation_or_growth_is_refused(path: Path, data: st.DataObject) -> None:
    good = path.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1) | st.integers(0, 100))
    more = data.draw(st.binary(min_size=1, max_size=9))
    broken = path.with_name("broken")

    for content in (good[:at], good + more, good[:at] + bytes(len(good) - at) if any(good[at:]) else b""):
        broken.write_bytes(content)
        with pytest.raises(SnapshotError):
            open_snapshot(broken)


@pytest.mark.slow
def test_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "x", {"a": np.arange(40), "b": np.arange(3, dtype=np.uint8)}, {"k": 1})
    good = (tmp_path / "x").read_bytes()
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 0xFF
        (tmp_path / "broken").write_bytes(bad)
        with pytest.raises(SnapshotError):
            open_snapshot(tmp_path / "broken")


def test_the_second_open_does_not_read_everything(path: Path) -> None:
    assert open_snapshot(path).verified
    grow_old(path)

    assert not open_snapshot(path).verified
    assert open_snapshot(path, verify=True).verified


def test_a_record_as_young_as_the_file_is_not_trusted(path: Path) -> None:
    # Given a file that may have been changed again within the same tick of the clock
    open_snapshot(path)
    now = path.stat().st_ctime_ns
    os.utime(sidecar(path), ns=(now, now))

    assert open_snapshot(path).verified


def test_damage_after_the_first_open_is_noticed(path: Path) -> None:
    open_snapshot(path)
    grow_old(path)
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff\xff")

    with pytest.raises(SnapshotError, match="damaged"):
        open_snapshot(path)


def test_damage_hidden_by_old_times_is_noticed(path: Path) -> None:
    # Given a change whose modification time was set back
    open_snapshot(path)
    grow_old(path)
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff\xff")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(SnapshotError, match="damaged"):
        open_snapshot(path)


def test_a_copied_sidecar_says_nothing_about_another_file(path: Path) -> None:
    open_snapshot(path)
    grow_old(path)
    other = path.with_name("other")
    bad = bytearray(path.read_bytes())
    bad[5000] ^= 1
    other.write_bytes(bad)
    sidecar(other).write_bytes(sidecar(path).read_bytes())

    with pytest.raises(SnapshotError, match="damaged"):
        open_snapshot(other)


@pytest.mark.parametrize("content", [b"", b"nightlamp verified 1 0 0 0 0 0\n", b"\0" * 600])
def test_a_damaged_sidecar_only_costs_time(path: Path, content: bytes) -> None:
    open_snapshot(path)
    sidecar(path).write_bytes(content)

    assert open_snapshot(path).verified


def test_where_no_sidecar_can_be_written_each_open_verifies(path: Path) -> None:
    sidecar(path).mkdir()  # a folder in the way stops even root

    assert open_snapshot(path).verified
    assert open_snapshot(path).verified
    assert sorted(p.name for p in path.parent.iterdir()) == ["list.index", "list.index.verified"]


def test_other_versions_and_other_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "newer").write_bytes(b"nightlamp snapshot 2\n".ljust(5000, b"\0"))
    (tmp_path / "text").write_bytes(b"md5,name\n" * 100)
    (tmp_path / "empty").write_bytes(b"")

    with pytest.raises(SnapshotError, match="another version"):
        open_snapshot(tmp_path / "newer")
    with pytest.raises(SnapshotError, match="not a Nightlamp index"):
        open_snapshot(tmp_path / "text")
    with pytest.raises(SnapshotError, match="too short"):
        open_snapshot(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        open_snapshot(tmp_path / "absent")


def forge(path: Path, change) -> Path:  # type: ignore[no-untyped-def]
    """The same file with a changed header whose checksum is right."""
    good = path.read_bytes()
    length = int.from_bytes(good[32:40], "little")
    header = json.loads(good[64 : 64 + length])
    header = change(header) or header
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    fixed = good[:32] + len(text).to_bytes(8, "little")
    fixed += xxhash.xxh3_128_digest(fixed + text) + bytes(8)
    forged = path.with_name("forged")
    start, old_start = -(-(64 + len(text)) // 4096) * 4096, -(-(64 + length) // 4096) * 4096
    forged.write_bytes((fixed + text).ljust(start, b"\0") + good[old_start:])
    return forged


def at_codes(key: str, value: object):  # type: ignore[no-untyped-def]
    def change(header: dict) -> None:  # type: ignore[type-arg]
        header["arrays"][0][key] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        at_codes("offset", -4096),
        at_codes("offset", 64),
        at_codes("offset", 1 << 70),
        at_codes("offset", "0"),
        at_codes("offset", None),
        at_codes("shape", [100, 1 << 62]),
        at_codes("shape", [-100, -32]),
        at_codes("shape", [100.0, 32]),
        at_codes("shape", [True, 32]),
        at_codes("shape", 3),
        at_codes("shape", [1 << 40, 0]),
        at_codes("dtype", "|O8"),
        at_codes("dtype", "<u3"),
        at_codes("dtype", []),
        at_codes("name", "a/numbers"),
        at_codes("name", ["a"]),
        at_codes("xxh3_128", "0" * 32),
        at_codes("xxh3_128", None),
        lambda h: h["arrays"].pop(),
        lambda h: h["arrays"].append({}),
        lambda h: h.update(arrays={}),
        lambda h: h.update(meta=[]),
        lambda h: h.update(size="big"),
        lambda h: h.pop("size"),
        lambda h: h.pop("arrays"),
        lambda h: h["arrays"][0].pop("xxh3_128"),
        lambda h: b"[" * 100_000,
        lambda h: b"\xff\xfe",
        lambda h: b"[]",
        lambda h: b"null",
    ],
)
def test_hostile_headers_with_right_checksums_are_refused(path: Path, change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SnapshotError):
        open_snapshot(forge(path, change))


def test_forging_alone_changes_nothing(path: Path) -> None:
    assert np.array_equal(open_snapshot(forge(path, lambda h: None)).arrays["a/codes"], ARRAYS["a/codes"])


def test_errors_show_no_content(path: Path) -> None:
    bad = bytearray(path.read_bytes())
    bad[4096] ^= 1
    path.write_bytes(bad)

    with pytest.raises(SnapshotError) as caught:
        open_snapshot(path)
    assert (
        str(caught.value) == f"{path}: array 'a/codes' is damaged. Try: build the index again from its lists"
    )


def test_a_snapshot_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "index", {}, {})

    assert (tmp_path / "index").stat().st_mode & 0o777 == 0o600


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="header"):
        write_snapshot(tmp_path / "index", {}, {"note": "x" * (16 << 20)})

    assert not list(tmp_path.iterdir())


def test_replacing_a_file_leaves_its_readers_alone(path: Path) -> None:
    before = open_snapshot(path)

    write_snapshot(path, {"a/codes": np.zeros(3, np.uint8)}, {"new": True})

    assert np.array_equal(before.arrays["a/codes"], ARRAYS["a/codes"])
    assert open_snapshot(path).meta == {"new": True}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        write_snapshot(path, {"x": np.array(["a", "b"])}, {})
    with pytest.raises(TypeError):
        write_snapshot(path, {"x": np.arange(3)}, {"not json": object()})

    assert open_snapshot(path).meta["entries"] == 100
    assert sorted(p.name for p in path.parent.iterdir()) == ["list.index", "list.index.verified"]


WRITER = """
import os, sys, numpy as np
from nightlamp.index import write_snapshot
real, count = {name: getattr(os, name) for name in ("fsync", "replace")}, int(sys.argv[2])
calls = 0
def dying(name):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == count:
            os.kill(os.getpid(), 9)
        return real[name](*args, **kwargs)
    return call
for name in real:
    setattr(os, name, dying(name))
write_snapshot(sys.argv[1], {"x": np.ones(100_000)}, {"new": True})
"""


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_writer_killed_at_any_step_leaves_a_whole_file(path: Path, call: int) -> None:
    # Given a writer that dies before its fsync, before its rename, or before the folder's fsync
    done = subprocess.run([sys.executable, "-c", WRITER, str(path), str(call)], check=False)

    assert done.returncode == -9
    assert open_snapshot(path).meta in ({"entries": 100, "names": ["é"]}, {"new": True})


def test_an_index_in_a_file(tmp_path: Path) -> None:
    codes = np.random.default_rng(1).integers(0, 256, (10_000, 32), np.uint8)
    index = HammingIndex.build(codes)
    write_snapshot(tmp_path / "x", {f"pdq/{name}": a for name, a in index.arrays().items()}, {})

    snapshot = open_snapshot(tmp_path / "x")
    mapped = HammingIndex.from_arrays(snapshot.under("pdq/"), trusted=not snapshot.verified)

    assert mapped.search(codes[:20]).number.tolist() == list(range(20))
