"""Rows that show what a rule does: removed at random, farthest out, and just on either side of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.engine.inspection.just_stayed import (
    BOUND,
    RuleKey,
    just_stayed,
    rules_asked_again,
)
from dagster_project.engine.inspection.row_texts import Found, RowTexts, RowToRead
from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.engine.inspection.step_operators import StepOperator
from dagster_project.operators.base import RelationOperator
from dagster_project.warehouse.address import Answer
from dagster_project.warehouse.connect import literal
from dagster_project.warehouse.schema import LANDING_STEP


class RuleRows(Answer):
    """What a rule of a step did, in rows to read.

    Attributes:
        step, operator, rule, threshold: which; the rule is `error` for rows that were quarantined.
        removed: how many rows it removed.
        at_random: of them.
        worst: of them, with the values farthest from the threshold.
        just_removed: of them, with the values nearest to it.
        just_stayed: rows of the snapshot with the values nearest to it.
        note: why there are none of a kind; empty when nothing is missing.
    """

    step: str
    operator: str
    rule: str
    threshold: str | None
    removed: int
    at_random: tuple[RowToRead, ...]
    worst: tuple[RowToRead, ...]
    just_removed: tuple[RowToRead, ...]
    just_stayed: tuple[RowToRead, ...]
    note: str


@dataclass(frozen=True)
class _Removed:
    """A row that a rule removed: what is known of it, its distance from the threshold, and its place
    in each of three orders, where it has one."""

    step: int
    rule: str
    number: int
    row: int
    measured: str | None
    threshold: str | None
    far: float | None
    at_random: int
    farthest: int | None
    nearest: int | None
    of: int

    @property
    def found(self) -> Found:
        """It, to be read."""
        return Found(self.step, self.number, self.row, self.measured)


def rows_to_read(
    sources: SourceRows,
    steps: Sequence[StepOperator],
    count: int = 3,
    seed: int = 0,
    step: str | None = None,
    rule: str | None = None,
) -> tuple[RuleRows, ...]:
    """Choose rows of every rule that removed some.

    Args:
        sources: the snapshot and its inputs.
        steps: its steps.
        count: rows of each kind, for each rule.
        seed: of the random ones.
        step: only rules of this step.
        rule: only this rule, whether or not it removed a row.
    """
    by_number = {each.number: each for each in steps}
    removed: dict[RuleKey, list[_Removed]] = {}
    for row in _removed(sources, count, seed, step, rule):
        removed.setdefault((row.step, row.rule), []).append(row)
    asked = rules_asked_again(sources, steps, step)
    for key in asked:
        if key[1] == rule:
            removed.setdefault(key, [])
    texts = RowTexts(sources, by_number)
    near = {key: again for key, again in asked.items() if key in removed}
    stayed = texts.stayed(just_stayed(sources, near, count, seed))
    read = texts.removed([row.found for rows in removed.values() for row in rows])

    def ordered(rows: Sequence[_Removed], order: str) -> tuple[RowToRead, ...]:
        placed = [row for row in rows if getattr(row, order) is not None]
        placed.sort(key=lambda row: getattr(row, order))
        return tuple(read[row.found] for row in placed[:count])

    return tuple(
        RuleRows(
            step=by_number[key[0]].name,
            operator=by_number[key[0]].kind,
            rule=key[1],
            threshold=rows[0].threshold if rows else asked[key].rule.threshold,
            removed=rows[0].of if rows else 0,
            at_random=ordered(rows, "at_random"),
            worst=ordered(rows, "farthest"),
            just_removed=ordered(rows, "nearest"),
            just_stayed=stayed.get(key, ()),
            note=_note(by_number[key[0]], key[1], rows, asked=key in asked),
        )
        for key, rows in removed.items()
    )


def _removed(
    sources: SourceRows, count: int, seed: int, step: str | None, rule: str | None
) -> list[_Removed]:
    """The first rows of each rule in any of the three orders."""
    snapshot = sources.snapshot
    wanted = [f"gone.step <> {LANDING_STEP}"]
    if step is not None:
        wanted.append(f"steps.name = {literal(step)}")
    if rule is not None:
        wanted.append(f"coalesce(rule, 'error') = {literal(rule)}")
    bound = f"try_cast(regexp_extract(threshold, {literal(BOUND)}, 1) AS DOUBLE)"
    placed = "CASE WHEN far IS NOT NULL THEN row_number() OVER (of_rule ORDER BY far"
    orders = ("at_random", "farthest", "nearest")
    rows = sources.reader.all(f"""
        SELECT * EXCLUDE (draw), row_number() OVER (of_rule ORDER BY draw) AS at_random,
            {placed} DESC NULLS LAST, draw) END AS farthest,
            {placed} NULLS LAST, draw) END AS nearest,
            count(*) OVER of_rule AS all_of_rule
        FROM (SELECT gone.step, coalesce(rule, 'error') AS rule, parent_input, parent_row_id,
                coalesce(measured, similarity::VARCHAR, error) AS measured, threshold,
                nullif(abs(try_cast(measured AS DOUBLE) - {bound}), 'nan'::DOUBLE) AS far,
                md5(concat_ws(' ', {seed}, parent_input, parent_row_id, ordinal)) AS draw
            FROM {snapshot.table("dispositions")} AS gone
            JOIN {snapshot.table("steps")} AS steps USING (step) WHERE {" AND ".join(wanted)})
        WINDOW of_rule AS (PARTITION BY step, rule)
        QUALIFY {" OR ".join(f"{order} <= {max(count, 1)}" for order in orders)}
        ORDER BY step, all_of_rule DESC, rule, at_random""")
    return [_Removed(*row) for row in rows]


def _note(step: StepOperator, rule: str, rows: Sequence[_Removed], *, asked: bool) -> str:
    if rule == "error":
        return ""
    if step.operator is None:
        return "its operator is not there any more, so that rows that stayed cannot be judged"
    if asked:
        changed = "its code was changed since; rows that stayed are judged as it would now"
        return changed if step.changed else ""
    if rows and rows[0].far is None and rows[0].measured is not None:
        return "what it looks at is no number, so that no row is nearer than another"
    if isinstance(step.operator, RelationOperator):
        return ""
    return "what it looks at was not measured for rows that stayed"
