"""What is loaded before a process serves is all that it ever needs."""

from __future__ import annotations

import subprocess
import sys

_WARMED = """
import sys
import numpy as np
from nightlamp.index import DigestIndex, HammingIndex, LiveIndex, warm_up, open_snapshot, write_snapshot

warm_up()

from nightlamp.index import _kernels, digest_kernels, order_kernels

def known():
    entry = (_kernels.search, _kernels.permute_bits, order_kernels.sort_keys, order_kernels.join_orders)
    return [len(each.signatures) for each in (*entry, digest_kernels.equal)]

assert known() == [1, 1, 1, 1, 1], known()

rng = np.random.default_rng(5)
values = rng.integers(0, 256, (24_000, 32), np.uint8)
write_snapshot("base", HammingIndex.build(values[:4_000]).arrays(), {})
mapped = HammingIndex.from_arrays(open_snapshot("base").arrays)
write_snapshot("digests", DigestIndex.build(values[:4_000]).arrays(), {})
digests = DigestIndex.from_arrays(open_snapshot("digests").arrays)
for base, radius in ((mapped, 31), (HammingIndex.build(values[:10]), 31), (digests, 0)):
    live = LiveIndex(base)
    for at in range(4_000, 24_000, 4_000):
        live.add(values[at : at + 4_000].copy(), np.arange(at, at + 4_000))
        live.remove(np.arange(at, at + 9))
        assert len(live.search(values[at + 5 : at + 30 : 5], radius)) == 4
    live.compact()
    assert len(live.search(values[5_000:5_003], radius)) == 3
assert known() == [1, 1, 1, 1, 1], known()
"""


def test_nothing_is_compiled_after_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    ran = subprocess.run(
        [sys.executable, "-c", _WARMED], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
