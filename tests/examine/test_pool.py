from __future__ import annotations

import hashlib
import io
import os
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from tests.origin.files import camera, jpeg

from nightlamp.errors import NightlampError
from nightlamp.examine import Workers, examine
from nightlamp.media import Limits
from nightlamp.origin import Asked, origin_of
from nightlamp.signals import installed
from nightlamp.values import Examination, Sealed


def picture(width: int = 320, height: int = 240) -> bytes:
    drawn = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(drawn, "PNG")
    return drawn.getvalue()


def values(examination: Examination, signal: str) -> list[bytes]:
    return [f.value for f in examination.fingerprints if f.signal == signal]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(1, Limits(seconds=60)) as pool:
        yield pool


def test_a_worker_says_what_an_examination_here_says(workers: Workers, shared_data: Path) -> None:
    for path in sorted((shared_data / "photos" / "grocery").iterdir())[:5]:
        with path.open("rb") as file:
            here = examine(file, installed())

        assert workers.examine(path).result() == here
        assert workers.examine(path.read_bytes()).result() == here
        assert here.fingerprints
        assert not here.unchecked


def test_a_worker_tells_the_origin_if_it_is_asked_and_keeps_what_is_sealed(shared_data: Path) -> None:
    paths = sorted((shared_data / "origin" / "comfyui").glob("*.png"))[:2]
    with Workers(1, origin=Asked()) as keeping, Workers(1, origin=Asked(reveal=True)) as revealing:
        for path in paths:
            data = path.read_bytes()
            here, kept = origin_of(data), keeping.examine(path).result().origin

            assert revealing.examine(data).result().origin == here
            assert kept is not None
            assert (kept.outcome, kept.sentence) == (here.outcome, here.sentence)
            assert {s.field("prompt") for s in kept.statements} <= {None, Sealed(None)}
        late = keeping.examine(jpeg(camera()), received=datetime(2020, 1, 1, tzinfo=UTC)).result().origin
        not_a_picture = keeping.examine(b"hello").result().origin

    assert late is not None
    assert [s.field("after arrival") for s in late.statements if s.says == "time"] == [True]
    assert not_a_picture is not None
    assert [str(u) for u in not_a_picture.unchecked] == ["not checked: content (no reader)"]


def test_an_origin_that_takes_too_long_costs_the_item_nothing_else() -> None:
    # given a picture whose pixels are to be measured, and no time for that
    data = picture(3_000, 2_000)
    with Workers(1, origin=Asked(forensics=True, seconds=1e-6)) as workers:
        found = workers.examine(data).result()
        again = workers.examine(b"hello").result()

    # then all else is as if nobody had asked, and the origin says that it was not checked
    assert replace(found, origin=None) == examine(io.BytesIO(data), installed())
    assert found.origin is not None
    assert [(u.what, u.why) for u in found.origin.unchecked] == [("content", "timeout")]
    assert again.fingerprints


def test_all_digests_are_of_the_whole_file_in_one_pass(workers: Workers, tmp_path: Path) -> None:
    content = os.urandom(3_500_000)
    (tmp_path / "file").write_bytes(content)

    examination = workers.examine(tmp_path / "file").result()

    assert examination.size == len(content)
    for name in ("md5", "sha1", "sha256"):
        assert values(examination, name) == [hashlib.new(name, content).digest()]


@pytest.mark.usefixtures("hostile_plugin")
@pytest.mark.parametrize(
    ("width", "why"), [(301, "crashed"), (302, "timeout"), (303, "out of memory"), (304, "crashed")]
)
def test_a_decoder_that_dies_costs_its_item_an_error_and_nothing_else(width: int, why: str) -> None:
    content = picture(width)
    seconds = 6 if why == "timeout" else 60
    with Workers(1, Limits(seconds=seconds, memory=256 << 20)) as pool:
        before, bad, after = pool.examine(picture()), pool.examine(content), pool.examine(picture())

        assert not [u for u in before.result().unchecked if u.what == "hostile"]
        assert ("hostile", why) in [(u.what, u.why) for u in bad.result().unchecked]
        assert values(bad.result(), "pdq")
        assert values(bad.result(), "sha256") == [hashlib.sha256(content).digest()]
        assert after.result() == before.result()


@pytest.mark.usefixtures("hostile_plugin")
def test_a_worker_that_talks_nonsense_is_ended_and_its_item_is_unchecked() -> None:
    with Workers(1, Limits(seconds=300)) as pool:
        for height in range(240, 246):
            bad, after = pool.examine(picture(307, height)), pool.examine(picture())
            assert [(u.what, u.why) for u in bad.result(240).unchecked] == [("hostile", "crashed")]
            assert values(after.result(240), "hostile")


@pytest.mark.usefixtures("hostile_plugin")
def test_a_plugin_that_raises_is_said_by_its_name_and_without_its_message() -> None:
    with Workers(1, Limits(seconds=60)) as pool:
        examination = pool.examine(picture(306)).result()

    (broken,) = [u for u in examination.unchecked if u.what == "hostile"]
    assert broken.why == "signal failed"
    assert broken.detail == "RuntimeError"
    assert values(examination, "pdq")


@pytest.mark.usefixtures("hostile_plugin")
def test_a_worker_cannot_write_files() -> None:
    leak = Path("/tmp/nightlamp-leak")
    leak.unlink(missing_ok=True)
    with Workers(1, Limits(seconds=60)) as pool:
        pool.examine(picture(305)).result()

    assert not leak.exists() or leak.stat().st_size == 0
    leak.unlink(missing_ok=True)


def test_what_cannot_be_read_is_said(workers: Workers, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))

    for name in ("missing", "pipe", "socket", "."):
        (unchecked,) = workers.examine(tmp_path / name).result().unchecked

        assert (unchecked.what, unchecked.why) == ("content", "unreadable")
    listener.close()


@pytest.mark.parametrize("content", [b"", b"a note without a picture\n", "größer als 7 Bytes".encode()])
def test_what_holds_no_picture_has_nothing_unchecked(workers: Workers, content: bytes) -> None:
    assert not workers.examine(content).result().unchecked


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (bytes(range(256)) * 40, "unknown type"),
        (picture()[:300], "truncated"),
        (picture()[:40], "damaged"),
    ],
)
def test_what_holds_perhaps_a_picture_is_unchecked(workers: Workers, content: bytes, why: str) -> None:
    examination = workers.examine(content).result()

    assert [u.why for u in examination.unchecked if u.what in ("pdq", "frames")]
    assert values(examination, "md5") == [hashlib.md5(content).digest()]


def test_a_featureless_picture_is_not_matchable_by_pdq_and_says_so(workers: Workers) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (400, 300), "navy").save(drawn, "PNG")

    (unchecked,) = workers.examine(drawn.getvalue()).result().unchecked

    assert (unchecked.what, unchecked.why) == ("pdq", "low detail")


def test_a_file_over_the_limit_still_gets_its_digests(tmp_path: Path) -> None:
    content = picture()
    with Workers(1, Limits(bytes=len(content) - 1)) as pool:
        examination = pool.examine(content).result()

    assert values(examination, "sha1") == [hashlib.sha1(content).digest()]
    assert [(u.what, u.why) for u in examination.unchecked] == [("pdq", "too large")]


def test_members_of_an_archive_come_through_a_process_of_their_own(workers: Workers) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.png", picture())
        archive.writestr("two.txt", b"2")

    members = list(workers.unpack(packed.getvalue(), "application/zip"))
    again = list(workers.unpack(packed.getvalue(), "application/zip"))

    assert [(m.name, m.data) for m in members] == [("a/one.png", picture()), ("two.txt", b"2")]
    assert members == again


def test_a_broken_archive_ends_with_an_error_member(workers: Workers) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.png", picture())

    *_, last = workers.unpack(packed.getvalue()[:-30], "application/zip")

    assert last.error is not None
    assert last.error.code == "damaged"


def test_leaving_an_archive_half_way_does_not_hold_up_the_next(workers: Workers) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(100):
            archive.writestr(f"{number}.bin", bytes(1 << 20))

    half = workers.unpack(packed.getvalue(), "application/zip")
    next(half)
    half.close()

    assert len(list(workers.unpack(packed.getvalue(), "application/zip"))) == 100


def test_a_pool_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nightlamp.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(NightlampError, match="no worker process could be started"):
        Workers(1).__enter__()
