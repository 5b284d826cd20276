"""A batch of rows in flight: data and annotation columns, and the columns that say who each row is.

| column | type | meaning |
|---|---|---|
| `__input` | UInt16 | number of the input the row came from |
| `__parent` | Int64 | the row's id in that input |
| `__ordinal` | UInt32 | tells apart rows split out of one; else 0 |
| `__changed` | UInt64 | bit *s* is set when step *s* changed the row |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import polars as pl

from dagster_project.engine.accounts import StepCount
from dagster_project.operators.base import SYSTEM_PREFIX
from dagster_project.operators.calls import ModelCall

INPUT, PARENT, ORDINAL, CHANGED = "__input", "__parent", "__ordinal", "__changed"

SYSTEM = pl.Schema({INPUT: pl.UInt16, PARENT: pl.Int64, ORDINAL: pl.UInt32, CHANGED: pl.UInt64})
KEY = [INPUT, PARENT, ORDINAL]

DISPOSITIONS = pl.Schema(
    {
        "parent_input": pl.UInt16,
        "parent_row_id": pl.Int64,
        "ordinal": pl.UInt32,
        "step": pl.UInt16,
        "disposition": pl.String,
        "rule": pl.String,
        "measured": pl.String,
        "threshold": pl.String,
        "survivor_input": pl.UInt16,
        "survivor_row_id": pl.Int64,
        "survivor_ordinal": pl.UInt32,
        "similarity": pl.Float64,
        "error": pl.String,
        "content": pl.String,
    }
)
"""What became of removed rows, as in the snapshot's `dispositions`, and for quarantined rows their
content as JSON, which goes to `quarantine`."""


PAIRS = pl.Schema(
    {
        "step": pl.UInt16,
        "parent_input": pl.UInt16,
        "parent_row_id": pl.Int64,
        "ordinal": pl.UInt32,
        "other_input": pl.UInt16,
        "other_row_id": pl.Int64,
        "other_ordinal": pl.UInt32,
        "similarity": pl.Float64,
        "matched": pl.String,
    }
)
"""Rows that a step found alike, as in the snapshot's `pairs`."""

CUTS = pl.Schema(
    {
        "step": pl.UInt16,
        "parent_input": pl.UInt16,
        "parent_row_id": pl.Int64,
        "ordinal": pl.UInt32,
        "column_name": pl.String,
        "start": pl.UInt32,
        "length": pl.UInt32,
        "other_input": pl.UInt16,
        "other_row_id": pl.Int64,
        "other_ordinal": pl.UInt32,
    }
)
"""What a step cut out of texts, as in the snapshot's `cuts`."""


LEDGER = pl.Schema(
    {
        "step": pl.UInt16,
        "parent_input": pl.UInt16,
        "parent_row_id": pl.Int64,
        "ordinal": pl.UInt32,
        "attempt": pl.Int64,
        "purpose": pl.String,
        "provider": pl.String,
        "model": pl.String,
        "sampling": pl.String,
        "request_hash": pl.String,
        "prompt": pl.String,
        "response": pl.String,
        "finish_reason": pl.String,
        "tokens_in": pl.Int64,
        "tokens_out": pl.Int64,
        "dollars": pl.Float64,
        "seconds": pl.Float64,
    }
)
"""Paid calls, as in the snapshot's `ledger`."""


@dataclass(frozen=True)
class StageResult:
    """What a stage made of a batch.

    Attributes:
        rows: the rows that go on.
        removed: `DISPOSITIONS` of those that do not.
        scores: key and annotation columns of the removed rows, as far as they were measured.
        counts: by step number.
        ledger: `LEDGER` of the calls that were made.
        lasting: whether it would come out the same again; not where a call had no answer this time.
    """

    rows: pl.DataFrame
    removed: pl.DataFrame
    scores: pl.DataFrame
    counts: list[tuple[int, StepCount]]
    ledger: pl.DataFrame
    lasting: bool = True


def identified(data: pl.DataFrame, number: int, first_row: int) -> pl.DataFrame:
    """Rows `first_row`… of input `number`, with the columns that say so."""
    return data.with_columns(
        pl.lit(number, pl.UInt16).alias(INPUT),
        pl.int_range(first_row, first_row + data.height, dtype=pl.Int64).alias(PARENT),
        pl.lit(0, pl.UInt32).alias(ORDINAL),
        pl.lit(0, pl.UInt64).alias(CHANGED),
    )


def user_schema(schema: pl.Schema) -> pl.Schema:
    """The columns that operators may see."""
    return pl.Schema({n: t for n, t in schema.items() if not n.startswith(SYSTEM_PREFIX)})


def data_columns(schema: pl.Schema, annotations: Collection[str]) -> list[str]:
    """The columns that will be published."""
    return [name for name in user_schema(schema) if name not in annotations]


def dispositions(
    rows: pl.DataFrame, step: int, disposition: str, **columns: pl.Expr | str | None
) -> pl.DataFrame:
    """`DISPOSITIONS` of removed `rows`; other columns from expressions over `rows`."""
    filled = {
        name: (value if isinstance(value, pl.Expr) else pl.lit(value))
        for name, value in columns.items()
    }
    return rows.select(
        pl.col(INPUT).alias("parent_input"),
        pl.col(PARENT).alias("parent_row_id"),
        pl.col(ORDINAL).alias("ordinal"),
        pl.lit(step, pl.UInt16).alias("step"),
        pl.lit(disposition).alias("disposition"),
        *(
            filled.get(name, pl.lit(None)).cast(kind).alias(name)
            for name, kind in list(DISPOSITIONS.items())[5:]
        ),
    )


def scores_of(rows: pl.DataFrame, annotations: Collection[str]) -> pl.DataFrame:
    """Key and annotation columns of `rows`."""
    measured = [name for name in rows.columns if name in annotations]
    return rows.select(
        pl.col(INPUT).alias("parent_input"),
        pl.col(PARENT).alias("parent_row_id"),
        pl.col(ORDINAL).alias("ordinal"),
        *measured,
    )


def ledger(
    rows: pl.DataFrame,
    step: int,
    calls: Sequence[Sequence[ModelCall]],
    attempts: Sequence[int | None] = (),
) -> pl.DataFrame:
    """`LEDGER` of the calls that were made for each of `rows`, in an attempt of a generator if they
    were."""
    at = [position for position, made in enumerate(calls) for _ in made]
    keys = rows.select(INPUT, PARENT, ORDINAL)[at]
    paid = [asdict(call) for made in calls for call in made]
    attempt = [attempts[position] if attempts else None for position in at]
    told = pl.DataFrame(paid, schema=pl.Schema(list(LEDGER.items())[5:]))
    return pl.DataFrame(
        [
            pl.repeat(step, len(at), dtype=pl.UInt16, eager=True).alias("step"),
            *(
                keys[own].alias(name)
                for own, name in zip(keys.columns, list(LEDGER)[1:4], strict=True)
            ),
            pl.Series("attempt", attempt, dtype=pl.Int64),
            *told.get_columns(),
        ],
        schema=LEDGER,
    )
