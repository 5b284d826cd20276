"""The models that a recipe may ask, and what it may spend on them."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from dagster_project.recipe.declared import Declared

ENVIRONMENT_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")


class Prices(Declared):
    """What a model costs, in US dollars for a million tokens."""

    input: float = Field(ge=0, description="For tokens that it reads.")
    output: float = Field(ge=0, description="For tokens that it writes.")


class Model(Declared):
    """A model that steps may ask, by the name that the recipe gives it."""

    provider: Literal["openai", "embedded"] = Field(
        default="openai",
        description="`openai`: any endpoint that speaks as OpenAI's does (hosted, vLLM, Ollama, "
        "llama.cpp); `embedded`: a small model that runs in this process and needs no network.",
    )
    model: str | None = Field(default=None, description="What the provider calls it.")
    base_url: str | None = Field(
        default=None, description="Where it is served, e.g. `http://127.0.0.1:8000/v1`."
    )
    key: str | None = Field(
        default=None,
        description="The environment variable that holds the key. A key is never written down here.",
    )
    licence: str | None = Field(
        default=None,
        description="SPDX identifier, or the name of the terms, under which its answers may be used.",
    )
    prices: Prices | None = Field(
        default=None, description="Default: as in the price table, by the model's name."
    )
    concurrent: int = Field(default=8, ge=1, le=1024, description="Most calls at once.")
    requests_per_minute: int | None = Field(default=None, ge=1, description="Most calls a minute.")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="Most tokens a minute.")
    timeout: float = Field(default=120, gt=0, description="Longest wait for an answer, in seconds.")
    retries: int = Field(
        default=5, ge=0, le=20, description="How often a call that failed is made again."
    )
    repairs: int = Field(
        default=1,
        ge=0,
        le=5,
        description="How often a model is asked to mend an answer that is not as its schema says.",
    )
    batch: bool = Field(
        default=False, description="Ask through the provider's batch endpoint: slower, cheaper."
    )

    @model_validator(mode="after")
    def _complete(self) -> Model:
        if self.provider == "openai" and (self.model is None or self.base_url is None):
            raise ValueError("`provider: openai` needs `model` and `base_url`")
        if self.provider == "embedded":
            given = [name for name in ("model", "base_url", "key", "batch") if getattr(self, name)]
            if given:
                raise ValueError(f"`provider: embedded` takes no `{given[0]}`")
        if "@" in (self.base_url or ""):
            raise ValueError("`base_url` must hold no password; name the key's variable in `key`")
        if self.key is not None and not ENVIRONMENT_NAME.fullmatch(self.key):
            raise ValueError(
                "`key` is the name of an environment variable, such as OPENAI_API_KEY, not a key"
            )
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """What can change its answers."""
        return {"provider": self.provider, "model": self.model, "base_url": self.base_url}


class Budget(Declared):
    """What a version may spend, over all of its materializations. A contract: at the cap a run stops,
    and goes on when the cap is raised."""

    dollars: float | None = Field(default=None, ge=0, description="US dollars, in all.")
    tokens: int | None = Field(default=None, ge=0, description="Model tokens, in and out.")
    rows: int | None = Field(default=None, ge=0, description="Rows in the published version.")
    unknown_prices: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="What to do about a model whose price is not known: `allow` counts its tokens only.",
    )
