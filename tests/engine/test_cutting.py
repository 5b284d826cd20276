"""Spans are cut out of texts, and nothing else; what was cut is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.engine.cutting import without
from dagster_project.engine.plan import PlannedStep
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.operators.base import Decisions, Fetch, RelationOperator, removed
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.snapshot import NotConserved
from dagster_project.workspace import VersionName

NAME = VersionName("a", "v1")
CUTS = pl.Schema({"row": pl.UInt32, "start": pl.UInt32, "length": pl.UInt32})


@given(st.data())
def test_cut_texts_are_what_python_leaves(data) -> None:
    texts = data.draw(st.lists(st.none() | st.text("aé東😀 \n", max_size=8), max_size=5))
    cuts, left = [], []
    for row, text in enumerate(texts):
        marks = data.draw(st.lists(st.booleans(), min_size=len(text or ""), max_size=20))
        kept, at = "", 0
        for character, gone in zip(text or "", marks, strict=False):
            size = len(character.encode())
            if gone:
                cuts.append((row, at, size))
            else:
                kept += character
            at += size
        left.append(None if text is None else kept)
    frame = pl.DataFrame(cuts, CUTS, orient="row")
    series = pl.Series("text", texts, dtype=pl.String)
    assert without(series, frame).to_list() == left
    assert series.to_list() == texts, "the text itself stays as it was"


class CutSecondWord(RelationOperator):
    """Cuts the second word out of every text, as an operator beside a recipe may."""

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"at": pl.col("text").str.find(" ", literal=True)}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        cuts = relation.drop_nulls("at").select(
            "row",
            pl.lit("text").alias("column"),
            pl.col("at").alias("start"),
            pl.lit(2).alias("length"),
            pl.lit(0).alias("other"),
        )
        return Decisions(removed([], "dropped", None), cuts=cuts)  # pyright: ignore


def test_cuts_change_rows_and_stand_in_the_snapshot(space) -> None:
    code = Path(__file__).read_text()
    start = code.index("class CutSecondWord")
    end = code.index("\n\n\n", start)
    head = (
        "from collections.abc import Mapping\nimport polars as pl\n"
        "from dagster_project.operators.base import *\n"
        "from dagster_project.operators.base import Decisions, Fetch, RelationOperator, removed\n"
    )
    (space.root / "assets" / "a").mkdir()
    (space.root / "assets" / "a" / "cut.py").write_text(head + code[start:end] + "\n")
    rows = [{"text": "a b c"}, {"text": "alone"}, {"text": "d e"}]
    space.jsonl("rows.jsonl", rows)
    space.recipe("a/v1", "inputs: {rows: {files: rows.jsonl}}\nsteps: [cut_second_word]\n")
    space.publish("a/v1")
    with open_snapshot(space.store, NAME) as connection:
        connection.execute("USE snapshot")
        kept = connection.execute(
            "SELECT text, relation FROM rows JOIN lineage USING (row_id) ORDER BY row_id"
        ).fetchall()
        cuts = connection.execute(
            "SELECT parent_row_id, column_name, start, length, other_row_id FROM cuts"
        ).fetchall()
        (changed,) = connection.execute("SELECT changed FROM steps").fetchall()
    assert kept == [("a c", "changed"), ("alone", "kept"), ("d", "changed")]
    assert cuts == [(0, "text", 1, 2, 0), (2, "text", 1, 2, 0)]
    assert changed == (2,)


class Overlapping(RelationOperator):
    """Cuts the same text twice, or the text of a row that goes."""

    rule_names = ("r",)

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"text": pl.col("text")}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        goes = relation["text"][0] == "gone"
        cuts = pl.DataFrame(
            {"row": [0, 0], "column": "text", "start": [0, 1], "length": [2, 1], "other": 0}
        )
        return Decisions(removed([0] if goes else [], "dropped", "r"), cuts=cuts)


@pytest.mark.parametrize(("text", "lie"), [("abc", "twice"), ("gone", "does not stay")])
def test_an_operator_that_cuts_what_it_may_not_fails_the_run(text: str, lie: str) -> None:
    from dagster_project.engine.batch import identified
    from dagster_project.engine.chunk import Chunk

    frame = identified(pl.DataFrame({"text": [text]}), 0, 0)
    step = PlannedStep(0, "step", Overlapping(), None, "hash")
    with pytest.raises(NotConserved, match=lie):
        run_relation_step([Chunk("k", 0, 1, lambda: frame)], step, [])
