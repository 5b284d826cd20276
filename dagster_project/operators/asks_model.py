"""What operators share that ask a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dagster_project.operators.calls import Purpose, Question


class AsksModel(BaseModel):
    """Fields of an operator that asks one of the recipe's models; to be inherited beside its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="The recipe's model that is asked, by its name there.")
    system: str | None = Field(default=None, description="The system message; default: none.")
    temperature: float = Field(
        default=0.7, ge=0, le=2, description="How much chance there is in answers; 0 for none."
    )
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="Share of probability that is drawn from."
    )
    max_tokens: int = Field(default=512, ge=1, description="Longest answer, in the model's tokens.")

    def models(self) -> tuple[str, ...]:
        """The recipe's models that it asks."""
        return (self.model,)

    def question(
        self,
        text: str,
        *,
        before: tuple[Mapping[str, Any], ...] = (),
        purpose: Purpose = "generation",
        **changed: Any,
    ) -> Question:
        """A chat question with these settings.

        Args:
            text: what the user says.
            before: messages that come before it, after the system message.
            purpose: what the answer is for.
            **changed: other fields of `Question`.
        """
        system = ({"role": "system", "content": self.system},) if self.system else ()
        settings: dict[str, Any] = {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
        }
        return Question(
            messages=(*system, *before, {"role": "user", "content": text}),
            purpose=purpose,
            **(settings | changed),
        )
