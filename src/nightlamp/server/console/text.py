"""Text that may be hostile: what a reader could not see, or what would turn the text around, is shown.

``visible`` is applied to everything that templates print; only ``Markup`` passes as it is.
"""

from __future__ import annotations

import re
from datetime import datetime

from markupsafe import Markup, escape

# Controls but tab and newlines; soft hyphen, marks of direction, zero width, invisible operators, tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """``text`` with each hidden character as its code point: ``[U+202E]``."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def shown(value: object) -> object:
    """What Jinja does with every value before it escapes it."""
    return value if isinstance(value, Markup) or value is None else visible(str(value))


def data(value: object) -> Markup:
    """Data, not prose: apart in its direction, and not to be translated."""
    return Markup('<bdi translate="no">{}</bdi>').format(visible(str(value)))


def when(moment: datetime | None) -> Markup:
    """A time, in UTC."""
    if moment is None:
        return Markup("")
    text = f"{moment:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}" translate="no">{}</time>').format(escape(moment.isoformat()), text)
