"""A materialization against the same work in bare Polars: what provenance and publishing cost.

Both read the same JSONL, trim two columns, keep rows whose answer is long enough and free of a
pattern, and remove exact duplicates. Bare Polars writes a Parquet file and keeps no record of what
it removed; Seedbed lands the rows, writes the snapshot with all provenance, and publishes it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Program, alternate, rows_file, table

RECIPE = """\
description: benchmark rows
phase: sft
inputs:
  rows: {{files: {path}}}
steps:
  - normalize_text: {{columns: [instruction, output], form: none, whitespace: trim}}
  - filter_length: {{column: output, min_characters: {shortest}}}
  - filter_text: {{column: output, pattern: "zzzz", keep: not_matching}}
  - deduplicate_exact: {{columns: [instruction, output]}}
"""


def bare_polars(path: Path, out: Path) -> None:
    """The same work, without a record of it."""
    import polars as pl

    (
        pl.scan_ndjson(path, infer_schema_length=None)
        .with_columns(
            pl.col("instruction", "output")
            .str.replace_all("\r\n", "\n", literal=True)
            .str.replace_all(r"(?m)[ \t]+$", "")
            .str.strip_chars()
        )
        .filter(pl.col("output").str.len_chars() >= 150)
        .filter(~pl.col("output").str.contains("zzzz"))
        .unique(["instruction", "output"], keep="first", maintain_order=True)
        .collect()
        .write_parquet(out)
    )


def seedbed(path: Path, root: Path) -> None:
    """One materialization, from a cold store, without Dagster around it."""
    import shutil

    shutil.rmtree(root, ignore_errors=True)
    materialize_recipe(path, root, shortest=150)


def rule_changed(path: Path, root: Path) -> None:
    """The next materialization of the same rows, after a threshold was changed."""
    snapshots = root / "store" / "snapshots" / "bench" / "v1"
    built = len(list(snapshots.glob("*.duckdb"))) if snapshots.exists() else 0
    materialize_recipe(path, root, shortest=150 + built)


def materialize_recipe(path: Path, root: Path, *, shortest: int) -> None:
    """Materialize the recipe with a shortest answer."""
    from dagster_project.engine.plan import plan
    from dagster_project.quality.gate import materialize
    from dagster_project.recipe.loading import read_recipe
    from dagster_project.warehouse.store import Store
    from dagster_project.workspace import VersionName, Workspace

    recipe = root / "assets" / "bench" / "v1.yaml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(RECIPE.format(path=path, shortest=shortest))
    workspace = Workspace(root)
    planned = plan(read_recipe(recipe, VersionName("bench", "v1")))
    materialize(planned, [], workspace, Store(workspace.store))


def rows_only(path: Path, root: Path) -> None:
    """The same materialization, writing no provenance into the snapshot: what provenance costs."""
    from dagster_project.warehouse import snapshot

    builder = snapshot.SnapshotBuilder
    append = builder.append

    def append_rows(self: snapshot.SnapshotBuilder, table: str, frame: object) -> None:
        if table == "rows":
            append(self, table, frame)  # pyright: ignore[reportArgumentType]

    def finish_rows(self: snapshot.SnapshotBuilder, facts: object, input_rows: object) -> None:
        self._hashing.close()
        self.connection.execute("COMMIT")
        self.connection.execute("CHECKPOINT")
        self.connection.close()

    builder.append, builder.finish = append_rows, finish_rows
    builder._append_hashes = lambda self, rows: None
    seedbed(path, root)


def run(rows: int, repeats: int) -> None:
    """Compare both and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = str(rows_file(folder, rows))
        rule_changed(Path(path), folder / "kept")
        me = ["-m", "benchmarks.overhead"]
        runs = alternate(
            {
                "bare Polars": Program([*me, "polars", path, str(folder / "out.parquet")]),
                "Seedbed": Program([*me, "seedbed", path, str(folder / "workspace")]),
                "Seedbed, a rule changed": Program(
                    [*me, "rule_changed", path, str(folder / "kept")]
                ),
                "Seedbed, rows only": Program([*me, "rows_only", path, str(folder / "workspace")]),
            },
            repeats,
        )
    table(f"Overhead of a materialization, {rows:,} rows", runs, "bare Polars")


if __name__ == "__main__":
    kind, source, target = sys.argv[1:]
    programs = {
        "polars": bare_polars,
        "seedbed": seedbed,
        "rule_changed": rule_changed,
        "rows_only": rows_only,
    }
    programs[kind](Path(source), Path(target))
