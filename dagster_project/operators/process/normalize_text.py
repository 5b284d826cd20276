"""Unicode normalization and tidy white space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator
from dagster_project.operators.process.column_kinds import edited


class NormalizeText(RowOperator):
    """Brings equal-looking texts to equal characters, and tidies white space.

    Works on texts, and on the `content` of each message of a chat column. Applying it twice is
    applying it once.

    `form` is a normalization form of Unicode Standard Annex 15. NFC, the default, changes no
    character a reader could tell apart; NFKC also replaces compatibility characters (`ﬁ` by `fi`,
    `²` by `2`, full-width by plain letters), which loses meaning in formulas.

    `whitespace`:

    - `trim`, the default, keeps indentation and so is safe for code: line ends become `\\n`, white
      space at the end of a line goes, more than one blank line in a row becomes one, blank lines
      at the start and white space at the end of the text go;
    - `collapse` also makes each run of white space within a line one space, and removes it at the
      start of a line;
    - `keep` leaves white space as it is.

    White space is what Unicode calls `White_Space`; zero-width characters are not.

    Example:
        - normalize_text: {columns: [question, messages]}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages.
    """

    columns: tuple[str, ...] = Field(min_length=1, description="Columns of text or chat messages.")
    form: Literal["NFC", "NFKC", "none"] = Field(
        default="NFC", description="Unicode normalization form."
    )
    whitespace: Literal["collapse", "trim", "keep"] = Field(
        default="trim", description="What is done to white space."
    )

    def reads(self) -> Sequence[str]:
        return self.columns

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {name: edited(self, schema, name, self._normalized) for name in self.columns}

    def _normalized(self, text: pl.Expr) -> pl.Expr:
        if self.form != "none":
            text = text.str.normalize(self.form)
        if self.whitespace == "keep":
            return text
        text = text.str.replace_all(r"\r\n?", "\n")
        if self.whitespace == "collapse":
            text = text.str.replace_all(r"[^\S\n]+", " ").str.replace_all(r"(?m)^ +", "")
        return (
            text.str.replace_all(r"(?m)[^\S\n]+$", "")
            .str.replace_all(r"\n{3,}", "\n\n")
            .str.strip_chars_start("\n")
            .str.strip_chars_end("\n")
        )
