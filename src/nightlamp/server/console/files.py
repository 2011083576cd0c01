"""The pages' few files, from memory, packed for who takes that. Pages hold secrets, and never are."""

from __future__ import annotations

import gzip
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import Response

from nightlamp.server.problems import Problem

router = APIRouter()
_TYPES = {
    "htmx.min.js": "text/javascript",
    "console.js": "text/javascript",
    "review.js": "text/javascript",
    "console.css": "text/css",
    "icon.svg": "image/svg+xml",
}
_FILES = {name: (files(__package__) / "static" / name).read_bytes() for name in _TYPES}
_PACKED = {name: gzip.compress(data, mtime=0) for name, data in _FILES.items()}


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """One of them."""
    if name not in _FILES:
        raise Problem("not-found")
    taken = {each.strip() for each in request.headers.get("accept-encoding", "").split(",")}
    if "gzip" not in taken:
        return Response(_FILES[name], media_type=_TYPES[name], headers={"vary": "accept-encoding"})
    packed = {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(_PACKED[name], media_type=_TYPES[name], headers=packed)
