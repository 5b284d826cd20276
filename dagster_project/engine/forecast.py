"""What making all rows of a version will cost, told from a pilot."""

from __future__ import annotations

from random import Random

import polars as pl

from dagster_project.engine.plan import Plan
from dagster_project.warehouse.address import Answer
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.manifest import Manifest
from dagster_project.warehouse.store import Store

RESAMPLES = 1000
LEVEL = 0.9

ATTEMPTS = """
WITH paid AS (
    SELECT g.parent_input AS input, g.attempt, sum(l.dollars) AS dollars,
        sum(l.tokens_in + l.tokens_out)::DOUBLE AS tokens, sum(l.seconds) AS seconds
    FROM ledger l JOIN generations g USING (parent_input, parent_row_id) GROUP BY ALL
), made AS (
    SELECT g.parent_input AS input, g.attempt, count(DISTINCT l.parent_row_id) AS accepted
    FROM generations g LEFT JOIN lineage l USING (parent_input, parent_row_id) GROUP BY ALL
)
SELECT i.name, m.attempt, m.accepted, coalesce(dollars, 0) AS dollars,
    coalesce(tokens, 0) AS tokens, coalesce(seconds, 0) AS seconds
FROM made m JOIN inputs i USING (input) LEFT JOIN paid USING (input, attempt)
ORDER BY i.input, m.attempt
"""


class Forecast(Answer):
    """What an input whose rows are made will cost, all of it.

    Attributes:
        input: its name.
        rows: how many rows are wanted.
        pilot_attempts, pilot_accepted: what the forecast is told from.
        dollars, tokens, seconds: expected; seconds are those of calls, one after the other.
        least_dollars, most_dollars, least_tokens, most_tokens: between which nine of ten pilots of this
            size would put it (bootstrap over attempts).
    """

    input: str
    rows: int
    pilot_attempts: int
    pilot_accepted: int
    dollars: float
    least_dollars: float
    most_dollars: float
    tokens: float
    least_tokens: float
    most_tokens: float
    seconds: float


def forecast(plan: Plan, pilot: Manifest, store: Store) -> list[Forecast]:
    """Forecast the cost of each input whose rows are made.

    Args:
        plan: of the version.
        pilot: a snapshot of it, such as a trial.
        store: where the snapshot is.
    """
    with open_snapshot(store, plan.name, pilot.snapshot_id) as connection:
        connection.execute("USE snapshot")
        attempts = connection.sql(ATTEMPTS).pl()
    wanted = {name: source.rows for name, source in plan.declared.recipe.generated().items()}
    return [
        _one(str(name), wanted[str(name)], own)
        for (name,), own in attempts.group_by("name", maintain_order=True)
        if name in wanted and own["accepted"].sum()
    ]


def _one(name: str, rows: int, attempts: pl.DataFrame) -> Forecast:
    draw = Random(name)
    each = attempts.select("accepted", "dollars", "tokens").rows()
    drawn: list[tuple[float, float]] = []
    for _ in range(RESAMPLES):
        chosen = draw.choices(each, k=len(each))
        accepted = sum(row[0] for row in chosen)
        if accepted:
            share = rows / accepted
            drawn.append((share * sum(r[1] for r in chosen), share * sum(r[2] for r in chosen)))
    dollars, tokens = (sorted(values) for values in zip(*drawn, strict=True))
    low = int((1 - LEVEL) / 2 * len(drawn))
    totals = attempts.select(pl.col("accepted", "dollars", "tokens", "seconds").sum())
    accepted, paid, read, took = totals.row(0)
    share = rows / accepted
    return Forecast(
        input=name,
        rows=rows,
        pilot_attempts=attempts.height,
        pilot_accepted=accepted,
        dollars=share * paid,
        least_dollars=dollars[low],
        most_dollars=dollars[-1 - low],
        tokens=share * read,
        least_tokens=tokens[low],
        most_tokens=tokens[-1 - low],
        seconds=share * took,
    )
