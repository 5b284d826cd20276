"""The expectation that a version stays within its budget."""

from __future__ import annotations

import json

from pydantic import Field

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation, percent


class BudgetKept(SqlExpectation):
    """What the rows cost stays below a share of the recipe's budget, in dollars and in tokens. The cap
    itself is kept by stopping; this tells before it is reached."""

    max_share: float = Field(default=1.0, gt=0, le=1, description="Largest share of the budget.")

    def expected(self) -> str:
        return f"at most {percent(self.max_share)} of the budget is spent"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        (recipe,) = audited.row("SELECT value FROM manifest WHERE key = 'recipe'")
        budget = json.loads(recipe).get("budget") or {}
        dollars, tokens = audited.row(
            "SELECT coalesce(sum(dollars), 0), coalesce(sum(tokens_in + tokens_out), 0)::BIGINT "
            "FROM ledger"
        )
        caps = {
            name: (spent, budget[name])
            for name, spent in (("dollars", dollars), ("tokens", tokens))
            if budget.get(name) is not None
        }
        if not caps:
            raise CannotCheck("the recipe has no budget in dollars or tokens")
        over = any(spent > self.max_share * cap for spent, cap in caps.values())
        said = [f"{spent:,.6g} of {cap:,.6g} {name}" for name, (spent, cap) in caps.items()]
        return Finding(not over, "; ".join(said))
