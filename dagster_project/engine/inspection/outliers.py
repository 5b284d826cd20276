"""Rows that are unlike the others."""

from __future__ import annotations

from collections.abc import Sequence

from dagster_project.engine.inspection.rows_looked_at import LookedAt, Unit
from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.warehouse.address import Answer, Row

FAR = 6.0
MAD_TO_DEVIATION = 1.4826
MEAN_TO_DEVIATION = 1.2533
"""What the median (mean) absolute deviation is to be multiplied by, to be the standard deviation of
normal values."""


class Outlier(Answer):
    """A row far out.

    Attributes:
        row: its address.
        value: what was measured.
        distance: from the median, in robust standard deviations.
        text: its beginning.
    """

    row: Row
    value: float
    distance: float
    text: str


class Outliers(Answer):
    """Rows far out by one measure.

    Attributes:
        column, unit: of the measure.
        median: of all rows that are looked at.
        deviation: robust standard deviation: 1.4826 times the median absolute deviation; where more
            than half of the rows have the same value, 1.2533 times the mean absolute deviation.
        rows: farther than 6 deviations from the median.
        farthest: of them, farthest first.
    """

    column: str
    unit: Unit
    median: float
    deviation: float
    rows: int
    farthest: tuple[Outlier, ...]


def outliers(
    seen: LookedAt, sources: SourceRows, count: int = 5, columns: Sequence[str] = ()
) -> tuple[Outliers, ...]:
    """The rows farthest out by every measure, measured columns too.

    Args:
        seen: the rows.
        sources: reads excerpts.
        count: rows of each measure.
        columns: only measures of these.
    """
    measures = {each.place: each for each in seen.measures if not columns or each.column in columns}
    if not measures or not seen.rows:
        return ()
    value = {place: each.finite for place, each in measures.items()}
    (medians,) = seen.reader.all(
        f"SELECT {', '.join(f'median({x})' for x in value.values())} FROM looked_at"
    )
    middle = {
        place: median for place, median in zip(measures, medians, strict=True) if median is not None
    }
    if not middle:
        return ()
    (spreads,) = seen.reader.all(
        "SELECT "
        + ", ".join(
            f"median({x}), avg({x})"
            for x in (
                f"abs({value[place]} - ({median!r})::DOUBLE)" for place, median in middle.items()
            )
        )
        + " FROM looked_at"
    )
    found = []
    for (place, median), mad, mean in zip(middle.items(), spreads[::2], spreads[1::2], strict=True):
        deviation = MAD_TO_DEVIATION * mad or MEAN_TO_DEVIATION * mean
        if not deviation:
            continue
        far = f"abs({value[place]} - ({median!r})::DOUBLE) / ({deviation!r})::DOUBLE"
        rows = seen.reader.all(
            f"SELECT row_id, {value[place]}, {far} AS far, count(*) OVER () FROM looked_at "
            f"WHERE far > {FAR} ORDER BY far DESC, row_id LIMIT {max(count, 1)}"
        )
        if rows:
            found.append((measures[place], median, deviation, rows))
    texts = sources.own_texts(
        (row, (measure.column,)) for measure, _, _, rows in found for row, *_ in rows[:count]
    )
    return tuple(
        Outliers(
            column=measure.column,
            unit=measure.unit,
            median=median,
            deviation=deviation,
            rows=rows[0][3],
            farthest=tuple(
                Outlier(
                    row=sources.own_address(row),
                    value=number,
                    distance=far,
                    text=texts[row, (measure.column,)],
                )
                for row, number, far, _ in rows[:count]
            ),
        )
        for measure, median, deviation, rows in found
    )
