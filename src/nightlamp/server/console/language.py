"""The pages' language: gettext, with English as the source.

Templates say ``_("…")``. Strings in Python are marked by ``N_`` and translated where they are printed. A
translation is ``locale/<language>/LC_MESSAGES/console.mo`` beside this file.
"""

from __future__ import annotations

import gettext as library
from contextvars import ContextVar
from pathlib import Path

_FOLDER = Path(__file__).with_name("locale")
SOURCE = "en"


def _found() -> dict[str, library.NullTranslations]:
    files = sorted(_FOLDER.glob("*/LC_MESSAGES/console.mo"))
    of = {path.parts[-3]: library.translation("console", _FOLDER, [path.parts[-3]]) for path in files}
    return {SOURCE: library.NullTranslations(), **of}


LANGUAGES = _found()
_current: ContextVar[str] = ContextVar("language", default=SOURCE)


def N_(text: str) -> str:  # noqa: N802 (gettext's own name)
    """Mark a string that a template translates later."""
    return text


def gettext(text: str) -> str:
    """In the current language."""
    return LANGUAGES[_current.get()].gettext(text)


def ngettext(one: str, many: str, number: int) -> str:
    """In the current language, for a number of things."""
    return LANGUAGES[_current.get()].ngettext(one, many, number)


def choose(wanted: str, accepted: str) -> str:
    """Set the language for what follows, and name it.

    Args:
        wanted: by the person; ``""``: as the browser asks.
        accepted: the header Accept-Language.
    """
    asked = [wanted, *(part.partition(";")[0].strip() for part in accepted.split(",")[:20])]
    names = [name for each in asked for name in (each, each.partition("-")[0]) if name in LANGUAGES]
    language = names[0] if names else SOURCE
    _current.set(language)
    return language
