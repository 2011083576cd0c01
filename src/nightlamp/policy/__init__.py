"""Facts in, one verdict out, by a policy that people can read.

``decide`` takes ``Facts`` (matches, what is unchecked, what is known of the item and its actor) and a policy:
``Rules`` from a YAML file (``load``, ``lint``), a shipped ``profile``, or ``Policy``, five switches that
stand for the usual rules. Pure: the same values give the same verdict, always. It never says ``allow`` for
what was not examined, and a rule that cannot be evaluated never counts as "no".
"""

from nightlamp.policy.cases import Case, Outcome, load_cases, run_cases
from nightlamp.policy.decide import decide
from nightlamp.policy.facts import Actor, Context, Facts, Item, Origin, Statement
from nightlamp.policy.profiles import PROFILES, profile, profile_text
from nightlamp.policy.reading import Finding, lint, load
from nightlamp.policy.replay import Change, Replay, replay
from nightlamp.policy.rules import Policy, Rule, Rules

__all__ = [
    "PROFILES",
    "Actor",
    "Case",
    "Change",
    "Context",
    "Facts",
    "Finding",
    "Item",
    "Origin",
    "Outcome",
    "Policy",
    "Replay",
    "Rule",
    "Rules",
    "Statement",
    "decide",
    "lint",
    "load",
    "load_cases",
    "profile",
    "profile_text",
    "replay",
    "run_cases",
]
