"""Services that are asked about an item: their hashes never leave them, so they are no lists of ours.

Promises that no item waits longer than its deadline, that a service is asked no more often than it allows,
and that anything but a clean answer is "not checked", never "clean". Takes ``Query``s; gives ``Said``:
scores for the policy, and what could not be checked. Must never keep content, or put it or a secret into a
message.
"""

from nightlamp.lookups.lookups import Lane, Lookups
from nightlamp.lookups.query import NOTHING, Query, Said, Service

__all__ = ["NOTHING", "Lane", "Lookups", "Query", "Said", "Service"]
