"""URLs in, one spelling of each out, with the keys under which lists are asked for them.

Promises that equivalent spellings agree, that different resources do not, and that hostile text costs time in
proportion to its length and no more. Takes text; gives ``Url`` values and ``Fingerprint``s of the signals
``url``, ``url-prefix`` and ``url-host``. Pure: it must never resolve a name or open a connection; that is
``nightlamp.outbound``.
"""

from nightlamp.urls.find import find_urls
from nightlamp.urls.keys import URL, URL_HOST, URL_PREFIX, Kind, fingerprints, keys
from nightlamp.urls.url import MAX_LENGTH, TRACKING, Url, canonical, join

__all__ = [
    "MAX_LENGTH",
    "TRACKING",
    "URL",
    "URL_HOST",
    "URL_PREFIX",
    "Kind",
    "Url",
    "canonical",
    "find_urls",
    "fingerprints",
    "join",
    "keys",
]
