"""Hostile bodies over real sockets: the service stays up, answers below 500, and nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from nightlamp.examine import Workers
from nightlamp.server import Node, create_app
from nightlamp.settings import Settings

from .conftest import picture

BOUNDARY = b"xyz"


@dataclass
class Live:
    """A node that listens on loopback."""

    node: Node
    port: int
    key: str

    def raw(
        self, data: bytes | list[bytes], *, pause: float = 0.0, seconds: float = 60.0, half: bool = False
    ) -> bytes:
        """Send bytes as they are, and read until the service closes or has answered."""
        pieces = data if isinstance(data, list) else [data]
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            if half:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            got = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := connection.recv(65536):
                    got += piece
                    if _whole(got):
                        break
            return got

    def post(self, body: bytes, content_type: str, path: str = "/v1/items", **headers: str) -> bytes:
        return self.raw(self.head(content_type, path, **{"Content-Length": str(len(body)), **headers}) + body)

    def head(self, content_type: str, path: str = "/v1/items", **headers: str) -> bytes:
        fields = {
            "Host": "localhost",
            "Authorization": f"Bearer {self.key}",
            "Content-Type": content_type,
            "Connection": "close",
            **headers,
        }
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode()


def _whole(answer: bytes) -> bool:
    head, blank, body = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(blank) and len(body) >= int(line.split(b":")[1])
    return False


def status(answer: bytes) -> int:
    """0: closed without an answer."""
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, workers: Workers) -> Iterator[Live]:
    with listening(tmp_path_factory.mktemp("live"), workers) as live:
        yield live


@pytest.fixture
def hasty(tmp_path: Path, workers: Workers) -> Iterator[Live]:
    """One that does not wait long for bodies."""
    with listening(tmp_path, workers, pause_seconds=0.4, body_seconds=1.5) as live:
        yield live


@contextlib.contextmanager
def listening(folder: Path, workers: Workers, **server_settings: float) -> Iterator[Live]:
    (folder / "spool").mkdir()
    settings = Settings(
        data_dir=folder,
        intake={"most_bytes": 300_000, "memory_bytes": 20_000, "spool_dir": folder / "spool"},
        server={"json_bytes": 100_000, **server_settings},
    )
    node = Node(settings, workers=lambda: contextlib.nullcontext(workers))
    node.prepare()
    config = uvicorn.Config(create_app(settings, node), port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    assert node.first_key is not None
    try:
        yield Live(node, port, node.first_key.secret.reveal())
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(autouse=True)
def _well_after(live: Live) -> Iterator[None]:
    """After every test the service takes a picture, and holds nothing of what came before."""
    yield
    assert status(live.post(picture(), "image/png")) == 200
    spool = live.node.settings.intake.spool_dir
    assert spool is not None

    def left() -> list[str]:
        items = [f"{live.node.intake.load().items} items"] if live.node.intake.load().items else []
        return [*items, *map(str, spool.iterdir()), *_open_in(spool)]

    deadline = time.monotonic() + 60
    while left() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left() == []  # neither files nor unlinked files that are still open


def _open_in(folder: Path) -> list[str]:
    """Files in a folder that this process has open, with a name or without."""
    descriptors = Path("/proc/self/fd")
    files = [_target(fd) for fd in descriptors.iterdir()] if descriptors.exists() else []
    return [name for name in files if str(folder) in name]


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""


def part(name: str, data: bytes, extra: str = "") -> bytes:
    head = f'--xyz\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + data + b"\r\n"


END = b"--xyz--\r\n"
FORM = "multipart/form-data; boundary=xyz"
DATA = picture(1)


def test_a_list_on_its_way_has_no_name(live: Live) -> None:
    # given a list of which half is there
    made = live.post(b'{"name": "arriving", "source": "test"}', "application/json", "/v1/banks")
    number = json.loads(made.partition(b"\r\n\r\n")[2])["id"]
    rows = b"".join(b"%032x\n" % at for at in range(2_000))
    path, half = f"/v1/banks/{number}/import?signal=md5", len(rows) // 2
    head = live.head("application/octet-stream", path, **{"Content-Length": str(len(rows))})
    spool = live.node.settings.intake.spool_dir
    assert spool is not None

    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as connection:
        connection.sendall(head + rows[:half])
        end = time.monotonic() + 60
        while not _open_in(spool):
            assert time.monotonic() < end, "the list is written down"
            time.sleep(0.01)

        # then nothing of it would stay if the process died, and the rest is taken
        assert list(spool.iterdir()) == []
        connection.sendall(rows[half:])
        answer = connection.makefile("rb").read()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["added"] == 2_000


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (part("file", DATA) + END, FORM, 200),
        (part("file", DATA, '; filename="../../etc/passwd"') + END, FORM, 200),
        (part("file", DATA, "; filename*=utf-8''%00") + END, FORM, 200),
        (b"preamble\r\n" + part("file", DATA) + END + b"epilogue", FORM, None),
        (part("file", DATA) + part("actor", "ä".encode()) + END, FORM, 200),
        (part("file", DATA), FORM, 400),  # no end
        (part("file", DATA)[:-20], FORM, 400),
        (part("file", DATA) + part("file", DATA) + END, FORM, 400),
        (part("actor", b"a") + END, FORM, 422),  # no file
        (part("file", b"") + END, FORM, 422),
        (END, FORM, None),
        (b"", FORM, None),
        (b"no form at all", FORM, 400),
        (part("file", DATA) + END, "multipart/form-data", 400),
        (part("file", DATA) + END, "multipart/form-data; boundary=", 400),
        (part("file", DATA) + END, "multipart/form-data; boundary=" + "b" * 500, 400),
        (part("file", DATA) + END, "multipart/form-data; boundary=other", 400),
        (part("file", DATA) + END, "multipart/mixed; boundary=xyz", 200),  # just bytes: examined as they are
        (part("file", DATA) + part("actor", b"\xff\xfe") + END, FORM, 400),
        (part("file", DATA) + part("actor", b"a\x00b") + END, FORM, 422),
        (part("file", DATA) + part("actor", b"a") + part("actor", b"b") + END, FORM, 400),
        (part("file", DATA) + part("nonsense", b"a") + END, FORM, 422),
        (part("file", DATA) + part("actor", b"a" * 500_000) + END, FORM, 400),
        (b"".join(part(f"f{n}", b"") for n in range(100)) + END, FORM, 400),
        (b"--xyz\r\nContent-Type: text/plain\r\n\r\nx\r\n" + END, FORM, 400),
        (b"--xyz\r\nContent-Disposition: attachment\r\n\r\nx\r\n" + END, FORM, 400),
        (b"--xyz\r\n" + b"X-A: " + b"a" * 20_000 + b"\r\n\r\nx\r\n" + END, FORM, 400),
        (
            b'--xyz\r\nContent-Disposition: form-data; name="file"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n" + END,
            FORM,
            400,
        ),
        (part("file", bytes(300_001)) + END, FORM, 413),
        (bytes(300_001), "image/png", 413),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "text/html", 200),
        (b"{}" * 60_000, "application/json", 413),
        (b"{" * 90_000, "application/json", 422),
        (b"[" * 90_000, "application/json", 422),
        (b"\xff\xfe\x00", "application/json", 422),
        (DATA, "", 200),
        (DATA, "image/png; boundary=xyz; charset=\xff".encode("latin-1").decode("latin-1"), 200),
    ],
)  # fmt: skip
def test_odd_bodies(live: Live, body: bytes, content_type: str, expected: int | None) -> None:
    got = status(live.post(body, content_type))
    assert 0 < got < 500
    assert got == expected or expected is None


@pytest.mark.parametrize(
    "path", ["/v1/items", "/v1/items/batch", "/v1/fingerprints", "/v1/banks", "/v1/policies/lint"]
)
@pytest.mark.parametrize(
    "body", [b"[" * 90_000, b'{"items":' * 5_000, b'{"a":1e999999}', b"NaN", b'"\\ud800"']
)
def test_odd_json(live: Live, path: str, body: bytes) -> None:
    assert 400 <= status(live.post(body, "application/json", path)) < 500


def test_lengths_that_lie(live: Live) -> None:
    body = part("file", DATA) + END
    for length in ("0", "1", str(len(body) - 5)):
        assert 400 <= status(live.post(body, FORM, **{"Content-Length": length})) < 500
    for wrong in ("-1", "1e3", "99999999999999999999", "abc", "5, 5"):
        assert 400 <= status(live.post(body, FORM, **{"Content-Length": wrong})) < 500
    assert status(live.post(b"", FORM, **{"Content-Length": "400000000"})) == 413
    # more than it says is another request, which is none
    assert status(live.post(body + b"GARBAGE", FORM, **{"Content-Length": str(len(body))})) == 200
    both = live.head(FORM, **{"Content-Length": "5", "Transfer-Encoding": "chunked"}) + b"0\r\n\r\n"
    assert status(live.raw(both)) < 500


def test_bodies_that_do_not_come(hasty: Live) -> None:
    # nothing, a drip, and a body that stops half-way
    head = hasty.head("image/png", **{"Content-Length": "5000"})
    assert status(hasty.raw(head)) == 408
    assert status(hasty.raw([head] + [b"x"] * 1000, pause=0.1)) in (408, 0)
    assert status(hasty.raw([head, b"x" * 1000])) == 408
    # gone half-way: nothing to answer
    assert status(hasty.raw(head + b"x" * 100, half=True)) in (0, 400, 408)


def test_bodies_in_chunks(live: Live) -> None:
    head = live.head("image/png", **{"Transfer-Encoding": "chunked"})
    good = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DATA), DATA)
    assert status(live.raw(head + good)) == 200
    for bad in (b"zz\r\nx\r\n", b"-5\r\nx\r\n", b"ffffffffffffffffff\r\nx", b"5\r\nabcdefgh\r\n0\r\n\r\n"):
        assert status(live.raw(head + bad)) < 500
    endless = [head] + [b"1000\r\n" + bytes(4096) + b"\r\n"] * 100
    assert status(live.raw(endless)) in (413, 0)


def test_compressed_bodies_are_refused(live: Live) -> None:
    for encoding in ("gzip", "deflate", "br", "identity, gzip"):
        assert status(live.post(DATA, "image/png", **{"Content-Encoding": encoding})) == 415


def test_many_slow_senders_leave_room_for_others(live: Live) -> None:
    head = live.head("image/png", **{"Content-Length": "5000"})
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", live.port)))
            slow.sendall(head + b"x")
        assert status(live.post(DATA, "image/png")) == 200


def mutated(rng: random.Random) -> tuple[bytes, str]:
    body = bytearray(part("file", DATA[:2000]) + part("actor", b"a") + END)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(body) or 1)
        change = rng.choice(["flip", "cut", "double", "insert", "boundary"])
        if change == "flip" and body:
            body[at] = rng.randrange(256)
        elif change == "cut":
            del body[at : at + rng.randint(1, 300)]
        elif change == "double":
            body[at:at] = body[at : at + rng.randint(1, 300)]
        elif change == "insert":
            body[at:at] = rng.randbytes(rng.randint(1, 30))
        else:
            body[at:at] = rng.choice(
                [b"\r\n--xyz\r\n", b"--xyz--", b"\r\n\r\n", b"\r\n--xyz--\r\n", b"\r", b"\n"]
            )
    return bytes(body), rng.choice(
        [FORM, FORM, FORM, 'multipart/form-data; boundary="xyz"', "application/octet-stream"]
    )


def fuzz(live: Live, rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    seen = set()
    for _ in range(rounds):
        body, content_type = mutated(rng)
        got = status(live.post(body, content_type))
        assert 0 < got < 500, (body, content_type)
        seen.add(got)
    assert {200, 400} <= seen


def test_mutated_forms(live: Live) -> None:
    fuzz(live, 250, 1)


@pytest.mark.slow
def test_mutated_forms_in_the_long_run_cost_no_memory(live: Live) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    fuzz(live, 1000, 2)
    before = resident()
    for seed in range(3, 10):
        fuzz(live, 1000, seed)
    assert resident() - before < 60 << 20
