"""What a policy costs an item: ``python benchmarks/policy.py``. No peers; medians, one core."""

from __future__ import annotations

import time
from collections.abc import Callable

from nightlamp.policy import Facts, Policy, Rule, Rules, decide, lint, profile, profile_text
from nightlamp.values import Bank, Fingerprint, Match, Unchecked

VIEWS = ("as is", "mirrored", "rotated 90", "rotated 180", "rotated 270", "a", "b", "c")
MATCHES = [
    Match(
        Fingerprint("pdq", b"\1" * 32, view=view, frame=frame, quality=90),
        Bank("a", trust="high"),
        "e",
        "",
        12,
    )
    for frame in range(60)
    for view in VIEWS
]
ITEMS = {
    "no match": Facts(),
    "not checked": Facts((), [Unchecked("pdq", "damaged")]),
    "2 matches": Facts(MATCHES[:2]),
    "480 matches": Facts(MATCHES),
}
TWENTY = Rules(
    "20 rules, the last one hits",
    (
        *(
            Rule(
                f"r{n + 9}",
                f"matches.exists(m, m.distance <= {n} && m.trust == 'high') && actor.blocks > 9",
                "block",
                "A match in {matches.bank}.",
            )
            for n in range(-9, 9)
        ),
        Rule("unchecked", "unchecked != []", "review", "Not checked."),
        Rule("rest", "true", "allow", "Nothing found."),
    ),
)


def median(call: Callable[[], object], times: int) -> float:
    """Microseconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return sorted(taken)[times // 2] * 1e6


def main() -> None:
    policies = {"switches": Policy(), "profile us": profile("us"), "20 rules": TWENTY}
    print(f"{'µs an item':<14}" + "".join(f"{name:>14}" for name in ITEMS))
    for name, policy in policies.items():
        taken = [
            median(lambda f=facts, p=policy: decide(f, p), 50 if len(facts.matches) > 9 else 3_000)
            for facts in ITEMS.values()
        ]
        print(f"{name:<14}" + "".join(f"{each:>14,.1f}" for each in taken))
    print(f"linting the profile 'us': {median(lambda: lint(profile_text('us')), 20) / 1e3:,.1f} ms")


if __name__ == "__main__":
    main()
