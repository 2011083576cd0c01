"""Arachnid Shield, PhotoDNA Cloud and Google's Content Safety, as far as they are public.

Sources: arachnid-shield-sdk 0.2.2, developer.microsoftmoderator.com, ROOST's Coop.
Each answers by what it is given: bytes, URL or hash → answer; what it does not know is clean.
"""

from __future__ import annotations

import base64
from typing import Any

from tests.fakes.exchanges.exchange import Answer, Asked, FakeExchange, as_json, basic_of

USER, PASSWORD = "platform", "shield-password"
KEY = "service-key"
CLEAN = {"classification": "no-known-match", "match_type": None, "near_match_details": []}


class FakeArachnid(FakeExchange):
    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str | bytes, Any] = {}

    def respond(self, asked: Asked) -> Answer:
        if basic_of(asked) != (USER, PASSWORD):
            return as_json({"detail": "Invalid credentials"}, 401)
        if asked.path == "/v1/media/":
            return as_json({"size_bytes": len(asked.body), **self.known.get(asked.body, CLEAN)})
        if asked.path == "/v1/url/":
            return as_json(self.known.get(str(asked.json()["url"]), CLEAN))
        if asked.path == "/v1/pdq/":
            hashes = asked.json()["hashes"]
            assert isinstance(hashes, list)
            assert all(len(base64.b64decode(text)) == 32 for text in hashes)
            return as_json({"scanned_hashes": {text: self.known.get(text, CLEAN) for text in hashes}})
        return as_json({"detail": "Not found"}, 404)


class FakePhotoDna(FakeExchange):
    def __init__(self) -> None:
        super().__init__()
        self.known: dict[bytes, Any] = {}

    def respond(self, asked: Asked) -> Answer:
        if asked.headers.get("ocp-apim-subscription-key") != KEY:
            return as_json({"statusCode": 401}, 401)
        assert asked.path == "/v1.0/Match"
        clean = {"Status": {"Code": 3000, "Description": "OK"}, "IsMatch": False, "TrackingId": "t"}
        return as_json(self.known.get(asked.body, clean))


class FakeGoogle(FakeExchange):
    def __init__(self) -> None:
        super().__init__()
        self.known: dict[bytes, str] = {}

    def respond(self, asked: Asked) -> Answer:
        if asked.query.get("key") != KEY:
            return as_json({"error": {"code": 403}}, 403)
        assert asked.path == "/v1beta1/images:classify"
        images = asked.json()["images"]
        assert isinstance(images, list)
        if len(images) > 32:
            return as_json({"error": {"code": 400}}, 400)
        return as_json(
            {"reviewPriorities": [self.known.get(base64.b64decode(text), "VERY_LOW") for text in images]}
        )
