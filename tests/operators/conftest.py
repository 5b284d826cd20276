"""Operators are applied by the real engine; texts are awkward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import polars as pl
import pytest
from hypothesis import strategies as st

from dagster_project.engine.batch import identified, user_schema
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import PlannedStep
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.engine.row_stage import run_steps
from dagster_project.engine.schema_flow import flow
from dagster_project.operators.base import Operator, RelationOperator

AWKWARD = [
    "",
    " ",
    "\0",
    "a\0b",
    "\r\n \r\n\r\n x\r",
    "  \t  indented\n\n\n\nfar below   \n",
    " " * 5_000 + "end",
    "日本語の文章です。これは試験です。",
    "שלום עולם, مرحبا بالعالم",
    "e\u0301 é \u0301 ﬁ ² Ａ",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪",
    "\u2028\u2029\u0085\u00a0\u200b\ufeff",
    "# Title\n\n*it* **b** `c*d` [l](u)\n```\n# no\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    "<p class='x'>a &amp; b</p> a < b and c > d List<int>",
    "The quick brown fox jumps over the lazy dog.\n\nA second paragraph.",
]


class Apply(Protocol):
    """Applies an operator: rows that go on, with annotations; rows that do not.

    The latter have `row` (position), disposition, rule, measured, threshold, survivor, similarity
    and error. `cuts` are positions at which the rows are cut into batches.
    """

    def __call__(
        self, operator: Operator, frame: pl.DataFrame, cuts: Sequence[int] = ()
    ) -> tuple[pl.DataFrame, pl.DataFrame]: ...


@pytest.fixture(scope="session")
def apply() -> Apply:
    return _apply


@pytest.fixture(scope="session")
def texts() -> st.SearchStrategy[str | None]:
    return st.one_of(
        st.none(),
        st.sampled_from(AWKWARD),
        st.text(max_size=20),
        st.text(" \n\r\t#*_`|<>/&;ab~$[]()-é\0日", max_size=40),
    )


@pytest.fixture(scope="session")
def awkward_texts() -> list[str]:
    return AWKWARD


def _apply(
    operator: Operator, frame: pl.DataFrame, cuts: Sequence[int] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    step = PlannedStep(0, operator.operator_name(), operator, None, "hash")
    schema, annotations = flow(frame.schema, frozenset(), [step])
    rows = identified(frame, 0, 0)
    bounds = sorted({0, frame.height, *(min(cut, frame.height) for cut in cuts)})
    batches = [rows[start:end] for start, end in pairwise(bounds)] or [rows]
    if isinstance(operator, RelationOperator):
        chunks = [Chunk(str(i), 0, b.height, lambda b=b: b) for i, b in enumerate(batches)]
        result = run_relation_step(chunks, step, annotations)
        kept = pl.concat([chunk.load() for chunk in result.chunks])
        kept = kept if result.order is None else kept[result.order]
        removed = result.removed
    else:
        results = [run_steps(batch, [step], annotations) for batch in batches]
        kept = pl.concat([result.rows for result in results])
        removed = pl.concat([result.removed for result in results])
    kept = kept.select(list(user_schema(kept.schema)))
    assert kept.schema == schema, "the schema that was told beforehand is not the one that came"
    removed = removed.select(
        pl.col("parent_row_id").alias("row"),
        *("disposition", "rule", "measured", "threshold"),
        pl.col("survivor_row_id").alias("survivor"),
        *("similarity", "error"),
    )
    return kept, removed.sort("row")
