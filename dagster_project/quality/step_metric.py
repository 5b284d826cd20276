"""The expectation that a number which a step tells is within bounds."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation
from dagster_project.recipe.problems import no_such

SHOWN = 3


class StepMetric(SqlExpectation):
    """A number that a step tells about all rows is within bounds: how well a judge agrees with people
    (`gold_kappa` of `calibrate_judge`), the share that a source has in a mixture, or any other of the
    metrics that an operator's page in the catalogue names. Without `subject`, those of all its subjects
    are."""

    metric: str = Field(description="Its name, as the snapshot's table `metrics` has it.")
    step: str | None = Field(default=None, description="The step that tells it; default: any.")
    subject: str | None = Field(
        default=None, description="What it is about, such as a judged column or a source."
    )
    min: float | None = Field(default=None, description="Least value.")
    max: float | None = Field(default=None, description="Largest value.")

    @model_validator(mode="after")
    def _bounded(self) -> StepMetric:
        if self.min is None and self.max is None:
            raise ValueError("needs `min` or `max`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is above `max`")
        return self

    def expected(self) -> str:
        bounds = {"at least": self.min, "at most": self.max}
        told = " and ".join(
            f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None
        )
        about = f" of {self.subject}" if self.subject else ""
        return f"`{self.metric}`{about} is {told}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        told = audited.connection.execute(
            "SELECT stage, metric, subject, value FROM metrics ORDER BY ALL"
        ).fetchall()
        for place, (what, wanted) in enumerate(
            (("step", self.step), ("metric", self.metric), ("subject", self.subject))
        ):
            if wanted is not None:
                known = sorted({row[place] for row in told if row[place] is not None})
                told = [row for row in told if row[place] == wanted]
                if not told:
                    raise CannotCheck(no_such(what, wanted, known))
        outside = [row for row in told if not self._within(row[3])]
        shown = [
            f"{value:.6g}" + (f" ({about})" if about else "")
            for _, _, about, value in (outside or told)[:SHOWN]
        ]
        more = len(outside or told) - len(shown)
        return Finding(not outside, "; ".join(shown) + (f"; and {more} more" if more else ""))

    def _within(self, value: float) -> bool:
        least = -math.inf if self.min is None else self.min
        most = math.inf if self.max is None else self.max
        return least <= value <= most
