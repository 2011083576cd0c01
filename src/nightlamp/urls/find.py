"""URLs in running text, also without a scheme, in brackets, in Markdown, next to other scripts.

Where text leaves open where a URL ends, every sensible reading is given: a reading too many matches nothing,
a reading too few misses. Each character is read a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nightlamp.urls.url import MAX_LENGTH, TRACKING, TooLongError, Url, canonical

_TOKEN = re.compile(r"[^\s<>\"`\x00-\x20]+")
_START = re.compile(r"https?:[/\\]", re.IGNORECASE)
_BRACKET = re.compile(r"[()\[\]{}]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_AFTER_AUTHORITY = re.compile(r"[/\\?#]")
_GLUE = re.compile(r".*[=,;|(\[{'!&*~「『（【《]", re.DOTALL)  # what may stand right before a host
_OPENING = "([{'*_~|!:;,.-=/\\「『（【《“‘«"
_CLOSING = {")": "(", "]": "[", "}": "{"}
_TRAILING = frozenset(".,;:!?'*_~|\\^」』）】》”’»，、；：！？…。")
_NESTED = 4  # how many URLs one inside the other are read to the end of the word
_SAFE_LENGTH = MAX_LENGTH // 12 - 16  # fits however it is escaped: four UTF-8 bytes, three characters each


def find_urls(text: str, drop: frozenset[str] = TRACKING) -> list[Url]:
    """The different URLs in a text, in the order in which they start; ``drop`` as for ``canonical``.

    A URL of more than ``MAX_LENGTH`` characters is cut, so that its host and first prefixes are still found.
    """
    seen: set[str] = set()
    found: dict[Url, None] = {}
    for token in _TOKEN.finditer(text):
        for reading in _readings(token[0]):
            if reading not in seen:
                seen.add(reading)
                url = _url(reading, drop)
                if url is not None:
                    found[url] = None
    return list(found)


def _url(reading: str, drop: frozenset[str]) -> Url | None:
    try:
        return canonical(reading, drop)
    except TooLongError:
        return _url(reading[:_SAFE_LENGTH], drop) if len(reading) > _SAFE_LENGTH else None
    except ValueError:
        return None


def _readings(token: str) -> Iterator[str]:
    """Every piece of a word that may be a URL."""
    starts = [match.start() for match in _START.finditer(token)]
    if not starts:
        if "." in token:
            yield from _bare(token)
        return
    ends = [*starts[1:], *[len(token)] * _NESTED]
    for place, start in enumerate(starts):
        whole = token[start : min(ends[place + _NESTED - 1], start + MAX_LENGTH)]
        yield from _cuts(whole, len("https://"))
        if start + len(whole) > ends[place]:
            yield from _cuts(token[start : ends[place]], len("https://"))


def _cuts(piece: str, after_scheme: int) -> Iterator[str]:
    """A piece without what belongs to the sentence around it, and cut where that may go on."""
    yield _trimmed(piece)
    unbalanced = _first_unbalanced(piece)
    if unbalanced is not None:
        yield _trimmed(piece[:unbalanced])
    if not piece.isascii():
        end = _AFTER_AUTHORITY.search(piece, after_scheme)
        authority = piece[: end.start()] if end else piece
        other = _NOT_ASCII.search(piece, len(authority))
        if other:
            yield _trimmed(piece[: other.start()])
        mark = re.search("[。，、；：！？）」』】》…”’]", authority)  # a full stop, or the dot of a name
        if mark and "." in authority[after_scheme : mark.start()]:
            yield _trimmed(piece[: mark.start()])


def _first_unbalanced(piece: str) -> int | None:
    """Where a bracket closes that the piece did not open; an IPv6 host opens its own."""
    depth = dict.fromkeys("([{", 0)
    for match in _BRACKET.finditer(piece):
        opening = _CLOSING.get(match[0])
        if opening is None:
            depth[match[0]] += 1
        elif depth[opening]:
            depth[opening] -= 1
        else:
            return match.start()
    return None


def _trimmed(piece: str) -> str:
    """Without punctuation at the end, and without brackets there that are not its own."""
    excess = {closing: piece.count(closing) - piece.count(opening) for closing, opening in _CLOSING.items()}
    end = len(piece)
    while end:
        last = piece[end - 1]
        if last in _CLOSING:
            if excess[last] <= 0:
                break
            excess[last] -= 1
        elif last in "([{":
            for closing, opening in _CLOSING.items():
                excess[closing] += opening == last
        elif last not in _TRAILING:
            break
        end -= 1
    return piece[:end]


def _bare(token: str) -> Iterator[str]:
    """``example.com/path``, ``//example.com``, ``(see:example.com)``; not ``name@example.com``."""
    token = token.lstrip(_OPENING)[:MAX_LENGTH]
    end = _AFTER_AUTHORITY.search(token)
    authority, rest = (token[: end.start()], token[end.start() :]) if end else (token, "")
    if "@" in authority:
        if not rest:
            return
        authority = authority.rpartition("@")[2]
    glue = _GLUE.match(authority)
    if glue and glue.end() < len(authority):
        authority = authority[glue.end() :]
    elif glue:
        authority = _trimmed(authority)
    before, colon, port = authority.rpartition(":")
    if colon and not port[:1].isdigit():
        authority = port or before
    if _looks_like_host(authority):
        yield from _cuts(authority + rest, 0)


def _looks_like_host(authority: str) -> bool:
    labels = _trimmed(authority.partition(":")[0]).split(".")
    if len(labels) < 2 or not all(labels):
        return False
    top = labels[-1]
    if top[0].isdigit():
        return len(labels) == 4 and all(label.isascii() and label.isdigit() for label in labels)
    return len(top) >= 2
