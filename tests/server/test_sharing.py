"""Banks that others may follow, and what a key of the scope share sees."""

from __future__ import annotations

import pytest
from tests.server.conftest import Start

from nightlamp.feeds import sharing


def test_a_shared_bank_is_given_signed_and_nothing_else_is(start: Start, sqlite_url: str) -> None:
    service = start(sqlite_url, share={"banks": ["ours"]})
    ours, theirs = service.bank("ours", ("md5", "0a" * 16)), service.bank("theirs", ("md5", "0b" * 16))
    key = service.key("share")

    answer = service.get(f"/v1/banks/{ours}/changes?nonce=abc", key)

    public = service.node.signing.public.public_bytes_raw()
    assert sharing.is_signed(public, answer.content, answer.headers[sharing.HEADER])
    page = answer.json()
    assert [(e["hex"], e["disputed"]) for e in page["entries"]] == [("0a" * 16, False)]
    assert (page["nonce"], page["more"]) == ("abc", False)
    again = service.get(f"/v1/banks/{ours}/changes", key, params={"after": page["next"]}).json()
    assert again["entries"] == []
    assert service.get(f"/v1/banks/{theirs}/changes", key).status_code == 404
    assert service.get("/v1/banks/99/changes", key).status_code == 404
    assert service.get(f"/v1/banks/{ours}/changes?after=nonsense", key).status_code == 409
    assert service.get(f"/v1/banks/{ours}/changes?after=x.y.1.2.3.4.5.6", key).status_code == 409
    for path in ("/v1/banks", f"/v1/banks/{ours}", f"/v1/banks/{ours}/entries", "/v1/items", "/v1/audit"):
        assert service.get(path, key).status_code == 403


@pytest.mark.parametrize("scope", ["submit", "read", "review"])
def test_other_keys_may_not_follow(scope: str, start: Start, sqlite_url: str) -> None:
    service = start(sqlite_url, share={"banks": ["ours"]})
    ours = service.bank("ours", ("md5", "0a" * 16))

    assert service.get(f"/v1/banks/{ours}/changes", service.key(scope)).status_code == 403
