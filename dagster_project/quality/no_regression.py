"""The expectation that a contestant of an arena is no worse than another."""

from __future__ import annotations

from pydantic import Field, model_validator

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation
from dagster_project.recipe.problems import no_such


class NoRegression(SqlExpectation):
    """A contestant of an arena is not worse than another, by any of the fixed models, at any equal budget
    of rows or tokens: no interval of their paired difference (95 %, bootstrap over held-out rows and
    draws) is wholly below `-tolerance`. A budget of all rows, which is not equal, does not count."""

    contestant: str = Field(description="Who must not be worse.")
    against: str = Field(description="Than whom; `random of pool` is the baseline to beat.")
    tolerance: float = Field(
        default=0.0, ge=0, description="A difference that does not matter, in the models' scores."
    )
    models: tuple[str, ...] = Field(default=(), description="Whose verdict counts; default: all.")

    @model_validator(mode="after")
    def _two(self) -> NoRegression:
        if self.contestant == self.against:
            raise ValueError("`contestant` and `against` are the same")
        return self

    def expected(self) -> str:
        return f"`{self.contestant}` is not worse than `{self.against}`"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        from dagster_project.arena.contest import RESULTS
        from dagster_project.arena.standing import standing

        audited.require("rows", list(RESULTS))
        results = audited.connection.sql(f"SELECT {', '.join(RESULTS)} FROM rows").pl()
        known = results["contestant"].unique().sort().to_list()
        for name in (self.contestant, self.against):
            if name not in known:
                raise CannotCheck(no_such("contestant", name, known))
        found = standing(results.filter(results["budget"] != "all"), self.against)
        own = found.filter(found["contestant"] == self.contestant)
        if self.models:
            own = own.filter(own["model"].is_in(self.models))
        if own.is_empty():
            raise CannotCheck("there is no equal budget to compare at; give the contest `budgets`")
        worse = own.filter(own["high"] < -self.tolerance)
        shown = worse if worse.height else own.sort("difference").head(1)
        return Finding(
            not worse.height, "; ".join(_told(row) for row in shown.iter_rows(named=True))
        )


def _told(row: dict) -> str:
    return (
        f"{row['model']} at {row['amount']:,} {row['budget']}: {row['difference']:+.4f} "
        f"({row['low']:+.4f} to {row['high']:+.4f})"
    )
