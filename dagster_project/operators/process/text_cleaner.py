"""What operators share that edit texts and count what they edited."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import text_or_messages

MOST_PASSES = 100
MARK = "\0"


class _TextCleaner(RowOperator):
    """Edits texts, and the `content` of messages of chats, and counts by row what it edited.

    Only texts that match one of the hints are edited and counted; the others are not touched.
    """

    columns: tuple[str, ...] = Field(min_length=1, description="Columns of text or chat messages.")
    roles: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Whose messages are edited, such as `[assistant]`; null for all. Columns of text "
        "have no roles.",
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @abstractmethod
    def _hints(self) -> Sequence[str]:
        """Rust regular expressions; one of them is in every text that is edited or counts."""

    @abstractmethod
    def _clean(self, text: pl.Expr) -> pl.Expr:
        """The edited text. Called with texts that match a hint."""

    @abstractmethod
    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        """What is counted in a text that matches a hint, by the name of the annotation. Others
        count 0."""

    def reads(self) -> Sequence[str]:
        return self.columns

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            f"{self.prefix}{name}": pl.sum_horizontal(
                self._counted(schema, column, measure) for column in self.columns
            )
            for name, measure in self._measures().items()
        }

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {column: self._edited(schema, column) for column in self.columns}

    def _edited(self, schema: pl.Schema, column: str) -> pl.Expr:
        if not self._is_chat(schema, column):
            return pl.coalesce(self._cleaned_on_hits(pl.col(column)), column)
        cleaned = self._cleaned_on_hits(self._said(pl.field))
        content = pl.coalesce(cleaned, pl.field("content")).alias("content")
        return pl.col(column).list.eval(pl.element().struct.with_fields(content))

    def _cleaned_on_hits(self, text: pl.Expr) -> pl.Expr:
        return self._on_hits(text, self._clean, pl.String())

    def _counted(
        self, schema: pl.Schema, column: str, measure: Callable[[pl.Expr], pl.Expr]
    ) -> pl.Expr:
        if not self._is_chat(schema, column):
            return self._on_hits(pl.col(column), measure, pl.Int64()).fill_null(0)
        counts = self._on_hits(self._said(pl.element().struct.field), measure, pl.Int64())
        return pl.col(column).list.eval(counts).list.sum().fill_null(0)

    def _is_chat(self, schema: pl.Schema, column: str) -> bool:
        """Whether a column holds chats.

        Raises:
            OperatorMisuse: when it holds neither text nor chats, or chats without roles and some
                are asked for.
        """
        chat = text_or_messages(self, schema, column) == "messages"
        if chat and self.roles is not None:
            require_roles(self, schema, column)
        return chat

    def _said(self, field: Callable[[str], pl.Expr]) -> pl.Expr:
        """A message's content; null if it is not of the roles that are asked for."""
        if self.roles is None:
            return field("content")
        return pl.when(field("role").is_in(self.roles)).then(field("content"))

    def _on_hits(
        self, text: pl.Expr, expression: Callable[[pl.Expr], pl.Expr], dtype: pl.DataType
    ) -> pl.Expr:
        """An expression of the texts that match a hint; null for the others."""
        hints = self._hints()

        def on_hits(texts: pl.Series) -> pl.Series:
            hit = matches_any(texts, hints)
            values = texts.filter(hit).to_frame("text").select(expression(pl.col("text")))
            none = pl.Series(texts.name, [None], dtype).new_from_index(0, len(texts))
            return none.scatter(hit.arg_true(), values.to_series().cast(dtype))

        return text.map_batches(on_hits, return_dtype=dtype, is_elementwise=True)


def matches_any(texts: pl.Series, patterns: Sequence[str]) -> pl.Series:
    """Which texts match a pattern, nulls none. Several patterns can be much faster than one that
    is all of them, whose states do not fit into the cache of the regular expression engine."""
    found = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(texts))
    for pattern in patterns:
        found |= texts.str.contains(pattern).fill_null(False)
    return found


def characters_removed(clean: Callable[[pl.Expr], pl.Expr]) -> Callable[[pl.Expr], pl.Expr]:
    """How many code points shorter an edit makes a text."""
    return lambda text: text.str.len_chars().cast(pl.Int64) - clean(text).str.len_chars()


def settled(text: pl.Expr, edit: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """A text edited again and again until the edit changes nothing more, which makes the whole
    idempotent. A text that still changes after 100 times stays as it was."""

    def settle(texts: pl.Series) -> pl.Series:
        done = texts.clone()
        places = pl.Series(range(len(texts)), dtype=pl.UInt32)
        current = texts
        for _ in range(MOST_PASSES):
            edited = current.to_frame("text").select(edit(pl.col("text"))).to_series()
            changed = edited.ne_missing(current)
            done = done.scatter(places.filter(~changed), current.filter(~changed))
            places, current = places.filter(changed), edited.filter(changed)
            if current.is_empty():
                break
        return done

    return text.map_batches(settle, return_dtype=pl.String, is_elementwise=True)


def matches_edited(text: pl.Expr, pattern: str, edit: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """A text, not null, with each match of a Rust regular expression edited. No match is empty."""
    cut = f"{MARK}|{pattern}"

    def rejoined(texts: pl.Series) -> pl.Series:
        text, match = pl.col("text"), pl.col("match")
        between = text.str.replace_all(cut, MARK).str.split(MARK)
        pieces = (
            texts.to_frame("text")
            .with_row_index("row")
            .select(
                "row",
                between.alias("between"),
                text.str.extract_all(cut).list.concat(pl.lit("")).alias("match"),
            )
        )
        edited = pl.when(match.is_in(["", MARK])).then(match).otherwise(edit(match))
        return (
            pieces.explode("between", "match")
            .select("row", pl.concat_str("between", edited).alias("text"))
            .group_by("row", maintain_order=True)
            .agg(text.str.join(""))["text"]
            .alias(texts.name)
        )

    return text.map_batches(rejoined, return_dtype=pl.String, is_elementwise=True)
