"""Promise 4: a trace is quick at ten million edges. Latencies are printed, and asserted only in the
long form, on a quiet machine."""

from __future__ import annotations

import os
import random
import time
from statistics import quantiles

import polars as pl

from dagster_project.operators.acquire.block import ORIGIN_SCHEMA
from dagster_project.warehouse.address import RowAddress
from dagster_project.warehouse.impact import impact
from dagster_project.warehouse.landing import land_block, land_source
from dagster_project.warehouse.manifest import InputReference
from dagster_project.warehouse.publish import seal
from dagster_project.warehouse.reading import Reader
from dagster_project.warehouse.snapshot import SnapshotBuilder
from dagster_project.warehouse.store import Store
from dagster_project.warehouse.trace import trace
from dagster_project.warehouse.why import why
from dagster_project.workspace import VersionName

FULL = os.environ.get("SEEDBED_PROMISES") == "full"
HOPS = 5
EDGES = 10_000_000 if FULL else 300_000
ROWS = EDGES // HOPS
ASKED = 200 if FULL else 20


def chain(store: Store) -> list[VersionName]:
    """Six versions, each made from the one before: every tenth input row is dropped."""
    numbers = pl.DataFrame({"n": range(ROWS)})
    missing = [pl.lit(None, ORIGIN_SCHEMA[name]).alias(name) for name in ("raw_bytes", "error")]
    origin = numbers.select(
        pl.lit("rows").alias("file"), line=pl.col("n") + 1, raw=pl.col("n").cast(pl.String)
    ).with_columns(missing)
    landed = land_source(store, [land_block(store, "0" * 64, numbers, origin)], [])
    names = [VersionName("chain", f"v{hop}") for hop in range(HOPS + 1)]
    previous = None
    rows = ROWS
    for hop, name in enumerate(names):
        kept = rows if hop == 0 else rows - (rows + 9) // 10
        with SnapshotBuilder(store, name, f"build-{hop}") as built:
            run = built.connection.execute
            run(f"CREATE TABLE rows AS SELECT range AS row_id, range AS n FROM range({kept})")
            parents = f"range({rows})" if hop else f"range({kept})"
            keep = "WHERE range % 10 <> 0" if hop else ""
            run(
                "INSERT INTO lineage SELECT row_number() OVER () - 1, 0, range, 0, 'kept', 0 "
                f"FROM {parents} {keep} ORDER BY range"
            )
            if hop:
                run(
                    "CREATE TEMP TABLE staging_dispositions AS SELECT 0::USMALLINT parent_input, "
                    "range AS parent_row_id, 0::UINTEGER ordinal, 0::USMALLINT step, 'dropped' "
                    "disposition, 'tenth' AS rule, '0' measured, '> 0' threshold, "
                    "NULL::USMALLINT survivor_input, NULL::BIGINT survivor_row_id, "
                    "NULL::UINTEGER survivor_ordinal, NULL::DOUBLE similarity, NULL::VARCHAR error "
                    f"FROM range({rows}) WHERE range % 10 = 0"
                )
                built._created.add("staging_dispositions")
            step = {
                "step": 0, "name": "tenth", "operator": "filter_rows", "input": None,
                "parameters": "{}", "code_hash": "", "rows_in": rows, "kept": kept, "changed": 0,
                "merged": 0, "split": 0, "dropped": rows - kept, "quarantined": 0, "generated": 0,
                "rows_out": kept, "seconds": 0.0, "cached": 0, "rule_names": ["rule"],
            }  # fmt: skip
            built.append_records("steps", [step])
            source = {
                "input": 0, "name": "before", "kind": "version" if hop else "sql",
                "reference": str(names[hop - 1]) if hop else "range",
                "snapshot_id": previous, "content_id": "x", "licence": None, "row_count": rows,
                "fetched_at": built.created_at,
            }  # fmt: skip
            built.append_records("inputs", [source])
            built.rows = kept
            built.finish({}, {0: rows if hop else kept})
            reference = InputReference(
                name="before",
                version=str(names[hop - 1]) if hop else None,
                snapshot_id=previous,
                source_id=None if hop else landed.source_id,
                content_id="x",
            )
            manifest = seal(
                built,
                recipe_id=f"recipe-{hop}",
                inputs=(reference,),
                status="published",
            )
        previous, rows = manifest.snapshot_id, kept
    return names


def latencies(ask, at: Store | Reader, many: int = ASKED) -> tuple[float, float]:
    """Median and 95th percentile, in milliseconds."""
    ask(at)
    taken = []
    for _ in range(many):
        started = time.perf_counter()
        ask(at)
        taken.append((time.perf_counter() - started) * 1000)
    marks = quantiles(taken, n=20)
    return marks[9], marks[18]


def test_back_forward_and_missing(tmp_path) -> None:
    store = Store(tmp_path)
    names = chain(store)
    rows = ROWS
    for _ in range(HOPS):
        rows -= (rows + 9) // 10
    generator = random.Random(4)

    def back(at: Store | Reader) -> None:
        found = trace(at, RowAddress(names[-1], None, generator.randrange(rows)))
        assert len(found.rows) >= HOPS

    def forward(at: Store | Reader) -> None:
        row = generator.randrange(ROWS // 2) * 10 // 9 + 1
        impact(at, RowAddress(names[0], None, row))

    def missing(at: Store | Reader) -> None:
        row = generator.randrange(ROWS // 10) * 10
        found = why(at, names[1], RowAddress(names[0], None, row))
        assert found.present == ()
        assert found.fates[0].removed[0].rule == "tenth"

    asks = (back, forward, missing)
    alone = {ask.__name__: latencies(ask, store) for ask in asks}
    with Reader(store) as reader:
        figures = {ask.__name__: latencies(ask, reader) for ask in asks}
    for name, (p50, p95) in figures.items():
        print(
            f"{name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms with an open reader; "
            f"p95 {alone[name][1]:.1f} ms when it opens the files; {HOPS} hops, {EDGES:,} edges"
        )
    if FULL:
        assert figures["back"][1] < 50
        assert figures["forward"][1] < 100
        assert figures["missing"][1] < 50
