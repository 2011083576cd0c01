"""Tech Against Terrorism's hash list, as the client of python-threatexchange 1.2.17 knows it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from tests.fakes.exchanges.exchange import Answer, Asked, FakeExchange, as_json

USER, PASSWORD = "platform", "password"


@dataclass
class Row:
    id: int
    digest: str
    at: float
    algorithm: str = "PDQ"
    file_type: str = "jpg"
    ideology: str = "far-right"
    deleted: bool = False


class FakeTat(FakeExchange):
    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.size = size
        self.rows: dict[int, Row] = {}
        self.tokens = 0
        self.tokens_live_for = 1000  # requests
        self._left = 0

    def put(self, row: Row) -> None:
        self.rows[row.id] = row

    def respond(self, asked: Asked) -> Answer:
        if asked.path == "/token-auth/tcap/":
            fields = {name: v[-1] for name, v in parse_qs(asked.body.decode()).items()}
            if (fields["username"], fields["password"]) != (USER, PASSWORD):
                return as_json({"non_field_errors": ["no"]}, 400)
            self.tokens += 1
            self._left = self.tokens_live_for
            return as_json({"user": {}, "token": f"token-{self.tokens}"})
        if asked.headers.get("authorization") != f"Bearer token-{self.tokens}" or self._left == 0:
            return Answer(status=401)
        self._left -= 1
        return self._page(asked.query)

    def _page(self, query: dict[str, str]) -> Answer:
        assert query["order"] == "asc"
        at, _, id_ = query["after"].partition(",")
        after = (float(at or 0), int(id_ or 0))
        rest = sorted((r for r in self.rows.values() if (r.at, r.id) > after), key=lambda r: (r.at, r.id))
        page = rest[: self.size]
        return as_json(
            {
                "count": len(rest),
                "next": "https://elsewhere.example/?limit=3&offset=3" if len(rest) > self.size else None,
                "previous": None,
                "checkpoint": f"{page[-1].at},{page[-1].id}" if page else query["after"],
                "results": [
                    {
                        "hash_digest": r.digest,
                        "algorithm": r.algorithm,
                        "ideology": r.ideology,
                        "file_type": r.file_type,
                        "deleted": r.deleted,
                        "updated_on": r.at,
                        "created_on": "2024-01-01T00:00:00Z",
                        "id": r.id,
                    }
                    for r in page
                ],
            }
        )
