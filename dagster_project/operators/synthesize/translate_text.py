"""Translate texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed, Calls
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.synthesize.asking.answered import (
    UNUSABLE,
    answers_to,
    kept,
    no_use,
    refuses,
    useful,
)
from dagster_project.operators.synthesize.asking.few_shot import ECHOES, AsksWithShots, Shots
from dagster_project.operators.synthesize.back_translate import BLANK, PROMPT
from dagster_project.operators.synthesize.text.text_overlap import same_words, words


class TranslateText(AsksWithShots, Generator):
    """Translates texts into other languages: a row for each seed and language.

    The translation takes the text's place in its column, and `language` says which language it is
    in. Columns that hold in any language, such as a label or a number, go along with `carry`.

    | rule | the translation |
    |---|---|
    | `unanswered`, `empty`, `cut_off`, `refused` | is not there, not whole, or a refusal that the text \
is not |
    | `not_translated` | is the text as it was |
    | `echoes_prompt` | repeats the request |
    | `changed_digits` | has other digits than the text; separators may change |
    | `odd_length` | is over `max_ratio` times as long as the text, or as much shorter, in UTF-8 bytes |

    Whether it is in that language, and says the same, is not known from this: `detect_language` and a
    judge, in the input's own steps, look at that.

    Example:
        generate: {translate_text: {model: writer, column: text, languages: [Polish], carry: [label]}}
        seeds: {version: reviews/v1}
        rows: 500

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "augmented"
    rule_names: ClassVar[tuple[str, ...]] = (
        *UNUSABLE,
        "not_translated",
        ECHOES,
        "changed_digits",
        "odd_length",
    )

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    column: str = Field(default="text", description="The column of texts, of seeds and new rows.")
    languages: tuple[str, ...] = Field(
        min_length=1, description="Languages to translate into, in English words."
    )
    language: str = Field(default="English", description="The language of the texts.")
    prompt: Prompt = Field(
        default=PROMPT, description="The request; it may use `text`, `source` and `target`."
    )
    shots: Shots = Field(
        default=(), description="Answered requests: `text`, `source`, `target` and `answer`."
    )
    max_ratio: float = Field(
        default=3.0, gt=1, description="How many times as long one of the two may be."
    )

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        if self.column == "language":
            raise OperatorMisuse(
                f"{self.operator_name()}: `column` is 'language', which new rows have for the "
                "language; rename the seeds' column"
            )
        return pl.Schema({self.column: pl.String, "language": pl.String})

    def attempts(self, seeds: int) -> int | None:
        return seeds

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        text = seeds[0].get(self.column)
        if not text or not words(text):
            return ()
        found: list[Candidate] = []
        filled = [
            {"text": text, "source": self.language, "target": target} for target in self.languages
        ]
        asked = [self.asked(self.prompt, values, shots=self.shots) for values in filled]
        for target, answer in zip(self.languages, await answers_to(calls, asked), strict=True):
            translation = useful(answer, target, "Translation", until=(self.language,), about=text)
            why = self._unfit(answer, text, translation)
            found.append(
                Candidate({self.column: kept(answer, translation), "language": target}, why)
            )
        return found

    def _unfit(self, answer: Answer | CallFailed, text: str, translation: str) -> Rejection | None:
        """Why a translation is left out, if it is."""
        why = no_use(answer, translation)
        if why is not None and not (why.rule == "refused" and refuses(text)):
            return why
        if same_words(text, translation):
            return Rejection("not_translated", "the same words", "another language")
        if why := self.echo(translation, self.prompt, BLANK, self.shots):
            return why
        before, after = _digits(text), _digits(translation)
        if before != after:
            found = "".join(sorted(after.elements()))
            return Rejection("changed_digits", found, "".join(sorted(before.elements())))
        long, new = (
            len(text.encode("utf-8", "replace")),
            len(translation.encode("utf-8", "replace")),
        )
        ratio = max(long / new, new / long)
        if ratio > self.max_ratio:
            return Rejection("odd_length", f"{ratio:.1f}", f"<= {self.max_ratio:g}")
        return None


def _digits(text: str) -> Counter[str]:
    """How often each digit occurs, in whatever script it is written."""
    return Counter(str(unicodedata.decimal(digit)) for digit in re.findall(r"\d", text))
