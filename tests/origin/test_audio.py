"""Sound files: MP3, FLAC and WAV, written here byte by byte."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.origin.files import A1111, SILENCE, authority, created, flac, id3, signed, wav, xmp

from nightlamp.origin import origin_of, trust_of
from nightlamp.values import Strength

MADE = xmp("", 'xmp:CreatorTool="Midjourney"')
WIDE = b"\1" + "Midjourney".encode("utf-16") + b"\0\0"


@pytest.mark.parametrize(
    "data",
    [
        id3((b"TSSE", b"\3Midjourney\0")) + SILENCE,
        id3((b"TIT2", b"\0A song"), (b"TSSE", WIDE), version=3) + SILENCE,
        id3((b"TSS", b"\0Midjourney"), version=2) + SILENCE,
        id3((b"TXXX", b"\0Software\0Midjourney")) + SILENCE,
        id3((b"COMM", b"\0engiTunNORM\0000"), (b"COMM", b"\0eng\0Made with Midjourney")) + SILENCE,
        id3((b"PRIV", b"XMP\0" + MADE)) + SILENCE,
        flac("ARTIST=A", "ARTIST=B", "encoder=Midjourney"),
        flac(writer="Midjourney"),
        id3((b"TSSE", b"\0Midjourney")) + flac(),
        id3((b"TIT2", b"\0A song")) + flac("software=Midjourney"),
        wav((b"LIST", b"INFOISFT\x0b\0\0\0Midjourney\0\0")),
        wav((b"id3 ", id3((b"TSSE", b"\0Midjourney")))),
        wav((b"_PMX", MADE)),
    ],
    ids=[
        "mp3", "mp3 2.3, wide", "mp3 2.2", "mp3 free text", "mp3 comment", "mp3 xmp", "flac", "flac writer",
        "flac id3", "flac behind id3", "wav", "wav id3", "wav xmp",
    ],
)  # fmt: skip
def test_what_made_a_sound_is_read_in_every_place(data: bytes) -> None:
    found = origin_of(data)

    assert found.outcome == "declared AI-made"
    assert [u for u in found.unchecked if u.what != "c2pa"] == []


def test_an_encoder_says_nothing_of_ai() -> None:
    found = origin_of(id3((b"TSSE", b"\3Lavf60.16.100")) + SILENCE)

    assert found.outcome == "unknown"
    assert [(s.source, s.says, s.text) for s in found.statements] == [
        ("container", "software", 'written by "Lavf60.16.100"')
    ]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (id3((b"TIT2", b"\0A song")) + SILENCE, "audio/mpeg"),
        (flac(), "audio/flac"),
        (wav(), "audio/wav"),
    ],
    ids=["mp3", "flac", "wav"],
)
def test_manifests_in_sounds_are_checked(data: bytes, media_type: str) -> None:
    pytest.importorskip("c2pa")
    trust = trust_of(authority()[2])
    whole = signed(created("trainedAlgorithmicMedia"), data, media_type)

    found, nobody, changed = (
        origin_of(whole, trust=trust),
        origin_of(whole),
        origin_of(whole[:-4] + b"\1\2\3\4", trust=trust),
    )

    assert ("ai-made", Strength.TRUSTED) in {(s.says, s.strength) for s in found.statements}
    assert ("ai-made", Strength.SIGNED) in {(s.says, s.strength) for s in nobody.statements}
    assert (found.outcome, changed.outcome) == ("declared AI-made", "inconsistent")


def test_a_manifest_in_m4a_is_checked() -> None:
    pytest.importorskip("c2pa")
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 44_100
        for frame in (silence, None):
            container.mux(stream.encode(frame))

    found = origin_of(signed(created("trainedAlgorithmicMedia"), out.getvalue(), "audio/mp4"))

    assert found.outcome == "declared AI-made"


def test_a_packed_frame_is_not_checked() -> None:
    tag = bytearray(id3((b"TXXX", b"\0parameters\0" + A1111.encode())))
    tag[10 + 9] = 0x08

    found = origin_of(bytes(tag) + SILENCE)

    assert ("container", "packed or encrypted") in {(u.what, u.why) for u in found.unchecked}


def test_one_tag_of_a_wav_is_followed_so_that_many_cost_no_more() -> None:
    tag = (b"id3 ", id3((b"TSSE", b"\0Lavf60.16.100")))

    once, often = origin_of(wav(tag)), origin_of(wav(*[tag] * 9))

    assert once.statements == often.statements
    assert ("container", "repeated too often") in {(u.what, u.why) for u in often.unchecked}


@given(
    st.sampled_from([id3((b"TSSE", WIDE), (b"PRIV", b"XMP\0" + MADE)) + SILENCE, flac("encoder=x"), wav()]),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 400),
)
def test_damaged_sounds_cost_nothing_but_themselves(
    data: bytes, flips: list[tuple[int, int]], cut: int
) -> None:
    broken = bytearray(data[: len(data) - cut] or data)
    for at, value in flips:
        broken[at % len(broken)] = value

    found = origin_of(bytes(broken))

    assert not [u for u in found.unchecked if u.why == "reader failed"]
