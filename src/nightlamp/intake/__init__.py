"""The way of an item through the service, the same for every door.

Promises: an outcome in hand is durable, with verdict, matches, audit record, held content and webhooks in one
transaction; the verdict is the pure core's for the same bytes, banks and policy; what could not be checked is
said and never allowed in silence. Takes ``Submission``s; gives ``Outcome``s. Must never write content in
clear, keep content that nothing holds, or put a hash value or an entry's id into a message.

``docs/service.md`` describes it for operators.
"""

from nightlamp.intake.content import Content
from nightlamp.intake.deciding import Case, Decider
from nightlamp.intake.dry_run import DryRun, dry_run
from nightlamp.intake.examiner import Examiner
from nightlamp.intake.fetching import UrlFetcher, waiting_urls
from nightlamp.intake.intake import Intake, Load
from nightlamp.intake.keeping import Forgetting
from nightlamp.intake.late import LateVerdicts
from nightlamp.intake.policies import (
    ActivePolicy,
    InForce,
    StoredPolicy,
    activate_policy,
    active_policy,
    add_policy,
    first_policy,
    get_policy,
    page_policies,
    roll_back_policy,
)
from nightlamp.intake.records import (
    StoredItem,
    decisions_of,
    get_decision,
    get_item,
    page_decisions,
    page_items,
    page_matches,
)
from nightlamp.intake.submission import Decision, Outcome, Submission, Where
from nightlamp.intake.webhooks import (
    Deliverer,
    Delivery,
    Webhook,
    add_webhook,
    all_webhooks,
    page_deliveries,
    remove_webhook,
    replay_deliveries,
    waiting_deliveries,
)

__all__ = [
    "ActivePolicy",
    "Case",
    "Content",
    "Decider",
    "Decision",
    "Deliverer",
    "Delivery",
    "DryRun",
    "Examiner",
    "Forgetting",
    "InForce",
    "Intake",
    "LateVerdicts",
    "Load",
    "Outcome",
    "StoredItem",
    "StoredPolicy",
    "Submission",
    "UrlFetcher",
    "Webhook",
    "Where",
    "activate_policy",
    "active_policy",
    "add_policy",
    "add_webhook",
    "all_webhooks",
    "decisions_of",
    "dry_run",
    "first_policy",
    "get_decision",
    "get_item",
    "get_policy",
    "page_decisions",
    "page_deliveries",
    "page_items",
    "page_matches",
    "page_policies",
    "remove_webhook",
    "replay_deliveries",
    "roll_back_policy",
    "waiting_deliveries",
    "waiting_urls",
]
