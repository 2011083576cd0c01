"""What a file says of how it was made: camera or AI, edited or not, and how far to trust each statement.

Takes a file's bytes; gives an ``Assessment``. What the file does not say is ``"unknown"``, never "real":
all of this can be stripped, and most of it can be forged. Pure: no file, no clock, no network, and nothing
fetched. Must never raise for what the bytes are, and never show a prompt, serial, name or position by
itself.
"""

from nightlamp.origin.asked import NOBODY, Asked, TrustList, trust_of
from nightlamp.origin.origin import look_closer, origin_of, prepare
from nightlamp.origin.plain import from_json, to_json
from nightlamp.origin.rules import RULES, assess

__all__ = [
    "NOBODY",
    "RULES",
    "Asked",
    "TrustList",
    "assess",
    "from_json",
    "look_closer",
    "origin_of",
    "prepare",
    "to_json",
    "trust_of",
]
