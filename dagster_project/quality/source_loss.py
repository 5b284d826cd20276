"""The expectation that no step takes a whole source away."""

from __future__ import annotations

from pydantic import Field

from dagster_project.quality.audited import Audited, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation, counted, percent

SHOWN = 3

LOSSES = """
WITH removed AS (
    SELECT parent_input AS input, step, sum(row_count)::BIGINT AS gone FROM step_rules GROUP BY ALL
), kept AS (
    SELECT parent_input AS input, count(*) AS stay FROM lineage GROUP BY ALL
), losses AS (
    SELECT name, step, gone, coalesce(stay, 0)
        + sum(gone) OVER (PARTITION BY input ORDER BY step DESC) AS reached
    FROM removed JOIN inputs USING (input) LEFT JOIN kept USING (input)
)
SELECT 'step `' || steps.name || '` removed, of source `' || losses.name || '`,', gone,
    reached::BIGINT
FROM losses JOIN steps USING (step) ORDER BY gone / reached DESC, step, losses.name
"""
"""What each step removed of each input, of the rows that reached it: those that it or a later step
removed, or that stayed."""


class SourceLoss(SqlExpectation):
    """No step removes nearly all rows of a source, an input of the recipe.

    Filters and duplicates that take away a whole source are a mistake more often than not: a template
    that all of its rows share, a language that a detector does not know. Every version is checked; a
    recipe that means it says so with an expectation of its own.
    """

    max: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="Largest share of a source's rows that a step removes.",
    )
    min_rows: int = Field(
        default=100, ge=1, description="Fewest rows of a source at a step for its loss to count."
    )

    def expected(self) -> str:
        return (
            f"no step removes more than {percent(self.max)} of the rows of a source, where it is "
            f"{self.min_rows:,} rows or more"
        )

    def look(self, audited: Audited, subject: Subject) -> Finding:
        losses = [
            loss
            for loss in audited.connection.execute(LOSSES).fetchall()
            if loss[2] >= self.min_rows
        ]
        over = [loss for loss in losses if loss[1] > self.max * loss[2]]
        said = [counted(part, whole, "rows") for _, part, whole in over or losses]
        shown = [f"{what} {text}" for (what, _, _), text in zip(over or losses, said, strict=True)]
        more = f" and {len(over) - SHOWN} more" if len(over) > SHOWN else ""
        observed = "; ".join(shown[: SHOWN if over else 1]) or "no step removed rows"
        return Finding(passed=not over, observed=observed + more)
