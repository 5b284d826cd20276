"""Say texts in other words."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

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
from dagster_project.operators.synthesize.asking.few_shot import ECHOES, AsksForSamples, Shots
from dagster_project.operators.synthesize.text.stated_facts import FACT_RULES, changed_facts
from dagster_project.operators.synthesize.text.text_overlap import longest_run, same_words, words

PROMPT = """\
Say the following text in other words. Keep its meaning, its language, and every number, name, link \
and piece of code as they are. Answer with the new wording only.

Text: {{ text }}

Other wording:"""

SHOTS: tuple[dict[str, Any], ...] = (
    {
        "text": "How many grams of flour do I need for 12 pancakes?",
        "answer": "What amount of flour, in grams, does it take to make 12 pancakes?",
    },
    {
        "text": "The museum closes at 17:30, so we should leave home no later than noon.",
        "answer": "Since the museum shuts its doors at 17:30, let us set off by noon at the latest.",
    },
)


class ParaphraseText(AsksForSamples, Generator):
    """Says texts in other words, and keeps what they state.

    Each seed gets `samples` wordings by a language model, each a row of its own. Rules turn down
    what is no paraphrase:

    | rule | the wording |
    |---|---|
    | `unanswered`, `empty`, `cut_off`, `refused` | is not there, not whole, or a refusal that the text \
is not |
    | `echoes_prompt` | repeats the request, or what another text was answered |
    | `unchanged` | differs in nothing but case, punctuation and white space |
    | `copied` | shares more than `max_copied` of its words with the text, in one run |
    | `lost_facts` | leaves out a number, link, e-mail address, code span or `{placeholder}` |
    | `new_facts` | has one that the text does not have |
    | `repeated` | is an earlier wording of the same text |

    Numbers are compared as they are written: "five" for "5" is a loss. Whether meaning and language
    are the same is not known from this; let embeddings or a judge, and `detect_language`, look at the
    rows in the input's own steps.
    Other columns of the seed, such as its answer or label, go along if `carry` names them.

    Example:
        generate: {paraphrase_text: {model: writer, column: question, samples: 3, carry: [answer]}}
        seeds: {version: grade_school/v1}
        rows: 300

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "augmented"
    rule_names: ClassVar[tuple[str, ...]] = (
        *UNUSABLE,
        ECHOES,
        "unchanged",
        "copied",
        *FACT_RULES,
        "repeated",
    )

    motive: Motive = Field(default="quantity", description="What the new rows are for.")
    column: str = Field(default="text", description="The column of texts, of seeds and new rows.")
    prompt: Prompt = Field(default=PROMPT, description="The request; it may use `text`.")
    shots: Shots = Field(default=SHOTS, description="Answered requests: `text` and `answer`.")
    max_copied: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="Greatest share of words that stand in one run in both.",
    )
    keep_facts: bool = Field(default=True, description="Whether `lost_facts`, `new_facts` apply.")

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        return pl.Schema({self.column: pl.String})

    def attempts(self, seeds: int) -> int | None:
        return seeds

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        text = seeds[0].get(self.column)
        if not text or not words(text):
            return ()
        asked = [
            self.asked(self.prompt, {"text": text}, shots=self.shots, sample=sample)
            for sample in range(self.samples)
        ]
        found: list[Candidate] = []
        for answer in await answers_to(calls, asked):
            wording = useful(answer, "Other wording", "Paraphrase", until=("Text",), about=text)
            why = self._no_paraphrase(answer, text, wording, found)
            found.append(Candidate({self.column: kept(answer, wording)}, why))
        return found

    def _no_paraphrase(
        self, answer: Answer | CallFailed, text: str, wording: str, earlier: Sequence[Candidate]
    ) -> Rejection | None:
        why = no_use(answer, wording)
        if why is not None and not (why.rule == "refused" and refuses(text)):
            return why
        if same_words(text, wording):
            return Rejection("unchanged", "the same words", "other words")
        if why := self.echo(wording, self.prompt, {"text": text}, self.shots):
            return why
        if any(same_words(candidate.values[self.column], wording) for candidate in earlier):
            return Rejection("repeated", "the same words", "words of its own")
        copied = longest_run(text, wording) / len(words(wording))
        if copied > self.max_copied:
            return Rejection("copied", f"{copied:.2f}", f"<= {self.max_copied:g}")
        return changed_facts(text, wording) if self.keep_facts else None
