"""The fake as an HTTP server on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nightlamp.reports.fake.desk import BASE, Answering
from nightlamp.reports.fake.faults import SocketFault

_MOST = 1 << 30
_DRIP = 0.001  # seconds between two bytes of a slow answer


@contextmanager
def serving(
    answer: Answering, port: int = 0, *, choose: Callable[[str], SocketFault] = lambda _: ""
) -> Iterator[str]:
    """Serve until the block ends; gives the base URL.

    Args:
        answer: ``Desk.answer``, or something around it.
        port: 0: any free one.
        choose: asked once a request's head is there, with its path: what goes wrong with its connection.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            fault = choose(self.path)
            size = min(int(self.headers.get("content-length") or 0), _MOST)
            if fault == "cut request":  # what is not read by then makes it a reset
                self.rfile.read(size // 2)
                self.close_connection = True
                return
            body = self.rfile.read(size)
            if len(body) < size:
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status, fields, content = answer(self.command, self.path, headers, body)
            except ConnectionError:  # a fault: the connection goes, without an answer
                self.close_connection = True
                return
            self.close_connection = True
            if fault == "no answer in time":
                with suppress(OSError):
                    self.connection.recv(1)  # until the caller is gone
                return
            self.send_response(status)
            for name, value in {**fields, "content-length": str(len(content)), "connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            if fault == "cut answer":
                content = content[: len(content) // 2]
            if fault == "slow answer":
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    time.sleep(_DRIP)
            else:
                self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 (the names that http.server looks for)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{BASE}"
        finally:
            server.shutdown()
            thread.join()
