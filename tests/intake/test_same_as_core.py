"""The verdict through the intake is the pure core's, for the same bytes, banks and policy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightlamp.banks import Entry
from nightlamp.banks.live import add_entries, all_banks, create_bank, delete_bank
from nightlamp.examine import examine
from nightlamp.intake import Content, Submission, activate_policy, add_policy, dry_run
from nightlamp.origin import Asked
from nightlamp.policy import load, profile_text
from nightlamp.screening import Screener
from nightlamp.signals import installed
from nightlamp.store import reading, utc_now
from nightlamp.values import Bank, Fingerprint, Match, Verdict

from .conftest import Node, digest, generated, picture

POLICIES = [
    profile_text("default"),
    profile_text("us"),
    """\
nightlamp-policy: 1
name: odd
rules:
  - id: far
    when: matches.exists(m, m.distance > 10 && m.view != 'as is')
    then: review
    reason: "Far off: {matches.bank}."
  - id: near
    when: matches.exists(m, m.bank == 'b1' || m.category == 'A1') && item.width > 50
    then: block
    reason: "Near."
    hold: P30D
  - id: clear
    when: unchecked == []
    then: allow
    reason: "Clear."
  - id: rest
    when: "true"
    then: review
    reason: "The rest."
""",
    """\
nightlamp-policy: 1
name: made
rules:
  - id: made
    when: origin.assessment == 'declared AI-made' && matches == []
    then: review
    reason: "It says: {origin.assessment}."
  - id: told
    when: origin.statements.exists(s, s.says == 'ai-made' && s.forgeable)
    then: block
    reason: "Listed, and made."
  - id: rest
    when: unchecked == []
    then: allow
    reason: "The rest."
  - id: unchecked
    when: "true"
    then: review
    reason: "Not checked."
""",
]


class Brute:
    """Banks as a list of entries, each compared with each fingerprint: nothing of the live banks is used."""

    unchecked = ()

    def __init__(self, entries: list[tuple[Bank, Entry]]) -> None:
        self.entries = entries

    def lookup_many(self, items, radius=None) -> list[list[Match]]:
        return [[m for f in item for m in self.matches(f)] for item in items]

    def matches(self, f: Fingerprint):
        signal = installed()[f.signal]
        for bank, entry in self.entries:
            if entry.signal == f.signal:
                distance = sum((a ^ b).bit_count() for a, b in zip(f.value, entry.value, strict=True))
                if distance <= signal.radius:
                    yield Match(f, bank, entry.entry_id, entry.category or bank.category, distance)


def plain(verdict: Verdict) -> tuple:
    """What counts of a verdict, whatever the order of equal matches."""
    matches = sorted(
        (
            m.bank.name,
            m.entry_id,
            m.category,
            m.distance,
            m.fingerprint.signal,
            m.fingerprint.view,
            m.fingerprint.frame,
        )
        for m in verdict.matches
    )
    shown = (verdict.action, verdict.reasons, verdict.rule, verdict.handling, verdict.benign)
    return (*shown, verdict.unchecked, matches)


CONTENTS = [
    picture(1),
    picture(2, kind="JPEG"),
    picture(3, kind="GIF"),
    b"\xff\xd8\xff\xe0 no picture",
    b"plain text",
    picture(4)[:-40],
    picture(5, size=12),
    generated(6),
]
EXAMINED: dict[bytes, object] = {}


def examined(data: bytes):
    """Of the core alone, in this process."""
    import io

    if data not in EXAMINED:
        EXAMINED[data] = examine(io.BytesIO(data), installed(), origin=Asked())
    return EXAMINED[data]


@st.composite
def lists(draw: st.DrawFn) -> list[tuple[Bank, Entry]]:
    """Banks with entries at, near and far from what is submitted."""
    found = []
    for at in range(draw(st.integers(0, 3))):
        benign = draw(st.booleans()) and draw(st.booleans())
        bank = Bank(f"b{at}", "s", "csam", draw(st.sampled_from(["low", "medium", "high"])), benign)
        for number in range(draw(st.integers(0, 4))):
            data = draw(st.sampled_from(CONTENTS))
            prints = [
                f for f in examined(data).fingerprints if not benign or installed()[f.signal].index == "exact"
            ]
            f = draw(st.sampled_from(prints))
            value = bytearray(f.value)
            if installed()[f.signal].index != "exact":
                for bit in draw(st.lists(st.integers(0, 255), max_size=40, unique=True)):
                    value[bit // 8] ^= 1 << bit % 8
            category = draw(st.sampled_from(["", "A1"]))
            found.append((bank, Entry(f.signal, bytes(value), f"{at}-{number}", category)))
    return found


def put(node: Node, entries: list[tuple[Bank, Entry]], text: str) -> None:
    """Have these banks, and no others, and this policy in force."""
    with node.engine.begin() as connection:
        for old in all_banks(connection):
            delete_bank(connection, old.id, actor="t")
        for bank in dict.fromkeys(bank for bank, _ in entries):
            number = create_bank(connection, bank, actor="t").id
            add_entries(connection, number, [e for b, e in entries if b == bank], actor="t")
        stored = add_policy(connection, text, actor="t", now=utc_now())
        activate_policy(connection, stored.id, actor="t", now=utc_now())
    node.banks.poll()
    node.policies.refresh()


def agree(node: Node, entries: list[tuple[Bank, Entry]], text: str, contents: list[bytes]) -> None:
    put(node, entries, text)
    begun = [node.intake.begin(Submission("thekey", Content.of(data))) for data in contents]
    got = [future.result().ruling.verdict for future in begun]
    wanted = Screener([Brute(entries)], load(text)).screen([examined(data) for data in contents])
    assert [plain(verdict) for verdict in got] == [plain(verdict) for verdict in wanted]


common = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@common
@given(
    entries=lists(),
    text=st.sampled_from(POLICIES),
    contents=st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=6),
)
def test_on_sqlite(lite: Node, entries, text, contents) -> None:
    agree(lite, entries, text, contents)


@pytest.mark.slow
@settings(common, max_examples=400)
@given(
    entries=lists(),
    text=st.sampled_from(POLICIES),
    contents=st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=6),
)
def test_on_both_in_the_long_run(node: Node, entries, text, contents) -> None:
    agree(node, entries, text, contents)


def test_fingerprints_alone_give_the_verdict_of_the_content_where_it_could_be_checked(lite: Node) -> None:
    data = CONTENTS[0]
    entry = Entry(*digest("sha1", data), "e", "A1")
    put(lite, [(Bank("b1", "s", "csam"), entry)], POLICIES[0])
    whole = lite.submit(data).ruling.verdict
    alone = lite.submit(fingerprints=examined(data).fingerprints).ruling.verdict
    assert plain(alone) == plain(replace(whole, unchecked=()))


def test_another_policy_is_tried_on_what_the_list_was_about(lite: Node) -> None:
    data = CONTENTS[0]
    entry = Entry(*digest("md5", data), "e", "an ideology")
    put(lite, [(Bank("b1", "s", "terrorism"), entry)], POLICIES[0])
    verdict = lite.submit(data).ruling.verdict
    text = """\
nightlamp-policy: 1
name: other
rules:
  - id: other
    when: matches.exists(m, m.bank_category == 'terrorism' && m.category == 'an ideology')
    then: review
    reason: "Other."
  - id: rest
    when: "true"
    then: block
    reason: "The rest."
"""

    with reading(lite.engine) as connection:
        tried = dry_run(connection, load(POLICIES[0]), load(text), limit=1)

    assert verdict.rule == "terrorist-content"
    assert [change.after.rule for change in tried.replay.changes] == ["other"]
