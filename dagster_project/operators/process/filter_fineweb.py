"""Keep texts whose lines look like prose, by the rules of FineWeb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.process.text_units import (
    bound_rules,
    bounds,
    measured_together,
    share,
)


class FilterFineweb(RowOperator):
    """Keeps texts whose lines look like prose, by the rules that FineWeb added to Gopher's and C4's.

    Rules and thresholds are those of Penedo et al. 2024 (arXiv 2406.17557, section 3.6) as coded in
    datatrove (`FineWebQualityFilter`). Lines are what stands between line feeds and has more than
    white space in it. Each rule is named after its field and looks at an annotation of its own,
    `<column>_fineweb_…`: `punctuated_lines` (end with terminal punctuation of any script),
    `short_lines`, `copied_line_characters` (code points in lines that occurred before, as a share of
    all but line feeds) and `newlines_per_word` (words as spaCy's rule-based English tokenizer cuts
    them, punctuation included). A rule that is set to null is switched off. A text without a line,
    and a null, is removed.

    Example:
        - filter_fineweb: {column: text, max_copied_line_characters: 0.05}

    Raises:
        OperatorMisuse: when the column holds no text.
    """

    column: str = Field(description="A column of text.")
    min_punctuated_lines: float | None = Field(
        default=0.12, description="Least share of lines that end with terminal punctuation."
    )
    max_short_lines: float | None = Field(
        default=0.67, description="Greatest share of lines that are short."
    )
    short_line_characters: int = Field(
        default=30, ge=0, description="Code points that a short line has, at most."
    )
    max_copied_line_characters: float | None = Field(
        default=0.01, description="Greatest share of characters in lines that are copies."
    )
    max_newlines_per_word: float | None = Field(
        default=0.3, description="Most line feeds for each word or punctuation mark."
    )

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        from dagster_project.operators.kernels import text_measures as measures

        require_text(self, schema, self.column)
        text = pl.col(self.column)
        counts = measured_together(
            text,
            lambda texts: measures.line_counts(texts, self.short_line_characters),
            measures.LINE_COUNTS,
        )
        words = measured_together(text, measures.word_counts, measures.WORD_COUNTS)["words"]
        newlines = text.str.count_matches("\n")
        values = {
            "punctuated_lines": share(counts["punctuated"], counts["lines"]),
            "short_lines": share(counts["short"], counts["lines"]),
            "copied_line_characters": share(
                counts["copied_characters"], text.str.len_chars() - newlines
            ),
            "newlines_per_word": share(newlines, words),
        }
        return {f"{self._prefix()}{name}": values[name] for _, name, _, _ in bounds(self)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return bound_rules(self, self._prefix())

    def _prefix(self) -> str:
        return f"{self.column}_fineweb_"
