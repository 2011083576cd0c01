"""The console with a million items in the database: pages at the server, the next case in the browser.

    python benchmarks/console.py [--items 1000000] [--keep FOLDER]

Fills the database as ``benchmarks/cases.py`` does, signs a reviewer and a lead in, and prints medians: of the
time that the server takes for a page, and of that from an answer to the next case in Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import httpx
import uvicorn
from sqlalchemy import select

import cases as filled
from nightlamp import accounts
from nightlamp.accounts import sessions
from nightlamp.cases import page_cases
from nightlamp.cases.tables import review_case
from nightlamp.server import Node, create_app
from nightlamp.server.logs import configure
from nightlamp.settings import Settings
from nightlamp.store import reading, utc_now

RUNS = 40
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


def main() -> None:
    """Fill, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder of the database, used again if it is filled")
    given = parser.parse_args()
    with filled.database(given.keep, given.items) as (_, file), tempfile.TemporaryDirectory() as scratch:
        configure(io.StringIO())
        settings = Settings(data_dir=Path(scratch), database={"url": f"sqlite:///{file}"})
        node = Node(settings, workers=lambda: contextlib.nullcontext(object()))  # type: ignore[arg-type]
        node.prepare()
        with listening(create_app(settings, node)) as address:
            measure(node, address)
        node.stop()


@contextlib.contextmanager
def listening(app: Any) -> Iterator[str]:
    """Serve on this machine; gives the console's address."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            yield f"http://localhost:{door.getsockname()[1]}/console"
        finally:
            server.should_exit = True
            thread.join()


def session(node: Node, role: Any) -> str:
    """A session of a new person."""
    life = timedelta(hours=node.settings.console.session_hours)

    def work(connection: Any) -> str:
        name = f"{role}-{time.time_ns()}"
        made = accounts.add(connection, name, [role], actor="system", now=utc_now())
        token = sessions.start(
            connection,
            made.id,
            stage="full",
            method="password",
            life=life,
            now=utc_now(),
            address="127.0.0.1",
        )
        return token.reveal()

    return node.writer.write(work)


def measure(node: Node, address: str) -> None:
    """Medians and the slowest of each page."""
    with reading(node.engine) as connection:
        ids = [case.id for case in page_cases(connection, now=utc_now(), limit=RUNS)]
        by_size = select(review_case.c.id).order_by(review_case.c["items"].desc()).limit(1)
        largest = connection.execute(by_size).scalar_one()
    reviewer = session(node, "reviewer")
    client = httpx.Client(cookies={"nightlamp-session": reviewer})
    told("case page", [took(client, f"{address}/cases/{case}") for case in ids])
    told("largest case's page", [took(client, f"{address}/cases/{largest}") for _ in range(10)])
    told("queue", [took(client, f"{address}/cases") for _ in range(RUNS)])
    lead = httpx.Client(cookies={"nightlamp-session": session(node, "lead")})
    told("overview", [took(lead, f"{address}/lead") for _ in range(RUNS)])
    if CHROMIUM.exists():
        told("next case, in Chromium", in_browser(address, reviewer))


def took(client: httpx.Client, address: str) -> float:
    """Seconds to the last byte, over loopback."""
    started = time.perf_counter()
    answer = client.get(address)
    seconds = time.perf_counter() - started
    assert answer.status_code == 200, answer.text[-600:]
    return seconds


def in_browser(address: str, token: str) -> list[float]:
    """Seconds from each sent answer to the next case on the page."""
    from playwright.sync_api import sync_playwright

    watch = """() => {
        window.took = [];
        let since = 0;
        document.addEventListener("htmx:beforeRequest", () => (since = performance.now()));
        document.addEventListener("htmx:afterSettle", (event) => {
            if (event.target.id !== "content") return;
            requestAnimationFrame(() => window.took.push(performance.now() - since));
        });
    }"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context()
        origin = address.removesuffix("/console")
        context.add_cookies([{"name": "nightlamp-session", "value": token, "url": origin}])
        page = context.new_page()
        page.goto(f"{address}/cases", wait_until="load")
        page.click("[data-key=n]")
        page.wait_for_selector("#answer")
        page.wait_for_load_state("load")
        page.evaluate(watch)
        done: Callable[[], int] = lambda: page.evaluate("window.took.length")  # noqa: E731
        for number in range(RUNS):
            page.keyboard.press("1")
            page.keyboard.press("d")
            while done() <= number:
                page.wait_for_timeout(5)
        found = [each / 1000 for each in page.evaluate("window.took")]
        browser.close()
    return found


def told(what: str, seconds: list[float]) -> None:
    """One line."""
    filled.told(what, iter(seconds))


if __name__ == "__main__":
    main()
