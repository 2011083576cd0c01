from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nightlamp.audit import Checkpoint, Link, PublicKeys, Record, SigningKey, canonical, verify
from nightlamp.audit.chain import ZERO, link_hash
from nightlamp.audit.record import time_text, written

KEY = SigningKey.generate()
KEYS = PublicKeys.of([KEY.public])
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def chain(facts: list[dict], every: int = 3) -> tuple[list[Link], list[Checkpoint]]:
    """A chain of these details, with a checkpoint after every so many records and after the last."""
    links: list[Link] = []
    signed: list[Checkpoint] = []
    before = ZERO
    for sequence, details in enumerate(facts, 1):
        record = Record(sequence, NOW, "system", "test.done", f"item:{sequence}", details).as_object()
        before = link_hash(before, record)
        links.append(Link(sequence, record, before))
        if sequence % every == 0 or sequence == len(facts):
            signed.append(KEY.sign(len(signed) + 1, sequence, before, time_text(NOW)))
    return links, signed


def rehashed(links: list[Link], start: int) -> list[Link]:
    """The links with every hash from index ``start`` computed anew, as a forger without the key can."""
    done = links[:start]
    before = done[-1].hash if done else ZERO
    for number, link in enumerate(links[start:], start + 1):
        record = {**link.record, "sequence": number}
        before = link_hash(before, record)
        done.append(Link(number, record, before))
    return done


DETAILS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
    st.one_of(st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(max_size=8), st.none()),
    max_size=3,
)
CHAINS = st.lists(DETAILS, min_size=2, max_size=14)
NAMES = st.text(st.characters(categories=["L", "P", "Zs"]), min_size=1, max_size=20)


@given(st.integers(1, 2**53 - 1), st.datetimes(timezones=st.timezones()), NAMES, NAMES, DETAILS)
def test_a_record_is_written_as_its_canonical_form(
    sequence: int, at: datetime, actor: str, subject: str, details: dict[str, Any]
) -> None:
    assume(1 < at.year < 9999)
    record = Record(sequence, at, actor, "test.done", subject, details)
    text = canonical.encode(details).decode()
    assert written(sequence, at, actor, "test.done", subject, text) == canonical.encode(record.as_object())


@given(CHAINS, st.integers(1, 5))
def test_an_untouched_chain_is_intact_and_wholly_signed(facts, every):
    links, signed = chain(facts, every)
    report = verify(links, signed, KEYS)
    assert report.intact
    assert (report.last, report.signed, report.checkpoints) == (len(facts), len(facts), len(signed))


@dataclasses.dataclass
class Tampered:
    links: list[Link]
    checkpoints: list[Checkpoint]
    where: int  # the first sequence that was touched
    shows: int | None = None  # the record at which it must show, if that is certain


@st.composite
def tampered(draw) -> Tampered:
    links, signed = chain(draw(CHAINS), draw(st.integers(1, 5)))
    at = draw(st.integers(0, len(links) - 1))
    link = links[at]
    how = draw(st.sampled_from(sorted(TAMPER)))
    changed = {**link.record, **draw(st.sampled_from(CHANGES))}
    return TAMPER[how](links, signed, at, changed, draw(st.integers(0, len(links) - 1)))


CHANGES = [
    {"actor": "nobody"},
    {"action": "test.undone"},
    {"subject": "item:other"},
    {"at": "2026-11-24T12:00:00.000001Z"},
    {"details": {"planted": True}},
    {"v": 2},
    {"extra": 1},
]


def edit(links, signed, at, changed, _):
    links[at] = dataclasses.replace(links[at], record=changed)
    return Tampered(links, signed, at + 1, at + 1)


def edit_with_its_hash(links, signed, at, changed, _):
    before = links[at - 1].hash if at else ZERO
    links[at] = Link(at + 1, changed, link_hash(before, changed))
    return Tampered(links, signed, at + 1)  # shows there if it is signed, else at the next record


def edit_hash_alone(links, signed, at, _changed, _):
    links[at] = dataclasses.replace(links[at], hash="ab" * 32)
    return Tampered(links, signed, at + 1, at + 1)


def delete(links, signed, at, _changed, _):
    del links[at]
    return Tampered(links, signed, at + 1, at + 1)


def swap(links, signed, at, _changed, other):
    other = other if other != at else (at + 1) % len(links)
    links[at], links[other] = links[other], links[at]
    return Tampered(links, signed, min(at, other) + 1, min(at, other) + 1)


def insert(links, signed, at, changed, _):
    links.insert(at, Link(at + 1, changed, "cd" * 32))
    return Tampered(links, signed, at + 1, at + 1)


def cut(links, signed, at, _changed, _):
    return Tampered(links[:at], signed, at + 1, at + 1)


def edit_and_rehash_all_after(links, signed, at, changed, _):
    links[at] = dataclasses.replace(links[at], record=changed)
    return Tampered(rehashed(links, at), signed, at + 1)


def delete_and_rehash_all_after(links, signed, at, _changed, _):
    del links[at]
    return Tampered(rehashed(links, at), signed, at + 1)


def insert_and_rehash_all_after(links, signed, at, changed, _):
    links.insert(at, Link(at + 1, changed, ""))
    return Tampered(rehashed(links, at), signed, at + 1)


def forge_the_checkpoints_too(links, signed, at, changed, _):
    links = edit_and_rehash_all_after(links, signed, at, changed, 0).links
    thief = SigningKey.generate()
    forged = [thief.sign(c.number, c.sequence, links[c.sequence - 1].hash, c.at) for c in signed]
    forged = [dataclasses.replace(c, key=KEY.id) if c.number % 2 else c for c in forged]
    return Tampered(links, forged, forged[0].sequence, forged[0].sequence)


def drop_a_checkpoint(links, signed, at, changed, _):
    if len(signed) < 3:
        return edit(links, signed, at, changed, 0)
    hole = signed[1]
    return Tampered(
        links, [c for c in signed if c is not hole], signed[0].sequence + 1, signed[0].sequence + 1
    )


TAMPER = {
    f.__name__: f
    for f in (
        edit,
        edit_with_its_hash,
        edit_hash_alone,
        delete,
        swap,
        insert,
        cut,
        edit_and_rehash_all_after,
        delete_and_rehash_all_after,
        insert_and_rehash_all_after,
        forge_the_checkpoints_too,
        drop_a_checkpoint,
    )
}


@given(tampered())
def test_any_tampering_is_found_and_located(case):
    report = verify(case.links, case.checkpoints, KEYS)
    assert not report.intact
    findings = [str(finding) for finding in report.findings]
    assert any(f.first <= case.where <= f.last for f in report.findings), (case.where, findings)
    if case.shows is not None:
        assert report.first_bad == case.shows, findings


@pytest.mark.parametrize("how", sorted(TAMPER))
def test_each_tampering_is_found_in_a_chain_of_ten(how):
    for at in range(10):
        links, signed = chain([{"n": n} for n in range(10)])
        case = TAMPER[how](links, signed, at, {**links[at].record, "actor": "nobody"}, (at + 3) % 10)
        assert not verify(case.links, case.checkpoints, KEYS).intact


def test_what_is_after_the_last_checkpoint_is_said_to_be_unsigned():
    links, signed = chain([{}] * 10, every=4)
    report = verify(links, signed[:-1], KEYS)
    assert report.intact
    assert (report.last, report.signed) == (10, 8)


def test_a_cut_behind_the_last_stored_checkpoint_is_found_by_a_witness():
    # given a forger who also removes the checkpoints, and a copy of one that was kept elsewhere
    links, signed = chain([{}] * 9)
    assert verify(links[:5], signed[:1], KEYS).intact
    report = verify(links[:5], [*signed[:1], signed[-1]], KEYS)
    cuts = [(f.at, f.first, f.last) for f in report.findings if f.fault == "cut"]
    assert cuts == [(6, 4, 9)]  # nothing vouches for 4 and 5 either


def test_the_clock_has_no_say_in_the_order():
    before, links = ZERO, []
    for sequence, year in enumerate((2026, 1999, 2031), 1):
        record = Record(sequence, NOW.replace(year=year), "system", "test.done", "item:1", {}).as_object()
        before = link_hash(before, record)
        links.append(Link(sequence, record, before))
    assert verify(links, [], KEYS).intact


def test_a_hundred_findings_are_kept_and_all_are_counted():
    links, _ = chain([{}] * 300, every=1000)
    links = [dataclasses.replace(link, record={**link.record, "actor": "x"}) for link in links]
    report = verify(links, [], KEYS)
    assert (len(report.findings), report.count, report.first_bad) == (100, 300, 1)
