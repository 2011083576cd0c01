"""What every place promises, tried on each; and what is particular to one."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest

from nightlamp.errors import VaultError
from nightlamp.vault import DiskPlace
from nightlamp.vault.place import is_name, new_name


def put(place, data: bytes, name: str = "") -> str:
    name = name or new_name()
    place.put(name, lambda out: out.write(data))
    return name


def test_what_is_put_is_there_until_it_is_deleted(place):
    name = put(place, b"sealed" * 100_000)
    assert place.exists(name)
    with place.open(name) as file:
        assert file.read(6) == b"sealed"
        assert len(file.read()) == 600_000 - 6
    stored, *more = place.names()
    assert (stored.name, stored.entered, more) == (name, False, [])
    assert abs(datetime.now(UTC) - stored.at) < timedelta(minutes=10)
    place.delete(name)
    assert not place.exists(name)
    assert list(place.names()) == []
    place.delete(name)  # not there: no error


def test_what_is_entered_says_so_and_stays_the_same(place):
    name, other = put(place, b"sealed"), put(place, b"more")
    before = {stored.name: stored.at for stored in place.names()}
    for _ in range(2):
        place.enter(name)
    after = list(place.names())
    assert {stored.name: stored.entered for stored in after} == {name: True, other: False}
    assert {stored.name: stored.at for stored in after} == before
    assert place.exists(name)
    with place.open(name) as file:
        assert file.read() == b"sealed"
    place.delete(name)
    assert not place.exists(name)
    assert [stored.name for stored in place.names()] == [other]


def test_entering_what_is_not_there_makes_nothing(place):
    place.enter(new_name())
    assert list(place.names()) == []


def test_what_is_not_there_is_said(place):
    with pytest.raises(VaultError, match="not there"), place.open(new_name()):
        pass


def test_a_put_that_fails_half_way_leaves_nothing(place):
    def broken(out):
        out.write(b"x" * 100_000)
        raise KeyError

    with pytest.raises(KeyError):
        place.put(name := new_name(), broken)
    assert not place.exists(name)
    assert list(place.names()) == []


def test_a_working_place_passes_its_check(place):
    place.check()
    assert list(place.names()) == []


def test_other_files_in_the_place_are_not_ours(tmp_path):
    place = DiskPlace(tmp_path)
    put(place, b"x")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "ab" / "cd").mkdir(parents=True)
    (tmp_path / "ab" / "cd" / "notes.txt").write_text("mine")
    assert all(is_name(stored.name) for stored in place.names())


def test_a_name_cannot_lead_out_of_the_place(tmp_path):
    with pytest.raises(VaultError):
        DiskPlace(tmp_path).delete("../../../../etc/passwd")


def test_files_and_folders_are_closed_to_other_users(tmp_path):
    place = DiskPlace(tmp_path / "vault")
    put(place, b"x")
    for path in (tmp_path / "vault", *(tmp_path / "vault").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_disk_is_synced_in_the_order_that_a_power_loss_needs(tmp_path, monkeypatch):
    # given a record of every call to the operating system
    calls = []
    opened: dict[int, str] = {}
    for name in ("open", "write", "fsync", "replace", "unlink", "close"):
        real = getattr(os, name)

        def spy(*arguments, name=name, real=real, **options):
            result = real(*arguments, **options)
            what = arguments[0]
            if name == "open":
                opened[result] = os.fspath(what)
            else:
                calls.append((name, opened.get(what, "") if isinstance(what, int) else os.fspath(what)))
            return result

        monkeypatch.setattr(os, name, spy)
    # when an object is put, and deleted
    place = DiskPlace(tmp_path)
    place.put(name := new_name(), lambda out: out.write(b"sealed"))
    folder = str(tmp_path / name[:2] / name[2:4])
    part = f"{folder}/{name}.part"
    steps = [call for call in calls if call[0] != "close" and name[:2] in call[1] and name[2:4] in call[1]]
    # then the bytes are synced before they get their name, and the name after
    assert steps[-4:] == [("write", part), ("fsync", part), ("replace", part), ("fsync", folder)]
    # and each new folder's own entry is synced too
    assert ("fsync", str(tmp_path)) in calls
    assert ("fsync", str(tmp_path / name[:2])) in calls
    calls.clear()
    place.enter(name)
    assert [c for c in calls if c[0] != "close"] == [("replace", f"{folder}/{name}.new"), ("fsync", folder)]
    calls.clear()
    place.delete(name)
    assert [c for c in calls if c[0] in ("unlink", "fsync")][-2:] == [
        ("unlink", f"{folder}/{name}"),
        ("fsync", folder),
    ]


def test_a_full_disk_is_an_error_that_says_so(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place = DiskPlace(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(VaultError, match="No space left"):
            put(place, b"x")
    assert list(place.names()) == []
    put(place, b"x")


def test_a_versioned_bucket_keeps_nothing_of_what_is_deleted(s3_place):
    # given a bucket that keeps every version
    client, bucket = s3_place._client, s3_place._bucket
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    name = put(s3_place, b"first")
    put(s3_place, b"second", name)
    client.delete_object(Bucket=bucket, Key=s3_place._key(name))
    assert s3_place.exists(name)  # hidden behind a marker is not gone
    s3_place.delete(name)
    assert not s3_place.exists(name)
    left = client.list_object_versions(Bucket=bucket)
    assert "Versions" not in left
    assert "DeleteMarkers" not in left


def test_a_store_that_is_away_is_an_error_without_secrets(s3_place):
    from nightlamp.settings.sections import VaultSettings
    from nightlamp.vault.s3 import S3Place

    settings = VaultSettings(
        backend="s3", s3_bucket="none", s3_endpoint=s3_place._client.meta.endpoint_url, s3_region="us-east-1",
        s3_access_key="planted-access", s3_secret_key="planted-secret",
    )  # fmt: skip
    with pytest.raises(VaultError, match="NoSuchBucket") as caught:
        put(S3Place.of(settings), b"x")
    assert "planted" not in f"{caught.value!r} {S3Place.of(settings)!r}"
