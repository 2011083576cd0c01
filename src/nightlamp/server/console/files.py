"""The pages' few files, from memory."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
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


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """One of them."""
    if name not in _FILES:
        raise Problem("not-found")
    return Response(_FILES[name], media_type=_TYPES[name])
