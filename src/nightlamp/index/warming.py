"""Kernels that are there before anybody waits for them."""

from __future__ import annotations


def warm_up() -> None:
    """Load every kernel that a search or a change needs, or compile it, which takes seconds."""
    import numpy as np

    from nightlamp.index.digest import DigestIndex
    from nightlamp.index.hamming import SIZE, HammingIndex
    from nightlamp.index.plan import HALVES

    few = np.zeros((2, SIZE), np.uint8)
    base = HammingIndex.build(few, keys=HALVES)
    joined = HammingIndex.build(few, source=base.source, keys=HALVES)
    HammingIndex.together((base, joined)).search(few, 0)
    DigestIndex.build(few).search(few)
