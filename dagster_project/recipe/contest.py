"""A contest between versions, as a recipe declares it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from dagster_project.recipe.declared import Declared, version_name


class Rows(Declared):
    """Rows of a version."""

    version: str = Field(description="`dataset/version`.")
    where: str | None = Field(default=None, description="An SQL condition on them.")
    columns: tuple[str, ...] = Field(
        default=(),
        max_length=2,
        description="The column of prompts and that of answers, or one of chats or texts; default: "
        "by their usual names.",
    )

    @field_validator("version")
    @classmethod
    def _version(cls, value: str) -> str:
        return version_name(value)


class Pool(Rows):
    """Rows that baselines draw from."""

    baselines: tuple[Literal["random", "longest"], ...] = Field(
        default=("random", "longest"), description="How."
    )


class Amount(Declared):
    """How much a contestant may train on: one of these."""

    rows: int | None = Field(default=None, ge=1, description="So many rows.")
    tokens: int | None = Field(default=None, ge=1, description="So many tokens.")

    @model_validator(mode="after")
    def _one(self) -> Amount:
        if (self.rows is None) == (self.tokens is None):
            raise ValueError("give `rows` or `tokens`, one of them")
        return self


class Contest(Declared):
    """A contest between versions: the fixed models are trained on each, at equal budgets, and scored on
    the same held-out rows."""

    contestants: dict[str, Rows] = Field(min_length=1, description="Who competes, by name.")
    pool: Pool | None = Field(
        default=None, description="Where baselines draw from: rows before anybody chose among them."
    )
    evaluation: Rows = Field(
        description="The held-out rows. Rows equal to them are not trained on."
    )
    budgets: tuple[Amount, ...] = Field(
        default=(), description="What is trained on; several make a learning curve."
    )
    everything: bool = Field(
        default=True, description="Whether all rows of each are a budget too, an unequal one."
    )
    seeds: int = Field(default=5, ge=1, le=100, description="Draws of rows, where they are drawn.")
    models: tuple[Literal["language_model", "embedding_map"], ...] = Field(
        default=("language_model", "embedding_map"),
        min_length=1,
        description="The fixed models; one alone is blind to what the other sees.",
    )
