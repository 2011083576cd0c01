"""Who may do what: API keys with scopes, and how fast.

Promises: a key's secret is shown once and stored as a hash; a revoked key is refused at once on the node that
revoked it, and on the others as soon as they see the change (200 ms by default). Takes the text of a key;
gives a ``Principal``. Must never show or log a secret.
"""

from nightlamp.access.buckets import Buckets
from nightlamp.access.gate import Gate, Principal, Refused
from nightlamp.access.keys import SCOPES, Key, NewKey, Scope, Secret, create, every, first, named, revoke

__all__ = [
    "SCOPES",
    "Buckets",
    "Gate",
    "Key",
    "NewKey",
    "Principal",
    "Refused",
    "Scope",
    "Secret",
    "create",
    "every",
    "first",
    "named",
    "revoke",
]
