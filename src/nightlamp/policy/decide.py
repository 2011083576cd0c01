"""The built-in policy: a handful of settings, tried in a fixed order.

An operator's own rule language will stand behind the same call: values in, ``Verdict`` out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

from nightlamp.values import Action, Match, Unchecked, Verdict

_SEVERITY: dict[Action, int] = {"allow": 0, "review": 1, "block": 2}


@dataclass(frozen=True, slots=True)
class Policy:
    """What each kind of match leads to.

    Args:
        exact: for an equal md5, sha1, sha256 or other digest.
        near: for a perceptual match within the signal's radius.
        low_trust: for any match in a bank of low trust, instead of the two above.
        unchecked: for an item of which something could not be examined; ``allow`` is not on offer.
        without: what the operator knows not to be checked and accepts: names as in ``Unchecked.what``. It is
            still said in the verdict, but does not change the action.
    """

    exact: Action = "block"
    near: Action = "block"
    low_trust: Action = "review"
    unchecked: Literal["review", "block"] = "review"
    without: frozenset[str] = frozenset()


def decide(matches: Sequence[Match], unchecked: Sequence[Unchecked], policy: Policy) -> Verdict:
    """The verdict on one item.

    A match in a benign bank (equal digests only) makes the item a *known file*: then nothing that could not
    be examined matters, and a perceptual match alone leads to ``review`` at most. An equal digest in any
    other bank outweighs it.

    Args:
        matches: of all banks, benign ones too, any order.
        unchecked: of the item and of the banks.
        policy: what leads to what.
    """
    hits = [match for match in matches if not match.bank.benign]
    known = sorted({match.bank.name for match in matches if match.bank.benign and match.distance == 0})
    action: Action = "allow"
    reasons: list[str] = []

    strongest: Counter[tuple[Action, str]] = Counter()
    for match in hits:
        strongest[_consequence(match, policy, known=bool(known)), _told(match)] += 1
    for (consequence, told), count in sorted(
        strongest.items(), key=lambda kv: (-_SEVERITY[kv[0][0]], kv[0][1])
    ):
        action = max(action, consequence, key=_SEVERITY.__getitem__)
        reasons.append(told if count == 1 else f"{told} ({count} times)")

    if known:
        reasons.append(f"a known file by {', '.join(known)}")
    else:
        open_questions = [u for u in unchecked if u.what not in policy.without]
        if open_questions:
            action = max(action, policy.unchecked, key=_SEVERITY.__getitem__)
        reasons.extend(str(u) for u in unchecked)
    return Verdict(action, tuple(reasons), tuple(sorted(matches, key=_order)), tuple(unchecked), bool(known))


def _consequence(match: Match, policy: Policy, *, known: bool) -> Action:
    action = policy.exact if _is_exact(match) else policy.near
    if match.bank.trust == "low":
        action = policy.low_trust
    if known and not _is_exact(match):
        action = min(action, "review", key=_SEVERITY.__getitem__)
    return action


def _is_exact(match: Match) -> bool:
    return match.fingerprint.quality is None and match.distance == 0


def _told(match: Match) -> str:
    category = f" as {match.category}" if match.category else ""
    if _is_exact(match):
        return f"{match.fingerprint.signal} equal to an entry of {match.bank.name}{category}"
    return (
        f"{match.fingerprint.signal} close to an entry of {match.bank.name}{category} "
        f"(distance {match.distance}, {match.fingerprint.view})"
    )


def _order(match: Match) -> tuple[object, ...]:
    bank, fingerprint = match.bank, match.fingerprint
    return (
        match.distance,
        astuple(bank),
        match.category,
        fingerprint.signal,
        fingerprint.frame,
        fingerprint.view,
        fingerprint.value,
        match.entry_id,
    )
