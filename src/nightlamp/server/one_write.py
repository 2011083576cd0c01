"""HTTP connections that send an answer's head and body together.

Uvicorn writes them one after the other, and the event loop sends each at once: two system calls, two packets,
and two wakings of whoever waits for the answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol


class OneWrite(AutoHTTPProtocol):  # type: ignore[misc,valid-type] # one class or another, as installed
    """Uvicorn's protocol, on such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client came."""
        super().connection_made(_Pairing(transport))


class _Pairing:
    """A transport that keeps a first piece for the second; alone, it goes when the event loop comes round."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._kept: bytes | None = None
        self.is_closing = transport.is_closing
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, soon."""
        if self._kept is None:
            self._kept = data
            self._loop.call_soon(self._alone)
        else:
            kept, self._kept = self._kept, None
            if not self._transport.is_closing():  # Python 3.12's would watch a socket that is gone
                self._transport.writelines((kept, data))

    def close(self) -> None:
        """Send what is left, and close."""
        self._alone()
        self._transport.close()

    def _alone(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None and not self._transport.is_closing():
            self._transport.write(kept)
