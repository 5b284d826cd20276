"""What a materialization shows in the Dagster UI."""

import json
from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb

from dagster_project.engine.plan import Plan
from dagster_project.orchestration.arena_metadata import arena_metadata
from dagster_project.orchestration.coverage_metadata import coverage_metadata
from dagster_project.orchestration.flow_picture import (
    FlowStep,
    RuleRows,
    flow_picture,
    funnel_picture,
    length_picture,
)
from dagster_project.orchestration.inspection_metadata import inspection_metadata
from dagster_project.orchestration.loop_metadata import loop_metadata
from dagster_project.orchestration.synthesis_metadata import synthesis_metadata
from dagster_project.orchestration.tables import one, records, table
from dagster_project.quality.gate import Outcome
from dagster_project.recipe.model import VersionInput
from dagster_project.release.annotation.paid import annotation_dollars
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.landing import block_folder, read_source
from dagster_project.warehouse.manifest import InputReference, snapshot_path
from dagster_project.warehouse.schema import ERASE_STEP
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

SAMPLE_ROWS = 4
CELL = 110
READ_FIRST = ("messages", "text", "prompt", "chosen", "rejected", "docstring")
BINS = 20


def materialization_metadata(store: Store, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Metadata of a snapshot: numbers (Dagster plots them over time), tables and pictures."""
    manifest = outcome.manifest
    with open_snapshot(store, plan.name, manifest.snapshot_id) as connection:
        connection.execute("USE snapshot")
        steps = _steps(connection)
        rows_in = one(connection, "SELECT coalesce(sum(row_count), 0)::BIGINT FROM inputs")
        removed = one(connection, "SELECT count(*) FROM dispositions")
        spend = one(connection, "SELECT coalesce(sum(dollars), 0) FROM ledger")
        after = _lengths(connection, "rows")
        columns = connection.execute("DESCRIBE rows").fetchall()
        metadata: dict[str, Any] = {
            "dagster/row_count": manifest.rows,
            "dagster/relation_identifier": f"{plan.name.dataset}.{plan.name.version}",
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(name, kind) for name, kind, *_ in columns]
            ),
            "dagster/column_lineage": _column_lineage(connection, plan),
            "status": "unchanged since it was built" if outcome.reused else manifest.status,
            **arena_metadata(connection),
            **loop_metadata(store, plan, outcome),
            **synthesis_metadata(connection),
            "flow_of_rows": dg.MetadataValue.md(flow_picture(_flow(steps), rows_in)),
            "flow_of_rows_by_rule": dg.MetadataValue.md(
                funnel_picture(_flow(steps), _rule_rows(connection), rows_in)
            ),
            "steps": _steps_table(steps),
            "removed_by_rule": table(_rules(connection)),
            "inputs": table(_inputs(connection)),
            "references": table(_references(connection)),
            "seeds": table(_seeds(connection)),
            "measured_by_steps": table(_metrics(connection)),
            "sample": table(_sample(connection)),
            **coverage_metadata(store, plan, outcome),
            "rows_in": rows_in,
            "rows_removed": removed,
            "removed_share": round(removed / rows_in, 4) if rows_in else 0.0,
            "rows_quarantined": one(connection, "SELECT count(*) FROM quarantine"),
            "seconds": round(one(connection, "SELECT coalesce(sum(seconds), 0) FROM steps"), 3),
            "spend_dollars": float(spend),
            "annotation_dollars": annotation_dollars(store, str(plan.name)) or None,
            "snapshot": f"{manifest.version}@{manifest.snapshot_id}",
            "snapshot_file": dg.MetadataValue.path(str(snapshot_path(store, manifest))),
            "recipe_id": manifest.recipe_id,
            "build_id": manifest.build_id,
            "content_id": manifest.content_id,
        }
    before = _input_lengths(store, manifest.inputs)
    metadata["row_length_before_and_after"] = dg.MetadataValue.md(
        length_picture(_histogram(before), _histogram(after))
    )
    metadata["mean_row_length"] = _mean(after)
    metadata |= inspection_metadata(store, plan, manifest)
    return {name: value for name, value in metadata.items() if value is not None}


def _steps(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return records(
        connection,
        """SELECT concat(step + 1, ' ', coalesce(input || ': ', ''), name) AS step, rows_in,
           rows_out, dropped, merged, quarantined, split, changed, kept,
           round(seconds, 3) AS seconds, operator, input FROM steps ORDER BY steps.step""",
    )


def _steps_table(steps: Sequence[dict[str, Any]]) -> dg.MetadataValue | None:
    """What each step did, without the columns in which nothing happened."""
    quiet = {"merged", "split", "quarantined"}
    shown = {name for name in quiet if any(step[name] for step in steps)}
    hidden = (quiet - shown) | {"input"}
    return table([{k: v for k, v in step.items() if k not in hidden} for step in steps])


def _rules(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return records(
        connection,
        f"""SELECT CASE WHEN dispositions.step = {ERASE_STEP} THEN 'erase'
           ELSE coalesce(steps.name, 'landing') END AS step, coalesce(rule, 'unreadable') AS rule,
           count(*) AS row_count, disposition, inputs.name AS input
           FROM dispositions LEFT JOIN steps USING (step)
           LEFT JOIN inputs ON inputs.input = parent_input
           GROUP BY ALL ORDER BY min(dispositions.step), row_count DESC LIMIT 40""",
    )


def _inputs(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return records(
        connection,
        """SELECT name, kind, reference, row_count, coalesce(licence, '') AS licence,
           coalesce(snapshot_id, '') AS snapshot, content_id[:12] AS content
           FROM inputs ORDER BY input""",
    )


def _seeds(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What rows were made from, and how many of it were made use of."""
    return records(
        connection,
        """SELECT name, kind, reference, row_count,
           (SELECT count(DISTINCT seed) FROM (SELECT unnest(seed_row_ids) AS seed FROM generations
            WHERE seed_input = input)) AS rows_used,
           coalesce(licence, '') AS licence, coalesce(snapshot_id, '') AS snapshot,
           content_id[:12] AS content
           FROM seed_inputs ORDER BY input""",
    )


def _references(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What rows were compared with, and how many were taken for alike."""
    return records(
        connection,
        """SELECT name, kind, reference, row_count,
           (SELECT count(DISTINCT (parent_input, parent_row_id, ordinal)) FROM dispositions
            WHERE survivor_input = input) AS rows_removed_for_it,
           coalesce(licence, '') AS licence, coalesce(snapshot_id, '') AS snapshot,
           content_id[:12] AS content
           FROM reference_inputs ORDER BY input""",
    )


def _metrics(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return records(
        connection,
        """SELECT stage AS step, coalesce(subject, '') AS subject, replace(metric, '_', ' ') AS what,
           value FROM metrics ORDER BY ALL LIMIT 60""",
    )


def _sample(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows spread evenly over the snapshot, what a model would read first."""
    rows = records(
        connection,
        f"""SELECT * FROM rows WHERE row_id IN (
            SELECT ((SELECT count(*) FROM rows) * i // {SAMPLE_ROWS})::BIGINT
            FROM range({SAMPLE_ROWS}) t(i)) ORDER BY row_id""",
    )
    first = [name for name in ("row_id", *READ_FIRST) if rows and name in rows[0]]
    return [
        {name: _short(row[name]) for name in (*first, *(n for n in row if n not in first))}
        for row in rows
    ]


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = " ".join(str(value).split())
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _flow(steps: Sequence[dict[str, Any]]) -> list[FlowStep]:
    joined = [step for step in steps if step["input"] is None]
    return [
        FlowStep(
            step["step"].partition(" ")[2],
            step["rows_in"],
            step["rows_out"],
            step["merged"] + step["dropped"] + step["quarantined"],
        )
        for step in joined
    ]


def _rule_rows(connection: duckdb.DuckDBPyConnection) -> list[RuleRows]:
    found = connection.execute(
        """SELECT name, rule, sum(row_count)::BIGINT FROM step_rules JOIN steps USING (step)
           WHERE input IS NULL GROUP BY step, name, rule ORDER BY step, 3 DESC"""
    )
    return [RuleRows(*row) for row in found.fetchall()]


def _column_lineage(
    connection: duckdb.DuckDBPyConnection, plan: Plan
) -> dg.TableColumnLineage | None:
    recorded = connection.execute(
        "SELECT value FROM manifest WHERE key = 'column_lineage'"
    ).fetchone()
    keys = {
        name: dg.AssetKey(source.version.split("/"))
        for name, source in plan.declared.recipe.inputs.items()
        if isinstance(source, VersionInput)
    }
    by_column = {
        column: [
            dg.TableColumnDep(asset_key=keys[name], column_name=origin)
            for name, origin in origins
            if name in keys
        ]
        for column, origins in (json.loads(recorded[0]) if recorded else {}).items()
    }
    by_column = {column: origins for column, origins in by_column.items() if origins}
    return dg.TableColumnLineage(by_column) if by_column else None


def _lengths(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[int, tuple[int, int]]:
    """Rows and characters by the power of two of the row's text length."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    texts = [
        f'coalesce(length("{name.replace(chr(34), chr(34) * 2)}"::VARCHAR), 0)'
        for name, kind, *_ in described
        if kind == "VARCHAR" or kind.endswith("]") or kind.startswith("STRUCT")
    ]
    length = " + ".join(texts) or "0"
    return {
        power: (rows, characters)
        for power, rows, characters in connection.execute(
            f"SELECT CASE WHEN n = 0 THEN 0 ELSE floor(log2(n))::INT END, count(*), sum(n)::BIGINT "
            f"FROM (SELECT {length} AS n FROM {relation}) GROUP BY 1"
        ).fetchall()
    }


def _input_lengths(store: Store, inputs: Sequence[InputReference]) -> dict[int, tuple[int, int]]:
    total: dict[int, tuple[int, int]] = {}
    for source in inputs:
        if source.version is not None:
            name = VersionName.parse(source.version)
            with open_snapshot(store, name, source.snapshot_id) as connection:
                lengths = _lengths(connection, "snapshot.rows")
        else:
            landed = read_source(store, source.source_id or "")
            paths = [
                str(block_folder(store, block.key) / "parsed.parquet") for block in landed.blocks
            ]
            if not paths:
                continue
            with duckdb.connect() as connection:
                quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
                lengths = _lengths(connection, f"read_parquet([{quoted}], union_by_name = true)")
        for power, (rows, characters) in lengths.items():
            had = total.get(power, (0, 0))
            total[power] = (had[0] + rows, had[1] + characters)
    return total


def _histogram(lengths: dict[int, tuple[int, int]]) -> list[int]:
    return [lengths.get(power, (0, 0))[0] for power in range(BINS)]


def _mean(lengths: dict[int, tuple[int, int]]) -> float:
    rows = sum(count for count, _ in lengths.values())
    return round(sum(size for _, size in lengths.values()) / rows, 1) if rows else 0.0
