from __future__ import annotations

import pytest

from nightlamp.policy.expression import parse
from nightlamp.policy.reach import cases, covered


def follows(one: str, other: str) -> bool:
    return covered(cases(parse(one)), cases(parse(other)))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("matches.exists(m, m.exact)", "size(matches) > 0"),
        ("matches.exists(m, m.exact)", "matches != []"),
        ("matches.exists(m, m.distance <= 10)", "matches.exists(x, x.distance < 31)"),
        ("matches.exists(m, m.distance <= 10 && m.exact)", "matches.exists(m, m.exact)"),
        ("matches.all(m, m.distance <= 10)", "matches.all(m, m.distance <= 11)"),
        ("!matches.all(m, !m.exact)", "matches.exists(m, m.exact)"),
        ("item.known && item.size > 3", "item.known"),
        ("!(item.known || item.size > 3)", "!item.known"),
        ("item.size == 4 || item.size == 5", "item.size in [3, 4, 5]"),
        ("context.service == 'a'", "context.service != 'b'"),
        ("10 < item.size", "item.size > 5.5"),
        ("size(matches) > 2", "matches != []"),
        ("matches == []", "matches.size() < 1"),
    ],
)
def test_a_narrower_condition_is_seen_and_a_wider_one_is_not_claimed(narrow: str, wide: str) -> None:
    assert follows(narrow, wide)
    if not follows(wide, narrow):
        return
    assert narrow in ("!matches.all(m, !m.exact)", "matches == []")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("matches.exists(m, m.distance <= 31)", "matches.exists(m, m.distance < 31)"),
        ("matches.exists(m, m.exact)", "matches.all(m, m.exact)"),
        ("matches.exists(m, m.exact) && matches.exists(m, m.disputed)",
         "matches.exists(m, m.exact && m.disputed)"),
        ("context.service < 'b'", "context.service < 'a'"),
        ("context.service > 'c'", "context.service <= 'a'"),
        ("context.service != 'a'", "context.service != 'b'"),
        ("item.size > 3", "item.size >= 4"),  # true, but only for whole numbers
        ("matches.exists(m, matches.exists(n, n.distance < m.distance))",
         "matches.exists(m, matches.exists(n, m.distance < n.distance))"),
    ],
)  # fmt: skip
def test_what_does_not_follow_is_not_claimed(one: str, other: str) -> None:
    assert not follows(one, other)


@pytest.mark.parametrize(
    "text",
    [
        "false",
        "!true",
        "item.known && !item.known",
        "item.size > 5 && item.size < 3",
        "item.size > 4611686018427387904 && item.size <= 4611686018427387904",
        "context.service == 'a' && context.service == 'b'",
        "context.service == 'a' && context.service in ['b', 'c']",
        "matches == [] && matches.exists(m, m.exact)",
        "matches.exists(m, m.distance < 3 && m.distance > 4)",
    ],
)
def test_what_can_never_be_has_no_cases(text: str) -> None:
    assert cases(parse(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "item.size > 3 && item.size < 5",
        "item.size > 4611686018427387904 && item.size < 4611686018427387906",
        "context.service < 'a' && context.service > 'b'",  # never, but texts are not ordered here
        "matches.exists(m, m.exact) && matches.exists(m, !m.exact)",
        "matches.all(m, m.exact) && matches.all(m, !m.exact)",
    ],
)
def test_what_may_be_has_cases(text: str) -> None:
    assert cases(parse(text)) != []
