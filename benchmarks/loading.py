"""How long Dagster waits for `dagster_project.definitions`, and what each recipe adds."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Program, alternate, table

RECIPE = """\
description: benchmark rows
phase: sft
inputs:
  rows: {files: rows.jsonl}
steps:
  - normalize_text: {columns: [a]}
  - filter_length: {column: a, min_characters: 3}
  - deduplicate_exact: {columns: [a]}
checks:
  - expect_table_row_count_to_be_between: {min_value: 1}
"""


def load(count: int, folder: Path) -> None:
    """Load the definitions of a workspace of `count` recipes."""
    import os

    (folder / "checks").mkdir(parents=True, exist_ok=True)
    for index in range(count):
        recipe = folder / "assets" / f"dataset_{index // 10}" / f"v{index % 10}.yaml"
        recipe.parent.mkdir(parents=True, exist_ok=True)
        recipe.write_text(RECIPE)
    os.environ["SEEDBED_WORKSPACE"] = str(folder)
    from dagster_project.definitions import defs

    defs.get_repository_def()


def run(repeats: int) -> None:
    """Compare 6 and 206 recipes and print the table."""
    with tempfile.TemporaryDirectory() as name:
        me = ["-m", "benchmarks.loading"]
        runs = alternate(
            {
                f"{count} recipes": Program([*me, str(count), f"{name}/{count}"])
                for count in (6, 206)
            },
            repeats,
        )
    table("Loading definitions", runs, "6 recipes")


if __name__ == "__main__":
    load(int(sys.argv[1]), Path(sys.argv[2]))
