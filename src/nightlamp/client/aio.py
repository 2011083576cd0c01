"""The client for asyncio: as ``Client``, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from nightlamp.client import administration as _administration
from nightlamp.client import banks as _banks
from nightlamp.client import cases as _cases
from nightlamp.client import feeds as _feeds
from nightlamp.client import holds as _holds
from nightlamp.client import items as _items
from nightlamp.client import reports as _reports
from nightlamp.client.bodies import pieces_async
from nightlamp.client.call import Call, Download, Paged
from nightlamp.client.connecting import Connection, request_of
from nightlamp.client.course import Wait, course, value_of
from nightlamp.client.failures import failure_on_the_way
from nightlamp.client.making import with_self
from nightlamp.client.retrying import Retry

if TYPE_CHECKING:
    import ssl

P = ParamSpec("P")
T = TypeVar("T")


def _sent(make: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """A method that makes a call and sends it."""

    @wraps(make)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        call = make(*args, **kwargs)
        del args, kwargs  # a traceback would hold them
        return await self.send(call)

    return with_self(method)


def _each(make: Callable[P, Paged[T]]) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]:
    """A method that goes through a list."""

    @wraps(make)
    def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        call = make(*args, **kwargs)
        del args, kwargs  # a traceback would hold them
        return self.each(call)

    return with_self(method)


def _downloaded(make: Callable[P, Download]) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[bytes]]:
    """A method that reads a long answer."""

    @wraps(make)
    def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[bytes]:
        call = make(*args, **kwargs)
        del args, kwargs  # a traceback would hold them
        return self.download(call)

    return with_self(method)


class AsyncClient:
    """A connection to the service; use it as an async context manager, or close it. Tasks may share one.

    Args:
        address, key, retry, timeout, verify, transport: as in ``Client``.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        retry: Retry = Retry(),  # noqa: B008 (frozen)
        timeout: float = 60.0,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._connection = Connection(address, key)
        self._retry = retry
        self._http = httpx.AsyncClient(
            base_url=self._connection.address,
            headers=self._connection.headers(),
            timeout=timeout,
            verify=verify,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.shown!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call, again if need be, and return what the answer says.

        Raises:
            ClientError: it failed for good.
        """
        return value_of(call, await self._response(call, stream=False))

    async def each(self, paged: Paged[T]) -> AsyncIterator[T]:
        """Everything of a list, page after page as you go on."""
        page = await self.send(paged.call)
        while True:
            for item in page.items:
                yield item
            if page.next is None:
                return
            page = await self.send(paged.after(page.next))

    async def download(self, download: Download) -> AsyncIterator[bytes]:
        """A long answer in pieces, as it comes.

        Raises:
            ClientError: it failed, or broke off: what came before is not whole.
        """
        response = await self._response(download.call, stream=True)
        async with aclosing(response):
            pieces = response.aiter_bytes()
            while True:
                failed: httpx.HTTPError | None = None
                try:
                    piece = await anext(pieces, b"")
                except httpx.HTTPError as error:
                    failed = error
                if failed is not None:
                    raise failure_on_the_way(failed)
                if not piece:
                    return
                yield piece

    async def _response(self, call: Call[Any], *, stream: bool) -> httpx.Response:
        steps = course(call, self._retry, time.monotonic)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                else:
                    step = steps.send(await self._attempt(call, stream))
        except StopIteration as end:
            response: httpx.Response = end.value
            return response

    async def _attempt(
        self, call: Call[Any], stream: bool
    ) -> httpx.Response | httpx.HTTPError | httpx.InvalidURL:
        content = pieces_async(call.body) if call.body is not None else None
        try:
            request = self._http.build_request(**request_of(call), content=content)
            response = await self._http.send(request, stream=stream)
            if response.is_error:
                await response.aread()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return error
        return response

    submit = _sent(_items.submit)
    submit_url = _sent(_items.submit_url)
    submit_batch = _sent(_items.submit_batch)
    submit_fingerprints = _sent(_items.submit_fingerprints)
    submit_fingerprint_batch = _sent(_items.submit_fingerprint_batch)
    item = _sent(_items.item)
    verdicts_on = _sent(_items.verdicts_on)
    items = _each(_items.items)
    verdicts = _each(_items.verdicts)
    matches = _each(_items.matches)

    banks = _sent(_banks.banks)
    bank = _sent(_banks.bank)
    create_bank = _sent(_banks.create_bank)
    change_bank = _sent(_banks.change_bank)
    delete_bank = _sent(_banks.delete_bank)
    add_entries = _sent(_banks.add_entries)
    remove_entries = _sent(_banks.remove_entries)
    dispute_entries = _sent(_banks.dispute_entries)
    import_list = _sent(_banks.import_list)
    entries = _each(_banks.entries)
    export_bank = _downloaded(_banks.export_bank)

    feeds = _sent(_feeds.feeds)
    feed = _sent(_feeds.feed)
    add_feed = _sent(_feeds.add_feed)
    change_feed = _sent(_feeds.change_feed)
    sync_feed = _sent(_feeds.sync_feed)
    pause_feed = _sent(_feeds.pause_feed)
    resume_feed = _sent(_feeds.resume_feed)
    remove_feed = _sent(_feeds.remove_feed)
    examine_feed = _sent(_feeds.examine_feed)

    case = _sent(_cases.case)
    claim_case = _sent(_cases.claim_case)
    decide_case = _sent(_cases.decide_case)
    undo_answer = _sent(_cases.undo_answer)
    next_case = _sent(_cases.next_case)
    release_case = _sent(_cases.release_case)
    split_case = _sent(_cases.split_case)
    reopen_case = _sent(_cases.reopen_case)
    case_answers = _sent(_cases.case_answers)
    case_items = _each(_cases.case_items)
    cases = _each(_cases.cases)
    report = _sent(_reports.report)
    report_calls = _sent(_reports.report_calls)
    report_standing = _sent(_reports.report_standing)
    draft_report = _sent(_reports.draft_report)
    change_report = _sent(_reports.change_report)
    add_report_files = _sent(_reports.add_report_files)
    approve_report = _sent(_reports.approve_report)
    send_report = _sent(_reports.send_report)
    retract_report = _sent(_reports.retract_report)
    follow_up_report = _sent(_reports.follow_up_report)
    reports = _each(_reports.reports)
    package_authorities = _sent(_reports.package_authorities)
    packages = _each(_reports.packages)
    make_package = _downloaded(_reports.make_package)
    export = _sent(_reports.export)
    exports = _each(_reports.exports)
    stop_export = _sent(_reports.stop_export)

    hold_for_request = _sent(_holds.hold_for_request)
    extend_hold = _sent(_holds.extend_hold)
    release_hold = _sent(_holds.release_hold)
    destroy_content = _sent(_holds.destroy_content)
    holds = _each(_holds.holds)
    transparency = _sent(_holds.transparency)

    policy = _sent(_administration.policy)
    add_policy = _sent(_administration.add_policy)
    lint_policy = _sent(_administration.lint_policy)
    try_policy = _sent(_administration.try_policy)
    activate_policy = _sent(_administration.activate_policy)
    roll_back_policy = _sent(_administration.roll_back_policy)
    keys = _sent(_administration.keys)
    create_key = _sent(_administration.create_key)
    revoke_key = _sent(_administration.revoke_key)
    webhooks = _sent(_administration.webhooks)
    create_webhook = _sent(_administration.create_webhook)
    remove_webhook = _sent(_administration.remove_webhook)
    replay_deliveries = _sent(_administration.replay_deliveries)
    verify_audit = _sent(_administration.verify_audit)
    health = _sent(_administration.health)
    metrics = _sent(_administration.metrics)
    policies = _each(_administration.policies)
    deliveries = _each(_administration.deliveries)
    audit = _each(_administration.audit)
    export_audit = _downloaded(_administration.export_audit)
