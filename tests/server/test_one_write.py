"""An answer's head and body go in one piece, whatever comes of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from tests.looping import run

from nightlamp.server.one_write import _Pairing


class Wire(asyncio.Transport):
    """Notes what is sent at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def writelines(self, pieces: Iterable[Any]) -> None:
        self.sent.append(b"".join(pieces))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("198.51.100.7", 1)}.get(name, default)

    def pause_reading(self) -> None:
        self.sent.append(b"paused")

    def resume_reading(self) -> None:
        self.sent.append(b"resumed")


def test_two_pieces_are_one() -> None:
    async def told() -> list[bytes]:
        wire = Wire()
        pairing = _Pairing(wire)
        for piece in (b"head", b"body", b"more"):
            pairing.write(piece)
        await asyncio.sleep(0)
        return wire.sent

    assert run(told()) == [b"headbody", b"more"]


def test_a_piece_alone_goes_when_the_loop_comes_round() -> None:
    async def told() -> list[bytes]:
        wire = Wire()
        pairing = _Pairing(wire)
        pairing.write(b"continue")
        assert wire.sent == []
        await asyncio.sleep(0)
        pairing.write(b"head")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return wire.sent

    assert run(told()) == [b"continue", b"head"]


def test_nothing_is_sent_where_nobody_is_any_more() -> None:
    async def told() -> list[bytes]:
        wire = Wire()
        pairing = _Pairing(wire)
        pairing.write(b"head")
        wire.closed = True  # the client went
        pairing.write(b"body")
        pairing.write(b"more")
        await asyncio.sleep(0)
        return wire.sent

    assert run(told()) == []


@pytest.mark.parametrize("pieces", [[], [b"head"], [b"head", b"body"]])
def test_what_was_written_is_sent_before_it_closes(pieces: list[bytes]) -> None:
    async def told() -> Wire:
        wire = Wire()
        pairing = _Pairing(wire)
        for piece in pieces:
            pairing.write(piece)
        pairing.close()
        await asyncio.sleep(0)
        return wire

    wire = run(told())
    assert wire.closed
    assert b"".join(wire.sent) == b"".join(pieces)


def test_nothing_is_sent_to_a_client_that_has_gone() -> None:
    async def told() -> list[bytes]:
        wire = Wire()
        pairing = _Pairing(wire)
        pairing.write(b"head")
        wire.closed = True
        await asyncio.sleep(0)
        return wire.sent

    assert run(told()) == []


def test_all_else_is_the_transports() -> None:
    async def told() -> tuple[Any, list[bytes]]:
        wire = Wire()
        pairing = _Pairing(wire)
        pairing.pause_reading()
        pairing.resume_reading()
        return pairing.get_extra_info("peername"), wire.sent

    assert run(told()) == (("198.51.100.7", 1), [b"paused", b"resumed"])
