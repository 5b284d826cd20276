"""Hashes by which rows with equal contents are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from dagster_project.operators.base import Operator
from dagster_project.operators.process.column_kinds import column_type, edited, kind_of

Normalize = Literal["none", "whitespace_case"]

HASHES = ("hash_1", "hash_2")
SEEDS = (0x5EED, 0xBED)


def content_hashes(
    operator: Operator, schema: pl.Schema, columns: Sequence[str], normalize: Normalize
) -> Mapping[str, pl.Expr]:
    """Two independent 64-bit hashes of some columns together, named `HASHES`.

    Both are equal where the contents are, and, but for an accident of one in 2¹²⁸ a pair, nowhere
    else. Null where all of the columns are null.

    Args:
        operator: that asks.
        schema: of the rows.
        columns: that are compared.
        normalize: `whitespace_case` takes texts, and contents of chat messages, for equal that
            differ only in case or in white space; `none` compares exactly.

    Raises:
        OperatorMisuse: when there is no such column.
    """
    compared = pl.struct(comparable(operator, schema, name, normalize) for name in columns)
    empty = pl.all_horizontal(pl.col(name).is_null() for name in columns)
    return {
        name: pl.when(~empty).then(compared.hash(seed))
        for name, seed in zip(HASHES, SEEDS, strict=True)
    }


def comparable(operator: Operator, schema: pl.Schema, name: str, normalize: Normalize) -> pl.Expr:
    """A column in which what makes no difference is the same.

    Raises:
        OperatorMisuse: when there is no such column.
    """
    if normalize == "none" or kind_of(column_type(operator, schema, name)) is None:
        return pl.col(name)
    return edited(operator, schema, name, _squeezed)


def _squeezed(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars(" ")
