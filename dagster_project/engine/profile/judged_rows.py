"""Rows that are judged, and what operators find wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dagster_project.engine.batch import identified
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import PlannedStep
from dagster_project.engine.profile.profiled_rows import SnapshotRows
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.operators.base import RelationOperator, RowOperator
from dagster_project.operators.process.content_hashes import SEEDS
from dagster_project.operators.process.deduplicate_exact import DeduplicateExact
from dagster_project.operators.process.deduplicate_prompts import DeduplicatePrompts

PREFERENCE = "preference"


@dataclass(frozen=True)
class JudgedRows:
    """The rows of a version, some of them read, all of them compared.

    Attributes:
        rows: those that are read.
        prints: `row_id` of all rows, with hashes of what they say, without regard to case and white
            space: `text_1`, `text_2`, and where there are answers `asked_1`, `asked_2`, `answered`,
            and where there are rejected ones `refused`; null where there is none.
        seed: of samples.
    """

    rows: SnapshotRows
    prints: pl.DataFrame
    seed: int

    @property
    def frame(self) -> pl.DataFrame:
        """Those that are read."""
        return self.rows.frame

    @property
    def answers(self) -> str | None:
        """The column of `frame` that holds answers: a chat, or a text; None without answers."""
        if self.rows.parts.chat is not None:
            return "chat"
        return "answer" if self.rows.parts.answer is not None else None

    @property
    def pairs(self) -> bool:
        """Whether rows are pairs of a better and a worse answer, several to a question."""
        return self.rows.phase == PREFERENCE or self.rows.parts.rejected is not None

    @property
    def compared(self) -> list[str]:
        """The columns of `frame` that hold all that rows say."""
        return _compared(self.rows)

    @property
    def columns(self) -> str:
        """The columns of the version that do, as a recipe lists them."""
        parts = self.rows.parts
        named = [parts.chat, parts.prompt, parts.answer, parts.rejected]
        return f"[{', '.join([name for name in named if name is not None] or parts.texts)}]"

    @property
    def published(self) -> str:
        """The column of the version that holds answers, or texts, for recipes."""
        parts = self.rows.parts
        return parts.chat or parts.answer or parts.texts[0]

    def sample(self, rows: int) -> pl.DataFrame:
        """At most so many of those that are read."""
        return self.rows.sample(rows, self.seed)


def judged_rows(rows: SnapshotRows, seed: int) -> JudgedRows:
    """Compare all rows of a version, those that are not read too."""
    whole = [rows.frame] if rows.frame.height == rows.total else rows.batches()
    return JudgedRows(rows, pl.concat([_prints(rows, batch) for batch in whole]), seed)


def broken_rules(operator: RowOperator, frame: pl.DataFrame) -> dict[str, pl.Series]:
    """Ids of the rows that break each rule of an operator, by the rule's name.

    Args:
        operator: that has the rules.
        frame: with `row_id` and what it reads; rows in which that is null are left aside.
    """
    reads = list(operator.reads())
    frame = frame.select("row_id", *reads).drop_nulls(reads)
    measured = frame.lazy().with_columns(**operator.annotations(frame.schema)).collect()
    rules = operator.rules(measured.schema)
    breaks = measured.select(
        "row_id", *((~rule.keep.fill_null(False)).alias(rule.name) for rule in rules)
    )
    return {rule.name: breaks.filter(pl.col(rule.name))["row_id"] for rule in rules}


def merged_rows(operator: RelationOperator, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows that an operator would merge into others: `row_id`, `survivor` and `similarity`.

    Args:
        operator: that merges.
        frame: with `row_id` and what it reads.
    """
    rows = identified(frame, 0, 0)
    step = PlannedStep(0, operator.operator_name(), operator, None, "")
    gone = run_relation_step([Chunk("", 0, rows.height, lambda: rows)], step, frozenset()).removed
    ids = frame["row_id"]
    return pl.DataFrame(
        {
            "row_id": ids.gather(gone["parent_row_id"]),
            "survivor": ids.gather(gone["survivor_row_id"]),
            "similarity": gone["similarity"],
        }
    ).sort("row_id")


def _prints(rows: SnapshotRows, frame: pl.DataFrame) -> pl.DataFrame:
    schema, case, parts = frame.schema, "whitespace_case", rows.parts
    if parts.chat is not None:
        asks = DeduplicatePrompts(prompt=("chat",), normalize=case).columns(schema)
    elif parts.has_prompts and parts.has_answers:
        pair = DeduplicatePrompts(prompt=("prompt",), answer=("answer",), normalize=case)
        asks = pair.columns(schema)
    else:
        whole = DeduplicateExact(columns=tuple(_compared(rows)), normalize=case)  # type: ignore[call-arg]
        hashes = whole.columns(schema)
        named = {"text_1": hashes["hash_1"], "text_2": hashes["hash_2"]}
        return frame.lazy().select("row_id", **named).collect()
    named = {"asked_1": asks["hash_1"], "asked_2": asks["hash_2"], "answered": asks["answer"]}
    if parts.rejected is not None:
        other = DeduplicatePrompts(prompt=("prompt",), answer=("rejected",), normalize=case)
        named["refused"] = other.columns(schema)["answer"]
    prints = frame.lazy().select("row_id", **named).collect()
    said = [name for name in ("answered", "refused") if name in named]
    there = pl.any_horizontal(pl.col("asked_1", *said).is_not_null())
    return prints.with_columns(
        pl.when(there).then(pl.struct(f"asked_{number}", *said).hash(seed)).alias(f"text_{number}")
        for number, seed in enumerate(SEEDS, start=1)
    )


def _compared(rows: SnapshotRows) -> list[str]:
    return ["text"] if rows.parts.rejected is None else ["text", "rejected"]
