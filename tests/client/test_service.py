"""Every method of the client against the real service."""

from __future__ import annotations

import hashlib
import io
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightlamp.client import BatchItem, Client, ClientError, Entry, FingerprintItem
from nightlamp.values import Fingerprint

from .conftest import QUICK, Service, picture


def sha256(data: bytes) -> Entry:
    return Entry("sha256", hashlib.sha256(data).hexdigest(), "row-1")


def test_what_is_not_listed_is_allowed_and_what_is_listed_is_blocked(client: Client) -> None:
    # given a picture
    data = picture(1)

    # when it is submitted before and after its hash comes into a bank
    before = client.submit(data, platform_id="a-1", actor="someone", service="chat")
    bank = client.create_bank("listed", source="test", category="csam", trust="high")
    added = client.add_entries(bank.id, [sha256(data)])
    after = client.submit(data, platform_id="a-2")

    # then the second is blocked, and everything can be read again
    assert (before.action, before.state, before.replayed) == ("allow", "done", False)
    assert (added.added, added.known) == (1, 0)
    assert after.action == "block"
    assert after.verdict is not None
    [match] = after.verdict.matches
    assert (match.bank, match.signal, match.exact, match.entry_id) == ("listed", "sha256", True, "row-1")
    assert [each.id for each in client.items(platform_id="a-2")] == [after.id]
    item = client.item(before.id)
    assert (item.platform_id, item.actor, item.context, item.media_type) == (
        "a-1", "someone", {"service": "chat"}, "image/png",
    )  # fmt: skip
    assert item.received_at is not None
    assert item.received_at.tzinfo is not None
    assert client.verdicts_on(after.id)[0].id == after.verdict.id
    assert after.verdict.id in {verdict.id for verdict in client.verdicts(action="block")}
    assert after.id in {match.item for match in client.matches(bank="listed")}
    assert bank.id in {each.id for each in client.banks()}
    assert client.bank(bank.id).entries == {"sha256": 1}


def test_an_entry_that_comes_later_gives_a_late_verdict(client: Client) -> None:
    data = picture(8)
    item = client.submit(data).id
    client.add_entries(client.create_bank("late").id, [sha256(data)])
    until = time.monotonic() + 120
    while client.item(item).action != "block" and time.monotonic() < until:
        time.sleep(0.05)
    newest, first = client.verdicts_on(item)
    assert (newest.late, newest.action) == (True, "block")
    assert (first.late, first.action) == (False, "allow")


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "view", "path", "str", "file", "middle", "pipe"])
def test_content_comes_from_anywhere(client: Client, tmp_path: Path, kind: str) -> None:
    data = picture(2) + bytes(700_000)
    path = tmp_path / "picture"
    path.write_bytes(data)
    later = io.BytesIO(b"skipped" + data)
    later.seek(7)
    given = {
        "bytes": data,
        "bytearray": bytearray(data),
        "view": memoryview(data),
        "path": path,
        "str": str(path),
        "file": path.open("rb"),
        "middle": later,
        "pipe": OneWay(data),
    }[kind]
    outcome = client.submit(given)
    assert client.item(outcome.id).size == len(data)


class OneWay(io.RawIOBase):
    """A stream that cannot go back."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, into) -> int:
        return self._data.readinto(into)


def test_a_batch_has_an_outcome_or_an_error_for_each(client: Client) -> None:
    found = client.submit_batch(
        [
            BatchItem(picture(3), about={"platform_id": "b-1"}),
            BatchItem(url="file:///etc/hostname"),
            BatchItem(url="https://example.com/x.jpg", wait=False),
        ]
    )
    assert found[0].action == "allow"
    assert isinstance(found[1], ClientError)
    assert found[1].code == "invalid"
    assert found[2].state == "pending"
    assert client.item(found[2].id).kind == "url"


def test_fingerprints_and_addresses_in_text(client: Client) -> None:
    bank = client.create_bank("hashes")
    client.add_entries(bank.id, [Entry("pdq", "0f" * 32), Entry("url-host", "bad.example")])
    near = Fingerprint("pdq", bytes([0x0E, *[0x0F] * 31]), quality=90)
    assert client.submit_fingerprints([near]).action == "block"
    assert client.submit_fingerprints([Fingerprint("md5", bytes(16))]).action == "allow"
    assert client.submit_fingerprints([], text="see http://www.bad.example/x").action == "block"
    both = client.submit_fingerprint_batch(
        [FingerprintItem((near,)), FingerprintItem((Fingerprint("md5", bytes(16)),))]
    )
    assert [each.action for each in both] == ["block", "allow"]
    assert client.submit_url("https://example.com/a.jpg").state == "pending"


def test_banks_change(client: Client) -> None:
    data = picture(4)
    bank = client.create_bank("changing")
    with pytest.raises(ClientError) as caught:
        client.create_bank("changing")
    assert caught.value.code == "conflict"
    done = client.import_list(bank.id, f"{hashlib.md5(data).hexdigest()}\nnonsense\n".encode(), name="x.txt")
    assert (done.rows, done.added, done.bad, len(done.bad_rows)) == (2, 1, 1, 1)
    assert client.submit(data).action == "block"
    [entry] = client.entries(bank.id)
    assert client.dispute_entries(bank.id, numbers=[entry.number]) == 1
    assert [each.disputed for each in client.entries(bank.id)] == [True]
    exported = b"".join(client.export_bank(bank.id))
    assert hashlib.md5(data).hexdigest().encode() in exported
    assert client.change_bank(bank.id, enabled=False, trust="low", name="changed").name == "changed"
    assert client.submit(data).action == "allow"
    client.change_bank(bank.id, enabled=True)
    assert client.remove_entries(bank.id, values=[Entry("md5", hashlib.md5(data).hexdigest())]) == 1
    assert client.submit(data).action == "allow"
    client.delete_bank(bank.id)
    assert bank.id not in {each.id for each in client.banks()}


def test_policies_are_tried_before_they_are_in_force(client: Client) -> None:
    client.submit(picture(5))
    first = client.policy()
    assert first.text is not None
    strict = first.text.replace("then: allow", "then: review")
    assert strict != first.text
    assert client.lint_policy("rules: [")[0].severity == "error"
    with pytest.raises(ClientError) as caught:
        client.add_policy("rules: [")
    assert caught.value.code == "invalid"
    tried = client.try_policy(text=strict)
    assert tried.changed > 0
    assert ("allow", "review") in {(moved.before, moved.after) for moved in tried.moved}
    assert {(change.before.action, change.after.action) for change in tried.changes} == {("allow", "review")}
    stored = client.add_policy(strict)
    assert client.activate_policy(stored.id).active
    assert client.submit(picture(5)).action == "review"
    assert client.roll_back_policy().id == first.id
    assert client.submit(picture(5)).action == "allow"
    assert {each.id for each in client.policies()} >= {first.id, stored.id}


def test_a_key_that_may_only_submit_learns_the_action_alone(service: Service, client: Client) -> None:
    data = picture(6)
    bank = client.create_bank("secret")
    client.add_entries(bank.id, [sha256(data)])
    key = client.create_key("uploads", ["submit"], expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert key.secret is not None
    with Client(service.address, key.secret, retry=QUICK) as uploads:
        outcome = uploads.submit(data)
        assert (outcome.action, outcome.verdict, outcome.replayed) == ("block", None, False)
        assert uploads.item(outcome.id).kind is None
        with pytest.raises(ClientError) as caught:
            uploads.banks()
        assert (caught.value.code, caught.value.status) == ("forbidden", 403)
        assert client.revoke_key(key.id).revoked_at is not None
        with pytest.raises(ClientError) as caught:
            uploads.submit(data)
        assert caught.value.code == "unauthorized"
    keys = client.keys()
    assert key.id in {each.id for each in keys}


def test_a_rate_is_waited_for(service: Service, client: Client) -> None:
    key = client.create_key("slow", ["submit"], rate=1.0)
    with Client(service.address, key.secret or "") as slow:
        begun = time.monotonic()
        outcomes = [slow.submit_fingerprints([Fingerprint("md5", bytes([n] * 16))]) for n in range(4)]
    assert len({outcome.id for outcome in outcomes}) == 4
    assert time.monotonic() - begun > 1


def test_lists_come_in_pages(client: Client) -> None:
    made = [
        client.submit_fingerprints([Fingerprint("md5", bytes([n] * 16))], actor="pages").id for n in range(7)
    ]
    assert [item.id for item in client.items(actor="pages", limit=3)] == made[::-1]
    assert [item.id for item in client.items(actor="nobody")] == []


def test_the_audit_log_is_read_checked_and_exported(client: Client) -> None:
    outcome = client.submit(picture(7))
    records = list(client.audit(limit=50))
    assert [each.sequence for each in records] == list(range(1, len(records) + 1))
    assert any(outcome.id in str(each.record) for each in records)
    assert client.verify_audit().intact
    assert b"".join(client.export_audit()).count(b"\n") > len(records)


def test_health_and_metrics(client: Client) -> None:
    health = client.health()
    assert health.status in ("ready", "degraded")
    assert "workers" in {check.check for check in health.checks}
    assert "nightlamp_verdicts_total" in client.metrics()


def test_a_feed_is_added_paused_resumed_and_removed(client: Client) -> None:
    added = client.add_feed("followed", "list", "followed", config={"url": "https://list.example/l.csv"})
    assert (added.name, added.stale, added.records) == ("followed", False, 0)
    assert client.pause_feed("followed", "holidays").paused_why == "holidays"
    assert "followed" in {each.name for each in client.feeds()}
    assert client.resume_feed("followed").paused == ""
    assert client.feed("followed").kind == client.sync_feed("followed").kind == "list"
    client.remove_feed("followed")
    assert "followed" not in {each.name for each in client.feeds()}


def test_a_case_is_read_claimed_answered_and_taken_back(client: Client) -> None:
    data = picture(77)
    client.add_entries(client.create_bank("for-people").id, [sha256(data)])
    item = client.submit(data, actor="someone-77")
    found = []
    for _ in range(600):  # a loop of the service opens it
        found = [each for each in client.cases() if item.id in {i["id"] for i in client.case(each.id).items}]
        if found:
            break
        time.sleep(0.1)
    [case] = found
    claimed = client.claim_case(case.id)
    decided = client.decide_case(case.id, "csam", version=claimed.version, classification="A1")
    assert decided.answer.finding == "csam"
    taken_back = client.undo_answer(case.id, decided.answer.id)
    assert taken_back.version > decided.case.version
    with pytest.raises(ClientError) as caught:
        client.decide_case(case.id, "csam", version=1, classification="A1")
    assert caught.value.code == "conflict"
    assert {each.authority for each in client.reports(case=case.id)} <= {"ncmec"}
