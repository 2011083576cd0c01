from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.examine import wire
from nightlamp.examine.examination import Shape
from nightlamp.origin import Asked, TrustList, assess
from nightlamp.values import Assessment, Fingerprint, Sealed, Statement, Strength, Unchecked

steps = st.one_of(
    st.builds(Shape, st.text(), st.integers(0), st.integers(0), st.integers(0), st.integers(0)),
    st.builds(
        Fingerprint,
        st.text(),
        st.binary(),
        st.text(),
        st.integers(0),
        st.none() | st.integers(0, 100),
        st.none() | st.floats(0, 1e9),
    ),
    st.builds(Unchecked, st.text(), st.text(), st.text()),
    st.builds(
        assess,
        st.lists(
            st.builds(
                Statement,
                st.sampled_from(["exif", "c2pa"]),
                st.sampled_from(["camera", "ai-made"]),
                st.text(),
                st.sampled_from(Strength),
                st.text(),
                st.lists(
                    st.tuples(
                        st.text(), st.text() | st.integers() | st.booleans() | st.builds(Sealed, st.text())
                    ),
                    max_size=3,
                    unique_by=lambda field: field[0],
                ).map(tuple),
            ),
            max_size=3,
        ),
        st.lists(st.builds(Unchecked, st.text(), st.text(), st.text()), max_size=2),
    ),
)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(steps)
def test_a_step_arrives_as_it_was_sent(step: Shape | Fingerprint | Unchecked | Assessment) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(ours, wire.pack_step(step, reveal=True))

        assert wire.unpack_step(wire.Incoming(theirs).message()) == step


@given(
    st.one_of(
        json, st.lists(json, min_size=4, max_size=6), st.tuples(st.sampled_from("fuso"), json, json, json)
    )
)
def test_what_is_no_step_is_refused_not_believed(packed: object) -> None:
    packed = list(packed) if isinstance(packed, tuple) else packed
    try:
        step = wire.unpack_step(packed)
    except wire.Closed:
        return
    assert wire.pack_step(step) == packed


def test_what_is_sealed_stays_in_the_worker_unless_it_was_asked_for() -> None:
    prompt = ("prompt", Sealed("a secret"))
    step = assess([Statement("exif", "ai-made", "made", Strength.DECLARED, "easily", (prompt,))])

    kept, sent = wire.pack_step(step), wire.pack_step(step, reveal=True)

    assert "a secret" not in str(kept)
    assert wire.unpack_step(kept).statements[0].field("prompt") == Sealed(None)
    assert wire.unpack_step(sent) == step


@pytest.mark.parametrize(
    "asked",
    [
        None,
        Asked(),
        Asked(TrustList("a", "b", ("1.2",)), reveal=True),
        Asked(forensics=True, detectors=(Path("a.toml"),)),
    ],
)
def test_what_is_asked_about_the_origin_arrives_as_it_was_asked(asked: Asked | None) -> None:
    assert wire.unpack_asked(wire.pack_asked(asked)) == asked


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\1",
        struct.pack("<I", 5) + b"12",
        struct.pack("<I", 1 << 31),
        b"\2\0\0\0{]",
        struct.pack("<I", 50_000) + b"[" * 50_000,
    ],
)
def test_a_broken_stream_is_closed_not_misread(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(sent)
        ours.shutdown(socket.SHUT_WR)

        with pytest.raises(wire.Closed):
            wire.Incoming(theirs).message()
