"""``Renderer``: untrusted bytes in, a small picture out that holds nothing but pixels.

Decoding happens in a worker process of its own, one picture at a time; what dies there costs that picture.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field

from nightlamp.errors import MediaCode, MediaError
from nightlamp.examine import wire
from nightlamp.examine.process import GRACE_SECONDS, Process, Source
from nightlamp.media import Limits

_MOST_BYTES = 8 << 20
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is to be made.

    Args:
        side: most pixels of its longer side; never more than the original has.
        blur: radius in pixels of the result; 0: none.
        grey: without colour.
        frame: which one; None: up to ``strip`` of them side by side.
        strip: how many of a file's frames at most.
    """

    side: int
    blur: float = 0.0
    grey: bool = True
    frame: int | None = 0
    strip: int = 8


@dataclass(frozen=True, slots=True)
class Rendered:
    """A JPEG without metadata, and the numbers of the frames in it."""

    jpeg: bytes = field(repr=False)
    frames: tuple[int, ...] = (0,)


class Renderer:
    """Makes small pictures; may be called from any thread, one is made at a time.

    Args:
        limits: on each.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits(bytes=256 << 20, seconds=10.0)
        self._process: Process | None = None
        self._turn = threading.Lock()

    def render(self, source: Source, look: Look) -> Rendered:
        """Decode, scale down, blur, encode.

        Raises:
            MediaError: it cannot be decoded, or not within the limits.
            NightlampError: no worker can be started.
        """
        if not self._turn.acquire(timeout=_PATIENCE):
            raise MediaError("timeout", "others are being shown pictures")
        try:
            return self._render(source, look)
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the worker."""
        with self._turn:
            if self._process is not None:
                self._process.end()
                self._process = None

    def _render(self, source: Source, look: Look) -> Rendered:
        process = self._process = self._process or Process("render", self._limits, "full")
        try:
            process.request(source, asdict(look))
            match process.answer(self._limits.seconds + GRACE_SECONDS):
                case ["p", int(length), list(frames)] if 0 < length <= _MOST_BYTES:
                    jpeg = process.take(length)
                    return Rendered(jpeg, tuple(each for each in frames[: look.strip] if type(each) is int))
                case ["u", str(code), str(detail)]:
                    raise MediaError(_code(code), detail)
                case _:
                    raise wire.Closed
        except (wire.Closed, TimeoutError) as error:
            self._process = None
            raise MediaError(*process.kill(timeout=isinstance(error, TimeoutError))) from None


def _code(text: str) -> MediaCode:
    from typing import cast, get_args

    return cast("MediaCode", text) if text in get_args(MediaCode) else "damaged"
