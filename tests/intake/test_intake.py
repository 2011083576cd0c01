from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import select

from nightlamp.audit.tables import audit_record
from nightlamp.errors import IntakeError, VaultError
from nightlamp.intake import Content, Submission, Where, get_item, page_items, rulings_of
from nightlamp.store import reading
from nightlamp.values import Fingerprint
from nightlamp.vault.tables import vault_hold

from .conftest import Node, digest, picture


def test_what_matches_nothing_is_allowed_and_not_kept(node: Node) -> None:
    # given an empty bank
    node.add_bank("list")

    # when a picture comes in
    outcome = node.submit(picture(), platform_id="p1", actor="a1", where=Where(service="chat", room="7"))

    # then it is allowed, its item and verdict are there, and no content anywhere
    assert (outcome.state, outcome.action, outcome.replayed) == ("done", "allow", False)
    with reading(node.engine) as connection:
        stored = get_item(connection, outcome.item)
        [ruling] = rulings_of(connection, outcome.item)
    assert (stored.platform_id, stored.actor, stored.media_type) == ("p1", "a1", "image/png")
    assert stored.where == Where(service="chat", room="7")
    assert stored.object is None
    assert ruling == outcome.ruling
    assert node.count("vault_object") == 0
    assert node.count("lookback_item") == 1
    assert node.audit_is_whole()


def test_a_photo_that_says_it_was_taken_after_it_came_in_is_told(lite: Node) -> None:
    def told(years: int) -> list[object]:
        exif, out = Image.Exif(), io.BytesIO()
        taken = lite.now[0].replace(year=lite.now[0].year + years)
        exif.get_ifd(0x8769)[36867] = f"{taken:%Y:%m:%d %H:%M:%S}"
        Image.new("L", (64, 64)).save(out, "JPEG", exif=exif)
        with reading(lite.engine) as connection:
            origin = get_item(connection, lite.submit(out.getvalue()).item).origin
        return [s.field("after arrival") for s in origin.statements if s.says == "time"]

    lite.add_bank("list")

    assert told(1) == [True]
    assert told(-1) == [None]


def test_what_the_policy_holds_is_sealed_with_its_verdict_match_and_audit_record(node: Node) -> None:
    # given a picture whose digest is on a list
    data = picture()
    node.add_bank("list", digest("sha256", data))

    # when it comes in
    outcome = node.submit(data)

    # then it is blocked and held for a year, and can be opened again
    assert outcome.action == "block"
    with reading(node.engine) as connection:
        stored = get_item(connection, outcome.item)
        [ruling] = rulings_of(connection, outcome.item)
        hold = connection.execute(select(vault_hold)).one()
        actions = list(connection.scalars(select(audit_record.c.action)))
    assert stored.object is not None
    assert (hold.object, hold.expires) == (stored.object, node.now[0].replace(year=2027))
    assert [match.entry_id for match in ruling.verdict.matches] == ["entry-0"]
    assert ruling.verdict.rule == "exact"
    assert {"vault.kept", "vault.held", "item.decided"} <= set(actions)
    assert node.vault.open(stored.object, node.identity, actor="t", why="t").data == data


def test_content_in_a_temporary_file_is_taken_as_content_in_memory(node: Node) -> None:
    data = picture(size=400)
    node.add_bank("list", digest("md5", data))
    content = Content(memory=100)
    for at in range(0, len(data), 1000):
        content.write(data[at : at + 1000])
    assert content.spilled
    outcome = node.intake.submit(Submission("thekey", content))
    assert outcome.action == "block"
    with reading(node.engine) as connection:
        object_id = get_item(connection, outcome.item).object
    assert node.vault.open(object_id, node.identity, actor="t", why="t").data == data
    with pytest.raises(ValueError, match="closed"):
        content.source()


def test_the_same_request_again_gets_the_same_answer_and_leaves_nothing(node: Node) -> None:
    data = picture()
    bank = node.add_bank("list")
    before = node.submit(data, idempotency="one", platform_id="p")
    node.add(bank, digest("sha256", data))
    again = node.submit(data, idempotency="one", platform_id="p")
    assert again.replayed
    assert (again.item, again.ruling) == (before.item, before.ruling)
    assert node.count("item") == 1
    assert node.count("vault_object") == 0
    # the same name of another key, or no name, is another request
    assert node.intake.submit(Submission("other", Content.of(data), idempotency="one")).item != before.item
    assert node.submit(data, platform_id="p").action == "block"


@pytest.mark.parametrize(
    "other",
    [{"platform_id": "q"}, {"actor": "b"}, {"wait": False}, {"where": Where(room="1")}, {"data": b"x" * 99}],
)
def test_another_request_under_the_same_name_is_a_conflict(lite: Node, other: dict) -> None:
    first = {"data": picture(), "idempotency": "one", "platform_id": "p"}
    lite.submit(**first)
    with pytest.raises(IntakeError) as caught:
        lite.submit(**{**first, **other})
    assert caught.value.code == "conflict"
    assert lite.count("item") == 1


def test_the_same_request_many_times_at_once_is_one_item(node: Node) -> None:
    data = picture()
    node.add_bank("list", digest("sha256", data))

    def send(_: int):
        return node.submit(data, idempotency="one")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, range(24)))
    assert len({outcome.item for outcome in outcomes}) == 1
    assert {outcome.action for outcome in outcomes} == {"block"}
    assert (node.count("item"), node.count("verdict"), node.count("vault_object")) == (1, 1, 1)
    assert node.audit_is_whole()


def test_many_items_at_once_each_get_their_own_verdict(node: Node) -> None:
    pictures = [picture(seed) for seed in range(30)]
    node.add_bank("list", *(digest("sha256", data) for data in pictures[::3]))
    begun = [node.intake.begin(Submission("thekey", Content.of(data))) for data in pictures]
    actions = [future.result().action for future in begun]
    assert actions == ["block" if at % 3 == 0 else "allow" for at in range(30)]
    assert node.count("item") == 30
    assert node.count("vault_object") == 10
    assert node.intake.load().items == 0
    assert node.audit_is_whole()


def test_one_item_that_cannot_be_written_does_not_take_its_companions_along(lite: Node) -> None:
    """A NUL in a text is refused by PostgreSQL; here a broken type stands for whatever may fail."""
    good = [lite.intake.begin(Submission("thekey", text=f"https://example.com/{at}")) for at in range(5)]
    bad = lite.intake.begin(Submission(("not", "text"), text="https://example.com/x"))  # type: ignore[arg-type]
    good += [lite.intake.begin(Submission("thekey", text=f"https://example.org/{at}")) for at in range(5)]
    assert {future.result().action for future in good} == {"allow"}
    with pytest.raises(Exception, match=r"."):
        bad.result()
    assert lite.count("item") == 10


def test_fingerprints_alone_are_matched(node: Node) -> None:
    data = picture()
    node.add_bank("list", digest("md5", data), ("pdq", bytes(range(32))))
    signal, value = digest("md5", data)
    near = bytes([1, *range(1, 32)])
    assert node.submit(fingerprints=(Fingerprint(signal, value),)).action == "block"
    assert node.submit(fingerprints=(Fingerprint("sha1", bytes(20)),)).action == "allow"
    found = node.submit(fingerprints=(Fingerprint("pdq", near, quality=90),))
    assert found.action == "block"
    assert found.ruling.verdict.matches[0].distance == 1
    unsure = node.submit(fingerprints=(Fingerprint("pdq", near, quality=10),))
    assert unsure.action == "review"
    assert [(u.what, u.why) for u in unsure.ruling.verdict.unchecked] == [("pdq", "low detail")]
    unknown = node.submit(fingerprints=(Fingerprint("photodna", bytes(144)),))
    assert unknown.action == "review"
    assert [(u.what, u.why) for u in unknown.ruling.verdict.unchecked] == [("photodna", "not installed")]


def test_urls_in_text_are_matched(lite: Node) -> None:
    from nightlamp.signals import installed

    parse = installed()["url-host"].parse
    lite.add_bank("hosts", ("url-host", parse("bad.example")))
    assert lite.submit(text="see HTTPS://www.BAD.example:443/a?utm_source=x !").action == "block"
    assert lite.submit(text="see https://good.example/bad.example").action == "allow"
    data = picture()
    assert lite.submit(data, text="http://bad.example").action == "block"


def test_nothing_to_check_is_refused(lite: Node) -> None:
    for nothing in ({}, {"text": "no address here"}, {"url": "file:///etc/passwd"}, {"url": "::"}):
        with pytest.raises(IntakeError) as caught:
            lite.submit(**nothing)
        assert caught.value.code == "invalid"
    assert lite.count("item") == 0


def test_a_vault_that_fails_means_no_answer_and_no_trace(node: Node) -> None:
    data = picture()
    node.add_bank("list", digest("sha256", data))
    node.vault.recipients = None
    with pytest.raises(VaultError):
        node.submit(data, idempotency="one")
    assert (node.count("item"), node.count("verdict"), node.count("idempotency")) == (0, 0, 0)
    assert node.submit(picture(5)).action == "allow"  # what is not held goes on


def test_items_are_listed_newest_first_by_page(lite: Node) -> None:
    made = [lite.submit(fingerprints=(Fingerprint("md5", bytes([at] * 16)),)).item for at in range(7)]
    with reading(lite.engine) as connection:
        first = page_items(connection, limit=4)
        second = page_items(connection, limit=4, before=first[-1].id)
        assert page_items(connection, limit=4, before=second[-1].id) == []
        assert page_items(connection, action="block") == []
    assert {item.id for item in first + second} == set(made)
    assert [item.id for item in first + second] == sorted(made, reverse=True)


def test_without_a_look_back_no_fingerprint_is_kept(sqlite_url: str, tmp_path, examiner) -> None:
    from nightlamp.store import connect

    from .conftest import build

    engine = connect(sqlite_url)
    node = build(engine, tmp_path, examiner, keep=timedelta(0))
    node.submit(picture())
    assert node.count("lookback_item") == 0
    node.intake.close()
    node.writer.close()


def test_after_closing_nothing_is_taken(lite: Node) -> None:
    begun = [lite.intake.begin(Submission("thekey", Content.of(picture(seed)))) for seed in range(5)]
    lite.intake.close()
    assert {future.result(0).action for future in begun} == {"allow"}
    with pytest.raises(IntakeError):
        lite.submit(picture())
