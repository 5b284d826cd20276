"""Merge rows with equal contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import polars as pl
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from dagster_project.operators.base import Decisions, Fetch, RelationOperator, removed
from dagster_project.operators.process.column_kinds import kind_of, misuse
from dagster_project.operators.process.content_hashes import HASHES, Normalize, content_hashes
from dagster_project.operators.process.measure_length import length


class DeduplicateExact(RelationOperator):
    """Merges rows that are equal in some columns into one of them, their survivor.

    A duplicate is merged by the rule `duplicate` and names its survivor. Rows are compared by two
    64-bit hashes, so that no text is moved. A null equals a null, but rows in which all compared
    columns are null are never merged: nothing says they are the same.

    `normalize: whitespace_case` also merges texts that differ only in case or white space, in
    columns of text and in contents of chat messages.

    With `against`, rows are merged into equal rows of references too, and into these first.

    Example:
        - deduplicate_exact: {columns: [question, answer], normalize: whitespace_case}

    Raises:
        OperatorMisuse: when `keep: longest` finds no column of text or chat messages, or a column is
            of another type in a reference.
    """

    rule_names = ("duplicate",)

    model_config = ConfigDict(serialize_by_alias=True)

    compared: tuple[str, ...] | None = Field(
        default=None,
        alias="columns",
        min_length=1,
        description="Columns that are compared; default: all that rows have at this step, measured "
        "ones too.",
    )
    normalize: Normalize = Field(default="none", description="What makes no difference.")
    keep: Literal["first", "last", "longest"] = Field(
        default="first",
        description="The survivor: the `first` or `last` row, or the first with most characters in "
        "the compared columns.",
    )
    against: tuple[str, ...] = Field(
        default=(),
        description="References of the recipe, with the same columns: a row that is equal to one of "
        "theirs is merged into that.",
    )

    _compared_with: dict[str, pl.DataFrame] = PrivateAttr(default={})
    _types: dict[str, pl.Schema] = PrivateAttr(default={})

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.against and self.compared is None:
            raise ValueError("`against` needs the compared columns by name, in `columns`")
        return self

    def reads(self) -> Sequence[str]:
        return self.compared or ()

    def references(self) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(self.against, self.compared or ())

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        ready = self.model_copy()
        ready._compared_with = {
            name: rows.select(
                "row",
                **content_hashes(self, rows.schema, self.references()[name], self.normalize),
            ).drop_nulls(HASHES)
            for name, rows in references.items()
        }
        ready._types = {name: rows.schema for name, rows in references.items()}
        return ready

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        names = list(schema) if self.compared is None else self.compared
        for reference, there in self._types.items():
            for name in names:
                if there[name] != schema[name]:
                    wanted_type = f"{there[name]}, as in reference {reference}"
                    raise misuse(self, name, schema[name], wanted_type)
        wanted = dict(content_hashes(self, schema, names, self.normalize))
        if self.keep == "longest":
            texts = [name for name in names if kind_of(schema[name]) is not None] or names[:1]
            lengths = (length(self, schema, name, "characters", "o200k") for name in texts)
            wanted["characters"] = pl.sum_horizontal(lengths)
        return wanted

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        row = pl.col("row")
        chosen = {
            "first": row.first(),
            "last": row.last(),
            # Not `arg_max`: which of equals it takes depends on how the rows were put together.
            "longest": row.sort_by(
                pl.col("characters").fill_null(0), row, descending=[True, False]
            ).first(),
        }[self.keep]
        alike = relation.drop_nulls(HASHES).with_columns(chosen.over(HASHES).alias("survivor"))
        alike = alike.with_columns(pl.lit(None, pl.String).alias("reference"))
        for name, rows in reversed(self._compared_with.items()):
            first = rows.group_by(HASHES).agg(pl.col("row").min().cast(pl.UInt64).alias("there"))
            there = pl.col("there").is_not_null()
            alike = alike.join(first, on=HASHES, how="left", maintain_order="left").select(
                "row",
                *HASHES,
                pl.coalesce("there", "survivor").alias("survivor"),
                pl.when(there).then(pl.lit(name)).otherwise("reference").alias("reference"),
            )
        merged = alike.filter(pl.col("reference").is_not_null() | (row != pl.col("survivor")))
        return Decisions(
            removed(
                merged["row"],
                "merged",
                "duplicate",
                threshold="equal" if self.normalize == "none" else "equal but for case and space",
                survivor=merged["survivor"],
                similarity=1.0,
                reference=merged["reference"],
            )
        )
