"""The names that the field uses for signals and columns, and ours for them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SIGNALS = {
    "md5": "md5 hashmd5 md5hash md5sum filemd5 imagemd5 videomd5 md5hex",
    "sha1": "sha1 hashsha1 sha1hash sha1sum filesha1 imagesha1 videosha1 sha1hex",
    "sha256": "sha256 hashsha256 sha256hash sha256sum filesha256 sha256hex sha2256",
    "pdq": "pdq hashpdq pdqhash imagepdq pdqhex pdqvalue pdqhashvalue pdqfhash",
    "photodna": "photodna pdna hashphotodna photodnahash pdnahash imagephotodna imagepdna",
    "tmk_pdqf": "tmkpdqf tmk videotmk hashtmk",
    "vpdq": "vpdq videovpdq hashvpdq",
}
_COLUMNS = {
    "value": "value hash hashvalue signalvalue indicator fingerprint hashdigest digest",
    "signal": "signal signaltype hashtype algorithm hashname hashalgorithm indicatortype signalname",
    "id": "id entryid uuid guid mediaid hashid contentid descriptorid recordid",
    "category": "category cat class classification label grade",
    "quality": "quality pdqquality hashquality",
    "type": "type",  # of the signal, or of something else altogether
}
_SIGNAL_OF = {alias: name for name, aliases in _SIGNALS.items() for alias in aliases.split()}
_COLUMN_OF = {alias: word for word, aliases in _COLUMNS.items() for alias in aliases.split()}
_NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]{0,39}")

# Bare hashes whose length leaves no doubt; 64 digits are sha256 as well as pdq, and so are not here.
BARE = {32: "md5", 40: "sha1"}


def squash(text: str) -> str:
    """``"SHA-1 "`` → ``"sha1"``: lower case, letters and digits only."""
    return "".join(c for c in text.lower() if c.isalnum())


def known_signal(text: str, signals: Iterable[str]) -> str | None:
    """Our name of a signal that the field or an installed plug-in calls so, else ``None``."""
    key = squash(text)
    return next((name for name in signals if squash(name) == key), None) or _SIGNAL_OF.get(key)


def signal_name(text: str, signals: Iterable[str]) -> str | None:
    """As ``known_signal``, or the name itself where it could be one of a signal that we do not know."""
    text = text.strip()[:80]
    name = known_signal(text, signals)
    if name is None:
        name = text.lower().replace(" ", "_")
    return name if _NAME.fullmatch(name) else None


def column_word(header: str) -> str | None:
    """Our word for a column of that header, one of the keys of ``_COLUMNS``, else ``None``."""
    return _COLUMN_OF.get(squash(header))


def is_hex(text: str) -> bool:
    """Whether this is an even number of hexadecimal digits, at least 32, and nothing else."""
    return len(text) >= 32 and len(text) % 2 == 0 and re.fullmatch(r"[0-9a-fA-F]+", text) is not None
