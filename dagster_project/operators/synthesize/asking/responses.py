"""Generators that make instructions, and ask for the response to each."""

from __future__ import annotations

from pydantic import Field

from dagster_project.operators.calls import Answer, Calls
from dagster_project.operators.generator import Rejection
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.synthesize.asking.answered import (
    UNUSABLE,
    answer_or_failure,
    kept,
    no_use,
)
from dagster_project.operators.synthesize.asking.few_shot import AsksWithShots, Shots

RESPONSE_RULES = tuple(f"response_{rule}" for rule in UNUSABLE)
"""Rules by which a response is of no use."""


PROMPTS = {
    "chat": "{{ instruction }}",
    "text": "Instruction: {{ instruction }}\n\nResponse:",
}


class AsksForResponses(AsksWithShots):
    """Fields of an operator that asks for responses to what it has made."""

    respond: bool = Field(
        default=True, description="Whether to ask for responses; false leaves them null, unasked."
    )
    response_prompt: Prompt | None = Field(
        default=None,
        description="How a response is asked for; it may use `instruction` and what the operator's "
        "own prompt may; default: the instruction alone, in a text with labels.",
    )
    response_shots: Shots = Field(
        default=(), description="Answered instructions: `instruction` and `answer`."
    )
    response_max_tokens: int = Field(
        default=1024, ge=1, description="Longest response, in the model's tokens."
    )

    async def response(
        self, calls: Calls, instruction: str, sample: int, **values: object
    ) -> tuple[str | None, Rejection | None]:
        """The response to an instruction, and why it is of no use, if it is none.

        Args:
            calls: answers.
            instruction: to respond to.
            sample: tells it apart from others that are asked the same.
            **values: what else the prompt may use.
        """
        question = self.asked(
            self.response_prompt or PROMPTS[self.form],
            {"instruction": instruction, **values},
            shots=self.response_shots,
            sample=sample,
            max_tokens=self.response_max_tokens,
        )
        answer = await answer_or_failure(calls, question)
        text = answer.text.strip() if isinstance(answer, Answer) else ""
        return kept(answer, text) or None, no_use(answer, text, "response_")
