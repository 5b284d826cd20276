"""The books of a run: how many rows each step saw, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel

from dagster_project.warehouse.snapshot import NotConserved


class RuleCount(BaseModel):
    """Rows of one input that one rule of a step removed."""

    rule: str
    disposition: str
    parent_input: int
    rows: int


class StepCount(BaseModel):
    """What one step did to some rows.

    Every row that goes in is kept, changed, merged, split, dropped or quarantined, once. `rules`
    tells what removed rows, `rule_names` all rules that could have.
    """

    rows_in: int = 0
    kept: int = 0
    changed: int = 0
    merged: int = 0
    split: int = 0
    dropped: int = 0
    quarantined: int = 0
    generated: int = 0
    rows_out: int = 0
    seconds: float = 0.0
    cached: int = 0
    rules: list[RuleCount] = []
    rule_names: list[str] = []

    def prove(self, step: str) -> None:
        """Check conservation.

        Raises:
            NotConserved: naming the step and the counts.
        """
        out = self.kept + self.changed + self.merged + self.split + self.dropped + self.quarantined
        if out != self.rows_in:
            raise NotConserved(
                f"step {step}: {self.rows_in:,} rows in, but {self.kept:,} kept + {self.changed:,} "
                f"changed + {self.merged:,} merged + {self.split:,} split + {self.dropped:,} "
                f"dropped + {self.quarantined:,} quarantined = {out:,}"
            )


@dataclass
class Accounts:
    """Step counts of a whole run, by step number."""

    steps: dict[int, StepCount] = field(default_factory=dict)

    def add(self, counts: Iterable[tuple[int, StepCount]]) -> None:
        """Add what steps did to one more batch."""
        for number, count in counts:
            total = self.steps.setdefault(number, StepCount())
            for name in StepCount.model_fields:
                if name not in ("rules", "rule_names"):
                    setattr(total, name, getattr(total, name) + getattr(count, name))
            total.rules = _merge(total.rules, count.rules)
            total.rule_names = list(dict.fromkeys([*total.rule_names, *count.rule_names]))


def _merge(one: list[RuleCount], other: list[RuleCount]) -> list[RuleCount]:
    merged: dict[tuple[str, str, int], int] = {}
    for count in (*one, *other):
        key = (count.rule, count.disposition, count.parent_input)
        merged[key] = merged.get(key, 0) + count.rows
    return [
        RuleCount(rule=rule, disposition=disposition, parent_input=number, rows=rows)
        for (rule, disposition, number), rows in merged.items()
    ]
