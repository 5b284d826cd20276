"""Pairs of rows just alike enough to be merged, and just not."""

from __future__ import annotations

from collections.abc import Sequence

from dagster_project.engine.inspection.row_texts import Found, RowTexts, RowToRead
from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.engine.inspection.step_operators import StepOperator
from dagster_project.operators.base import RelationOperator
from dagster_project.warehouse.address import Answer


class PairToRead(Answer):
    """Two rows that a step found alike; the second came first. `matched` is text that shows it."""

    similarity: float
    first: RowToRead
    second: RowToRead
    matched: str | None


class StepPairs(Answer):
    """Pairs nearest to the threshold of a step that merges rows.

    Attributes:
        step, operator: which.
        threshold: least similarity of rows that are merged.
        pairs: how many were stored.
        alike: pairs just alike enough.
        unlike: pairs just not.
    """

    step: str
    operator: str
    threshold: float
    pairs: int
    alike: tuple[PairToRead, ...]
    unlike: tuple[PairToRead, ...]


def pairs_to_read(
    sources: SourceRows,
    steps: Sequence[StepOperator],
    count: int = 3,
    step: str | None = None,
) -> tuple[StepPairs, ...]:
    """Pairs nearest to the threshold of every step that stored pairs and merges by them alone.

    Args:
        sources: the snapshot and its inputs.
        steps: its steps.
        count: pairs on each side.
        step: only of this step.
    """
    snapshot, reader = sources.snapshot, sources.reader
    texts = RowTexts(sources, {each.number: each for each in steps})
    found = []
    for each in steps:
        operator = each.operator
        if step not in (None, each.name) or not isinstance(operator, RelationOperator):
            continue
        if operator.least_similarity is None:
            continue
        least = float(getattr(operator, operator.least_similarity))
        pairs = f"{snapshot.table('pairs')} WHERE step = {each.number}"
        ((stored,),) = reader.all(f"SELECT count(*) FROM {pairs}")
        sides = []
        for side, order in ((">=", "similarity"), ("<", "similarity DESC")):
            rows = reader.all(
                "SELECT parent_input, parent_row_id, other_input, other_row_id, similarity, matched "
                f"FROM {pairs} AND similarity {side} {least!r} ORDER BY {order}, "
                f"parent_input, parent_row_id, other_input, other_row_id LIMIT {count}"
            )
            wanted = [Found(each.number, row[i], row[i + 1]) for row in rows for i in (0, 2)]
            read = texts.removed(wanted)
            sides.append(
                tuple(
                    PairToRead(
                        similarity=row[4],
                        first=read[Found(each.number, row[0], row[1])],
                        second=read[Found(each.number, row[2], row[3])],
                        matched=row[5],
                    )
                    for row in rows
                )
            )
        if stored:
            found.append(
                StepPairs(
                    step=each.name,
                    operator=each.kind,
                    threshold=least,
                    pairs=stored,
                    alike=sides[0],
                    unlike=sides[1],
                )
            )
    return tuple(found)
