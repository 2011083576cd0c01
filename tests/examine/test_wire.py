from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.examine import wire
from nightlamp.examine.examination import Shape
from nightlamp.values import Fingerprint, Unchecked

steps = st.one_of(
    st.builds(Shape, st.text(), st.integers(0), st.integers(0), st.integers(0), st.integers(0)),
    st.builds(
        Fingerprint, st.text(), st.binary(), st.text(), st.integers(0), st.none() | st.integers(0, 100)
    ),
    st.builds(Unchecked, st.text(), st.text(), st.text()),
)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(steps)
def test_a_step_arrives_as_it_was_sent(step: Shape | Fingerprint | Unchecked) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire.send(ours, wire.pack_step(step))

        assert wire.unpack_step(wire.receive(theirs)) == step


@given(
    st.one_of(
        json, st.lists(json, min_size=4, max_size=6), st.tuples(st.sampled_from("fus"), json, json, json)
    )
)
def test_what_is_no_step_is_refused_not_believed(packed: object) -> None:
    packed = list(packed) if isinstance(packed, tuple) else packed
    try:
        step = wire.unpack_step(packed)
    except wire.Closed:
        return
    assert wire.pack_step(step) == packed


@pytest.mark.parametrize(
    "sent", [b"", b"\1", struct.pack("<I", 5) + b"12", struct.pack("<I", 1 << 31), b"\2\0\0\0{]"]
)
def test_a_broken_stream_is_closed_not_misread(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(sent)
        ours.shutdown(socket.SHUT_WR)

        with pytest.raises(wire.Closed):
            wire.receive(theirs)
