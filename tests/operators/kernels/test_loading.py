"""Numba is loaded without what kernels do not use; other compiled code finds it all the same."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import dagster_project.operators.kernels.minhash
assert not {"scipy.linalg", "cffi"} & sys.modules.keys()
import numba, numpy as np

@numba.njit
def solved(a, b):
    return np.linalg.solve(a, np.dot(a, b)), np.convolve(a[0], b[0])

a = np.array([[2.0, 1.0], [1.0, 3.0]])
found, mixed = solved(a, a)
assert np.allclose(found, a) and np.allclose(mixed, np.convolve(a[0], a[0]))
import scipy.linalg, cffi
"""


def test_linear_algebra_is_there_for_others() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
