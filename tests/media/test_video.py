"""Videos that we draw: what is examined of them, when it is shown, and what is said to be missing."""

from __future__ import annotations

import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tests.films import CODECS, film, scene, scenes

from nightlamp.errors import MediaError
from nightlamp.media import Frame, Limits, decode

SMALL = Limits(pixels=1_000_000, video_frames=16)


def seen(data: bytes, limits: Limits = SMALL) -> tuple[list[Frame], list[MediaError]]:
    """(frames as they are, errors), whether raised or given."""
    frames: list[Frame] = []
    errors: list[MediaError] = []
    try:
        for found in decode(data, limits).frames:
            if isinstance(found, MediaError):
                errors.append(found)
            elif found.view == "as is":
                frames.append(found)
    except MediaError as error:
        errors.append(error)
    assert frames or errors
    return frames, errors


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    return {container: film(scenes([1, 2, 3], 20), container) for container in CODECS}


@pytest.mark.parametrize("container", CODECS)
def test_a_frame_a_second_is_examined_and_looks_as_drawn(container, films, bits_apart):
    frames, errors = seen(films[container])
    assert not errors
    assert [frame.number for frame in frames] == [0, 10, 20, 30, 40, 50, 59]
    assert [frame.seconds for frame in frames] == pytest.approx([0, 1, 2, 3, 4, 5, 5.9], abs=0.02)
    for frame in frames:
        assert bits_apart(frame.luma, grey(scene(1 + frame.number // 20))) <= 30
        assert (frame.width, frame.height) == (160, 120)


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9", "libsvtav1", "libx265"])
def test_frames_that_come_out_of_order_have_their_numbers(codec, bits_apart):
    made = film((scene(number) for number in range(24)), "mp4", codec, rate=2)
    frames, errors = seen(made)
    assert not errors
    assert len(frames) >= 13
    for frame in frames:
        assert frame.seconds == frame.number / 2
        assert bits_apart(frame.luma, grey(scene(frame.number))) <= 40


def test_a_short_scene_between_two_samples_is_examined(bits_apart):
    pictures = [*scenes([1], 13), *scenes([2], 3), *scenes([1], 14)]
    frames, _ = seen(film(pictures))
    assert [frame.number for frame in frames] == [0, 10, 13, 16, 20, 29]
    assert bits_apart(frames[2].luma, grey(scene(2))) <= 30


def test_more_scenes_than_the_limit_leave_the_samples_alone():
    frames, _ = seen(film(scene(number % 7) for number in range(100)), Limits(video_frames=16))
    assert len(frames) == 16
    assert {frame.number for frame in frames} >= {0, 10, 20, 99}


@pytest.mark.parametrize("level", [0, 255])
def test_luma_has_the_full_range(level):
    frames, _ = seen(film([Image.new("L", (64, 64), level).convert("RGB")] * 3))
    assert abs(int(frames[0].luma.mean()) - level) <= 2


@pytest.mark.parametrize("turned", [0, 90, 180, -90])
def test_what_a_player_turns_is_turned(turned, levels_apart):
    decoded = decode(film(scenes([4], 5), turned=turned), SMALL)
    frame = next(decoded.frames)
    upright = scene(4).rotate(turned, expand=True)
    assert (decoded.width, decoded.height) == upright.size
    assert levels_apart(grey(frame.picture()), grey(upright)) < 12


def test_a_letterbox_is_trimmed_too(bits_apart):
    wide = Image.new("RGB", (160, 160))
    wide.paste(scene(5, 160, 80), (0, 40))
    frames = [found for found in decode(film([wide] * 3), SMALL).frames if isinstance(found, Frame)]
    trimmed = [frame for frame in frames if frame.view == "border trimmed"]
    assert trimmed
    assert trimmed[0].seconds == 0.0
    assert bits_apart(trimmed[0].luma, grey(scene(5, 160, 80))) <= 30


def test_frames_far_apart_are_said():
    long = film((scene(number % 3, 64, 48) for number in range(60)), rate=1)
    assert not seen(long, Limits(video_frames=128))[1]
    frames, errors = seen(long, Limits(video_frames=4))
    assert len(frames) == 4
    assert [error.code for error in errors] == ["too many frames"]


def test_what_cannot_be_decoded_within_the_limit_is_said():
    made = film((scene(number % 3) for number in range(60)), rate=1, apart=100)
    frames, errors = seen(made, Limits(pixels=160 * 120, video_frames=128))  # ten frames may be decoded
    assert [frame.number for frame in frames] == list(range(10))
    assert "too many frames" in [error.code for error in errors]


def test_a_frame_above_the_limit_is_refused():
    _, errors = seen(film(scenes([1], 2)), Limits(pixels=160 * 120 - 1))
    assert [error.code for error in errors] == ["too many pixels"]


def test_a_gap_that_is_claimed_hides_nothing():
    numbers = [*range(40), 10_000_000]
    frames, errors = seen(film((scene(1) for _ in numbers), "matroska", at=numbers))
    assert [frame.number for frame in frames] == [0, 10, 20, 30, 40]
    assert frames[-1].seconds == pytest.approx(1_000_000)
    assert not errors


def test_frames_that_are_falsely_said_to_stand_alone_are_said():
    made = film((scene(number % 3) for number in range(60)), rate=1, apart=60)
    false = made.replace(b"stss", b"free")  # without it, every frame is said to be one
    frames, errors = seen(false, Limits(video_frames=8))
    assert "damaged" in [error.code for error in errors]
    assert len(frames) < 8


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska", "webm", "avi"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_what_is_truncated_is_said(container, part):
    # An MP4 in pieces can be read up to where it ends; of a whole one, what is at the end is needed.
    header = {"movflags": "frag_keyframe+empty_moov+default_base_moof"} if container == "mp4" else {}
    data = film(scenes([1, 2, 3], 20), container, header=header)
    assert not seen(data)[1]
    frames, errors = seen(data[: int(len(data) * part)])
    assert "truncated" in [error.code for error in errors]
    assert frames or container == "mov"


def test_two_tracks_are_said():
    frames, errors = seen(film(scenes([1], 5), tracks=2))
    assert frames
    assert [error.code for error in errors] == ["too many frames"]


def test_sound_alone_has_no_decoder():
    _, errors = seen(film([], "mp4", sound=True))
    assert [error.code for error in errors] == ["no decoder"]


def test_nothing_that_a_file_refers_to_is_opened(tmp_path):
    target = tmp_path / "other.mp4"
    target.write_bytes(film(scenes([1], 5)))
    for text in (
        f"#EXTM3U\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{target}'\n",
    ):
        for head in (b"", b"\x1aE\xdf\xa3webm", b"\0\0\0\x14ftypqt  \0\0\0\0qt  "):
            frames, errors = seen(head + text.encode())
            assert errors
            assert not frames


def test_without_the_library_it_is_said(films, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    _, errors = seen(films["mp4"])
    assert [error.code for error in errors] == ["no decoder"]
    assert "nightlamp[video]" in errors[0].hint


def test_pictures_need_no_library_for_videos(saved, drawn):
    code = (
        "import sys; from nightlamp.media import decode, Limits\n"
        "list(decode(sys.stdin.buffer.read(), Limits()).frames)\n"
        "assert 'av' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], input=saved(drawn, "PNG"), check=True)


@pytest.mark.parametrize("container", CODECS)
def test_files_cut_anywhere(container, films):
    data = films[container]
    for part in range(1, 24):
        seen(data[: len(data) * part // 24])


def flipped(data: bytes, chance: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20, 200))):
        at = chance.randrange(min(len(broken), chance.choice((64, 2048, 1 << 20))))
        broken[at] ^= 1 << chance.randrange(8)
    if chance.random() < 0.1:
        del broken[chance.randrange(len(broken)) :]
    return bytes(broken)


@pytest.mark.parametrize("container", CODECS)
def test_files_with_flipped_bits(container, films):
    chance = random.Random(container)
    for _ in range(25):
        seen(flipped(films[container], chance))


def test_a_header_that_claims_a_huge_frame_is_refused(films):
    width = struct.pack(">I", 160 << 16)
    data = films["mp4"].replace(width, struct.pack(">I", 60_000 << 16))
    seen(data)
