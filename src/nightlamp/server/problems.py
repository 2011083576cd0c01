"""Every error of the API as a problem (RFC 9457), of a stable type; ``docs/api.md`` lists the types.

A problem says no more than its reader may know: to a key that may only submit, all that does not work inside
the service looks the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException

from nightlamp.access import Principal, Scope
from nightlamp.errors import (
    AccessError,
    AuditError,
    BankError,
    CaseCode,
    CaseError,
    FeedError,
    IntakeCode,
    IntakeError,
    ListError,
    NightlampError,
    OutboundError,
    PolicyError,
    ReportCode,
    ReportError,
    SignalError,
    StoreError,
    UndecidedError,
    VaultError,
)

ANSWERED = (NightlampError, SQLAlchemyError, RequestValidationError, HTTPException)
URN = "urn:nightlamp:problem:"
MEDIA_TYPE = "application/problem+json"
TYPES: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "unauthorized": (401, "No key in force"),
    "forbidden": (403, "The key may not do this"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This cannot be done here"),
    "slow": (408, "The body did not arrive in time"),
    "conflict": (409, "It contradicts what is there"),
    "too-large": (413, "More bytes than the limit"),
    "unsupported": (415, "A content type that is not taken here"),
    "invalid": (422, "The request makes no sense"),
    "policy-invalid": (422, "The policy has errors"),
    "list-invalid": (422, "The hash list cannot be read"),
    "too-many": (429, "Too many requests"),
    "internal": (500, "An error inside the service"),
    "unavailable": (503, "A part of the service does not work now; nothing was done"),
    "undecided": (503, "Nobody knows yet whether it was done"),
}
_NAME = re.compile(r"[A-Za-z_-]{1,30}")  # a field's; a hash value is longer, or has digits
_OF_STATUS = {400: "malformed", 401: "unauthorized", 403: "forbidden", 404: "not-found"}
_OF_STATUS |= {405: "method-not-allowed", 413: "too-large", 415: "unsupported", 422: "invalid"}
_OF_INTAKE: Mapping[IntakeCode, str] = {
    "invalid": "invalid",
    "not found": "not-found",
    "too large": "too-large",
    "conflict": "conflict",
    "unavailable": "unavailable",
}

_OF_CASE: Mapping[CaseCode, str] = {
    "invalid": "invalid",
    "not found": "not-found",
    "other person": "forbidden",
    "limit": "forbidden",
    "stale": "conflict",
    "not yours": "conflict",
    "decided": "conflict",
    "resting": "conflict",
}

_OF_REPORT: Mapping[ReportCode, str] = {
    "invalid": "invalid",
    "not found": "not-found",
    "conflict": "conflict",
    "refused": "forbidden",
    "malformed": "invalid",
    "stopped": "unavailable",
}


class Problem(HTTPException):
    """A request that ends here.

    Args:
        kind: one of ``TYPES``.
        detail: of this case, for people; no secret.
        where: the field or header.
        hint: what to try.
        headers: of the answer.
        more: further members, e.g. ``errors``.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        where: str = "",
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        status, _ = TYPES[kind]
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind
        self.where = where
        self.hint = hint
        self.more = more

    def body(self, request_id: str) -> dict[str, Any]:
        """The members."""
        status, title = TYPES[self.kind]
        told = {
            "type": URN + self.kind,
            "title": title,
            "status": status,
            "detail": self.detail,
            "where": self.where,
            "hint": self.hint,
            "request_id": request_id,
            **self.more,
        }
        return {name: value for name, value in told.items() if value not in ("", None)}

    def response(self, scope: Mapping[str, Any]) -> Response:
        """The answer."""
        content = json.dumps(self.body(scope.get("nightlamp.request_id", "")), ensure_ascii=True)
        return Response(content, self.status_code, self.headers, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """The problem that an error is."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, IntakeError):
        kind = _OF_INTAKE[error.code]
        return Problem(kind, error.what, where=error.where, hint=error.hint, headers=_later(kind))
    if isinstance(error, CaseError):
        kind, code, changed = _OF_CASE[error.code], error.code, error.changed
        return Problem(kind, error.what, where=error.where, hint=error.hint, code=code, changed=changed)
    if isinstance(error, ReportError):
        return Problem(_OF_REPORT[error.code], error.what, where=error.where, hint=error.hint)
    if isinstance(error, AccessError):
        kind = "not-found" if error.where == "key" else "invalid"
        return Problem(kind, error.what, where=error.where, hint=error.hint)
    if isinstance(error, PolicyError):
        return Problem("policy-invalid", str(error.what), where=error.where, hint=error.hint)
    if isinstance(error, ListError):
        return Problem("list-invalid", error.what, where=error.where, hint=error.hint)
    if isinstance(error, UndecidedError):
        return Problem("undecided", error.what, hint=error.hint, headers=_later("unavailable"))
    if isinstance(error, StoreError | VaultError):
        return Problem("unavailable", error.what, headers=_later("unavailable"))
    if isinstance(error, BankError | FeedError | SignalError | AuditError | OutboundError):
        return Problem("invalid", error.what, where=error.where, hint=error.hint)
    if isinstance(error, DataError):
        return Problem("invalid", "a value that the database cannot hold")
    if isinstance(error, SQLAlchemyError):
        return Problem("unavailable", "the database does not answer", headers=_later("unavailable"))
    if isinstance(error, RequestValidationError):
        return Problem("invalid", errors=[_plain(each) for each in error.errors()])
    if isinstance(error, HTTPException):
        kind = _OF_STATUS.get(error.status_code, "malformed" if error.status_code < 500 else "internal")
        return Problem(kind, headers=error.headers)
    if isinstance(error, NightlampError):
        return Problem("internal", error.what)
    return Problem("internal", "see the service's log under this request_id")


_INSIDE: tuple[Scope, ...] = ("read", "review", "report", "disclose", "admin", "audit")


def told_to(problem: Problem, principal: Principal | None) -> Problem:
    """What may be told of it: what does not work inside is no business of who may only submit."""
    if problem.status_code >= 500 and (principal is None or not principal.may(*_INSIDE)):
        return Problem(problem.kind, headers=problem.headers)
    return problem


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with its problem."""

    async def told(request: Request, error: Exception) -> Response:
        return answer(request, error)

    for kind in ANSWERED:
        app.add_exception_handler(kind, told)


def answer(request: Request, error: Exception) -> Response:
    """The answer to a request that ended in one of ``ANSWERED``."""
    problem = problem_of(error)
    if problem.status_code >= 500:
        request.scope["nightlamp.error"] = error
    return told_to(problem, request.scope.get("nightlamp.principal")).response(request.scope)


def _later(kind: str) -> dict[str, str]:
    return {"Retry-After": "2"} if kind == "unavailable" else {}


def _plain(error: Mapping[str, Any]) -> dict[str, Any]:
    """Where and what, without the value that was given, and without names that are none of ours."""
    where = [part if isinstance(part, int) or _NAME.fullmatch(part) else "…" for part in error["loc"]]
    return {"where": where, "what": error["msg"]}
