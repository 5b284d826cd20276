"""One 64-bit hash for each shingle of texts, and nothing else, in compiled code: what finding
near-duplicates cannot do without."""

from __future__ import annotations

import numpy as np

from dagster_project.operators.kernels.shingles import compiled, shingle


@compiled
def checksum(data, offsets, size, folded, kinds):
    """All hashes of the texts' shingles of `size` words, combined by exclusive or."""
    longest = 0
    for row in range(offsets.size - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    found = np.empty(longest + 1, np.uint64)
    ring = np.empty(size, np.uint64)
    total = np.uint64(0)
    for row in range(offsets.size - 1):
        count = shingle(
            data, offsets[row], offsets[row + 1], size, True, folded, kinds, ring, found
        )
        for at in range(count):
            total ^= found[at]
    return total
