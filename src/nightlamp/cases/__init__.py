"""Cases: what a person reviews, and what they decide.

Near-identical items are one case, so that a person decides once. Promises: each item that was not allowed is
in exactly one case; nobody's work is lost and nothing is decided twice, whoever races; a decision takes
effect once; every step is in the audit log, in the transaction that it records. Takes what intake wrote into
``for_review``, and functions of a connection in the caller's transaction. Gives ``FinalDecision``s to
consumers. Must never show the second person what the first one said, or log a note.
"""

from nightlamp.cases.claims import (
    claim,
    end_rest,
    next_case,
    release,
    renew,
    resting_until,
    take_rest,
)
from nightlamp.cases.deciding import decide, escalate, undo
from nightlamp.cases.decision import (
    FULL,
    PRIORITIES,
    REASONS,
    Answer,
    Case,
    Classification,
    Decided,
    FinalDecision,
    Finding,
    Given,
)
from nightlamp.cases.dossier import CaseItem, Dossier, Hit, Neighbour, Person, dossier, page_case_items
from nightlamp.cases.effects import Consumer, Effects
from nightlamp.cases.feedback import Feedback
from nightlamp.cases.figures import (
    AGES,
    MOST_JUDGED,
    Agreement,
    Backlog,
    Precision,
    Times,
    agreement,
    backlog,
    exposures,
    precision_by_list,
    precision_by_rule,
    times,
)
from nightlamp.cases.opening import Confirmed, OnConfirmed, Opener
from nightlamp.cases.own_bank import OwnBanks
from nightlamp.cases.records import (
    answers,
    final_decision,
    final_decisions,
    get_case,
    page_cases,
    queues,
    undoable,
)
from nightlamp.cases.reopening import OnReopened, reopen
from nightlamp.cases.reveals import (
    Allowance,
    Exposure,
    Shown,
    Viewed,
    end_reveal,
    exposure,
    hand_out,
    has_looked,
    highest_level,
    may_reveal,
    record_reveal,
    record_stills,
    viewed,
)
from nightlamp.cases.splitting import Split, how_many, items_among, split, unsplit, unsplittable
from nightlamp.cases.terms import LEASE, UNDO, Limits, Terms

__all__ = [
    "AGES",
    "FULL",
    "LEASE",
    "MOST_JUDGED",
    "PRIORITIES",
    "REASONS",
    "UNDO",
    "Agreement",
    "Allowance",
    "Answer",
    "Backlog",
    "Case",
    "CaseItem",
    "Classification",
    "Confirmed",
    "Consumer",
    "Decided",
    "Dossier",
    "Effects",
    "Exposure",
    "Feedback",
    "FinalDecision",
    "Finding",
    "Given",
    "Hit",
    "Limits",
    "Neighbour",
    "OnConfirmed",
    "OnReopened",
    "Opener",
    "OwnBanks",
    "Person",
    "Precision",
    "Shown",
    "Split",
    "Terms",
    "Times",
    "Viewed",
    "agreement",
    "answers",
    "backlog",
    "claim",
    "decide",
    "dossier",
    "end_rest",
    "end_reveal",
    "escalate",
    "exposure",
    "exposures",
    "final_decision",
    "final_decisions",
    "get_case",
    "hand_out",
    "has_looked",
    "highest_level",
    "how_many",
    "items_among",
    "may_reveal",
    "next_case",
    "page_case_items",
    "page_cases",
    "precision_by_list",
    "precision_by_rule",
    "queues",
    "record_reveal",
    "record_stills",
    "release",
    "renew",
    "reopen",
    "resting_until",
    "split",
    "take_rest",
    "times",
    "undo",
    "undoable",
    "unsplit",
    "unsplittable",
    "viewed",
]
