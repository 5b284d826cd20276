"""What operators share that run code's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Rule
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.verify.examination import Examination

MOST_OUTPUT = 4_000
"""Characters that are kept of what tests say."""

MEASURED = {
    "run": pl.Int64(),
    "failed": pl.Int64(),
    "trusting": pl.Int64(),
    "end": pl.String(),
    "output": pl.String(),
    "seconds": pl.Float64(),
}


class _CodeExaminer(CallingOperator):
    """Keeps rows whose code passes its tests, or those whose code fails them."""

    named: ClassVar[str]
    """What one of its tests is called."""

    column: str = Field(default="code", description="The column of Python code.")
    expect: Literal["pass", "fail"] = Field(
        default="pass",
        description="`pass` keeps code that passes all of its tests; `fail` keeps code that fails "
        "one, such as the rejected side of a preference.",
    )
    trust_code: bool = Field(
        default=True,
        description="Whether to keep rows with tests that only the code's own process could judge.",
    )
    seconds: float = Field(
        default=10.0, gt=0, le=600, description="Longest time for one row, in seconds."
    )
    memory_mb: int = Field(
        default=512, ge=64, description="Most memory that a row's code may have, in MiB."
    )

    def brings(self, schema: pl.Schema) -> pl.Schema:
        require_text(self, schema, self.column)
        return pl.Schema({f"{self.named}s_{name}": kind for name, kind in MEASURED.items()})

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        named = self.named
        run, failed, trusting, end = (
            pl.col(f"{named}s_{name}") for name in ("run", "failed", "trusting", "end")
        )
        rules = [
            Rule("not_finished", end == "finished", end, "finished"),
            Rule(f"no_{named}s", run >= 1, run, ">= 1"),
        ]
        if not self.trust_code:
            rules.append(Rule("trusts_code", trusting == 0, trusting, "== 0"))
        if self.expect == "pass":
            return [*rules, Rule(f"{named}_failed", failed == 0, failed, "== 0")]
        return [*rules, Rule(f"{named}s_passed", failed >= 1, failed, ">= 1")]

    def _told(self, examination: Examination) -> Mapping[str, Any]:
        told = {name: getattr(examination, name) for name in MEASURED}
        told |= {"output": examination.output[:MOST_OUTPUT], "seconds": round(told["seconds"], 3)}
        return {f"{self.named}s_{name}": value for name, value in told.items()}
