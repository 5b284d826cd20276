"""Translate texts into another language and back."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.calls import Answer, CallFailed, Calls, Question
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
    answer_or_failure,
    answers_to,
    kept,
    no_use,
    refuses,
    together,
    useful,
)
from dagster_project.operators.synthesize.asking.few_shot import ECHOES, AsksWithShots, Shots
from dagster_project.operators.synthesize.text.stated_facts import FACT_RULES, changed_facts
from dagster_project.operators.synthesize.text.text_overlap import overlap, same_words, words

PROMPT = """\
Translate the following text from {{ source }} to {{ target }}. Keep numbers, names, links and code as \
they are. Answer with the translation only.

{{ source }}: {{ text }}

{{ target }}:"""


BLANK = {"text": "", "source": "", "target": ""}


class BackTranslate(AsksWithShots, Generator):
    """Translates texts into another language and back, which changes their wording.

    Back-translation as Sennrich, Haddow and Birch (2016) and Edunov et al. (2018) use it for
    augmentation, with a language model in place of two translation systems: two questions for each
    of the `languages`, and a row for each. The column `pivot_language` says which it was,
    `pivot_text` what the text was there.

    | rule | the text, there or back again |
    |---|---|
    | `pivot_unanswered`, `pivot_empty`, `pivot_cut_off`, `pivot_refused` | is not there in the other \
language |
    | `not_translated` | is in the other language what it was before |
    | `unanswered`, `empty`, `cut_off`, `refused` | is not there in its own language again |
    | `echoes_prompt` | repeats the request |
    | `unchanged` | has come back in the same words |
    | `meaning_changed` | shares too few words with what it was: F1 of words below `min_overlap` |
    | `lost_facts`, `new_facts` | has lost, or gained, a number, link, address, code or placeholder |
    | `repeated` | has come back as it did from another language |

    The floor of common words (ROUGE-1; word order is what is meant to change) catches gross changes
    only. For the meaning itself compare embeddings in the input's own steps.

    Example:
        generate: {back_translate: {model: writer, column: question, languages: [German, Polish]}}
        seeds: {version: grade_school/v1}
        rows: 300

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "augmented"
    rule_names: ClassVar[tuple[str, ...]] = (
        *(f"pivot_{rule}" for rule in UNUSABLE),
        "not_translated",
        *UNUSABLE,
        ECHOES,
        "unchanged",
        "meaning_changed",
        *FACT_RULES,
        "repeated",
    )

    motive: Motive = Field(default="quantity", description="What the new rows are for.")
    column: str = Field(default="text", description="The column of texts, of seeds and new rows.")
    languages: tuple[str, ...] = Field(
        default=("German",), min_length=1, description="Languages to go through, in English words."
    )
    language: str = Field(default="English", description="The language of the texts.")
    prompt: Prompt = Field(
        default=PROMPT, description="The request; it may use `text`, `source` and `target`."
    )
    shots: Shots = Field(
        default=(), description="Answered requests: `text`, `source`, `target` and `answer`."
    )
    min_overlap: float = Field(
        default=0.4, ge=0, le=1, description="Least F1 of words of the text before and after."
    )
    keep_facts: bool = Field(default=True, description="Whether `lost_facts`, `new_facts` apply.")

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        return pl.Schema(dict.fromkeys((self.column, "pivot_language", "pivot_text"), pl.String()))

    def attempts(self, seeds: int) -> int | None:
        return seeds

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        text = seeds[0].get(self.column)
        if not text or not words(text):
            return ()
        there = [self._translation(text, self.language, target) for target in self.languages]
        pivots = [
            self._pivot(text, target, answer)
            for target, answer in zip(self.languages, await answers_to(calls, there), strict=True)
        ]
        back = await together(
            (
                answer_or_failure(
                    calls, self._translation(pivot.values["pivot_text"], target, self.language)
                )
                for target, pivot in zip(self.languages, pivots, strict=True)
                if pivot.rejection is None
            )
        )
        answers, found = iter(back), list[Candidate]()
        for pivot in pivots:
            if pivot.rejection is None:
                answer = next(answers)
                again = useful(answer, self.language, "Translation")
                why = self._no_wording(answer, text, again, found)
                found.append(Candidate({**pivot.values, self.column: kept(answer, again)}, why))
            else:
                found.append(pivot)
        return found

    def _translation(self, text: str, source: str, target: str) -> Question:
        values = {"text": text, "source": source, "target": target}
        return self.asked(self.prompt, values, shots=self.shots)

    def _pivot(self, text: str, target: str, answer: Answer | CallFailed) -> Candidate:
        """The text in another language; rejected where it is not."""
        pivot = useful(answer, target, "Translation", until=(self.language,), about=text)
        why = no_use(answer, pivot, "pivot_")
        if why is None and same_words(text, pivot):
            why = Rejection("not_translated", "the same words", f"a text in {target}")
        return Candidate({"pivot_language": target, "pivot_text": kept(answer, pivot)}, why)

    def _no_wording(
        self, answer: Answer | CallFailed, text: str, again: str, earlier: Sequence[Candidate]
    ) -> Rejection | None:
        why = no_use(answer, again)
        if why is not None and not (why.rule == "refused" and refuses(text)):
            return why
        if same_words(text, again):
            return Rejection("unchanged", "the same words", "other words")
        if why := self.echo(again, self.prompt, BLANK, self.shots):
            return why
        if any(same_words(other.values.get(self.column, ""), again) for other in earlier):
            return Rejection("repeated", "the same words", "words of its own")
        common = overlap(text, again)
        if common < self.min_overlap:
            return Rejection("meaning_changed", f"{common:.2f}", f">= {self.min_overlap:g}")
        return changed_facts(text, again) if self.keep_facts else None
