"""Keep rows whose answers do not say the same again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.chat_turns import turns
from dagster_project.operators.process.markdown_code import FENCED
from dagster_project.operators.process.prose_words import WORD

SENTENCE = r"[^.!?\n。！？｡]+"
"""What stands between stops or line ends; an abbreviation cuts a sentence, which does no harm."""

NO_PROSE = r"[={};|\\]"
"""What stands in code and tables."""


class FilterRepeatedSentences(RowOperator):
    """Keeps rows whose answers do not say the same again and again.

    The annotation and rule `repeated_sentences` is the greatest share, 0 to 1, of an answer's
    sentences that stood in it before: of six sentences, two of which are the same, 1/6. Sentences
    end with a stop or a line; they are compared in lower case, without what stands around words.
    Those with fewer than `min_words` words that begin with a letter (items, "Thank you!", rows of
    numbers) are not counted, nor are code and rows of tables; answers with fewer than
    `min_sentences` sentences that count measure 0. Where no spaces part words, two letters are one
    in Chinese and Japanese, four in Thai, which ends its sentences with lines only.

    The rule follows Gopher's for duplicate lines (Rae et al. 2021, arXiv 2112.11446), whose bound
    of 0.3 is for web pages: of answers that people wrote it removes songs with a refrain and plans
    in which each day has the same exercise. Models that loop are far above the default.

    In a chat column the assistant's turns count, each by itself. A column of text holds one answer
    a row; null is removed.

    Example:
        - filter_repeated_sentences: {column: messages, max_share: 0.3}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles.
    """

    column: str = Field(default="messages", description="A column of chat messages or of answers.")
    max_share: float = Field(default=0.5, ge=0, le=1, description="Greatest share that repeats.")
    min_words: int = Field(default=4, ge=1, description="Fewest words of a sentence that counts.")
    min_sentences: int = Field(
        default=4, ge=2, description="Fewest sentences of an answer that is looked at."
    )
    prefix: str = Field(default="", description="Put before the name of the annotation.")

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        answers = turns(self, schema, self.column, "assistant")
        prose = pl.element().str.replace_all(FENCED, "\n").str.to_lowercase()
        said = pl.element()
        counts = (said.str.count_matches(WORD) >= self.min_words) & ~said.str.contains(NO_PROSE)
        sentence = said.str.replace_all(r"\W+", " ").str.strip_chars()
        sentences = prose.str.extract_all(SENTENCE).list.eval(sentence.filter(counts))
        number = sentences.list.len()
        repeated = (number - sentences.list.n_unique()) / number
        share = pl.when(number >= self.min_sentences).then(repeated.round(4)).otherwise(0.0)
        greatest = answers.list.eval(share).list.max().fill_null(0.0)
        return {self._annotation(): pl.when(pl.col(self.column).is_not_null()).then(greatest)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        share = pl.col(self._annotation())
        most = self.max_share
        return [Rule("repeated_sentences", share <= most, share, f"<= {most:g}")]

    def _annotation(self) -> str:
        return f"{self.prefix}repeated_sentences"
