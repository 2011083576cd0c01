from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from nightlamp.origin import RULES, assess
from nightlamp.origin.rules import OUTCOMES
from nightlamp.origin.statements import state
from nightlamp.values import Outcome, Says, Statement, Strength, Unchecked

statements = st.builds(
    Statement,
    st.just("exif"),
    st.sampled_from(get_args(Says)),
    st.text(max_size=20) | st.sampled_from(["{0}", "{1.strength}", "{9}", "{0.__class__}"]),
    st.sampled_from(Strength),
    st.just("easily"),
)


@given(st.lists(statements), st.lists(statements))
def test_more_evidence_never_gives_a_lower_outcome(some: list[Statement], more: list[Statement]) -> None:
    before, after = assess(some).outcome, assess([*some, *more]).outcome

    assert OUTCOMES.index(after) >= OUTCOMES.index(before)


@given(st.lists(statements, min_size=1), st.data())
def test_stronger_evidence_never_gives_a_lower_outcome(some: list[Statement], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(some) - 1))
    stronger = data.draw(st.sampled_from([s for s in Strength if s >= some[at].strength]))
    raised = [*some[:at], state("exif", some[at].says, "raised", stronger), *some[at + 1 :]]

    assert OUTCOMES.index(assess(raised).outcome) >= OUTCOMES.index(assess(some).outcome)


@given(st.lists(statements), st.randoms())
def test_the_order_of_the_statements_does_not_matter(some: list[Statement], random: object) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert assess(shuffled).outcome == assess(some).outcome


@given(st.lists(statements))
def test_no_text_of_a_file_is_taken_for_a_mark_of_the_sentence(some: list[Statement]) -> None:
    assert assess(some).sentence.endswith((".", ")."))


@given(st.lists(statements.filter(lambda s: s.strength < Strength.DECLARED)))
def test_weak_evidence_alone_decides_nothing(some: list[Statement]) -> None:
    assert assess(some).outcome == "unknown"


def test_nothing_said_is_unknown_and_never_real() -> None:
    found = assess([], [Unchecked("c2pa", "not installed")])

    assert found.outcome == "unknown"
    assert "does not mean that it is real" in found.sentence
    assert "Not checked: c2pa." in found.sentence
    assert not found.generative_ai


def test_the_table_has_every_outcome_and_no_rule_after_the_one_that_needs_nothing() -> None:
    assert set(OUTCOMES) == set(get_args(Outcome))
    assert [rule for rule in RULES if not rule.needs] == [RULES[-1]]


def test_only_a_trusted_signature_makes_a_camera() -> None:
    for strength in Strength:
        capture = state("c2pa", "signed capture", "captured", strength)
        expected = "camera-signed" if strength == Strength.TRUSTED else "unknown"

        assert assess([capture, state("exif", "camera", "named")]).outcome == expected


def test_a_report_may_say_generative_ai_only_where_it_is_declared_and_uncontradicted() -> None:
    made, camera = state("png text", "ai-made", "made"), state("exif", "camera", "named")

    assert assess([made]).generative_ai
    assert not assess([made, camera]).generative_ai
    assert not assess([state("detector", "ai-made", "guessed", Strength.WEAK)]).generative_ai


def test_secrets_show_in_no_repr() -> None:
    from nightlamp.values import Sealed

    found = assess([state("exif", "ai-made", "made", fields={"prompt": Sealed("a secret")})])

    assert "a secret" not in f"{found!r} {found} {found.statements[0].fields}"
    assert found.statements[0].field("prompt").reveal() == "a secret"  # type: ignore[union-attr]
