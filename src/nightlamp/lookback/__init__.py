"""Past items against new entries: what arrives late is found late, and never missed.

Promises: an item that was screened before an entry came into force is matched against it in the background,
and yields a hit once, whatever order the two were committed in and whichever node dies. Takes fingerprints in
the transaction that makes an item durable; gives ``Late`` hits to make verdicts of. Must never hold content,
show a value in a message, or match an item that has expired.

``docs/decisions/look-back-never-misses.md`` has the argument.
"""

from nightlamp.lookback.hits import Late, take
from nightlamp.lookback.past import Past, Purged, forget, purge, recall, remember, remember_all
from nightlamp.lookback.work import Backlog, LookBack

__all__ = [
    "Backlog",
    "Late",
    "LookBack",
    "Past",
    "Purged",
    "forget",
    "purge",
    "recall",
    "remember",
    "remember_all",
    "take",
]
