"""Questions that show a model how others like them were answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.calls import Purpose, Question
from dagster_project.operators.generator import Rejection
from dagster_project.operators.prompt import rendered
from dagster_project.operators.synthesize.text.text_overlap import longest_run, same_words

ANSWER = "answer"

ECHOES = "echoes_prompt"
ECHO_WORDS = 8

BETWEEN = "\n\n###\n\n"
"""Stands between questions that are sent as one text; what is written ends at it."""


def _with_answers(shots: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
    for number, shot in enumerate(shots, 1):
        if not isinstance(shot.get(ANSWER), str):
            raise ValueError(f"shot {number} has no text `{ANSWER}`, which is what is to be said")
    return shots


Shots = Annotated[tuple[Mapping[str, Any], ...], AfterValidator(_with_answers)]
"""A field of answered questions: each has the prompt's names, and `answer`."""


class AsksWithShots(AsksModel):
    """Fields of an operator that asks by prompts, and shows answered ones first."""

    form: Literal["chat", "text"] = Field(
        default="chat",
        description="`chat`: shots are earlier turns; `text`: all is one text to go on from, for "
        "models that were not trained to chat.",
    )

    def asked(
        self,
        prompt: str,
        values: Mapping[str, Any],
        *,
        shots: Sequence[Mapping[str, Any]] = (),
        purpose: Purpose = "generation",
        **changed: Any,
    ) -> Question:
        """A prompt as a question.

        Args:
            prompt: a template.
            values: what it is filled in with.
            shots: answered ones, shown first.
            purpose: what the answer is for.
            **changed: other fields of `Question`.

        Raises:
            OperatorMisuse: when the prompt uses a name that it is not given.
        """
        shown = [(rendered(prompt, **{**values, **shot}), shot[ANSWER]) for shot in shots]
        last = rendered(prompt, **values)
        if self.form == "chat":
            turns = [
                {"role": role, "content": content}
                for pair in shown
                for role, content in zip(("user", "assistant"), pair, strict=True)
            ]
            return self.question(last, before=tuple(turns), purpose=purpose, **changed)
        texts = [f"{asked.rstrip()} {answer}" for asked, answer in shown]
        stop = (*changed.pop("stop", ()), BETWEEN.strip())
        question = self.question("", purpose=purpose, stop=stop, **changed)
        opening = [self.system] if self.system else []
        text = BETWEEN.join([*opening, *texts, last.rstrip()])
        return replace(question, messages=(), prompt=text)

    def echo(
        self,
        text: str,
        prompt: str,
        values: Mapping[str, Any],
        shots: Sequence[Mapping[str, Any]] = (),
    ) -> Rejection | None:
        """Why a text is no answer but a repetition, by the rule `echoes_prompt`: it has 8 words in a
        row of what the prompt says whatever it is filled in with, or of a shot's answer, or is one.

        Args:
            text: the useful part of an answer.
            prompt: the template that was filled in.
            values: what with; texts among them do not count.
            shots: that were shown.
        """
        blank = {name: "" if isinstance(value, str) else value for name, value in values.items()}
        said = [shot[ANSWER] for shot in shots]
        if any(same_words(text, answer) for answer in said):
            return Rejection(ECHOES, "a shot's answer", "words of its own")
        run = max(longest_run(text, told) for told in (rendered(prompt, **blank), *said))
        if run < ECHO_WORDS:
            return None
        return Rejection(ECHOES, f"{run} words in a row", f"< {ECHO_WORDS}")


class AsksForSamples(AsksWithShots):
    """Fields of an operator that asks the same several times."""

    samples: int = Field(default=1, ge=1, description="How many answers each seed is asked for.")

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"`samples` is {self.samples}, but at temperature 0 all answers are the same; "
                "raise the temperature or ask for one"
            )
        return self
