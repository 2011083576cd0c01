"""Untrusted bytes in, frames out."""

from nightlamp.media.frame import Detail, Frame
from nightlamp.media.limits import Limits

__all__ = ["Detail", "Frame", "Limits"]
