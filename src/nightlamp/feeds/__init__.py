"""Feeds: standing subscriptions that keep banks in step with the exchanges that own the lists.

Promises: entries and checkpoint are one transaction; a run that is killed goes on where it was; withdrawals
are honoured; one source's delete never removes another's entry; a hostile exchange cannot hurt the service
or make it forget its list. Takes exchanges (``exchange``), gives changes of live banks (``Feeds``), opinions
back (``queue_feedback``, ``withdraw_feedback``, ``Feedback``) and how each feed stands (``all_status``). Must
never keep or show a secret, a key or a value.
"""

from nightlamp.feeds.changing import FeedChange, asks_the_same, change_feed
from nightlamp.feeds.doctor import examine_feed
from nightlamp.feeds.exchange import Finding, Kind
from nightlamp.feeds.feedback import Feedback, queue_feedback, withdraw_feedback
from nightlamp.feeds.ran import Ran
from nightlamp.feeds.registry import EXCHANGES, kind_of
from nightlamp.feeds.schedule import Feeds
from nightlamp.feeds.status import FeedStatus, all_status
from nightlamp.feeds.subscriptions import (
    NewFeed,
    StoredFeed,
    all_feeds,
    ask_now,
    create_feed,
    get_feed,
    pause_feed,
    remove_feed,
    resume_feed,
)

__all__ = [
    "EXCHANGES",
    "FeedChange",
    "FeedStatus",
    "Feedback",
    "Feeds",
    "Finding",
    "Kind",
    "NewFeed",
    "Ran",
    "StoredFeed",
    "all_feeds",
    "all_status",
    "ask_now",
    "asks_the_same",
    "change_feed",
    "create_feed",
    "examine_feed",
    "get_feed",
    "kind_of",
    "pause_feed",
    "queue_feedback",
    "remove_feed",
    "resume_feed",
    "withdraw_feedback",
]
