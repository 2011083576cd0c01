"""What goes wrong between two services, in front of a ``Desk``: some of it before the request, some after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from nightlamp.reports.fake.desk import Answering, Response, code_answer

Fault = Literal[
    "",  # all is well
    "reset",  # the connection breaks before the request is whole: nothing was done
    "lost answer",  # it was done, and the answer never arrives
    "twice",  # something in between sends the request twice; the second answer arrives
    "503",  # a page of a proxy, and nothing was done
    "502 after",  # a page of a proxy, and it was done
    "1000",  # a server error in the body, and nothing was done
    "1000 after",  # the same, and it was done
    "garbage",  # an answer that is no XML, and it was done
    "401",  # credentials are refused for once
]
FAULTS: tuple[Fault, ...] = (
    "reset", "lost answer", "twice", "503", "502 after", "1000", "1000 after", "garbage", "401",
)  # fmt: skip
SocketFault = Literal[
    "",
    "cut request",  # the connection breaks in the middle of the request's body: nothing was done
    "cut answer",  # it was done, and the connection breaks in the middle of the answer
    "slow answer",  # it was done, and the answer comes byte by byte
    "no answer in time",  # it was done, and the answer waits until the caller has given up
]
SOCKET_FAULTS: tuple[SocketFault, ...] = ("cut request", "cut answer", "slow answer", "no answer in time")


class Faulty:
    """Answers as ``answer`` does, but for the faults.

    Args:
        answer: what stands behind it.
        choose: asked before each request, with its path: which fault.
    """

    def __init__(self, answer: Answering, choose: Callable[[str], Fault]) -> None:
        self._answer = answer
        self._choose = choose

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """One request. ``ConnectionError``: there is no answer."""
        fault = self._choose(path)
        if fault == "reset":
            raise ConnectionResetError
        if fault == "503":
            return 503, {"content-type": "text/html"}, b"<html>later</html>"
        if fault == "1000":
            return code_answer(1000)
        if fault == "401":
            return 401, {}, b""
        response = self._answer(method, path, headers, body)
        if fault == "twice":
            response = self._answer(method, path, headers, body)
        elif fault == "lost answer":
            raise ConnectionResetError
        elif fault == "502 after":
            return 502, {"content-type": "text/html"}, b"<html>oops</html>"
        elif fault == "1000 after":
            return code_answer(1000)
        elif fault == "garbage":
            return 200, {"content-type": "text/html"}, b"<html>fine"
        return response
