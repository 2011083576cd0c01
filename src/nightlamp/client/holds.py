"""Calls about what is kept and why, legal requests, and figures for the public."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from nightlamp.client.call import Call, Paged
from nightlamp.client.making import called, listed, nothing, one, quoted


@dataclass(frozen=True, slots=True)
class Hold:
    """A duty to keep an object; ``legal``: a court or an authority asked for it."""

    id: str
    object: str
    reason: str
    jurisdiction: str
    legal: bool
    created: datetime
    expires: datetime
    released: datetime | None


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Whether the bytes are gone; if not, the storage failed, and the next purge tries again."""

    destroyed: bool


def holds(
    *,
    object: str | None = None,  # noqa: A002 (the API's name)
    ends_before: datetime | None = None,
    limit: int = 200,
) -> Paged[Hold]:
    """Holds in force, those that end first above; of an ``object`` all that there ever were."""
    before = ends_before.isoformat() if ends_before is not None else None
    return listed("/v1/holds", "holds", Hold, object=object, ends_before=before, limit=limit)


def hold_for_request(object: str, process: str, until: datetime, *, jurisdiction: str = "US") -> Call[Hold]:  # noqa: A002
    """Keep an object on a legal request; the same reference again moves the end to the later date."""
    told = {"object": object, "process": process, "until": until.isoformat(), "jurisdiction": jurisdiction}
    return called("POST", "/v1/holds", one(Hold), told)


def extend_hold(hold_id: str, until: datetime, reason: str) -> Call[None]:
    """Move a hold's end to a later date."""
    return called("POST", f"{_path(hold_id)}/extend", nothing, {"until": until.isoformat(), "reason": reason})


def release_hold(hold_id: str, reason: str) -> Call[None]:
    """End a hold now; the next purge destroys the object if no other hold keeps it."""
    return called("POST", f"{_path(hold_id)}/release", nothing, {"reason": reason})


def destroy_content(object: str, request: str, *, despite_reports: bool = False) -> Call[Destroyed]:  # noqa: A002
    """Destroy an object now, though holds keep it, because an authority asked for it by this reference."""
    told = {"object": object, "request": request, "despite_reports": despite_reports}
    return called("POST", "/v1/holds/destroy", one(Destroyed), told)


def transparency(start: date, end: date, *, threshold: int = 5) -> Call[Mapping[str, Any]]:
    """What was found, done and reported, month by month, for the public; counts below are not shown."""
    query = {"from": start.isoformat(), "to": end.isoformat(), "threshold": str(threshold)}
    return Call(
        "GET", "/v1/transparency", lambda answer: cast("Mapping[str, Any]", answer.json()), query=query
    )


def _path(hold_id: str) -> str:
    return f"/v1/holds/{quoted(hold_id)}"
