"""A video whose frame is on a list of pictures: at submission, later, and in what is told of it."""

from __future__ import annotations

import io

import pytest
from tests.films import film, scene, scenes

from nightlamp.examine import examine
from nightlamp.signals import installed

from .conftest import Service


def pdq_of(seed: int) -> tuple[str, str]:
    out = io.BytesIO()
    scene(seed).save(out, "PNG")
    out.seek(0)
    found = examine(out, installed())
    return "pdq", next(f.value.hex() for f in found.fingerprints if f.signal == "pdq")


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_a_match_says_frame_and_time(either: Service, container: str) -> None:
    either.bank("pictures", pdq_of(2), trust="high")
    told = either.submit(film(scenes([1, 2, 3], 20), container)).json()
    other = either.submit(film(scenes([4, 5], 20), container)).json()
    assert (told["action"], other["action"]) == ("block", "allow")
    [match] = told["verdict"]["matches"]
    assert (match["bank"], match["signal"], match["view"]) == ("pictures", "pdq", "as is")
    assert match["frame"] in (20, 30)
    assert match["seconds"] == pytest.approx(match["frame"] / 10, abs=0.02)
    stored = either.get(f"/v1/items/{told['id']}").json()
    assert stored["media_type"] == f"video/{container}"
    assert stored["frames"] == 60
    assert either.get("/v1/matches").json()["matches"][0]["seconds"] == match["seconds"]


def test_a_video_is_found_when_its_frame_is_listed_later(either: Service) -> None:
    told = either.submit(film(scenes([1, 2, 3], 20))).json()
    assert told["action"] == "allow"
    either.bank("pictures", pdq_of(3), trust="high")
    for loop in ("changes", "look-back", "late"):
        either.run(loop)
    [match] = either.get("/v1/matches").json()["matches"]
    assert match["item"] == told["id"]
    assert match["frame"] in (40, 50, 59)
    assert match["seconds"] == pytest.approx(match["frame"] / 10, abs=0.02)


def test_a_broken_video_is_not_allowed(service: Service) -> None:
    whole = film(scenes([1], 20), "webm")
    told = service.submit(whole[: len(whole) // 2]).json()
    assert told["action"] == "review"
    assert {each["why"] for each in told["verdict"]["unchecked"]} <= {"truncated", "damaged"}
    assert told["verdict"]["unchecked"]
