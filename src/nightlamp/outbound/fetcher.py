"""Fetching a URL item, posting a webhook, and talking to a service that the operator has chosen."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from nightlamp.errors import OutboundError
from nightlamp.outbound.connection import Deadline, Resolver, connect, dial, system_resolver
from nightlamp.outbound.outgoing import Outgoing
from nightlamp.outbound.rules import Rules
from nightlamp.urls import Url, canonical, join

if TYPE_CHECKING:
    from nightlamp.outbound.exchange import Answer

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL led to.

    Args:
        url: where the body came from, after all redirects.
        redirects: how many were followed.
        claimed_type: the Content-Type header; a claim, to be shown at most.
        body: the bytes, unpacked; empty if they went elsewhere.
    """

    url: Url
    redirects: int
    claimed_type: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Posted:
    """A receiver's status, and the seconds after which it wants to be asked again, if it says."""

    status: int
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a service answered; any status is an answer.

    Args:
        status: of the answer.
        body: the bytes, unpacked.
        date: the service's own clock, if it tells.
        retry_after: seconds after which it wants to be asked again, if it says.
        etag, modified: the headers ETag and Last-Modified, as they came; ``""`` if they did not.
        location: where a redirect that was not followed leads; ``""`` if nowhere.
        signature: the header Nightlamp-Signature.
    """

    status: int
    body: bytes = field(repr=False)
    date: datetime | None = None
    retry_after: float | None = None
    etag: str = ""
    modified: str = ""
    location: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)


def default_tls() -> ssl.SSLContext:
    """TLS 1.2 or newer, the system's authorities, names checked, and never a key log."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Fetcher:
    """Makes requests within ``rules``; holds no connection and no cookie; safe to share between threads.

    Args:
        rules: what may be reached, and what it may cost.
        resolve: (name, port) → addresses as text; raises ``OSError`` where there are none.
        tls: for operators with authorities of their own; it must check names.
        agent: the User-Agent header.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        resolve: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
        agent: str = "nightlamp",
    ) -> None:
        self.rules = rules or Rules()
        self._resolve = resolve
        self._tls = tls or default_tls()
        self._agent = agent
        if not self._tls.check_hostname:
            raise ValueError("a TLS context that does not check names")

    def fetch(self, url: str, into: Callable[[bytes], object] | None = None) -> Fetched:
        """The bytes behind a URL, within the rules, through redirects.

        Args:
            url: of the item.
            into: takes the body piece by piece as it comes, instead of the answer's ``body``; what it raises
                ends the request.

        Raises:
            OutboundError: see ``OutboundCode``; tell a submitter its ``for_submitter`` only. ``into`` may
                have had a part by then.
        """
        deadline = Deadline(self.rules.seconds)
        at = _parsed(url)
        for redirects in range(self.rules.max_redirects + 1):
            with self._asked("GET", at, {}, b"", deadline) as answer:
                if answer.status not in _REDIRECTS:
                    if answer.status != 200:
                        raise OutboundError("status", f"{answer.status} instead of 200")
                    claimed = answer.header(b"content-type") or ""
                    if into is None:
                        return Fetched(at, redirects, claimed, answer.body(self.rules.max_bytes))
                    for piece in answer.pieces(self.rules.max_bytes):
                        into(piece)
                    return Fetched(at, redirects, claimed, b"")
                location = answer.header(b"location")
            at = self._redirected(at, location)
        raise OutboundError("redirect", f"more than {self.rules.max_redirects} redirects")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Post ``body``; redirects are not followed, and the answer's body is not read.

        Raises:
            OutboundError: there was no answer; any status is an answer.
        """
        with self._asked("POST", _parsed(url), headers, body, Deadline(self.rules.seconds)) as answer:
            return Posted(answer.status, answer.retry_after())

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Outgoing = b"",
        most: int | None = None,
        follow: bool = False,
    ) -> Answered:
        """One request with headers of one's own, and its whole answer.

        Args:
            method: GET, HEAD, POST, PUT or DELETE.
            url: of the service.
            headers: e.g. credentials; a redirect to another origin does not get them.
            body: what is sent; ``Outgoing``: in a stream.
            most: bytes of the answer, if fewer than the rules allow.
            follow: redirects, as ``fetch`` does; otherwise a redirect is an answer like any other.

        Raises:
            OutboundError: there was no answer; any status is an answer.
        """
        with self.asking(method, url, headers=headers, body=body, follow=follow) as answer:
            # A 304 may name the length of a body that it does not have.
            bodiless = method == "HEAD" or answer.status == 304
            taken = b"" if bodiless else answer.body(self._most(most))
            return _answered(answer, taken)

    @contextmanager
    def asking(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Outgoing = b"",
        follow: bool = False,
    ) -> Iterator[Answer]:
        """As ``ask``, with an answer whose body is read in pieces (``Answer.pieces``) within the block.

        How many bytes are read is the caller's to bound.

        Raises:
            OutboundError: there was no answer, or, while its body is read, no more of it.
        """
        deadline = Deadline(self.rules.seconds)
        at = _parsed(url)
        given = dict(headers or {})
        for _ in range(self.rules.max_redirects + 1):
            with self._asked(method, at, given, body, deadline) as answer:
                if not (follow and answer.status in _REDIRECTS):
                    yield answer
                    return
                location = answer.header(b"location")
            target = self._redirected(at, location)
            if (target.scheme, target.authority) != (at.scheme, at.authority):
                given = {}
            at = target
        raise OutboundError("redirect", f"more than {self.rules.max_redirects} redirects")

    def dial(self, host: str, port: int) -> socket.socket:
        """A bare connection for another protocol (SFTP), within the rules; the caller closes it.

        Raises:
            OutboundError: it may not or cannot be made.
        """
        at = _parsed(f"http://{host}:{port}/")
        if at.effective_port not in self.rules.ports:
            raise OutboundError("refused", f"port {at.effective_port} may not be used")
        return dial(at, self.rules, self._resolve, Deadline(self.rules.connect_seconds))

    def _most(self, most: int | None) -> int:
        return self.rules.max_bytes if most is None else min(most, self.rules.max_bytes)

    @contextmanager
    def _asked(
        self, method: str, url: Url, headers: Mapping[str, str], body: bytes | Outgoing, deadline: Deadline
    ) -> Iterator[Answer]:
        import h11

        from nightlamp.outbound.exchange import Answer

        fields = {
            "Host": url.authority,
            "User-Agent": self._agent,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        size = body.size if isinstance(body, Outgoing) else len(body)
        if method in ("POST", "PUT") or size:
            fields["Content-Length"] = str(size)
        fields |= {"Connection": "close", **headers}
        try:
            request = h11.Request(method=method, target=url.target, headers=list(fields.items()))
        except (h11.LocalProtocolError, ValueError):  # h11's words would quote a credential
            raise OutboundError("bad request", "a header that cannot be sent") from None
        connection = connect(url, self.rules, self._resolve, self._tls, deadline)
        try:
            yield Answer(connection, request, body, deadline)
        finally:
            connection.close()

    def _redirected(self, at: Url, location: str | None) -> Url:
        try:
            if not location:
                raise ValueError
            target = join(at, location)
        except ValueError:
            raise OutboundError("redirect", "it leads nowhere") from None
        if at.scheme == "https" and target.scheme == "http" and not self.rules.allow_downgrade:
            raise OutboundError("refused", "a redirect from https to http")
        return target


def _parsed(url: str) -> Url:
    try:
        return canonical(url, drop=frozenset())
    except ValueError as error:
        raise OutboundError("invalid url", str(error)) from None


def _answered(answer: Answer, body: bytes) -> Answered:
    from nightlamp.outbound.exchange import date

    return Answered(
        answer.status,
        body,
        date(answer.header(b"date")),
        answer.retry_after(),
        answer.header(b"etag") or "",
        answer.header(b"last-modified") or "",
        answer.header(b"location") or "",
        answer.header(b"nightlamp-signature") or "",
    )
