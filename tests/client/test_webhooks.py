"""A receiver of webhooks, with what the client gives it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from nightlamp.client import Client, WebhookError, WebhookSecret, read_webhook, verify_webhook

from .conftest import picture


@pytest.fixture
def received() -> Iterator[tuple[int, queue.Queue]]:
    messages: queue.Queue = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            messages.put((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, messages
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_verdict_that_nobody_waited_for_comes_signed_and_can_be_sent_again(
    client: Client, received
) -> None:
    # given an endpoint
    port, messages = received
    hook = client.create_webhook(f"http://127.0.0.1:{port}/hook")
    secret = WebhookSecret.parse(hook.secret or "")

    # when something is submitted without waiting
    outcome = client.submit(picture(30), platform_id="w-1", wait=False)
    headers, body = messages.get(timeout=120)

    # then the verdict comes, and the secret of that endpoint alone signed it
    assert (outcome.state, outcome.action) == ("pending", None) or outcome.verdict is not None
    message = verify_webhook(headers, body, [secret], time.time())
    with pytest.raises(WebhookError):
        verify_webhook(headers, body + b" ", [secret], time.time())
    with pytest.raises(WebhookError):
        verify_webhook(headers, body, [WebhookSecret.new()], time.time())
    again, verdict = read_webhook(headers, body, [WebhookSecret.new(), secret])
    assert again == message
    assert (verdict.id, verdict.platform_id, verdict.action, verdict.late) == (
        outcome.id,
        "w-1",
        "allow",
        False,
    )

    # and it can be sent again under the same id
    until = time.monotonic() + 120
    while not (sent := list(client.deliveries(hook.id, state="delivered"))) and time.monotonic() < until:
        time.sleep(0.05)
    assert [each.item for each in sent] == [outcome.id]
    assert client.replay_deliveries(hook.id, delivery=sent[0].id) == 1
    headers, body = messages.get(timeout=120)
    assert verify_webhook(headers, body, [secret], time.time()) == message
    client.remove_webhook(hook.id)
    hooks = client.webhooks()
    assert [each.disabled_why for each in hooks if each.id == hook.id] == ["removed"]
