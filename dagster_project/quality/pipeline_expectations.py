"""Expectations about what the pipeline did, read from a snapshot's books."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation, counted, percent
from dagster_project.recipe.problems import no_such
from dagster_project.warehouse.connect import identifier

Share = tuple[str, int, int]
"""What removed them, rows removed, rows in all."""

SHOWN = 3


class RemovedShare(SqlExpectation):
    """No step removes more than a share of the rows it sees, and no input loses more of its rows.

    Without `step`, `rule` or `input`, every step and every input is looked at. With `step` or
    `rule`: what that removes, of the rows that reach the step. With `input`: how many of its rows
    have no descendant in the snapshot, or, with `step` or `rule` too, how many of its rows that
    removes. Dropped, merged and quarantined rows are removed.
    """

    max: float = Field(ge=0, le=1, description="Largest share.")
    step: str | None = Field(default=None, description="Look at this step alone.")
    rule: str | None = Field(default=None, description="Look at this rule of the step alone.")
    input: str | None = Field(default=None, description="Look at this input's rows alone.")

    def expected(self) -> str:
        parts = {"rule": self.rule, "step": self.step, "input": self.input}
        given = " ".join(f"{kind} `{name}`" for kind, name in parts.items() if name)
        return (
            f"{given or 'every step and every input'} removes at most {percent(self.max)} of rows"
        )

    def look(self, audited: Audited, subject: Subject) -> Finding:
        for kind, name in (("steps", self.step), ("inputs", self.input)):
            known = [row[0] for row in _all(audited, f"SELECT name FROM {kind} ORDER BY ALL")]
            if name is not None and name not in known:
                raise CannotCheck(no_such(kind[:-1], name, known))
        self._require_rule(audited)
        shares = self._shares(audited)
        over = [share for share in shares if share[1] > self.max * share[2]]
        shown = sorted(over or shares, key=_share, reverse=True)
        said = [f"{what} {counted(part, whole, 'rows')}" for what, part, whole in shown]
        observed = "; ".join(said[: SHOWN if over else 1]) or "nothing that removes rows"
        more = f" and {len(over) - SHOWN} more" if len(over) > SHOWN else ""
        return Finding(passed=not over, observed=observed + more)

    def _require_rule(self, audited: Audited) -> None:
        """Refuse the name of a rule that no step has, once steps have seen rows."""
        steps = _all(
            audited,
            "SELECT rule_names FROM steps WHERE (name = $1 OR $1 IS NULL) AND rows_in > 0",
            self.step,
        )
        known = sorted({rule for (rules,) in steps for rule in rules})
        if self.rule is not None and steps and self.rule not in known:
            where = f" in step {self.step}" if self.step else ""
            raise CannotCheck(no_such("rule", self.rule, known, where))

    def _shares(self, audited: Audited) -> list[Share]:
        if self.input is None:
            if self.rule is not None:
                return self._rule(audited)
            steps = _all(
                audited,
                "SELECT 'step `' || name || '` removed', dropped + merged + quarantined, rows_in "
                "FROM steps WHERE name = $1 OR $1 IS NULL ORDER BY step",
                self.step,
            )
            return steps if self.step else [*steps, *_inputs(audited, None)]
        if self.step is None and self.rule is None:
            return _inputs(audited, self.input)
        what = " ".join(f"{k} `{n}`" for k, n in (("rule", self.rule), ("step", self.step)) if n)
        removed = _all(
            audited,
            "SELECT count(DISTINCT parent_row_id), any_value(row_count) FROM inputs "
            "LEFT JOIN (dispositions JOIN steps USING (step)) AS gone ON parent_input = inputs.input "
            "AND (gone.name = $1 OR $1 IS NULL) AND (rule = $2 OR $2 IS NULL) "
            "WHERE inputs.name = $3",
            self.step,
            self.rule,
            self.input,
        )
        return [(f"{what} removed, of input `{self.input}`,", *counts) for counts in removed]

    def _rule(self, audited: Audited) -> list[Share]:
        return _all(
            audited,
            "SELECT 'rule `' || $2 || '` of step `' || name || '` removed', "
            "coalesce(sum(row_count), 0)::BIGINT, any_value(rows_in) FROM steps "
            "LEFT JOIN step_rules ON step_rules.step = steps.step AND rule = $2 "
            "WHERE name = $1 OR $1 IS NULL GROUP BY steps.step, name ORDER BY steps.step",
            self.step,
            self.rule,
        )


class QuarantinedShare(SqlExpectation):
    """Few input rows are quarantined, unreadable records among them."""

    max: float = Field(ge=0, le=1, description="Largest share of all input rows.")

    def expected(self) -> str:
        return f"at most {percent(self.max)} of input rows are quarantined"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        part, whole = _quarantined(audited, "audited")
        return Finding(part <= self.max * whole, counted(part, whole, "input rows"))


class Drift(SqlExpectation):
    """A measure of the snapshot is close to that of the one published before it. Passes when there
    is none."""

    metric: Literal["rows", "mean_length", "removed_share", "quarantined_share"] = Field(
        description="`rows`: how many; `mean_length`: of a column, in characters or items; "
        "`removed_share` and `quarantined_share`: of all input rows."
    )
    max_change: float = Field(
        ge=0,
        description="Largest change: relative to the previous value for `rows` and `mean_length` "
        "(0.2 is 20 %), the difference for shares (0.2 is 20 percentage points).",
    )
    column: str | None = Field(default=None, description="The column of `mean_length`.")
    against: Literal["previous"] = Field(default="previous", description="What is compared with.")

    @model_validator(mode="after")
    def _column(self) -> Drift:
        if (self.column is None) == (self.metric == "mean_length"):
            raise ValueError("`mean_length`, and only that, needs a `column`")
        return self

    def expected(self) -> str:
        return f"{self._named()} changes by at most {self._shown_change(self.max_change)}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        if not audited.has_previous():
            return Finding(True, "there is no earlier snapshot to compare with")
        now, before = self._measure(audited, "audited"), self._measure(audited, "previous")
        if now is None or before is None:
            return Finding(now is before, "there is no length to measure in one of them, or both")
        change = now - before
        if not self._is_share() and change:
            change /= before or 1
        sign = "+" if change > 0 else ""
        return Finding(
            abs(change) <= self.max_change,
            f"{self._named()} {self._shown(now)}, before {self._shown(before)}: "
            f"{sign}{self._shown_change(change)}",
        )

    def _is_share(self) -> bool:
        return self.metric.endswith("share")

    def _shown(self, value: float) -> str:
        return percent(value) if self._is_share() else f"{round(value, 2):,}"

    def _shown_change(self, change: float) -> str:
        return f"{change * 100:,.4g} percentage points" if self._is_share() else percent(change)

    def _named(self) -> str:
        return self.metric.replace("_", " ") + (f" of `{self.column}`" if self.column else "")

    def _measure(self, audited: Audited, database: str) -> float | None:
        if self.metric == "rows":
            return audited.row(f"SELECT count(*) FROM {database}.main.rows")[0]
        if self.metric == "mean_length":
            assert self.column is not None
            audited.require("rows", [self.column], database)
            length = f"avg(length({identifier(self.column)}))"
            return audited.row(f"SELECT {length} FROM {database}.main.rows")[0]
        part, whole = (
            _quarantined(audited, database)
            if self.metric == "quarantined_share"
            else _removed(audited, database)
        )
        return part / whole if whole else 0.0


def _quarantined(audited: Audited, database: str) -> tuple[int, int]:
    part, whole = audited.row(
        f"SELECT (SELECT count(*) FROM (SELECT DISTINCT parent_input, parent_row_id "
        f"FROM {database}.main.quarantine)), "
        f"(SELECT coalesce(sum(row_count), 0)::BIGINT FROM {database}.main.inputs)"
    )
    return part, whole


def _removed(audited: Audited, database: str) -> tuple[int, int]:
    part, whole = audited.row(
        f"WITH whole AS (SELECT coalesce(sum(row_count), 0)::BIGINT AS n "
        f"FROM {database}.main.inputs), present AS (SELECT count(*) AS n FROM "
        f"(SELECT DISTINCT parent_input, parent_row_id FROM {database}.main.lineage)) "
        "SELECT whole.n - present.n, whole.n FROM whole, present"
    )
    return part, whole


def _inputs(audited: Audited, name: str | None) -> list[Share]:
    return _all(
        audited,
        "SELECT 'input `' || name || '` lost', row_count - count(DISTINCT parent_row_id), row_count "
        "FROM inputs LEFT JOIN lineage ON parent_input = input WHERE name = $1 OR $1 IS NULL "
        "GROUP BY input, name, row_count ORDER BY input",
        name,
    )


def _share(share: Share) -> float:
    return share[1] / share[2] if share[2] else 0.0


def _all(audited: Audited, sql: str, *parameters: str | None) -> list:
    return audited.connection.execute(sql, list(parameters)).fetchall()
