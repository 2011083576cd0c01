"""A node behind its console, with a person of each role, and clients that are browsers."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from nightlamp import accounts
from nightlamp.accounts import ROLES, Role, Token, codes, passwords, sessions
from nightlamp.server import Node, create_app
from nightlamp.server.logs import configure
from nightlamp.settings import Settings
from nightlamp.store import utc_now

from . import drawn

ORIGIN = "https://nightlamp.example"
PASSWORD = "correct horse battery"
HASH = passwords.hashed(PASSWORD, "")


@dataclass
class House:
    """The node, and who is in it."""

    node: Node
    app: Any
    log: io.StringIO
    people: dict[str, accounts.Account] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)  # of what stands in addresses, by the parameter's name

    def person(self, name: str, *roles: Role, display: str = "", second: bool = True) -> accounts.Account:
        """Somebody with a password, and one-time codes if ``second``."""
        secret = codes.new_secret()
        console = self.console

        def make(connection: Any) -> accounts.Account:
            now = utc_now()
            made = accounts.add(connection, name, roles, actor="system", now=now, display=display)
            passwords.store(connection, made.person, HASH, now=now)
            if second:
                step = int(time.time()) // codes.STEP - 3
                code = codes.code_at(secret, step)
                codes.set_up(
                    connection,
                    console.box,
                    made.person,
                    secret,
                    code,
                    now=now.fromtimestamp(step * 30, now.tzinfo),
                )
            return accounts.get(connection, made.id)

        self.people[name], self.secrets[name] = self.node.writer.write(make), secret
        return self.people[name]

    def actors(self, *names: str) -> list[str]:
        """Who they are in the audit log."""
        return [self.people[name].person.actor for name in names]

    @property
    def console_app(self) -> Any:
        mounted = next(route for route in self.app.routes if getattr(route, "path", "") == "/console")
        return mounted.app._app

    @property
    def console(self) -> Any:
        return self.console_app.state.console

    def browser(self, origin: str = ORIGIN) -> Browser:
        client = TestClient(self.app, base_url=origin, raise_server_exceptions=False, follow_redirects=False)
        return Browser(client, origin)

    def code(self, name: str) -> str:
        """The one-time code of now; each works once."""
        return codes.code_at(self.secrets[name], int(time.time()) // codes.STEP)

    def session(self, name: str, **rest: Any) -> Token:
        """A session of somebody, without the way through the sign-in page."""
        given = {"stage": "full", "method": "password", "now": utc_now(), "address": "192.0.2.1", **rest}
        life, account = self.console.entrance.life, self.people[name]
        return self.node.writer.write(lambda c: sessions.start(c, account.id, life=life, **given))

    def signed_in(self, name: str) -> Browser:
        """A browser with a session."""
        browser, token = self.browser(), self.session(name)
        browser.client.cookies.set("__Host-nightlamp-session", token.reveal(), domain="nightlamp.example")
        return browser


@dataclass
class Browser:
    """An HTTP client that sends forms as a browser would."""

    client: httpx.Client
    origin: str = ORIGIN

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.client.get(f"/console{path}", **rest)

    def post(
        self, path: str, fields: dict[str, Any] | None = None, *, csrf: str | None = None
    ) -> httpx.Response:
        """A form of the page ``/account`` or, for who is not signed in, of the sign-in page."""
        token = self.csrf() if csrf is None else csrf
        return self.client.post(
            f"/console{path}", data={"csrf": token, **(fields or {})}, headers={"origin": self.origin}
        )

    def csrf(self) -> str:
        for path in ("/account", "/sign-in", "/sign-in/second", "/set-up"):
            found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).text)
            if found:
                return found[1]
        raise AssertionError("no page has a form")


def routes(house: House) -> list[APIRoute]:
    """Every page of the console, however its router was put in."""
    found, todo = [], list(house.console_app.routes)
    while todo:
        route = todo.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            todo += getattr(route, "routes", None) or getattr(
                getattr(route, "original_router", None), "routes", []
            )
    return found


def path_of(route: Any, ids: dict[str, str]) -> str:
    known = {"number": "1", "name": "console.css", **ids}
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "x"), route.path)


MORE = ("/feeds/_new?kind=list", "/feeds/_new?kind=vics")  # pages that an address with a query is


def addresses(house: House, method: str) -> list[str]:
    """The addresses that answer a method."""
    spec = {path_of(route, house.ids) for route in routes(house) if method in route.methods}
    spec |= set(MORE) if method == "GET" else set()
    assert len(spec) > 8
    return sorted(spec)


def node_of(folder: Path, database: str, log: io.StringIO, **console: Any) -> Node:
    configure(log)
    settings = Settings(data_dir=folder, database={"url": database}, console=console)
    node = Node(settings, workers=lambda: contextlib.nullcontext(object()))  # type: ignore[arg-type]
    node.prepare()
    node.supervisor.start = lambda: None  # type: ignore[method-assign]
    return node


Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path, sqlite_url: str) -> Iterator[Build]:
    """Makes a node with its console; ``console`` are settings."""
    with contextlib.ExitStack() as stack:

        def make(database: str = "", folder: str = "data", **console: Any) -> House:
            log = io.StringIO()
            node = node_of(tmp_path / folder, database or sqlite_url, log, **{"url": ORIGIN, **console})
            app = create_app(node.settings, node)
            stack.enter_context(TestClient(app))
            return House(node, app, log)

        yield make


@pytest.fixture
def house(build: Build) -> House:
    """A node with one person of each role, named as the role."""
    made = build()
    settle(made)
    return made


def settle(house: House) -> None:
    """A person of each role, and a case that waits."""
    for role in ROLES:
        house.person(role, role)
    filed = drawn.file(house.node)
    house.ids |= {"case_id": filed.case, **drawn.draft(house.node, filed)}
    house.ids["feed_name"] = drawn.feed(house.node, "stopped")
    house.ids["export_id"] = drawn.export(house.node, filed, house.people["lead"].person.actor)


@contextlib.contextmanager
def listening(house: House) -> Iterator[str]:
    """Serve a node on this machine; gives the address of its console."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        config = uvicorn.Config(house.app, log_config=None, lifespan="off", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            yield f"http://localhost:{door.getsockname()[1]}/console"
        finally:
            server.should_exit = True
            thread.join()


CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; skips where there is none, and fails in CI."""
    driver = importlib.util.find_spec("playwright")
    if driver is None or not CHROMIUM.exists():
        how = pytest.fail if os.environ.get("NIGHTLAMP_TEST_CHROMIUM") == "required" else pytest.skip
        how(f"no {CHROMIUM} (apt-get install chromium)" if driver else "playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS, timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture
def live(build: Build) -> Iterator[tuple[House, str]]:
    """A node that listens on this machine, with one person of each role, and the address of its console."""
    made = build(url="")
    settle(made)
    with listening(made) as address:
        yield made, address


def cookie(house: Any, address: str, name: str, tab: Any) -> None:
    """Give the tab a session of somebody."""
    token = house.session(name)
    origin = address.removesuffix("/console")
    tab.context.add_cookies([{"name": "nightlamp-session", "value": token.reveal(), "url": origin}])


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    """A page of a fresh profile; errors of its scripts and of its policy fail the test."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(90_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def tabs(chromium: Any) -> Iterator[Any]:
    """Makes tabs of fresh profiles; faults of scripts and of the pages' policy fail the test."""
    contexts: list[Any] = []
    faults: list[str] = []

    def make(house: House, address: str, name: str, **kind: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1300, "height": 900}, **kind)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        cookie(house, address, name, page)
        return page

    yield make
    for context in contexts:
        context.close()
    assert faults == []
