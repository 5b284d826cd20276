"""Keep texts that do not repeat themselves, by the rules of Gopher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.process.text_units import measured_together, share

LONGEST_NGRAM = 100


class FilterGopherRepetition(RowOperator):
    """Keeps texts that do not repeat themselves, by the repetition rules of Gopher.

    Rules and thresholds are those of Rae et al. 2021 (arXiv 2112.11446, table A1) as coded in
    datatrove (`GopherRepetitionFilter`). Lines are what stands between line feeds, paragraphs what
    stands between two of them or more; a copy is one that occurred before in the text. Words are
    cut as spaCy's rule-based English tokenizer does. Characters are code points, and their shares
    are of the whole text.

    Each rule looks at an annotation of its own, which has the rule's name after
    `<column>_gopher_`: `copied_lines`, `copied_paragraphs`, `copied_line_characters`,
    `copied_paragraph_characters`, `top_<n>gram_characters` and `copied_<n>gram_characters`. As in
    the published code, the top n-gram may occur only once, so that texts of a few words are removed.
    A rule that is set to null, or an n-gram that is left out, is switched off. An empty text, and a
    null, is removed.

    Example:
        - filter_gopher_repetition: {column: text, max_top_ngram_characters: {2: 0.3}}

    Raises:
        OperatorMisuse: when the column holds no text.
    """

    column: str = Field(description="A column of text.")
    max_copied_paragraphs: float | None = Field(
        default=0.3, description="Greatest share of paragraphs that are copies."
    )
    max_copied_paragraph_characters: float | None = Field(
        default=0.2, description="Greatest share of characters in paragraphs that are copies."
    )
    max_copied_lines: float | None = Field(
        default=0.3, description="Greatest share of lines that are copies."
    )
    max_copied_line_characters: float | None = Field(
        default=0.2, description="Greatest share of characters in lines that are copies."
    )
    max_top_ngram_characters: Mapping[int, float] | None = Field(
        default={2: 0.2, 3: 0.18, 4: 0.16},
        description="By n, greatest share of characters in occurrences of the commonest n words.",
    )
    max_copied_ngram_characters: Mapping[int, float] | None = Field(
        default={5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.1},
        description="By n, greatest share of characters in n words that occurred before.",
    )

    @field_validator("max_top_ngram_characters", "max_copied_ngram_characters")
    @classmethod
    def _sizes(cls, value: Mapping[int, float] | None) -> Mapping[int, float] | None:
        if odd := [size for size in value or {} if not 1 <= size <= LONGEST_NGRAM]:
            raise ValueError(f"an n-gram has 1 to {LONGEST_NGRAM} words, not {odd[0]}")
        return value

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        from dagster_project.operators.kernels import text_measures as measures

        require_text(self, schema, self.column)
        text = pl.col(self.column)
        characters = text.str.len_chars()
        values: dict[str, pl.Expr] = {}
        for section, newlines in (("line", 1), ("paragraph", 2)):
            counts = measured_together(
                text,
                lambda texts, n=newlines: measures.repeated_sections(texts, n, trim=n > 1),
                measures.SECTION_COUNTS,
            )
            values[f"copied_{section}s"] = share(counts["copies"], counts["sections"])
            values[f"copied_{section}_characters"] = share(counts["copied_characters"], characters)
        top = tuple(self.max_top_ngram_characters or ())
        copied = tuple(self.max_copied_ngram_characters or ())
        names = [f"top_{n}gram" for n in top] + [f"copied_{n}gram" for n in copied]
        counts = measured_together(
            text, lambda texts: measures.repeated_ngrams(texts, top, copied), names
        )
        for name in names:
            values[f"{name}_characters"] = share(counts[name], characters)
        return {self._annotation(name): values[name] for name, _ in self._bounds()}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return [
            Rule(f"max_{name}", measured <= bound, measured, f"<= {bound:g}")
            for name, bound in self._bounds()
            for measured in [pl.col(self._annotation(name))]
        ]

    def _annotation(self, name: str) -> str:
        return f"{self.column}_gopher_{name}"

    def _bounds(self) -> Iterator[tuple[str, float]]:
        """Measured value and bound of each rule that is on, in order."""
        for section in ("paragraph", "line"):
            for name in (f"copied_{section}s", f"copied_{section}_characters"):
                if (bound := getattr(self, f"max_{name}")) is not None:
                    yield name, bound
        for kind in ("top", "copied"):
            for size, bound in (getattr(self, f"max_{kind}_ngram_characters") or {}).items():
                yield f"{kind}_{size}gram_characters", bound
