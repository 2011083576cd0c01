"""Untrusted bytes in, ``Examination`` out, in worker processes with limits.

Takes a path or bytes; gives every installed signal's fingerprints and what could not be checked. It never
raises for what the bytes are, never writes them anywhere, and never lets them near a hash list.
"""

from nightlamp.examine.examination import examine
from nightlamp.examine.pool import Workers
from nightlamp.examine.process import Source
from nightlamp.examine.rendering import Look, Rendered, Renderer

__all__ = ["Look", "Rendered", "Renderer", "Source", "Workers", "examine"]
