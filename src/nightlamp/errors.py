"""Every error that Nightlamp raises on purpose, as one tree.

``NightlampError`` says *what* went wrong, *where*, and *what to try*. Messages never hold content, a
fingerprint or a list's entry: they may end up in a log.

::

    NightlampError
    ├── MediaError       an item's bytes could not be examined (``code`` says how)
    ├── ArchiveError     an archive could not be read, or hits a limit (``code`` says how)
    ├── SignalError      a signal is unknown, or a plug-in is broken
    ├── ListError        a hash list cannot be read, or has bad rows under ``--strict``
    ├── BankError        a live bank is unknown, or a change to it makes no sense
    ├── SnapshotError    an index file is damaged, half-written or of another version
    ├── OutboundError    a request to the outside was refused or failed (``code`` says how)
    ├── WebhookError     a received webhook is not what its sender signed (``code`` says how)
    ├── OutputError      a scan's output cannot be written or continued
    ├── ConfigError      a setting is wrong or missing
    ├── ClientError      the service did not do what its client asked (``code`` says why)
    ├── StoreError       the database cannot be used
    │   ├── UnavailableError   it is away, locked, full or busy; nothing was written
    │   └── UndecidedError     it went away during a commit, and cannot be asked yet
    ├── AccessError      an API key is unknown, or cannot be made as asked
    ├── IntakeError      a submission, policy or webhook makes no sense (``code`` says how)
    ├── CaseError        a case cannot be worked on as asked (``code`` says why)
    ├── FeedError        a feed is unknown, or cannot be made or changed as asked
    │   └── ExchangeError      an exchange did not do what its client asked (``kind`` says why)
    ├── ReportError      a report cannot be made, changed or sent as asked (``code`` says why)
    ├── ServiceError     a look-up service could not be asked (``code`` says why)
    ├── AuditError       a record that may not be written, or a log or key that cannot be read
    └── VaultError       content cannot be sealed, kept, opened or destroyed
"""

from __future__ import annotations

from typing import Literal

MediaCode = Literal[
    "empty",  # no bytes at all
    "unknown type",  # the bytes are of no type that we know
    "no decoder",  # a known type, but nothing installed decodes it
    "damaged",  # a known type, but the decoder gave up
    "truncated",  # the end is missing; what was there may have been examined
    "too large",  # more bytes than the limit
    "too many pixels",  # more pixels than the limit, said by the header
    "too many frames",  # more frames than the limit; the rest were not examined
    "out of memory",  # the decoder hit the worker's memory limit
    "timeout",  # the decoder hit the worker's time limit
    "crashed",  # the decoder took its worker process down
    "low detail",  # decoded, but too featureless for a perceptual signal
    "unreadable",  # the operating system did not give us the bytes
]
ArchiveCode = Literal[
    "damaged",
    "encrypted",
    "too deep",
    "too many members",
    "too large",
    "ratio",
    "timeout",
    "out of memory",
    "crashed",
    "no decoder",
]

OutboundCode = Literal[
    "invalid url",  # no http or https URL
    "bad request",  # what was to be sent is not HTTP
    "refused",  # the scheme, port, address or redirect is one that our rules forbid; nothing was sent there
    "unreachable",  # no such name, or nobody accepts or keeps a connection
    "tls",  # the certificate or the handshake is bad
    "timeout",  # the time for everything together is used up
    "too large",  # more bytes than the limit, as sent or once unpacked
    "redirect",  # too many redirects, or one that leads nowhere
    "status",  # not the status that was asked for
    "bad answer",  # not HTTP, cut short, or packed in a way that we do not open
]
ClientCode = Literal[
    "unreachable",  # no connection, or it broke off; whether the request was taken is not known
    "timeout",  # no answer in time; the same
    "unauthorized",  # no key in force
    "forbidden",  # a key without the scope that it takes
    "not found",
    "invalid",  # the request makes no sense to the service
    "conflict",  # it contradicts what is there, e.g. an idempotency key of another request
    "too large",
    "too many",  # more than the key's rate
    "unavailable",  # the service, or a part that it needs, does not work now
    "failed",  # any other answer that is no success
    "bad answer",  # not what the service says: something else answers there, or another version
]
WebhookCode = Literal["missing", "malformed", "too old", "too new", "no match"]


class NightlampError(Exception):
    """What went wrong, where, and what to try; the root of all errors here."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """``where: what. Try: hint``, leaving out what is not known."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. Try: {self.hint}" if self.hint else text


class MediaError(NightlampError):
    """An item's bytes could not be examined, wholly or in part; ``code`` is one of ``MediaCode``."""

    def __init__(self, code: MediaCode, what: str = "", *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{code}: {what}" if what else code, where=where, hint=hint)
        self.code: MediaCode = code
        self.detail = what


class ArchiveError(NightlampError):
    """An archive could not be read to its end; ``code`` is one of ``ArchiveCode``."""

    def __init__(self, code: ArchiveCode, what: str = "", *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{code}: {what}" if what else code, where=where, hint=hint)
        self.code: ArchiveCode = code
        self.detail = what


class SignalError(NightlampError):
    """A signal is unknown, or the plug-in that brings it is broken."""


class ListError(NightlampError):
    """A hash list cannot be read, or holds bad rows and ``strict`` was asked for."""


class BankError(NightlampError):
    """A live bank is unknown, its name is taken, or a change to it makes no sense; nothing was changed."""


class SnapshotError(NightlampError):
    """An index file is damaged, half-written or of another version; it was not used."""


class PolicyError(NightlampError):
    """A policy file or its cases cannot be read, or break a rule of the language; it is not in force."""


class OutboundError(NightlampError):
    """A request to the outside was refused or failed; ``code`` is one of ``OutboundCode``.

    The message is for the operator. Who submitted the URL is told ``for_submitter`` and nothing else,
    whatever happened: a difference between two failures would tell about the service's own network.
    """

    for_submitter = "the URL could not be fetched"

    def __init__(self, code: OutboundCode, what: str = "", *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{code}: {what}" if what else code, where=where, hint=hint)
        self.code: OutboundCode = code


class WebhookError(NightlampError):
    """A received webhook is not, or no longer, what its sender signed; ``code`` is one of ``WebhookCode``."""

    def __init__(self, code: WebhookCode, what: str) -> None:
        super().__init__(f"{code}: {what}", where="webhook")
        self.code: WebhookCode = code


class ClientError(NightlampError):
    """The service did not do what its client asked; ``code`` is one of ``ClientCode``.

    Args:
        status: of the HTTP answer; None: there was none.
        retry_after: seconds that the service asked for, if it did.
    """

    def __init__(
        self,
        code: ClientCode,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.code: ClientCode = code
        self.status = status
        self.retry_after = retry_after


class OutputError(NightlampError):
    """A scan's output cannot be written, or an earlier one cannot be continued."""


class ConfigError(NightlampError):
    """A setting is wrong or missing; the message names it, and never shows its value."""


class StoreError(NightlampError):
    """The database cannot be used."""


class UnavailableError(StoreError):
    """The database is away, locked, full or too busy; nothing of the work was written."""


class UndecidedError(StoreError):
    """The database went away during a commit and has not come back: the work may have been written or not."""


class AccessError(NightlampError):
    """An API key is unknown or refused, or cannot be made as asked; nothing was changed."""


IntakeCode = Literal[
    "invalid",  # it makes no sense as it stands
    "not found",  # it names something that is not there
    "too large",  # more bytes than the limit
    "conflict",  # it contradicts what is there, e.g. an idempotency key of another request
    "unavailable",  # a part that it needs does not work now; nothing was done, try again
]


class IntakeError(NightlampError):
    """A submission, policy or webhook cannot be taken; ``code`` is one of ``IntakeCode``."""

    def __init__(self, code: IntakeCode, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.code: IntakeCode = code


CaseCode = Literal[
    "invalid",  # it makes no sense as it stands
    "not found",  # there is no such case, item or answer
    "stale",  # the case has changed since the page was made; ``changed`` says how
    "not yours",  # somebody else has it, or the claim has ended
    "decided",  # it is decided, or was applied already
    "other person",  # somebody else must answer now: the second of two people, or the lead
    "limit",  # no more is to be shown to this person now
    "resting",  # the person asked for a break
]


class CaseError(NightlampError):
    """A case cannot be worked on as asked; nothing was changed. ``code`` is one of ``CaseCode``.

    Args:
        changed: what has changed since the page was made, if that is why.
    """

    def __init__(
        self, code: CaseCode, what: str, *, where: str = "case", hint: str = "", changed: str = ""
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.code: CaseCode = code
        self.changed = changed


ExchangeKind = Literal[
    "credentials",  # it refuses the name, the password or the key
    "environment",  # credentials or answers of another environment (test, production) than the one set
    "network",  # no name, no connection, no TLS, no whole answer in time, or a 5xx
    "clock",  # its clock and ours differ by more than its protocol bears
    "stale",  # it no longer takes the cursor or the checkpoint
    "limited",  # it asks for less; ``retry_after`` if it says when
    "hostile",  # an answer that breaks a limit: size, depth, a DTD, a link to elsewhere
    "malformed",  # an answer that is not what its protocol says
    "gone",  # the list, the collaboration or the endpoint is not there any more
]


class FeedError(NightlampError):
    """A feed is unknown, its name is taken, or it cannot be made or changed as asked."""


class ExchangeError(FeedError):
    """An exchange did not do what its client asked; ``kind`` is one of ``ExchangeKind``.

    Args:
        retry_after: seconds that the exchange asked for, if it did.
    """

    def __init__(
        self,
        kind: ExchangeKind,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.kind: ExchangeKind = kind
        self.retry_after = retry_after


ReportCode = Literal[
    "invalid",  # it, or a part of it, makes no sense as it stands
    "not found",
    "conflict",  # it is not in a state in which that can be done, or somebody has changed it
    "refused",  # that must not be done: by the same person twice, from a test, to elsewhere
    "malformed",  # a document that is not as the authority's schema says
    "stopped",  # the authority refuses our credentials or rights: nothing can be sent
]


class ReportError(NightlampError):
    """A report cannot be made, changed or sent as asked; ``code`` is one of ``ReportCode``."""

    def __init__(self, code: ReportCode, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.code: ReportCode = code


ServiceCode = Literal[
    "credentials",  # it refuses our key
    "limited",  # it asks for less
    "refused",  # it works, but does not take this item
    "unavailable",  # no answer, or one that says that it fails
    "bad answer",  # an answer that is not what its protocol says
    "failed",  # our own side
]


class ServiceError(NightlampError):
    """A look-up service could not be asked; ``code`` is one of ``ServiceCode``.

    Args:
        retry_after: seconds that the service asked for, if it did.
    """

    def __init__(
        self,
        code: ServiceCode,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.code: ServiceCode = code
        self.retry_after = retry_after


class AuditError(NightlampError):
    """A record that may not be written, or an audit log or key that cannot be read."""


class VaultError(NightlampError):
    """Content cannot be sealed, kept, opened or destroyed."""
