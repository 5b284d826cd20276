"""Keep texts that look like prose, by the rules of Gopher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.process.text_units import (
    bound_rules,
    bounds,
    line_count,
    lines_ending_with,
    lines_starting_with,
    measured_together,
    share,
)

BULLET = "[•\\-]"
ELLIPSIS = r"(?:\.\.\.|…)"


class FilterGopherQuality(RowOperator):
    """Keeps texts that look like English prose, by the quality rules of Gopher.

    Rules and thresholds are those of Rae et al. 2021 (arXiv 2112.11446, appendix A.1.1) as coded in
    datatrove (`GopherQualityFilter`). Words are cut as spaCy's rule-based English tokenizer does, so
    that punctuation is words too; what is nothing but punctuation counts neither in the number of
    words nor in their mean length, but does where something is counted per word. Each rule is named
    after its field and looks at an annotation of its own, `<column>_gopher_…`: `words`,
    `mean_word_length`, `hashes_per_word`, `ellipses_per_word`, `bullet_lines`, `ellipsis_lines`,
    `alphabetic_words`, `stop_words`. A rule that is set to null is switched off. An empty text, and
    a null, is removed.

    Example:
        - filter_gopher_quality: {column: text, max_words: null, min_stop_words: 3}

    Raises:
        OperatorMisuse: when the column holds no text.
    """

    column: str = Field(description="A column of text.")
    min_words: int | None = Field(default=50, description="Fewest words.")
    max_words: int | None = Field(default=100_000, description="Most words.")
    min_mean_word_length: float | None = Field(
        default=3, description="Least mean length of words, in code points."
    )
    max_mean_word_length: float | None = Field(
        default=10, description="Greatest mean length of words, in code points."
    )
    max_hashes_per_word: float | None = Field(
        default=0.1, description="Most `#` for each word or punctuation mark."
    )
    max_ellipses_per_word: float | None = Field(
        default=0.1, description="Most `...` and `…` for each word or punctuation mark."
    )
    max_bullet_lines: float | None = Field(
        default=0.9, description="Greatest share of lines that start with `•` or `-`."
    )
    max_ellipsis_lines: float | None = Field(
        default=0.3, description="Greatest share of lines that end with `...` or `…`."
    )
    min_alphabetic_words: float | None = Field(
        default=0.8,
        description="Least share of words and punctuation marks that have a letter in them.",
    )
    min_stop_words: int | None = Field(
        default=2, description="How many of the stop words must occur, at least."
    )
    stop_words: tuple[str, ...] = Field(
        default=("the", "be", "to", "of", "and", "that", "have", "with"),
        max_length=64,
        description="The stop words, as they are written.",
    )

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        from dagster_project.operators.kernels.text_measures import WORD_COUNTS, word_counts

        require_text(self, schema, self.column)
        text = pl.col(self.column)
        counts = measured_together(
            text, lambda texts: word_counts(texts, self.stop_words), WORD_COUNTS
        )
        words, lines = counts["words"], line_count(text)
        ellipses = text.str.count_matches("...", literal=True) + text.str.count_matches("…")
        values = {
            "words": counts["spoken"],
            "mean_word_length": share(counts["spoken_characters"], counts["spoken"]),
            "hashes_per_word": share(text.str.count_matches("#"), words),
            "ellipses_per_word": share(ellipses, words),
            "bullet_lines": share(lines_starting_with(text, BULLET), lines),
            "ellipsis_lines": share(lines_ending_with(text, ELLIPSIS), lines),
            "alphabetic_words": share(counts["alphabetic"], words),
            "stop_words": counts["stop_words"],
        }
        return {f"{self._prefix()}{name}": values[name] for _, name, _, _ in bounds(self)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return bound_rules(self, self._prefix())

    def _prefix(self) -> str:
        return f"{self.column}_gopher_"
