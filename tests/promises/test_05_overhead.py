"""Promise 5: an edge of lineage costs at most 16 bytes. (The share of time is measured in
`benchmarks/`: tests are not timed.)"""

from __future__ import annotations

import os

import duckdb

from dagster_project.warehouse.manifest import snapshot_path

FULL = os.environ.get("SEEDBED_PROMISES") == "full"
ROWS = 2_000_000 if FULL else 200_000

RECIPE = """\
inputs:
  rows: {{files: rows.jsonl}}
steps:
  - map_columns: {{add: {{twice: n * 2}}}}
{more}"""


def bytes_per_edge(space, more: str) -> float:
    space.recipe("a/v1", RECIPE.format(more=more))
    manifest = space.publish("a/v1").manifest
    path = snapshot_path(space.store, manifest)
    with duckdb.connect(str(path), read_only=True) as connection:
        blocks = connection.execute(
            "SELECT count(DISTINCT block_id) FROM pragma_storage_info('lineage') WHERE block_id >= 0"
        ).fetchone()
        size = connection.execute("SELECT block_size FROM pragma_database_size()").fetchone()
        edges = connection.execute("SELECT count(*) FROM lineage").fetchone()
    assert blocks is not None and size is not None and edges is not None
    return blocks[0] * size[0] / edges[0]


def test_bytes_of_an_edge(space) -> None:
    with (space.root / "rows.jsonl").open("w") as stream:
        stream.writelines(f'{{"n": {index * 7919 % ROWS}}}\n' for index in range(ROWS))
    for what, more in [
        ("kept in order", ""),
        ("a third removed", "  - filter_rows: {keep: n % 3 <> 0}\n"),
        ("in a new order", "  - sort_rows: {by: [n]}\n"),
    ]:
        cost = bytes_per_edge(space, more)
        print(f"{what}: {cost:.1f} bytes an edge, {ROWS:,} rows in")
        assert cost <= 16
