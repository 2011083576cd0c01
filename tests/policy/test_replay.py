from __future__ import annotations

from nightlamp.policy import Facts, Policy, Rule, Rules, replay
from nightlamp.values import Bank, Fingerprint, Handling, Hold, Match, Unchecked

NEAR = Facts([Match(Fingerprint("pdq", b"\1" * 32, quality=90), Bank("b"), "row 7", "", 12)])
MISSING = Facts((), [Unchecked("pdq", "damaged")])


def test_a_replay_counts_all_and_tells_what_changes() -> None:
    found = replay(Policy(), Policy(near="review"), iter([Facts(), NEAR, MISSING, NEAR]), keep=1)

    assert found.total == 4
    assert found.moved == {("allow", "allow"): 1, ("block", "review"): 2, ("review", "review"): 1}
    assert found.changed == 2
    assert [(c.index, c.before.action, c.after.action) for c in found.changes] == [(1, "block", "review")]


def test_a_change_of_what_is_kept_is_a_change() -> None:
    before = Rules("p", (Rule("r", "true", "block", "R."),))
    after = Rules("p", (Rule("renamed", "true", "block", "Another text.", Handling(Hold(12))),))

    assert replay(before, after, [NEAR]).changed == 1
    assert replay(before, before, [NEAR]).changed == 0


def test_another_name_or_text_alone_is_no_change() -> None:
    before = Rules("p", (Rule("r", "true", "block", "R."),))
    after = Rules("p", (Rule("renamed", "true", "block", "Another text."),))

    assert replay(before, after, [NEAR]).changed == 0
