"""Ask questions about documents, with answers and evidence that stands in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.calls import Calls
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
from dagster_project.operators.synthesize.asking.few_shot import AsksWithShots, Shots
from dagster_project.operators.synthesize.text.located_quotes import Span, excerpt, located
from dagster_project.operators.synthesize.text.text_overlap import held, same_words, words

PROMPT = """\
Read the document, then write {{ questions }} question{{ "s" if questions > 1 }} that it answers. They \
must make sense to somebody who does not have the document at hand, and be answered by it alone. For \
each give the answer, in a sentence or less, and as evidence the {{ "passages" if multiple else \
"passage" }} that it rests on, copied from the document character by character\
{{ "; use questions that need several passages together" if multiple }}. Answer in JSON.

Document:
{{ text }}"""

SHOTS: tuple[dict[str, Any], ...] = (
    {
        "text": "Barn owls hunt at night, mostly by ear. A pair with young brings in about 1,000 voles "
        "and mice a season.",
        "questions": 1,
        "multiple": False,
        "answer": '{"questions": [{"question": "About how many voles and mice does a pair of barn owls '
        'with young catch in a season?", "evidence": ["A pair with young brings in about 1,000 voles and '
        'mice a season."], "answer": "About 1,000."}]}',
    },
)
ANSWERED = ("yes", "no")
OWN = ("question", "answer", "evidence", "evidence_start", "evidence_end", "answer_support")


class AskDocument(AsksWithShots, Generator):
    """Asks questions about documents, with answers, and evidence that stands in them.

    For question answering over long contexts, as in Llama 3 (2024): the questions are made from an
    excerpt that the model can read well, and trained on with the whole document, which `carry`
    takes along. An attempt draws an excerpt of `excerpt_characters` (the whole document where it is
    shorter) and asks for `questions` as JSON. New rows have `question`, `answer`, the passages of
    `evidence`, where they stand in the document (`evidence_start`, `evidence_end`: characters, from 0,
    end exclusive) and `answer_support`: the share of the answer's words, but stop words, that the
    evidence has.

    Passages are looked for as they are, then without regard to white space; `evidence` has them as the
    document does, so that it is the document's text from start to end, exactly.

    | rule | when |
    |---|---|
    | `no_question`, `no_answer` | there is none |
    | `no_evidence` | fewer than `min_passages` different passages are given |
    | `evidence_not_found` | a passage is not in the document |
    | `evidence_too_short` | a passage has fewer than `min_evidence_words` words |
    | `answer_not_supported` | `answer_support` is below `min_support` |
    | `answer_in_question` | the question has all words of the answer |
    | `repeated` | it is an earlier question of the same attempt |

    "Yes" and "no" are supported by any evidence, which is what this cannot see; a judge can.

    Example:
        generate: {ask_document: {model: writer, column: text, questions: 3, carry: [text]}}
        seeds: {version: manuals/v1}
        rows: 500

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        "no_question",
        "no_answer",
        "no_evidence",
        "evidence_too_short",
        "evidence_not_found",
        "answer_not_supported",
        "answer_in_question",
        "repeated",
    )

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    column: str = Field(default="text", description="The seeds' column of documents.")
    excerpt_characters: int = Field(
        default=12_000, ge=200, description="Longest part of a document that the model is shown."
    )
    questions: int = Field(default=3, ge=1, le=50, description="How many questions are asked for.")
    min_passages: int = Field(
        default=1,
        ge=1,
        le=10,
        description="Fewest passages of evidence; 2 for answers from several.",
    )
    min_evidence_words: int = Field(default=3, ge=1, description="Fewest words of a passage.")
    min_support: float = Field(
        default=0.5, ge=0, le=1, description="Least share of the answer's words in the evidence."
    )
    max_tokens: int = Field(
        default=1024, ge=1, description="Longest answer, in the model's tokens."
    )
    prompt: Prompt = Field(
        default=PROMPT,
        description="The request; it may use `text`, `questions`, their number, and `multiple`, "
        "whether each needs several passages.",
    )
    shots: Shots = Field(
        default=SHOTS,
        description="Answered requests: `text`, `questions`, `multiple` and `answer`, as JSON.",
    )

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        kinds = (
            pl.String(),
            pl.String(),
            pl.List(pl.String),
            *[pl.List(pl.Int64)] * 2,
            pl.Float64(),
        )
        return pl.Schema(dict(zip(OWN, kinds, strict=True)))

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        document, share = seeds[0].get(self.column), draw.random()
        if not document or not words(document):
            return ()
        shown = excerpt(document, self.excerpt_characters, share)
        values = {
            "text": document[shown.start : shown.end].strip(),
            "questions": self.questions,
            "multiple": self.min_passages > 1,
        }
        answer = await calls.ask(
            self.asked(
                self.prompt,
                values,
                shots=self.shots,
                json_schema=self._schema(),
                sample=draw.getrandbits(31),
            )
        )
        found: list[Candidate] = []
        for item in answer.data["questions"]:
            found.append(self._checked(item, document, shown.start, found))
        return found

    def _schema(self) -> dict[str, Any]:
        """The JSON of so many questions with answers and evidence."""
        text = {"type": "string"}
        fewest, most = self.min_passages, self.min_passages + 2
        passages = {"type": "array", "items": text, "minItems": fewest, "maxItems": most}
        item = {
            "type": "object",
            "properties": {"question": text, "evidence": passages, "answer": text},
            "required": ["question", "evidence", "answer"],
            "additionalProperties": False,
        }
        several = {
            "type": "array",
            "items": item,
            "minItems": self.questions,
            "maxItems": self.questions,
        }
        return {
            "type": "object",
            "properties": {"questions": several},
            "required": ["questions"],
            "additionalProperties": False,
        }

    def _checked(
        self, item: Mapping[str, Any], document: str, near: int, earlier: Sequence[Candidate]
    ) -> Candidate:
        """A question with its answer and where its evidence stands; rejected where that is nowhere."""
        question, answer = item["question"].strip(), item["answer"].strip()
        quotes = list(dict.fromkeys(filter(None, map(str.strip, item["evidence"]))))
        spans = [located(quote, document, near) for quote in quotes]
        places = [span for span in spans if span is not None]
        missing = next((quote for quote, span in zip(quotes, spans, strict=True) if not span), None)
        values: dict[str, Any] = {"question": question, "answer": answer, "evidence": quotes}
        if missing is None and places:
            values |= self._evidence(answer, document, places)
        return Candidate(values, self._unfit(values, quotes, missing, earlier))

    def _evidence(self, answer: str, document: str, places: Sequence[Span]) -> dict[str, Any]:
        texts = [document[start:end] for start, end in places]
        plain = answer.strip(" .!").lower() in ANSWERED
        return {
            "evidence": texts,
            "evidence_start": [place.start for place in places],
            "evidence_end": [place.end for place in places],
            "answer_support": 1.0 if plain else round(held(answer, " ".join(texts)), 4),
        }

    def _unfit(
        self,
        values: Mapping[str, Any],
        quotes: Sequence[str],
        missing: str | None,
        earlier: Sequence[Candidate],
    ) -> Rejection | None:
        """Why a question is left out, if it is."""
        question, answer = values["question"], values["answer"]
        for name, text in (("question", question), ("answer", answer)):
            if not words(text):
                return Rejection(f"no_{name}", text, "words")
        if len(quotes) < self.min_passages:
            return Rejection("no_evidence", f"{len(quotes)} passages", f">= {self.min_passages}")
        short = min(len(words(quote)) for quote in quotes)
        if short < self.min_evidence_words:
            least = f">= {self.min_evidence_words}"
            return Rejection("evidence_too_short", f"{short} words", least)
        if missing is not None:
            return Rejection("evidence_not_found", missing[:200], "a part of the document")
        support = values["answer_support"]
        if support < self.min_support:
            return Rejection("answer_not_supported", f"{support:.2f}", f">= {self.min_support:g}")
        if _given_away(question, answer):
            return Rejection("answer_in_question", answer[:80], "what the question does not say")
        if any(same_words(other.values["question"], question) for other in earlier):
            return Rejection("repeated", "the same words", "words of its own")
        return None


def _given_away(question: str, answer: str) -> bool:
    """Whether a question has its answer, word by word."""
    asked, said = f" {' '.join(words(question))} ", f" {' '.join(words(answer))} "
    return said in asked and answer.strip(" .!").lower() not in ANSWERED
