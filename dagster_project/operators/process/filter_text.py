"""Keep rows whose text matches a pattern, or does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field, field_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import text_or_messages

SHOWN_CHARACTERS = 200


class FilterText(RowOperator):
    """Keeps rows whose text matches a regular expression, or those whose text does not.

    In a chat column the text of all messages counts, one message a match. The pattern is a Rust
    regular expression: linear in time on any text, so without look-around and back-references.
    Flags are written in front, e.g. `(?m)` for `^` and `$` at each line. A null text is removed.

    The measured value is the first match, cut to 200 characters; null where there is none.

    Example:
        - filter_text: {column: text, pattern: "lorem ipsum", keep: not_matching}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages.
    """

    column: str = Field(description="A column of text or chat messages.")
    pattern: str = Field(min_length=1, description="Rust regular expression.")
    keep: Literal["matching", "not_matching"] = Field(description="Which rows go on.")
    case_sensitive: bool = Field(default=True, description="Whether `a` and `A` differ.")

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            pl.Series([""]).str.contains(value)
        except PolarsError as error:
            what = str(error).split("\n\nThis error occurred")[0].strip()
            raise ValueError(f"not a regular expression: {what}") from error
        return value

    def reads(self) -> Sequence[str]:
        return [self.column]

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        pattern = self.pattern if self.case_sensitive else f"(?i){self.pattern}"
        column = pl.col(self.column)
        if text_or_messages(self, schema, self.column) == "text":
            matches = column.str.contains(pattern)
            first = column.str.extract(f"({pattern})", 1)
        else:
            content = pl.element().struct.field("content")
            matches = column.list.eval(content.str.contains(pattern)).list.any()
            found = column.list.eval(content.str.extract(f"({pattern})", 1).drop_nulls())
            first = found.list.first()
        return [
            Rule(
                "pattern",
                matches if self.keep == "matching" else ~matches,
                first.str.head(SHOWN_CHARACTERS),
                f"{self.keep} `{self.pattern}`",
            )
        ]
