"""Run every benchmark: `python -m benchmarks [rows] [repeats]`."""

from __future__ import annotations

import sys
from importlib.metadata import version

from benchmarks import loading, overhead
from benchmarks.measuring import machine

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
names = ("polars", "duckdb", "dagster", "great-expectations")
print(f"{machine()}; " + ", ".join(f"{name} {version(name)}" for name in names))
overhead.run(rows, repeats)
loading.run(repeats)
