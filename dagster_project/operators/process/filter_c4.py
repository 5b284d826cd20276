"""Clean texts line by line, and keep those that are left with enough, by the rules of C4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.process.text_units import (
    LINE_END,
    bound_rules,
    bounds,
    measured_together,
)

CITATION = r"\[\d*\]|\[edit\]|\[citation needed\]"
PUNCTUATED = r"""[.?!"']\z"""
POLICY = "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"


class FilterC4(RowOperator):
    """Cleans texts line by line, and keeps those that are left with enough, by the rules of C4.

    Rules and thresholds are those of Raffel et al. 2020 (JMLR 21/140, section 2.2) as coded in
    datatrove (`C4QualityFilter`); its list of bad words is another filter, not part of this. Lines
    lose the white space around them and citation marks (`[1]`, `[edit]`, `[citation needed]`). A line
    goes that has a very long word, does not end in `.`, `?`, `!` or a quotation mark, or ends in
    `...`, has too few words (between white space), or names JavaScript or a policy on cookies or use.
    The text becomes the lines that stay.

    Three rules on annotations `<column>_c4_…`, each named after its field, remove rows:
    `lorem_ipsum_lines` and `curly_bracket_lines`, counted among lines that are punctuated and long
    enough, and `sentences`, as spaCy's sentencizer cuts the lines that stay. How many lines went,
    blank ones aside, is the annotation `removed_lines`. A rule that is set to null is switched off. A
    null is removed.

    Example:
        - filter_c4: {column: text, remove_unpunctuated_lines: false}

    Raises:
        OperatorMisuse: when the column holds no text.
    """

    column: str = Field(description="A column of text.")
    remove_citations: bool = Field(default=True, description="Whether citation marks go.")
    line_word_characters: int | None = Field(
        default=1000, ge=1, description="A line with a word of more code points goes."
    )
    remove_unpunctuated_lines: bool = Field(
        default=True, description="Whether a line without terminal punctuation goes."
    )
    line_words: int | None = Field(default=3, description="A line with fewer words goes.")
    remove_javascript_lines: bool = Field(
        default=True, description="Whether a line goes that has `javascript` in it, in any case."
    )
    remove_policy_lines: bool = Field(
        default=True,
        description="Whether a line goes that names terms of use, a privacy or cookie policy, or the "
        "use of cookies.",
    )
    max_lorem_ipsum_lines: int | None = Field(
        default=0, description="Most lines that have `lorem ipsum` in them, in any case."
    )
    max_curly_bracket_lines: int | None = Field(
        default=0, description="Most lines that have `{` in them."
    )
    min_sentences: int | None = Field(
        default=5, description="Fewest sentences, in the lines that stay."
    )

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        from dagster_project.operators.kernels.text_measures import WORD_COUNTS, word_counts

        require_text(self, schema, self.column)
        line, whole, stays = self._line(), self._whole(), self._stays()
        lorem_ipsum = whole & line.str.to_lowercase().str.contains("lorem ipsum", literal=True)
        curly_bracket = whole & self._spoken() & line.str.contains("{", literal=True)
        gone = ~stays & line.str.contains(r"\S")
        values = {
            "removed_lines": self._lines().list.eval(gone).list.sum(),
            "lorem_ipsum_lines": self._lines().list.eval(lorem_ipsum).list.sum(),
            "curly_bracket_lines": self._lines().list.eval(curly_bracket).list.sum(),
            "sentences": measured_together(self._cleaned(), word_counts, WORD_COUNTS)["sentences"],
        }
        asked = ["removed_lines", *(name for _, name, _, _ in bounds(self))]
        return {f"{self._prefix()}{name}": values[name] for name in asked}

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {self.column: self._cleaned()}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return bound_rules(self, self._prefix())

    def _prefix(self) -> str:
        return f"{self.column}_c4_"

    def _lines(self) -> pl.Expr:
        return pl.col(self.column).str.split(LINE_END, literal=False)

    def _cleaned(self) -> pl.Expr:
        kept = self._lines().list.eval(self._line().filter(self._stays()))
        return kept.list.join("\n").str.strip_chars()

    def _line(self) -> pl.Expr:
        """A line, within a list, as it will be."""
        line = pl.element().str.strip_chars()
        return line.str.replace_all(CITATION, "") if self.remove_citations else line

    def _whole(self) -> pl.Expr:
        """Whether a line is punctuated, has enough words, and none that is too long."""
        line, raw = self._line(), pl.element()
        holds = pl.lit(True)
        if self.line_word_characters is not None:
            lengths = raw.str.extract_all(r"\S+").list.eval(pl.element().str.len_chars())
            holds &= lengths.list.max().fill_null(0) <= self.line_word_characters
        if self.remove_unpunctuated_lines:
            holds &= line.str.contains(PUNCTUATED) & ~line.str.ends_with("...")
        if self.line_words is not None:
            holds &= raw.str.count_matches(r"\S+") >= self.line_words
        return holds

    def _spoken(self) -> pl.Expr:
        """Whether a line does not name JavaScript."""
        if not self.remove_javascript_lines:
            return pl.lit(True)
        return ~self._line().str.to_lowercase().str.contains("javascript", literal=True)

    def _stays(self) -> pl.Expr:
        stays = self._whole() & self._spoken()
        if self.remove_policy_lines:
            stays &= ~self._line().str.to_lowercase().str.contains(POLICY)
        return stays
