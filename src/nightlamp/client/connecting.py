"""Where the service is, who asks, and what goes onto the wire: the same for both clients."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from nightlamp import __version__
from nightlamp.client.call import Call

_ADDRESS = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")


@dataclass(frozen=True, slots=True)
class Connection:
    """An address and a key.

    Args:
        address: http or https, without a user's name in it.
        key: as it was shown once.

    Raises:
        ValueError: one of them cannot be right; neither is quoted.
    """

    address: str = field(repr=False)
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise ValueError("the service's address is http:// or https:// and a host, without a user's name")
        if not (self.key.isascii() and self.key.isprintable() and " " not in self.key and self.key):
            raise ValueError("an API key is nlk_… as it was shown, without spaces")

    @property
    def shown(self) -> str:
        """The address, for people."""
        return urlsplit(self.address).netloc

    def headers(self) -> dict[str, str]:
        """Of every request."""
        return {
            "Authorization": f"Bearer {self.key}",
            "User-Agent": f"nightlamp-client/{__version__}",
            "Accept": "application/json",
        }


def request_of(call: Call[Any]) -> dict[str, Any]:
    """The arguments of httpx's ``build_request``, but for the content."""
    headers = dict(call.headers)
    if call.body is not None:
        headers["Content-Type"] = call.body.media_type
        if call.body.size is not None:
            headers["Content-Length"] = str(call.body.size)
    query = {name: value for name, value in call.query.items() if value != ""}
    return {"method": call.method, "url": call.path, "params": query or None, "headers": headers}
