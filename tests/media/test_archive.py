"""Archives as streams of members: everything in them once, and nothing that they want to do to us."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib

import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.measured import peak_of

from nightlamp.errors import ArchiveError
from nightlamp.media import ARCHIVES, HEAD, Limits, Member, members, sniff

FILES = {"a.txt": b"hello", "d/b.bin": bytes(range(256)) * 20, "empty": b"", "d/c ü.txt": b"more"}
CODE = {
    "too large",
    "ratio",
    "damaged",
    "encrypted",
    "too deep",
    "too many members",
    "no decoder",
    "out of memory",
}


def zipped(files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(files, mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def sevened(files, **options) -> bytes:
    file = io.BytesIO()
    with py7zr.SevenZipFile(file, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return file.getvalue()


MAKERS = {
    "zip": zipped,
    "stored zip": lambda files: zipped(files, zipfile.ZIP_STORED),
    "bzip2 zip": lambda files: zipped(files, zipfile.ZIP_BZIP2),
    "lzma zip": lambda files: zipped(files, zipfile.ZIP_LZMA),
    "tar": tarred,
    "gnu tar": lambda files: tarred(files, form=tarfile.GNU_FORMAT),
    "tar.gz": lambda files: tarred(files, "w:gz"),
    "tar.bz2": lambda files: tarred(files, "w:bz2"),
    "tar.xz": lambda files: tarred(files, "w:xz"),
    "7z": sevened,
    "7z of deflate": lambda files: sevened(files, filters=[{"id": py7zr.FILTER_DEFLATE}]),
    "7z of bzip2": lambda files: sevened(files, filters=[{"id": py7zr.FILTER_BZIP2}]),
}
REASONABLE = Limits(member_bytes=4 << 20, archive_bytes=64 << 20, archive_members=2000)


def read(data: bytes, limits: Limits = REASONABLE, media_type: str | None = None) -> list[Member]:
    found = list(members(io.BytesIO(data), media_type or sniff(data[:HEAD]), limits))
    assert len({member.name for member in found if not member.error}) == sum(
        not member.error for member in found
    )
    for member in found:
        assert (member.data is None) == (member.error is not None)
        assert member.error is None or member.error.code in CODE
        assert member.data is None or member.size == len(member.data)
    return found


def contents(found: list[Member]) -> dict[str, bytes | None]:
    return {member.name: member.data for member in found}


def codes(found: list[Member]) -> list[str]:
    return [member.error.code for member in found if member.error]


@pytest.mark.parametrize("kind", MAKERS)
def test_every_member_of_every_kind(kind):
    assert contents(read(MAKERS[kind](FILES))) == FILES


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_file_is_one_member(pack):
    assert contents(read(pack(b"x" * 1000) + pack(b"more"))) == {"content": b"x" * 1000 + b"more"}
    assert contents(read(pack(b"x") + bytes(700) + b"junk")) == {"content": b"x"}
    assert codes(read(pack(random.Random(1).randbytes(5000))[:-2000])) == ["damaged"]


def test_nested_archives_come_after_themselves_with_joined_names():
    inner = tarred({"c.jpg": b"\xff\xd8\xff\xe0"}, "w:gz")
    middle = sevened({"b.tgz": inner, "x": b"1"})
    found = read(zipped({"a.7z": middle, "z": b"2"}))
    assert [member.name for member in found] == ["a.7z", "a.7z!/b.tgz", "a.7z!/b.tgz!/c.jpg", "a.7z!/x", "z"]
    assert [member.media_type for member in found[:3]] == [
        "application/x-7z-compressed",
        "application/gzip",
        "image/jpeg",
    ]
    assert found[0].data == middle


def test_nesting_ends_at_the_limit_and_says_so():
    data = b"deep"
    for level in range(6):
        data = zipped({f"{level}.zip": data})
    found = read(data, Limits(archive_depth=3))
    assert [member.name for member in found] == [
        "5.zip",
        "5.zip!/4.zip",
        "5.zip!/4.zip!/3.zip",
        "5.zip!/4.zip!/3.zip!/",
    ]
    assert codes(found) == ["too deep"]


def test_names_are_data_unique_and_valid_text():
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")
        for name in ("a", "a", "a#2", "../../etc/passwd", "/abs", "b\\c", "x\n\u202ey"):
            archive.writestr(name, name)
    names = [member.name for member in read(file.getvalue())]
    assert names == ["a", "a#2", "a#2#2", "../../etc/passwd", "/abs", "b\\c", "x\n\u202ey"]
    odd = tarred({"caf\udce9": b"1"}, form=tarfile.GNU_FORMAT)
    assert [member.name for member in read(odd)] == ["caf\ufffd"]


def test_links_devices_and_directories_are_no_content():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"n{kind.decode()}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("real")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"yes"))
    assert contents(read(file.getvalue())) == {"real": b"yes"}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("dir/", b"")
        archive.writestr("real", b"yes")
    assert contents(read(file.getvalue())) == {"real": b"yes"}


def test_encrypted_members_are_said():
    data = bytearray(zipped({"a": b"secret", "b": b"open"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    found = read(bytes(data))
    assert codes(found) == ["encrypted"]
    assert contents(found)["b"] == b"open"
    assert codes(read(sevened({"a": b"secret"}, password="x"))) == ["encrypted"]
    assert codes(read(sevened({"a": b"secret"}, password="x", header_encryption=True))) == ["encrypted"]


@pytest.mark.parametrize(
    ("head", "media_type"),
    [(b"Rar!\x1a\x07\x00", "application/vnd.rar"), (b"\x28\xb5\x2f\xfd", "application/zstd")],
)
def test_archives_without_a_reader_are_said(head, media_type):
    assert media_type in ARCHIVES
    assert codes(read(head)) == ["no decoder"]


@pytest.mark.parametrize("kind", MAKERS)
def test_large_members_are_skipped_and_those_after_them_read(kind):
    noise = random.Random(2).randbytes(300_000)
    found = read(MAKERS[kind]({"a": b"1", "big": noise, "z": b"2"}), Limits(member_bytes=1000))
    assert contents(found) == {"a": b"1", "big": None, "z": b"2"}
    assert codes(found) == ["too large"]


@pytest.mark.parametrize("kind", MAKERS)
def test_limits_on_the_whole_end_the_reading(kind):
    noise = {str(number): random.Random(number).randbytes(10_000) for number in range(20)}
    data = MAKERS[kind](noise)
    for limits, code in (
        (Limits(archive_members=5), "too many members"),
        (Limits(archive_bytes=70_000), "too large"),
    ):
        found = read(data, limits)
        assert codes(found)[-1] == code
        assert found[-1].name == ""
        assert len(found) < 20


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind not in ("stored zip", "tar", "gnu tar")])
def test_ratio_of_a_bomb_is_noticed(kind):
    found = read(MAKERS[kind]({"zeros": bytes(30 << 20), "z": b"2"}), Limits(archive_ratio=20))
    assert "ratio" in codes(found)


def test_zip_of_zips_of_zips_is_stopped_by_what_it_all_comes_to():
    inner = zipped({"zeros": bytes(900_000)})
    middle = zipped({f"{number}.zip": inner + bytes([number]) for number in range(16)})
    outer = zipped({f"{number}.zip": middle for number in range(16)})
    limit = 50 << 20
    assert peak_of(lambda: read(outer, Limits()), limit) < limit
    assert codes(read(outer, Limits()))[-1] == "ratio"


def overlapping(count: int, kernel: bytes) -> bytes:
    """Many members whose directory entries all point at one deflated block (after D. Fifield)."""
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = body.compress(kernel) + body.flush()
    crc = zlib.crc32(kernel)
    said = (8, 0, 33, crc, len(deflated), len(kernel), 1, 0)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, *said) + b"0"
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, *said, 0, 0, 0, 0, 0) + b"0"
    directory = entry * count
    at = len(local) + len(deflated)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), at, 0)
    return local + deflated + directory + end


def test_overlapping_members_are_not_unpacked():
    found = read(overlapping(500, bytes(100_000)))
    assert len(found) == 500
    assert set(codes(found)) == {"damaged"}
    assert contents(read(overlapping(1, b"alone"))) == {"0": b"alone"}


@pytest.mark.parametrize("said", [0, 5, 1 << 20, 0xFFFF_FFFE])
def test_lying_sizes_do_not_decide(said):
    data = bytearray(zipped({"a": b"x" * 1000, "b": b"after"}))
    struct.pack_into("<I", data, 22, said)
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, said)
    found = read(bytes(data))
    assert contents(found)["b"] == b"after"
    assert codes(found) in (["damaged"], ["too large"], ["ratio"]) or contents(found)["a"] == b"x" * 1000


def test_bytes_before_a_zip_that_it_does_not_list_are_said():
    hidden, shown = zipped({"hidden": b"1"}), zipped({"shown": b"2"})
    found = read(hidden + shown)
    assert contents(found) == {"shown": b"2", "": None}
    assert codes(found) == ["damaged"]


def test_zip_of_more_members_than_allowed_is_not_even_listed():
    data = zipped({str(number): b"" for number in range(3000)})
    found = read(data, Limits(archive_members=1000))
    assert codes(found) == ["too many members"]


def test_tar_header_of_a_gigabyte_is_not_read_into_memory():
    head = tarfile.TarInfo("pax")
    head.type, head.size = tarfile.XHDTYPE, 1 << 30
    packed = lzma.compress(head.tobuf(tarfile.USTAR_FORMAT) + bytes(100 << 20), preset=0)
    found = []
    limit = 160 << 20
    peak = peak_of(
        lambda: found.append(read(packed, Limits(archive_ratio=1 << 30), "application/x-xz")), limit
    )
    assert {tuple(codes(each)) for each in found} == {("damaged",)}
    assert peak < limit


def test_sparse_tar_member_of_a_terabyte_is_too_large():
    info = tarfile.TarInfo("sparse")
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[156:157] = tarfile.GNUTYPE_SPARSE
    head[483:495] = b"77777777777\x00"
    head[148:156] = b"%06o\x00 " % (256 + sum(head[:148]) + sum(head[156:512]))
    assert codes(read(bytes(head) + bytes(1024))) == ["too large"]


def test_damage_in_the_middle_of_a_tar_is_not_taken_for_its_end():
    data = bytearray(tarred({str(number): b"x" * 600 for number in range(4)}, form=tarfile.USTAR_FORMAT))
    second = data.index(b"x" * 600) + 1024
    data[second : second + 512] = b"\x01" * 512
    found = read(bytes(data))
    assert contents(found)["0"] == b"x" * 600
    assert codes(found) == ["damaged"]


def test_huge_dictionaries_are_refused_before_they_are_allocated():
    huge = sevened({"a": b"hello" * 50}, filters=[{"id": py7zr.FILTER_LZMA2, "dict_size": 1 << 30}])
    found = read(huge, Limits(memory=1 << 30))
    assert codes(found) == ["out of memory"]
    assert "1024 MiB" in str(found[0].error)
    xz = lzma.compress(b"hello", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}])
    assert codes(read(xz, Limits(memory=1 << 28))) == ["out of memory"]


def test_broken_checksum_costs_one_member():
    for kind in ("stored zip", "7z"):
        noise = random.Random(3).randbytes(5000)
        data = bytearray(MAKERS[kind]({"a": b"first", "b": noise, "c": b"last"}))
        at = data.index(noise[100:120]) if kind == "stored zip" else 2000
        data[at + 5] ^= 1
        found = read(bytes(data))
        assert "damaged" in codes(found)
        assert contents(found)["a"] == b"first"


def test_errors_hold_no_names_or_content():
    data = bytearray(zipped({"SECRET.txt": b"SECRET" * 100}, zipfile.ZIP_STORED))
    data[60] ^= 1
    (member,) = read(bytes(data))
    assert member.error is not None
    assert "SECRET" not in str(member.error)
    assert "SECRETSECRET" not in repr(member)


def test_members_stream_one_at_a_time(tmp_path):
    path = tmp_path / "many.tar"
    with tarfile.open(path, "w") as archive:
        for number in range(60):
            info = tarfile.TarInfo(str(number))
            info.size = 1 << 20
            archive.addfile(info, io.BytesIO(bytes([number]) * (1 << 20)))

    def read_all() -> None:
        with path.open("rb") as file:
            assert sum(member.size for member in members(file, "application/x-tar", Limits())) == 60 << 20

    assert peak_of(read_all, 8 << 20) < 8 << 20


def test_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for make in MAKERS.values():
        read(make({"a": b"1", "d/b": b"2"}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", MAKERS)
def test_archives_cut_and_flipped_anywhere(kind):
    whole = MAKERS[kind]({**FILES, "in.zip": zipped(FILES), "noise": random.Random(4).randbytes(3000)})
    chance = random.Random(kind)
    everything = contents(read(whole))
    for cut in range(0, len(whole), max(1, len(whole) // 40)):
        found = read(whole[:cut], media_type=sniff(whole[:HEAD]))
        assert codes(found) or contents(found) == everything
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 4, 30))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        read(bytes(data), media_type=sniff(whole[:HEAD]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_archives_flipped_at_length(kind):
    whole = MAKERS[kind]({**FILES, "in.zip": zipped(FILES), "noise": random.Random(4).randbytes(500)})
    chance = random.Random(kind + " at length")
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        read(bytes(data), media_type=sniff(whole[:HEAD]))


MAGIC = [b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00", b"BZh9", b"\xfd7zXZ\x00"]
MAGIC += [b"7z\xbc\xaf\x27\x1c\x00\x04"]


@settings(max_examples=200)
@given(st.sampled_from(MAGIC), st.binary(max_size=600), st.sampled_from(sorted(ARCHIVES)))
def test_random_bytes_are_an_error_or_members(magic, rest, media_type):
    read(magic + rest, media_type=media_type)


def test_error_types_are_ours():
    (member,) = read(b"PK\x03\x04 nothing")
    assert isinstance(member.error, ArchiveError)
