"""Running one node: uvicorn in one process or in several, until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from nightlamp.dumps import forbid_core_dumps
from nightlamp.server.app import create_app
from nightlamp.server.logs import configure
from nightlamp.server.memory import give_back
from nightlamp.server.node import Node
from nightlamp.server.one_write import OneWrite
from nightlamp.server.processes import Place, Processes, how_many
from nightlamp.server.siblings import Siblings
from nightlamp.settings import Settings

_LOG_DELAY = 0.1
_NEW_OBJECTS = 10_000  # before the collector looks at them


def serve(
    settings: Settings,
    prepared: Callable[[Node], None] | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT; then finish what is in flight.

    Args:
        settings: all of them.
        prepared: called with the node before it listens: it knows the first key, which is told once.
        started: called with its address, once it listens.

    Raises:
        NightlampError: a setting is wrong, or the database cannot be used.
    """
    _configure()
    node = Node(settings)
    node.prepare()
    if prepared is not None:
        prepared(node)
    count = how_many(settings)

    def listens(host: str, port: int) -> None:
        if started is not None:
            started(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    if count == 1:
        _Server(_config(settings, node), listens).run()
    else:
        node.stop()
        Processes(settings, count, _serve_part).run(listens)


def _serve_part(settings: Settings, place: Place, listens: Callable[[], None]) -> None:
    """One process of several."""
    _configure()
    own = share(settings, place.count)
    node = Node(own, siblings=Siblings(place.folder, place.number, place.count))
    node.prepare()
    _Server(_config(own, node), lambda *_: listens()).run([place.listening()])


def share(settings: Settings, count: int) -> Settings:
    """What each of ``count`` processes may take of what the settings give to a node."""
    workers = max((settings.intake.workers or os.cpu_count() or 1) // count, 1)
    lookups = {name: value / count for name, value in settings.lookups if name.endswith("_rate")}
    lookups["threads"] = max(settings.lookups.threads // count, 1)
    parts = {
        "intake": settings.intake.model_copy(update={"workers": workers}),
        "lookups": settings.lookups.model_copy(update=lookups),
    }
    return settings.model_copy(update=parts)


def _configure() -> None:
    forbid_core_dumps()
    configure(delay=_LOG_DELAY)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it would tell of every odd form


def _config(settings: Settings, node: Node) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings, node),
        http=OneWrite,
        host=settings.server.host,
        port=settings.server.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,  # longer than a load balancer's 60: it must never use one that is just closing
        timeout_graceful_shutdown=settings.server.stop_seconds,
        h11_max_incomplete_event_size=64 << 10,
    )


def _settle() -> None:
    """What was made for the start stays; to look through it again takes the collector 100 ms each time."""
    gc.collect()
    give_back()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 10)


class _Server(uvicorn.Server):
    """Says where it listens: with port 0 nobody else knows."""

    def __init__(self, config: uvicorn.Config, started: Callable[[str, int], None]) -> None:
        super().__init__(config)
        self._tell = started

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop; at a second Ctrl-C, at once. Unlike the original, end with status 0 when all is done."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            _settle()
            self._tell(*self.servers[0].sockets[0].getsockname()[:2])
