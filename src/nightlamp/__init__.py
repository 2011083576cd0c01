"""Nightlamp: child-safety infrastructure. Match, detect, review, preserve and report."""

__version__ = "0.1.0.dev0"
