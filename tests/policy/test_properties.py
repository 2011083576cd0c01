"""What holds for every policy, every item and every pair of conditions."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from nightlamp.policy import (
    Actor,
    Context,
    Facts,
    Item,
    Origin,
    Policy,
    Rule,
    Rules,
    Statement,
    decide,
    profile,
    replay,
)
from nightlamp.policy.checking import check
from nightlamp.policy.expression import parse
from nightlamp.policy.reach import cases, covered
from nightlamp.values import Bank, Fingerprint, Handling, Hold, Match, Unchecked

SEVERITY = ["allow", "review", "block"]

fingerprints = st.builds(
    Fingerprint,
    st.sampled_from(["pdq", "sha256"]),
    st.sampled_from([b"\1" * 32, b"\2" * 32]),
    view=st.sampled_from(["as is", "mirrored"]),
    frame=st.integers(0, 2),
    quality=st.sampled_from([None, 90]),
)
banks = st.builds(
    Bank, st.sampled_from(["a", "b"]), trust=st.sampled_from(["low", "medium", "high"]), benign=st.booleans()
)
matches = st.builds(
    Match,
    fingerprints,
    banks,
    st.sampled_from(["row 7", "row 8"]),
    st.sampled_from(["csam", "ncii"]),
    st.integers(0, 31),
    st.booleans(),
)
unchecked = st.builds(Unchecked, st.sampled_from(["pdq", "photodna", "content"]), st.just("damaged"))
NOON = datetime(2026, 4, 7, 12, tzinfo=UTC)
facts = st.builds(
    Facts,
    st.lists(matches, max_size=4),
    st.lists(unchecked, max_size=2),
    st.builds(Item, st.sampled_from(["", "image/png"]), st.integers(0, 9)),
    st.builds(Origin, st.sampled_from(["", "ai"]), st.lists(st.just(Statement("ai", "exif")), max_size=2)),
    st.dictionaries(st.sampled_from(["x", "y"]), st.floats(), max_size=2),
    st.builds(Actor, st.integers(0, 3), blocks=st.integers(0, 4)),
    st.builds(Context, st.sampled_from(["", "chat"]), submitted_at=st.sampled_from([None, NOON])),
    st.sampled_from(["", "US"]),
)  # fmt: skip
ATOMS = [
    "true", "false", "item.known", "item.size > 3", "item.size <= 3", "item.size == 5", "item.size in [4, 5]",
    "unchecked == []", "size(unchecked) > 0", "unchecked.exists(u, u.what == 'pdq')",
    "matches != []", "matches.size() < 1", "size(matches) >= 2", "matches.exists(m, m.exact)",
    "matches.exists(m, m.distance <= 10)", "matches.exists(m, m.distance < 5 && m.trust == 'high')",
    "matches.all(m, m.distance < 20)", "!matches.all(m, m.trust != 'high')",
    "matches.exists(m, matches.exists(n, n.distance < m.distance))", "matches.exists_one(m, m.disputed)",
    "actor.blocks >= 2", "2 < actor.blocks", "!(actor.blocks == 0)", "jurisdiction == 'US'",
    "jurisdiction in ['US', 'UK']", "jurisdiction != 'UK'",
    "'x' in scores", "has(scores.x) && scores.x > 0.5",
    "origin.statements.exists(s, s.evidence == 'exif')", "context.room.startsWith('kids')",
]  # fmt: skip
MAY_FAIL = [
    "scores.x > 0.5", "scores['y'] < 0.5", "1 / actor.items == 1", "actor.blocks * 9223372036854775807 > 1",
    "context.submitted_at < timestamp('2027-01-01T00:00:00Z')", "matches[1].exact",
]  # fmt: skip
BROKEN = ["nonsense(", "item.nothing", "1 + 1", "matches.exists(m, m.hash == '')", ""]


def conditions(atoms: list[str]) -> st.SearchStrategy[str]:
    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, st.sampled_from(["&&", "||"]), inner)
        joined = pair.map(lambda parts: f"({' '.join(parts)})")
        return joined | inner.map(lambda text: f"!({text})")

    return st.recursive(st.sampled_from(atoms), grown, max_leaves=4)


handlings = st.sampled_from([Handling(), Handling(Hold(12), "high", "csam", True)])
ALLOW_THE_REST = Rule("rest", "true", "allow")
rules = st.builds(
    Rules,
    st.just("p"),
    st.lists(
        st.builds(
            Rule,
            st.sampled_from(["r1", "r2", "r3"]),
            conditions(ATOMS + MAY_FAIL) | st.sampled_from(BROKEN),
            st.sampled_from(SEVERITY),
            st.sampled_from(["", "{matches.bank} {unchecked.what} {scores.x} {context.service} {item.size}"]),
            handlings,
        ),
        max_size=5,
    ).flatmap(lambda listed: st.sampled_from([tuple(listed), (*listed, ALLOW_THE_REST)])),
    without=st.sampled_from([frozenset(), frozenset({"photodna"})]),
)
policies = rules | st.sampled_from([Policy(), Policy(near="review"), profile("us"), profile("eu")])


@given(facts, policies)
@settings(max_examples=400)
def test_nothing_is_allowed_that_was_not_examined(item: Facts, policy: Policy | Rules) -> None:
    verdict = decide(item, policy)

    unaccepted = [u for u in item.unchecked if u.what not in policy.without]
    assert verdict.action != "allow" or not unaccepted or item.known_by
    assert verdict.unchecked == tuple(item.unchecked)
    assert len(verdict.matches) == len(item.matches)


def oracle(when: str, item: Facts, jurisdiction: str) -> bool | None:
    """The condition's truth by the engine alone, with every field handed over and nothing folded."""
    get = lambda m: {  # noqa: E731
        "bank": m.bank.name,
        "trust": m.bank.trust,
        "distance": m.distance,
        "exact": m.exact,
        "disputed": m.disputed,
        "category": m.category,
    }
    context = {"submitted_at": item.context.submitted_at} if item.context.submitted_at else {}
    variables = {
        "item": {"known": bool(item.known_by), "size": item.item.size},
        "matches": [get(m) for m in item.matches if not m.bank.benign],
        "unchecked": [{"what": u.what, "why": u.why} for u in item.unchecked],
        "origin": {
            "assessment": "",
            "statements": [{"evidence": s.evidence} for s in item.origin.statements],
        },
        "scores": dict(item.scores),
        "actor": {"items": item.actor.items, "blocks": item.actor.blocks},
        "context": {"service": item.context.service, "room": item.context.room, **context},
        "jurisdiction": item.jurisdiction or jurisdiction,
    }
    try:
        answer = cel.evaluate(when, variables)
    except Exception:  # noqa: BLE001
        return None
    return answer if isinstance(answer, bool) else None


@given(facts, rules)
@settings(max_examples=400)
def test_the_first_rule_that_is_true_gives_the_verdict(item: Facts, policy: Rules) -> None:
    if item.known_by or policy.without:
        item = Facts(item.matches, (), item.item, item.origin, item.scores, item.actor, item.context)
    answers = [None if rule.when in BROKEN else oracle(rule.when, item, "") for rule in policy.rules]

    verdict = decide(item, policy)

    hit = next((rule for rule, answer in zip(policy.rules, answers, strict=True) if answer), None)
    failed = [rule for rule, answer in zip(policy.rules, answers, strict=True) if answer is None]
    if hit is not None:
        failed = [rule for rule in failed if policy.rules.index(rule) < policy.rules.index(hit)]
    wanted = hit.then if hit else "review"
    if (failed or item.unchecked) and wanted == "allow":
        wanted = "review"
    assert verdict.action == wanted
    decisive = failed[0] if failed and wanted != "block" else hit
    assert verdict.handling == (decisive.handling if decisive else Handling())
    assert verdict.rule == (decisive.id if decisive else "")
    for rule in failed:
        assert f"policy rule {rule.id} could not be evaluated" in verdict.reasons


@given(facts, policies)
def test_the_same_facts_give_the_same_verdict_also_elsewhere(item: Facts, policy: Policy | Rules) -> None:
    first = decide(item, policy)

    assert decide(item, policy) == first
    assert decide(item, pickle.loads(pickle.dumps(policy))) == first


@given(facts, policies)
def test_no_reason_and_no_repr_tells_a_hash_or_an_entry(item: Facts, policy: Policy | Rules) -> None:
    told = repr(decide(item, policy))

    for match in item.matches:
        assert match.fingerprint.value.hex() not in told
        assert repr(match.fingerprint.value) not in told
        assert match.entry_id not in told


@given(st.lists(facts, max_size=4), policies, policies)
@settings(max_examples=50)
def test_a_replay_is_two_decisions(items: list[Facts], old: Policy | Rules, new: Policy | Rules) -> None:
    found = replay(old, new, items)

    pairs = [(decide(item, old), decide(item, new)) for item in items]
    different = [
        (at, before, after)
        for at, (before, after) in enumerate(pairs)
        if (before.action, before.handling) != (after.action, after.handling)
    ]
    assert [(c.index, c.before, c.after) for c in found.changes] == different
    assert found.total == len(items) == sum(found.moved.values())
    assert all(found.moved[a.action, b.action] for a, b in pairs)


@given(facts)
def test_the_default_profile_acts_as_the_switches_do(item: Facts) -> None:
    undisputed = [Match(m.fingerprint, m.bank, m.entry_id, m.category, m.distance) for m in item.matches]
    plain = Facts(undisputed, item.unchecked)

    assert decide(plain, profile("default")).action == decide(plain, Policy()).action


@given(conditions(ATOMS), conditions(ATOMS), facts)
@settings(max_examples=800)
def test_what_the_linter_says_of_two_conditions_is_true(one: str, other: str, item: Facts) -> None:
    here = oracle(one, item, "")

    if not cases(parse(one)):
        assert here is not True
    if here and covered(cases(parse(one)), cases(parse(other))):
        assert oracle(other, item, "") is not False


@given(conditions(ATOMS + MAY_FAIL))
def test_what_the_checker_takes_the_engine_takes(text: str) -> None:
    assert not [problem for problem in check(parse(text)).problems if problem.severity == "error"]
    cel.compile(text)
