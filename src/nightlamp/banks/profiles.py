"""What a list's category numbers mean: they differ by country, so a profile is asked for, never assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nightlamp.banks.options import ListOptions
from nightlamp.errors import ListError


@dataclass(frozen=True, slots=True)
class Profile:
    """Which categories are hits.

    Args:
        hits: the list's category, as text → our category.
        ignored: the list's category, as text → why its rows are no hits.
    """

    hits: Mapping[str, str]
    ignored: Mapping[str, str]


# Category 8 is how the NSRL's CAID set marks its known files. The UK's letters stand in HMICFRS's glossary;
# the US numbers are common knowledge among tool makers. For Canada no public text defines 2 and above, so
# those stay hits under their number. Whatever a profile does not name is a bad row, not a guess.
_KNOWN = {"8": "category 8 (known file)"}
PROFILES: Mapping[str, Profile] = {
    "us": Profile(
        {"1": "csam", "2": "exploitive or age difficult", "3": "cgi or animation"},
        {
            "0": "category 0 (uncategorised)",
            "4": "category 4 (comparison)",
            "5": "category 5 (non-pertinent)",
            **_KNOWN,
        },
    ),
    "uk": Profile({"1": "A", "2": "B", "3": "C"}, {"0": "category 0 (uncategorised)", **_KNOWN}),
    "canada": Profile(
        {"1": "csam", "2": "canada 2", "3": "canada 3"}, {"0": "category 0 (uncategorised)", **_KNOWN}
    ),
}
ALIASES = {"vic_us": "us", "caid_uk": "uk", "caid": "uk", "gb": "uk", "vic_canada": "canada", "ca": "canada"}


def profile_of(options: ListOptions) -> Profile | None:
    """The profile that the options ask for, if any.

    Raises:
        ListError: no profile has that name.
    """
    asked = options.profile
    if asked is None:
        return None
    if isinstance(asked, str):
        name = asked.strip().lower()
        found = PROFILES.get(ALIASES.get(name, name))
        if found is None:
            hint = "one of " + ", ".join(PROFILES) + ", or your own mapping of categories"
            raise ListError(f"no category profile {asked!r}", hint=hint)
        return found
    by_text = {str(number).strip(): ours for number, ours in asked.items()}
    return Profile(
        {number: ours for number, ours in by_text.items() if ours is not None},
        {n: f"category {n} (not a hit by the profile)" for n, ours in by_text.items() if ours is None},
    )
