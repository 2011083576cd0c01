from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.policy import Facts, Policy, decide
from nightlamp.values import Bank, Fingerprint, Match, Unchecked

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
