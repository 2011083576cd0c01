"""Authorities that take packages: a generic one, the United Kingdom's, and those that plug-ins bring.

Promises: what an authority's profile says of its transport is true today. Takes documents; gives them as the
authority wants them. Must never send anything, and never leave out what was found.
"""

from nightlamp.reports.authorities.authority import (
    GROUP,
    Authority,
    Profile,
    authorities,
    authority_named,
)
from nightlamp.reports.authorities.conformance import conforms

__all__ = ["GROUP", "Authority", "Profile", "authorities", "authority_named", "conforms"]
