"""Running one node: uvicorn, until it is told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from types import FrameType

import uvicorn

from nightlamp.server.app import create_app
from nightlamp.server.logs import configure
from nightlamp.server.node import Node
from nightlamp.settings import Settings


def serve(settings: Settings, started: Callable[[Node, str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT; then finish what is in flight.

    Args:
        settings: all of them.
        started: called with the node and its address, once it listens.

    Raises:
        NightlampError: a setting is wrong, or the database cannot be used.
    """
    configure()
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it would tell of every odd form
    node = Node(settings)
    node.prepare()
    s = settings.server
    config = uvicorn.Config(
        create_app(settings, node),
        host=s.host,
        port=s.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=s.stop_seconds,
        h11_max_incomplete_event_size=64 << 10,
    )
    _Server(config, lambda address: started(node, address) if started else None).run()


class _Server(uvicorn.Server):
    """Says where it listens: with port 0 nobody else knows."""

    def __init__(self, config: uvicorn.Config, started: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = started

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop; at a second Ctrl-C, at once. Unlike the original, end with status 0 when all is done."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start, then tell."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._tell(f"http://{f'[{host}]' if ':' in host else host}:{port}")
