"""Matches and what is unchecked in, one verdict out.

Pure: the same values give the same verdict, always. It never says ``allow`` for what was not examined.
"""

from nightlamp.policy.decide import Policy, decide

__all__ = ["Policy", "decide"]
