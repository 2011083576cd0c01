from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from nightlamp.errors import PolicyError
from nightlamp.policy import PROFILES, Facts, decide, lint, load, profile_text
from nightlamp.policy.reading import MAX_RULES
from nightlamp.values import Handling, Hold

TAIL = """
  - id: unchecked
    when: unchecked != []
    then: review
    reason: Not checked.
  - id: rest
    when: "true"
    then: allow
    reason: Nothing found.
"""


SURE = "matches.exists(m, m.exact && !m.disputed)"


def policy(*rules: str, top: str = "", tail: str = TAIL) -> str:
    return f"nightlamp-policy: 1\nname: test\n{top}rules:\n" + "".join(rules) + tail.lstrip("\n")


def rule(when: str, then: str = "review", name: str = "r", more: str = "") -> str:
    return f"  - id: {name}\n    when: {when}\n    then: {then}\n    reason: A reason.\n{more}"


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (
            policy(rule("matches.exists(m, m.bnak == 'x')")),
            ["5:31: error: a match has no 'bnak'. Try: did you mean 'bank'?"],
        ),
        (
            policy(rule(">-\n      item.size > 5\n      && item.nothin")),
            [
                "7:15: error: an item has no 'nothin'. Try: known: frames, height, known, media_type, size, width"  # noqa: E501
            ],
        ),
        (
            policy(rule("\"item.size > 'a'\"")),
            ["5:22: error: '>' is not offered between an int and a string"],
        ),
        (policy(rule("item.size >")), ["5:22: error: a value was expected, not the end"]),
        (
            policy(rule("matches != []"), rule("matches.exists(m, m.exact)", name="s")),
            ["9:11: error: never reached: rules above catch all of it. Try: move it up, or drop it"],
        ),
        (
            policy(rule("'true'"), tail=TAIL),
            [
                "9:11: error: never reached: a rule above catches everything. Try: move it up, or drop it",
                "13:11: error: never reached: a rule above catches everything. Try: move it up, or drop it",
            ],
        ),
        (
            policy(rule("item.size > 5 && item.size < 3")),
            ["5:11: error: never true. Try: correct it, or drop the rule"],
        ),
        (
            policy(rule("item.size > 5"), tail=""),
            ["4:5: error: the last rule must catch all that is left. Try: end with a rule of when: true"],
        ),
        (
            policy(rule("item.size < 5", "allow")),
            [
                "6:11: error: it allows although something may be unchecked. "
                "Try: put a rule 'when: unchecked != []' above, or add '&& unchecked == []'"
            ],
        ),
        (
            policy(rule("'true'", "allow"), tail=""),
            [
                "6:11: error: it allows although something may be unchecked. "
                "Try: put a rule 'when: unchecked != []' above, or add '&& unchecked == []'"
            ],
        ),
        (
            policy(rule("'true'", "pass"), tail=""),
            ["6:11: error: 'then' is one of allow, review, block"],
        ),
        (
            policy(rule("item.known", more="    hodl: P1Y\n")),
            ["8:5: error: a rule has no 'hodl'. Try: did you mean 'hold'?"],
        ),
        (
            policy(rule("item.known", more="    hold: 1 year\n")),
            ["8:11: error: no period. Try: write P1Y, P6M or P30D, or true for 'until released'"],
        ),
        (
            policy(rule("item.known", "allow", more="    hold: P1Y\n")),
            ["8:11: error: content that is allowed is never kept. Try: leave 'hold' out"],
        ),
        (
            policy(rule("item.known", more="    two_person: yes\n")),
            ["8:17: error: 'two_person' is true or false"],
        ),
        (
            policy(rule(SURE, "review", more="    two_person: true\n    confirms: true\n")),
            [
                "9:15: error: 'two_person' asks for two people, 'confirms' for none. Try: leave one out",
                "9:15: error: only what is blocked can be confirmed by a rule. Try: then: block",
                "9:15: error: what is reported must be kept. Try: hold: P1Y",
            ],
        ),
        (
            policy(rule("matches != []", "block", more="    hold: P1Y\n    confirms: true\n")),
            [
                "9:15: warning: it confirms without asking for an equal digest that nobody disputes. "
                "Try: matches.exists(m, m.exact && !m.disputed && …)"
            ],
        ),
        (policy(rule(SURE, "block", more="    hold: P1Y\n    confirms: true\n")), []),
        (
            policy(rule("item.known", name="A rule")),
            ["4:9: error: the id 'A rule'. Try: small letters, digits, '-' and '_', up to 64"],
        ),
        (
            policy(rule("item.known"), rule("item.size > 3")),
            ["8:9: error: the id 'r' a second time. Try: it is the rule in line 4 already"],
        ),
        (
            policy("  - id: r\n    when: item.known\n    then: review\n    reason: 'Hash {match.value}.'\n"),
            [
                "7:19: error: the reason cannot name 'match.value'. "
                "Try: write a field such as {matches.bank} or {item.media_type}"
            ],
        ),
        (
            policy("  - id: r\n    when: item.known\n    then: review\n"),
            ["4:5: error: a rule needs 'reason'"],
        ),
        (
            policy(rule("scores.adult > 0.9")),
            ["5:18: warning: scores.adult may be absent. Try: ask first: has(scores.adult) && …"],
        ),
        (
            policy(rule("item.known"), top='jurisdiction: "US\\e[2J"\n'),
            ["3:15: error: a control character in 'jurisdiction'. Try: leave it out"],
        ),
        (
            policy(rule("item.known").replace("then:", f"queue: {'q' * 101}\n    then:")),
            ["6:12: error: the name of a queue is too long. Try: up to 100 characters"],
        ),
        (
            policy(rule("item.known"), top="accept_unchecked: [content]\n"),
            ["3:19: error: 'content' means that nothing was examined. Try: leave it out"],
        ),
        (
            "nightlamp-policy: 2\nname: x\nrules: []\n",
            [
                "1:19: error: an unknown format version. Try: nightlamp-policy: 1",
                "3:8: error: no rules. Try: end with a rule of when: true",
            ],
        ),
        ("- a\n", ["1:1: error: a policy is a mapping. Try: write key: value"]),
        ("a: &x [*x]", ["1:4: error: anchors and aliases are not offered. Try: write the value again"]),
    ],
)
def test_the_linter_points_at_the_place(text: str, findings: list[str]) -> None:
    assert [str(finding) for finding in lint(text)] == findings


@pytest.mark.parametrize(
    "rules",
    [
        rule("item.known", "allow"),
        rule("item.size < 5 && unchecked == []", "allow"),
        rule("item.size < 5 && !(size(unchecked) > 0)", "allow"),
        rule("unchecked.size() > 0") + rule("item.size < 5", "allow", "s") + rule("item.size == 5", name="t"),
        rule("item.size > 9 || unchecked != []", "block") + rule("item.size < 5", "allow", "s"),
        rule("item.size < 5", "block") + rule("item.size < 5 || item.known", "allow", "s"),
    ],
)
def test_an_allow_that_is_safe_has_no_finding(rules: str) -> None:
    tail = (
        TAIL
        if "unchecked != []" not in rules and "unchecked.size" not in rules
        else TAIL[TAIL.index("  - id: rest") :]
    )

    assert [f.what for f in lint(policy(rules, tail=tail))] == []


def test_banks_that_are_known_make_a_misspelt_one_an_error() -> None:
    text = policy(rule("matches.exists(m, m.bank == 'ncmc')"))

    assert lint(text) == []
    assert [f.what for f in lint(text, {"ncmec"})] == ["there is no bank 'ncmc'"]


@pytest.mark.parametrize("name", PROFILES)
def test_a_shipped_policy_has_no_finding_and_says_that_it_is_no_legal_advice(name: str) -> None:
    assert lint(profile_text(name)) == []
    assert profile_text(name).startswith("# Not legal advice.")
    assert load(profile_text(name)).name == name


def test_a_policy_with_errors_is_refused_with_all_of_them_and_one_with_warnings_is_not() -> None:
    with pytest.raises(PolicyError) as told:
        load(policy(rule("item.nothing"), rule("item.siez > 3", name="s")), where="mine.yaml")

    assert "mine.yaml:5:16: error: an item has no 'nothing'" in str(told.value)
    assert "mine.yaml:9:16: error: an item has no 'siez'" in str(told.value)
    assert load(policy(rule("scores.adult > 0.9"))).name == "test"


@pytest.mark.parametrize("name", PROFILES)
def test_no_shipped_policy_confirms_anything_by_itself(name: str) -> None:
    assert not any(each.handling.confirms for each in load(profile_text(name)).rules)


def test_all_that_a_rule_says_is_read() -> None:
    more = "    hold: P1Y2M3DT4H\n    priority: urgent\n    queue: csam\n    two_person: true\n"

    loaded = load(
        policy(rule("item.known", more=more), top="jurisdiction: US\naccept_unchecked: [photodna]\n")
    )

    assert loaded.rules[0].handling == Handling(Hold(14, (3 * 24 + 4) * 3600), "urgent", "csam", True)
    assert loaded.jurisdiction == "US"
    assert loaded.without == {"photodna"}
    assert decide(Facts(), loaded).rule == "rest"


@pytest.mark.parametrize(
    ("hold", "start", "end"),
    [
        (Hold(12), "2026-04-07", "2027-04-07"),
        (Hold(12), "2028-02-29", "2029-03-01"),
        (Hold(1), "2026-01-31", "2026-03-01"),
        (Hold(6), "2026-08-31", "2027-03-01"),
        (Hold(0, 86_400 * 30), "2026-01-01", "2026-01-31"),
        (Hold(11), "2026-01-31", "2026-12-31"),
    ],
)
def test_a_hold_is_never_shorter_than_its_months(hold: Hold, start: str, end: str) -> None:
    assert hold.until(datetime.fromisoformat(start).replace(tzinfo=UTC)) == datetime.fromisoformat(
        end
    ).replace(tzinfo=UTC)
    assert Hold().until(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_largest_files_are_read_in_bounded_time() -> None:
    joined = " && ".join(f"(item.size > {n} || item.width < {n})" for n in range(4))
    many = policy(*(rule(f"{joined} && actor.items == {n}", name=f"r{n}") for n in range(MAX_RULES + 5)))
    start = time.thread_time()

    found = lint(many)

    assert [f.what for f in found if "more than" in f.what] == [f"more than {MAX_RULES} rules"]
    assert time.thread_time() - start < 60
    assert [f.what for f in lint("# " + "x" * 100_001)] == ["larger than 100,000 characters"]


def test_a_file_is_read_with_windows_line_ends_too() -> None:
    text = policy(rule("matches.exists(m, m.bnak == 'x')")).replace("\n", "\r\n")

    assert [(f.line, f.column) for f in lint(text)] == [(5, 31)]
