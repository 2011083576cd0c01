from __future__ import annotations

import time
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.policy import Context, Facts, Item, Policy, Rule, Rules, decide, profile
from nightlamp.values import (
    Assessment,
    Bank,
    Examination,
    Fingerprint,
    Handling,
    Hold,
    Match,
    Statement,
    Strength,
    Unchecked,
)

ACTIONS = ["allow", "review", "block"]
KNOWN = Bank("nsrl", benign=True)


def exact(bank: Bank, signal: str = "sha256") -> Match:
    return Match(Fingerprint(signal, b"\1" * 32), bank, "row 7", bank.category, 0)


def near(bank: Bank, distance: int = 12, view: str = "mirrored") -> Match:
    return Match(
        Fingerprint("pdq", b"\2" * 32, view=view, quality=90), bank, "row 8", bank.category, distance
    )


banks = st.builds(
    Bank, st.sampled_from(["a", "b"]), trust=st.sampled_from(["low", "medium", "high"]), benign=st.booleans()
)
matches = st.lists(st.one_of(st.builds(exact, banks), st.builds(near, banks.filter(lambda b: not b.benign))))
unchecked = st.lists(
    st.builds(
        Unchecked, st.sampled_from(["pdq", "content", "photodna"]), st.sampled_from(["damaged", "timeout"])
    )
)
policies = st.builds(
    Policy,
    exact=st.sampled_from(ACTIONS),
    near=st.sampled_from(ACTIONS),
    low_trust=st.sampled_from(ACTIONS),
    unchecked=st.sampled_from(["review", "block"]),
)


@pytest.mark.parametrize(
    ("found", "action"),
    [
        ([], "allow"),
        ([exact(Bank("b"))], "block"),
        ([near(Bank("b"))], "block"),
        ([near(Bank("b"), distance=0)], "block"),
        ([exact(Bank("b", trust="low"))], "review"),
        ([near(Bank("b", trust="low")), exact(Bank("c"))], "block"),
        ([exact(KNOWN)], "allow"),
        ([exact(KNOWN), near(Bank("b"))], "review"),
        ([exact(KNOWN), exact(Bank("b"))], "block"),
    ],
)
def test_each_kind_of_match_leads_where_the_default_policy_says(found: list[Match], action: str) -> None:
    assert decide(Facts(found, []), Policy()).action == action


def test_what_is_unchecked_is_never_allowed_and_always_said() -> None:
    verdict = decide(Facts([], [Unchecked("pdq", "damaged", "no end of image")]), Policy())

    assert verdict.action == "review"
    assert verdict.reasons == ("not checked: pdq (damaged: no end of image)",)


def test_what_the_operator_accepts_as_unchecked_is_said_but_changes_nothing() -> None:
    verdict = decide(
        Facts([], [Unchecked("photodna", "not installed")]), Policy(without=frozenset({"photodna"}))
    )

    assert verdict.action == "allow"
    assert verdict.unchecked == (Unchecked("photodna", "not installed"),)
    assert verdict.reasons == ("not checked: photodna (not installed)",)


def test_a_policy_sees_what_the_content_says_of_its_origin_and_whether_it_can_be_forged() -> None:
    made = Statement("png text", "ai-made", "made by a generator", Strength.DECLARED, "easily")
    signer = Statement("c2pa", "signed", "signed by somebody", Strength.SIGNED, "hardly")
    origin = Assessment("declared AI-made", "The file is declared AI-made.", (signer, made))

    facts = Facts.of(Examination("image/png", 1, origin=origin), [])
    rules = Rules(
        "origin",
        (
            Rule(
                "made",
                "origin.assessment == 'declared AI-made' && "
                "origin.statements.exists(s, s.says == 'ai-made' && s.forgeable)",
                "review",
                "It is declared AI-made.",
            ),
            Rule("rest", "true", "allow", "Nothing found."),
        ),
    )

    assert decide(facts, rules).action == "review"
    assert [s.forgeable for s in facts.origin.statements] == [False, True]
    assert Facts.of(Examination("image/png", 1), []).origin.assessment == ""


def test_a_known_file_needs_no_picture_to_be_seen() -> None:
    verdict = decide(Facts([exact(KNOWN)], [Unchecked("pdq", "no decoder")]), Policy())

    assert (verdict.action, verdict.benign) == ("allow", True)


@given(matches, unchecked, policies)
def test_allow_is_always_earned(found: list[Match], missing: list[Unchecked], policy: Policy) -> None:
    verdict = decide(Facts(found, missing), policy)

    if verdict.action == "allow" and missing:
        assert verdict.benign
    assert set(verdict.unchecked) == set(missing)
    assert len(verdict.matches) == len(found)


@given(matches, unchecked, policies, banks)
def test_one_more_match_in_a_list_never_softens_the_verdict(
    found: list[Match], missing: list[Unchecked], policy: Policy, bank: Bank
) -> None:
    more = exact(Bank(bank.name, trust=bank.trust))

    before, after = decide(Facts(found, missing), policy), decide(Facts([*found, more], missing), policy)

    assert ACTIONS.index(after.action) >= ACTIONS.index(before.action)


@given(st.lists(st.builds(near, banks.filter(lambda b: not b.benign)), max_size=4), unchecked)
def test_the_order_of_matches_does_not_matter(found: list[Match], missing: list[Unchecked]) -> None:
    verdicts = {decide(Facts(list(order), missing), Policy()) for order in permutations(found)}

    assert len(verdicts) == 1


@given(matches, unchecked)
def test_reasons_and_reprs_hold_no_hash_and_no_entry_id(found: list[Match], missing: list[Unchecked]) -> None:
    told = repr(decide(Facts(found, missing), Policy()))

    for match in found:
        assert match.fingerprint.value.hex() not in told
        assert repr(match.fingerprint.value) not in told
        assert match.entry_id not in told


def ruled(*rules: Rule, **more: object) -> Rules:
    return Rules("test", rules, **more)  # type: ignore[arg-type]


LAST = Rule("rest", "true", "allow", "Nothing found.")


@pytest.mark.parametrize(
    "when",
    [
        "scores.adult > 0.5",  # absent
        "1 / actor.items == 1",  # division by zero
        "actor.items + 9223372036854775807 + 1 > 0",  # overflow
        "context.submitted_at > timestamp('2026-01-01T00:00:00Z')",  # absent
        "matches[3].exact",  # absent
        "nonsense(",
        "item.nothing",
        "item.size",
        "",
    ],
)
def test_a_rule_that_cannot_be_evaluated_never_means_no(when: str) -> None:
    handling = Handling(Hold(12), "high")
    doubtful = Rule("doubtful", when, "block", "A reason.", handling)

    verdict = decide(Facts(), ruled(doubtful, LAST))
    with_a_block_below = decide(Facts(), ruled(doubtful, Rule("strict", "true", "block", "Strict.")))

    assert (verdict.action, verdict.rule, verdict.handling) == ("review", "doubtful", handling)
    assert verdict.reasons == ("policy rule doubtful could not be evaluated",)
    assert (with_a_block_below.action, with_a_block_below.rule) == ("block", "strict")


def test_a_policy_that_allows_what_is_unchecked_is_overruled() -> None:
    careless = ruled(LAST)
    missing = [Unchecked("pdq", "damaged")]

    overruled = decide(Facts((), missing), careless)
    accepted = decide(Facts((), missing), ruled(LAST, without=frozenset({"pdq"})))
    known = decide(Facts([exact(KNOWN)], missing), careless)
    other = decide(
        Facts((), [*missing, Unchecked("content", "timeout")]), ruled(LAST, without=frozenset({"pdq"}))
    )

    assert overruled.action == "review"
    assert overruled.reasons == (
        "not everything could be checked, and the policy does not accept that",
        "not checked: pdq (damaged)",
    )
    assert accepted.action == known.action == "allow"
    assert other.action == "review"
    assert "not checked: pdq (damaged)" in accepted.reasons


@pytest.mark.parametrize(
    ("without", "action"),
    [(set(), "review"), ({"feed two"}, "review"), ({"feed one"}, "allow"), ({"feeds"}, "allow")],
)
def test_stale_feeds_are_accepted_by_name_or_all_of_them(without: set[str], action: str) -> None:
    verdict = decide(Facts((), [Unchecked("feed one", "stale")]), Policy(without=frozenset(without)))
    assert verdict.action == action
    assert "not checked: feed one (stale)" in verdict.reasons


@pytest.mark.parametrize("name", ["default", "us", "uk", "eu"])
def test_a_stale_feed_alone_does_not_put_all_items_before_people(name: str) -> None:
    verdict = decide(Facts((), [Unchecked("feed one", "stale")]), profile(name))
    assert verdict.action == "allow"
    assert verdict.unchecked == (Unchecked("feed one", "stale"),)
    assert "not checked: feed one (stale)" in verdict.reasons  # and not a silent one
    other = [Unchecked("feed one", "stale"), Unchecked("md5", "out of date")]
    assert decide(Facts((), other), profile(name)).action == "review"


def test_no_rule_that_applies_means_review() -> None:
    verdict = decide(Facts(), ruled(Rule("never", "false", "block", "Never.")))

    assert (verdict.action, verdict.rule, verdict.reasons) == (
        "review",
        "",
        ("no rule of the policy applies",),
    )


@pytest.mark.parametrize(
    "facts",
    [
        Facts(scores={"adult": "high"}),  # type: ignore[dict-item]
        Facts(context=Context(room="\ud800")),
        Facts(item=Item(size=object())),  # type: ignore[arg-type]
    ],
)
def test_facts_of_a_wrong_type_mean_review(facts: Facts) -> None:
    asks = Rule("asks", "'adult' in scores || context.room == 'x' || item.size > 3", "block", "Asks.")

    assert decide(facts, ruled(asks, LAST)).action == "review"


def test_loops_over_very_many_matches_end_in_review_and_not_in_a_long_wait() -> None:
    many = Facts([near(Bank(f"bank {n}"), n) for n in range(2_000)])
    nested = "matches.exists(m, matches.exists(n, m.distance > n.distance + 9000))"
    start = time.thread_time()

    verdict = decide(many, ruled(Rule("nested", nested, "block", "Nested."), LAST))

    assert verdict.action == "review"
    assert "policy rule nested could not be evaluated" in verdict.reasons
    assert time.thread_time() - start < 10


def test_matches_that_no_rule_can_tell_apart_cost_no_loop() -> None:
    alike = Facts([near(Bank("a"), 5, view) for view in ("as is", "mirrored")] * 1_000)
    nested = "matches.exists(m, matches.exists(n, m.distance > n.distance + 9000))"

    assert decide(alike, ruled(Rule("nested", nested, "block", "Nested."), LAST)).action == "allow"
    assert decide(alike, ruled(Rule("count", "size(matches) == 2000", "block", "C."), LAST)).action == "block"


def test_a_reason_names_fields_and_nothing_that_a_terminal_or_a_page_would_obey() -> None:
    facts = Facts(
        [near(Bank(f"bank {n}"), 3) for n in range(7)],
        [Unchecked("photodna", "not installed")],
        item=Item("image/png", 5),
        scores={"adult": 0.25},
        context=Context("chat", "room\x1b[31m\n" + "x" * 100),
    )
    reason = "{matches.bank}; {unchecked.what}; {item.size}; {scores.adult} {scores.other}; {item.known}; "

    told = decide(facts, ruled(Rule("r", "true", "block", reason + "{context.room}"))).reasons[0]

    banks_told, unchecked_told, size, scores, is_known, room = told.split("; ")
    assert banks_told == "bank 0, bank 1, bank 2, bank 3, bank 4 and 2 more"
    assert (unchecked_told, size, scores, is_known) == ("photodna", "5", "0.25 none", "no")
    assert room.isprintable()
    assert len(room) == 60


def test_the_policys_jurisdiction_stands_in_for_the_items() -> None:
    rules = ruled(Rule("us", "jurisdiction == 'US'", "block", "US."), LAST, jurisdiction="US")

    assert decide(Facts(), rules).action == "block"
    assert decide(Facts(jurisdiction="UK"), rules).action == "allow"


def test_disputed_entries_reach_rules_and_are_told() -> None:
    match = exact(Bank("b"))
    disputed = Match(match.fingerprint, match.bank, match.entry_id, "csam", 0, disputed=True)

    verdict = decide(Facts([disputed]), profile("us"))

    assert (verdict.action, verdict.rule) == ("review", "doubtful")
    assert "sha256 equal to an entry of b as csam, disputed" in verdict.reasons


def test_an_items_verdict_does_not_depend_on_those_before_it() -> None:
    rules = ruled(Rule("size", "matches != [] || item.size > 3", "block", "{item.size}"), LAST)

    assert [decide(Facts(item=Item(size=n)), rules).action for n in (1, 5, 1)] == ["allow", "block", "allow"]
    told = ruled(Rule("rest", "true", "allow", "{item.size} bytes"))
    assert [decide(Facts(item=Item(size=n)), told).reasons for n in (1, 5)] == [("1 bytes",), ("5 bytes",)]


SURE = Rule("sure", "matches.exists(m, m.exact)", "block", handling=Handling(Hold(12), confirms=True))
DOUBTFUL = Rule("doubtful", "scores.adult > 0.5", "review")


@pytest.mark.parametrize(
    ("rules", "found", "confirms"),
    [
        ((SURE,), [exact(Bank("b"))], True),
        ((DOUBTFUL, SURE), [exact(Bank("b"))], False),  # the rule above could not be evaluated
        ((SURE,), [exact(Bank("b")), exact(KNOWN)], False),  # a benign bank knows it
        ((SURE,), [near(Bank("b"))], False),
    ],
)
def test_a_rule_confirms_alone_only_without_any_doubt(
    rules: tuple[Rule, ...], found: list[Match], confirms: bool
) -> None:
    last = Rule("rest", "true", "review")
    verdict = decide(Facts(found), Rules("test", (*rules, last)))
    assert verdict.handling.confirms is confirms
    failed = Rule("failed", "scores.adult > 0.5", "block", handling=Handling(Hold(12), confirms=True))
    assert not decide(Facts(found), Rules("test", (failed, last))).handling.confirms
