"""The way of an item through the service, the same for every door.

Promises: an outcome in hand is durable, with verdict, matches, audit record, held content and webhooks in one
transaction; the verdict is the pure core's for the same bytes, banks and policy; what could not be checked is
said and never allowed in silence. Takes ``Submission``s; gives ``Outcome``s. Must never write content in
clear, keep content that nothing holds, or put a hash value or an entry's id into a message.

``docs/service.md`` describes it for operators.
"""

from nightlamp.intake.content import Content
from nightlamp.intake.deciding import Decider, Subject
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
    get_item,
    get_ruling,
    page_items,
    page_matches,
    page_rulings,
    rulings_of,
)
from nightlamp.intake.submission import Outcome, Ruling, Submission, Where
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
    "Content",
    "Decider",
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
    "Ruling",
    "StoredItem",
    "StoredPolicy",
    "Subject",
    "Submission",
    "UrlFetcher",
    "Webhook",
    "Where",
    "activate_policy",
    "active_policy",
    "add_policy",
    "add_webhook",
    "all_webhooks",
    "dry_run",
    "first_policy",
    "get_item",
    "get_policy",
    "get_ruling",
    "page_deliveries",
    "page_items",
    "page_matches",
    "page_policies",
    "page_rulings",
    "remove_webhook",
    "replay_deliveries",
    "roll_back_policy",
    "rulings_of",
    "waiting_deliveries",
    "waiting_urls",
]
