"""How long the texts of published columns are, and how long what they were computed from was."""

from __future__ import annotations

from dagster_project.engine.inspection.rows_looked_at import LookedAt
from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.engine.inspection.text_columns import text_columns, total_characters
from dagster_project.warehouse.address import Answer

BINS = 24


class Lengths(Answer):
    """Characters of texts.

    Attributes:
        rows: measured.
        median, p95: of them.
        histogram: rows in 24 bins of equal width in log(1 + x), up to `most` of the shift.
    """

    rows: int
    median: float
    p95: float
    histogram: tuple[int, ...]


class ColumnShift(Answer):
    """A published column of texts, and what it was computed from.

    Attributes:
        column: published.
        origins: `input.column` of each text that it was computed from.
        before: lengths of those texts in all rows of the inputs, together for each row; None if it was
            computed from no text.
        after: lengths of the column.
        most: the longest of both.
    """

    column: str
    origins: tuple[str, ...]
    before: Lengths | None
    after: Lengths
    most: int


def column_shifts(
    seen: LookedAt, sources: SourceRows, most_rows: int | None = None
) -> tuple[ColumnShift, ...]:
    """Compare lengths before and after, for every published column of texts.

    Args:
        seen: the rows after.
        sources: the rows before.
        most_rows: of each input, spread evenly, that are measured; None for all.
    """
    places = {each.column: each.place for each in seen.measures if each.unit == "characters"}
    shifts = []
    for column, place in places.items():
        queries, origins = [], []
        for number, item in sources.snapshot.inputs.items():
            schema = sources.schema(number)
            texts = [
                name for name in sources.origins(number, column) if name in text_columns(schema)
            ]
            if not texts or not item.rows:
                continue
            every = 1 if most_rows is None else -(-item.rows // most_rows)
            origins += [f"{item.name}.{name}" for name in texts]
            queries.append(
                f"SELECT 'before' AS side, {total_characters(schema, texts)} AS n "
                f"FROM ({sources.relation(number)}) WHERE __row % {every} = 0"
            )
        queries.append(f"SELECT 'after' AS side, {place} AS n FROM looked_at WHERE n IS NOT NULL")
        seen.reader.all(f"CREATE OR REPLACE TEMP TABLE lengths AS {' UNION ALL '.join(queries)}")
        ((most,),) = seen.reader.all("SELECT coalesce(max(n), 0) FROM lengths")
        sides = _sides(seen, most)
        if "after" in sides:
            shifts.append(
                ColumnShift(
                    column=column,
                    origins=tuple(origins),
                    before=sides.get("before"),
                    after=sides["after"],
                    most=most,
                )
            )
    return tuple(shifts)


def _sides(seen: LookedAt, most: int) -> dict[str, Lengths]:
    place = f"least(floor({BINS} * ln(1 + n) / ln(1 + {max(most, 1)})), {BINS - 1})::INTEGER"
    counts: dict[str, dict[int, int]] = {}
    for side, index, rows in seen.reader.all(
        f"SELECT side, {place}, count(*) FROM lengths GROUP BY ALL"
    ):
        counts.setdefault(side, {})[index] = rows
    return {
        side: Lengths(
            rows=rows,
            median=median,
            p95=p95,
            histogram=tuple(counts[side].get(index, 0) for index in range(BINS)),
        )
        for side, rows, median, p95 in seen.reader.all(
            "SELECT side, count(*), median(n), quantile_cont(n, 0.95) FROM lengths GROUP BY side"
        )
    }
