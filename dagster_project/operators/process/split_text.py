"""Cut texts into pieces, a row each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field, field_validator

from dagster_project.operators.base import SplitOperator
from dagster_project.operators.process.column_kinds import require_new, require_text
from dagster_project.operators.process.markdown_code import FENCED

SEPARATORS = {"paragraph": r"\r?\n(?:[^\S\n]*\n)+", "line": r"\r?\n"}
HEADING_LINE = r"#{1,6}[ \t][^\n]*"
OTHER_LINE = r"(?:[^#\n][^\n]*|#{7,}[^\n]*|#{1,6}(?:[^# \t\n][^\n]*)?|)(?m:$)"
SECTION = rf"(?m:^)(?:{HEADING_LINE}|{FENCED}|{OTHER_LINE})(?:\n(?:{FENCED}|{OTHER_LINE}))*"


class SplitText(SplitOperator):
    """Cuts a text into pieces; each becomes a row, with copies of the other columns.

    `at` says where:

    - `paragraph`: at blank lines;
    - `line`: at line ends;
    - `heading`: before each Markdown heading (`# …` at the start of a line, not in fenced code),
      which stays with its section;
    - anything else is a Rust regular expression that matches what stands between pieces.

    What stands between pieces goes, and so do pieces of nothing but white space; all else stays. A
    row without a piece is removed by the rule `no_pieces`.

    Example:
        - split_text: {column: text, at: heading, max_characters: 4000}

    Raises:
        OperatorMisuse: when the column holds no text, or `into` is there already.
    """

    column: str = Field(description="A column of text.")
    into: str | None = Field(
        default=None, min_length=1, description="Column for the pieces; default: the text's own."
    )
    at: str = Field(
        default="paragraph",
        min_length=1,
        description="`paragraph`, `line`, `heading` or a Rust regular expression.",
    )
    max_characters: int | None = Field(
        default=None,
        gt=0,
        description="A longer piece, in code points, is cut further: at white space, which goes, or "
        "within a word that is longer itself.",
    )

    @field_validator("at")
    @classmethod
    def _at(cls, value: str) -> str:
        try:
            matches_nothing = pl.Series([""]).str.contains(value).item()
        except PolarsError as error:
            what = str(error).split("\n\nThis error occurred")[0].strip()
            raise ValueError(
                f"neither paragraph, line or heading, nor a regular expression: {what}"
            ) from error
        if matches_nothing:
            raise ValueError("the pattern matches an empty text, which is between any two letters")
        return value

    def reads(self) -> Sequence[str]:
        return [self.column]

    def pieces(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        require_text(self, schema, self.column)
        if self.into is not None:
            require_new(self, schema, self.into, "into")
        text = pl.col(self.column)
        if self.at == "heading":
            pieces = text.str.extract_all(SECTION)
        else:
            pieces = text.str.split(SEPARATORS.get(self.at, self.at), literal=False)
        pieces = pieces.list.eval(pl.element().filter(pl.element().str.contains(r"\S")))
        if self.max_characters is not None:
            pieces = pieces.map_batches(
                self._shortened, return_dtype=pl.List(pl.String), is_elementwise=True
            )
        return {self.into or self.column: pieces}

    def _shortened(self, pieces: pl.Series) -> pl.Series:
        """The same pieces where all are short enough, else cut further."""
        assert self.max_characters is not None
        too_long = pl.element().str.len_chars() > self.max_characters
        has_long = pieces.list.eval(too_long).list.any().fill_null(False)
        most = f".{{0,{self.max_characters - 1}}}"
        part = re.compile(rf"\S{most}(?=\s|\Z)|\S{most}", re.DOTALL)
        cut = [
            [short.rstrip() for piece in row for short in part.findall(piece)]
            for row in pieces.filter(has_long)
        ]
        place = pl.when(has_long).then(has_long.cast(pl.Int64).cum_sum() + (pieces.len() - 1))
        places = pl.select(place.otherwise(pl.int_range(pieces.len()))).to_series()
        return pl.concat([pieces, pl.Series(cut, dtype=pieces.dtype)]).gather(places)
