from __future__ import annotations

import pytest

from nightlamp.policy.checking import check
from nightlamp.policy.expression import parse


@pytest.mark.parametrize(
    ("text", "at", "what", "hint"),
    [
        ("macthes != []", 0, "there is no 'macthes'", "did you mean 'matches'?"),
        ("item.siez > 5", 5, "an item has no 'siez'", "did you mean 'size'?"),
        ("matches.exists(m, m.value == '')", 20, "a match has no 'value'", "known: bank"),
        ("matches.exists(m, m.entry_id == '')", 20, "a match has no 'entry_id'", ""),
        ("matches.bank == 'x'", 8, "a list of match has no fields", ".exists"),
        ("item.size == 'big'", 10, "not offered between an int and a string", ""),
        ("item.size + 0.5 > 1.0", 10, "not offered between an int and a double", "double("),
        ("item.size", 5, "this is an int", "compare"),
        ("item.known && item.size", 19, "'&&' joins bools, not an int", ""),
        ("!item.size", 6, "'!' takes a bool", ""),
        ("matches.exists(m, m.distance)", 20, "asks yes or no of each", ""),
        ("scores.exists(s, true)", 7, "loops over a list, not a map of double", ""),
        ("context.room.matches('(a+)+')", 13, "no function 'matches'", "regular expressions"),
        ("jurisdiction.lower() == 'us'", 13, "no function 'lower'", "as they are"),
        ("matches.exists(m, m.trust == 'hgh')", 29, "m.trust is never 'hgh'", "'low' or 'medium' or 'high'"),
        ("matches.exists(m, m.trust in ['high', 'top'])", 38, "m.trust is never 'top'", ""),
        ("matches.exists(m, m.bank == 'ncmc')", 28, "there is no bank 'ncmc'", "did you mean 'ncmec'?"),
        ("matches.exists(m, 'x' == m.bank)", 18, "there is no bank 'x'", "known: ncmec"),
        ("matches.exists(m, m.bank in ['ncmec', 'x'])", 38, "there is no bank 'x'", ""),
        ("matches.exists(item, true)", 8, "hides a field", ""),
        ("item.size / 0 == 1", 10, "division by zero", ""),
        ("['a', 1] == []", 0, "different types", ""),
        ("true ? 1 : 'a'", 5, "one branch is an int", ""),
        ("context.submitted_at < timestamp('today')", 33, "no moment with a time zone", "2026"),
        ("timestamp(jurisdiction) < timestamp('2026-01-01T00:00:00Z')", 0, "a text in quotes", ""),
        ("duration('1 day') > duration('1h')", 9, "no duration", "36h"),
        ("matches == matches", 8, "not offered", ""),
        ("matches.all(a, matches.all(b, matches.all(c, true)))", 38, "nested deeper than 2", ""),
        ("size(item) == 1", 0, "size() is not offered with item", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_a_hint(text: str, at: int, what: str, hint: str) -> None:
    problems = [p for p in check(parse(text), {"ncmec"}).problems if p.severity == "error"]

    assert [problem.at for problem in problems] == [at]
    assert what in problems[0].what
    assert hint in problems[0].hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scores.adult > 0.5", "scores.adult may be absent"),
        ("scores['adult'] > 0.5", "scores['adult'] may be absent"),
        ("has(scores.other) && scores.adult > 0.5", "scores.adult may be absent"),
        ("context.submitted_at < timestamp('2026-01-01T00:00:00Z')", "context.submitted_at may be absent"),
        ("has(item.size)", "item.size is always there"),
        ("matches[0].exact", "the element may be absent"),
    ],
)
def test_what_may_be_absent_is_a_warning(text: str, told: str) -> None:
    problems = check(parse(text)).problems

    assert [(p.severity, p.what) for p in problems] == [("warning", told)]


@pytest.mark.parametrize(
    "text",
    [
        "has(scores.adult) && scores.adult > 0.5",
        "'adult' in scores && scores['adult'] > 1",
        "'adult' in scores && scores.adult > 1",
        "has(context.submitted_at) && context.submitted_at.getHours() < 6",
        "double(item.width) / double(item.height) > 10.0",
        "size(matches.filter(m, m.exact)) > 1",
        "matches.map(m, m.bank) == ['a'] || 'a' in matches.map(m, m.bank)",
        "item.media_type.startsWith('image/') ? item.size > 5 : item.frames > 1",
        "origin.statements.exists(s, s.says == 'ai' && !s.forgeable)",
        "has(context.submitted_at) "
        "&& context.submitted_at - timestamp('2026-01-01T00:00:00Z') > duration('36h')",
    ],
)
def test_what_is_right_has_no_finding(text: str) -> None:
    assert check(parse(text)).problems == []


def test_only_what_is_asked_for_is_learnt() -> None:
    learnt = check(parse("matches.exists(m, m.exact) && size(unchecked) == 0"))

    assert learnt.uses == {("facts", "matches"), ("match", "exact"), ("facts", "unchecked")}
    assert learnt.counts == {"unchecked"}
    assert learnt.loops == 1
