"""How measures are spread over rows: lengths, turns, numbers."""

from __future__ import annotations

from collections.abc import Sequence

from dagster_project.engine.inspection.rows_looked_at import LookedAt, Measure, Unit
from dagster_project.warehouse.address import Answer

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 24


class Distribution(Answer):
    """How a measure is spread over rows.

    Attributes:
        column, unit: of the measure.
        rows: that have one.
        quantiles: at 1, 5, 25, 50, 75, 95 and 99 %.
        least, most: of all.
        histogram: rows in 24 bins from `least` to `most`; of counts, bins of equal width in
            log(1 + x), else in x.
        logarithmic: which of the two.
    """

    column: str
    unit: Unit
    rows: int
    quantiles: tuple[float, ...]
    least: float
    most: float
    histogram: tuple[int, ...]
    logarithmic: bool


def distributions(seen: LookedAt, columns: Sequence[str] = ()) -> tuple[Distribution, ...]:
    """How every measure is spread; measured columns only if they are asked for.

    Args:
        seen: the rows.
        columns: only these.
    """
    wanted = [each for each in seen.measures if each.column in (columns or seen.schema)]
    if not wanted:
        return ()
    levels = ", ".join(map(str, QUANTILES))
    (found,) = seen.reader.all(
        "SELECT "
        + ", ".join(
            f"count({x}), quantile_cont({x}, [{levels}]), min({x}), max({x})"
            for x in (each.finite for each in wanted)
        )
        + " FROM looked_at"
    )
    spread: list[Distribution] = []
    for each, (rows, quantiles, least, most) in zip(
        wanted, zip(*[iter(found)] * 4, strict=True), strict=True
    ):
        if rows:
            counted = each.unit in ("characters", "words", "turns")
            alike = least == most
            histogram = (
                (rows, *[0] * (BINS - 1)) if alike else _histogram(seen, each, least, most, counted)
            )
            spread.append(
                Distribution(
                    column=each.column,
                    unit=each.unit,
                    rows=rows,
                    quantiles=tuple(quantiles),
                    least=least,
                    most=most,
                    histogram=histogram,
                    logarithmic=counted,
                )
            )
    return tuple(spread)


def _histogram(
    seen: LookedAt, measure: Measure, least: float, most: float, logarithmic: bool
) -> tuple[int, ...]:
    x = measure.finite
    low, high = f"({least!r})::DOUBLE", f"({most!r})::DOUBLE"
    if logarithmic:
        x, low, high = (f"ln(1 + {each})" for each in (x, low, high))
    place = f"least(({BINS} * (({x}) - {low}) / ({high} - {low})), {BINS - 1})"
    counted = dict(
        seen.reader.all(
            f"SELECT floor({place})::INTEGER, count(*) FROM looked_at "
            f"WHERE {measure.finite} IS NOT NULL GROUP BY ALL"
        )
    )
    return tuple(counted.get(index, 0) for index in range(BINS))
