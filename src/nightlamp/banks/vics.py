"""Project VIC and CAID lists (VICS OData JSON): media objects, of which only ``Category`` is trusted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from nightlamp.banks.json_rows import PER_PIECE, objects
from nightlamp.banks.layout import Categorise, Ignored, categoriser
from nightlamp.banks.names import signal_name
from nightlamp.banks.options import ListOptions
from nightlamp.banks.profiles import PROFILES, profile_of
from nightlamp.banks.rows import BadRow, Piece
from nightlamp.errors import ListError

_DIGESTS = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "PhotoDNA": "photodna"}
_KEEP = frozenset(_DIGESTS) | {
    "MediaID",
    "Category",
    "AlternativeHashes",
    "HashName",
    "HashValue",
    "MediaFiles",
}
# ``#Media`` exports, ``#Cases`` exports, and a bare array of media.
_PLACES = frozenset({"value.item", "value.item.Media.item", "item"})


def read_vics(path: Path, options: ListOptions, signals: Collection[str]) -> Iterator[Piece]:
    """Pieces of the list; rows are counted by media object.

    Raises:
        ListError: no profile, or damaged or hostile JSON.
    """
    profile = profile_of(options)
    if profile is None:
        raise ListError(
            "a Project VIC or CAID list needs a category profile: its numbers mean other things elsewhere",
            where=str(path),
            hint="profile=" + " or ".join(repr(name) for name in PROFILES) + ", or your own mapping",
        )
    categorise = categoriser(profile)
    piece = Piece()
    for row, media in enumerate(objects(path, _PLACES.__contains__, _KEEP, into="Media"), 1):
        _one(piece, row, media, categorise, signals)
        if piece.read == PER_PIECE:
            yield piece
            piece = Piece()
    yield piece


def _one(piece: Piece, row: int, media: object, categorise: Categorise, signals: Collection[str]) -> None:
    piece.read += 1
    if not isinstance(media, dict):
        piece.bad.append(BadRow(row, "not a media object"))
        return
    try:
        category = categorise(_number(media.get("Category")))
    except Ignored as why:
        piece.ignored[str(why)] += 1
        return
    except ValueError as why:
        piece.bad.append(BadRow(row, str(why)))
        return
    hashes = list(dict.fromkeys(_hashes(media, signals)))
    if not hashes:
        piece.bad.append(BadRow(row, "no hash in this row"))
    entry_id = media.get("MediaID")
    for signal, text in hashes:
        if signal is None:
            piece.bad.append(BadRow(row, "not the name of a signal"))
        else:
            piece.add(row, signal, text, _text(entry_id), category)


def _hashes(media: dict[str, Any], signals: Collection[str]) -> Iterator[tuple[str | None, str]]:
    """Signal and text of every hash; hexadecimal in lower case, so that repeats are seen as such."""
    files = media.get("MediaFiles")
    for holder in (media, *(files if isinstance(files, list) else ())):
        if not isinstance(holder, dict):
            continue
        for key, signal in _DIGESTS.items():
            text = _text(holder.get(key))
            if text:
                yield signal, text if signal == "photodna" else text.lower()
    others = media.get("AlternativeHashes")
    for other in others if isinstance(others, list) else ():
        if isinstance(other, dict) and (text := _text(other.get("HashValue"))):
            signal_or_none = signal_name(_text(other.get("HashName")), signals)
            yield signal_or_none, text.lower() if signal_or_none in ("md5", "sha1", "sha256") else text


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _number(value: object) -> str:
    """A category as text: ``8``, ``"8"``, ``" 08"`` and ``8.0`` are all ``"8"``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = _text(value)
    return str(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else text
