"""Videos in worker processes: fingerprints with their time, and limits that hold."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image
from tests.films import film, scenes
from tests.media.test_video import flipped

from nightlamp.examine import Workers, examine
from nightlamp.examine.examination import Shape, steps
from nightlamp.media import Limits
from nightlamp.signals import installed
from nightlamp.signals.pdq import VIEWS


def test_each_sampled_frame_has_its_fingerprints_number_and_time():
    with Workers(1) as workers:
        found = workers.examine(film(scenes([1, 2], 20), "webm")).result()
    pdq = [f for f in found.fingerprints if f.signal == "pdq" and not f.view.startswith("border")]
    assert (found.media_type, found.width, found.height, found.frames) == ("video/webm", 160, 120, 40)
    assert not found.unchecked
    assert [(f.frame, f.view) for f in pdq] == [(n, view) for n in (0, 10, 20, 30, 39) for view in VIEWS]
    for f in pdq:
        assert f.seconds == pytest.approx(f.frame / 10, abs=0.01)
    digests = [f for f in found.fingerprints if f.signal != "pdq"]
    assert {f.signal for f in digests} == {"md5", "sha1", "sha256"}
    assert all(f.seconds is None for f in digests)


@pytest.mark.parametrize(("width", "why"), [(302, "timeout"), (304, "crashed")])
def test_a_frame_that_hangs_or_kills_costs_its_video_alone(hostile_plugin, width, why):
    hostile = film([Image.new("RGB", (width, 64), (9, 90, 200))] * 3, "mov")
    with Workers(1, Limits(seconds=6 if why == "timeout" else 60)) as workers:
        first, second = [workers.examine(each).result() for each in (hostile, film(scenes([1], 3)))]
    # of pdq, all but the first frame was lost
    assert [(u.what, u.why) for u in first.unchecked] == [("hostile", why), ("frames", why)]
    assert "sha256" in {f.signal for f in first.fingerprints}
    assert not [u for u in second.unchecked if u.what == "pdq"]


def test_what_was_learnt_before_a_video_is_opened_goes_ahead():
    data = film(scenes([1], 3))
    found = list(steps(io.BytesIO(data), installed(), Limits(), "fast"))
    before = next(at for at, step in enumerate(found) if at and isinstance(step, Shape))
    assert found[before] == Shape("video/mp4", len(data))
    assert {step.signal for step in found[1:before]} == {"md5", "sha1", "sha256"}


def test_memory_is_bounded():
    large = film([Image.new("RGB", (6000, 6000), (at, 90, 200)) for at in range(2)], "mov")
    with Workers(1, Limits(memory=96 << 20)) as workers:
        first, second = [workers.examine(each).result() for each in (large, b"plain text")]
    assert {u.why for u in first.unchecked} & {"out of memory", "damaged", "crashed", "no decoder"}
    assert "sha256" in {f.signal for f in first.fingerprints}
    assert not second.unchecked


@pytest.mark.slow
@pytest.mark.parametrize("container", ["mp4", "webm", "matroska", "avi", "mov", "mpegts"])
@pytest.mark.parametrize("codec", [None, "libx264"])
def test_broken_videos_at_length(container, codec):
    if codec and container == "webm":
        pytest.skip("no H.264 in WebM")
    whole = film(scenes([1, 2, 3], 20), container, codec)
    chance = random.Random(f"{container} {codec}")
    with Workers(2, Limits(seconds=20)) as workers:
        for _ in range(25):
            futures = [workers.examine(flipped(whole, chance)) for _ in range(40)]
            found = [future.result() for future in futures]
            assert not [u for each in found for u in each.unchecked if u.why in ("timeout", "crashed")]
            assert all(each.fingerprints for each in found)


def test_a_mirrored_copy_is_seen_as_such():
    mirrored = [each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in scenes([3], 2)]
    one, other = (prints(film(each, "matroska")) for each in (scenes([3], 2), mirrored))
    assert (one["as is"] ^ other["mirrored"]).bit_count() < 40 < (one["as is"] ^ other["as is"]).bit_count()


def prints(data: bytes) -> dict[str, int]:
    """PDQ of the first frame by view, as numbers."""
    found = examine(io.BytesIO(data), installed())
    return {f.view: int.from_bytes(f.value) for f in found.fingerprints if f.signal == "pdq" and f.frame == 0}
