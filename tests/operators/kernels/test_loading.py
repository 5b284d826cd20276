"""What was compiled of kernels is loaded without what compiles; other compiled code finds that all the
same."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import polars as pl
from dagster_project.operators.kernels.minhash import band_keys

keys = band_keys(pl.Series(["one two three four five six"] * 2), "words", 5, 2, 2)
assert keys[0].to_list() == keys[1].to_list()
print("numba.np.linalg" in sys.modules, "cffi" in sys.modules)
import numba, numpy as np

@numba.njit
def solved(a, b):
    return np.linalg.solve(a, np.dot(a, b)), np.convolve(a[0], b[0])

a = np.array([[2.0, 1.0], [1.0, 3.0]])
found, mixed = solved(a, a)
assert np.allclose(found, a) and np.allclose(mixed, np.convolve(a[0], a[0]))
print(keys[0].to_list())
"""


def told() -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_kernels_are_loaded_without_the_compiler() -> None:
    first, second = told(), told()
    assert second[0] == "False False"
    assert first[1] == second[1]
