"""What a recipe says. One recipe declares one dataset version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dagster_project.recipe.contest import Contest
from dagster_project.recipe.declared import Declared, version_name
from dagster_project.recipe.models import Budget, Model
from dagster_project.workspace import VersionName

Phase = Literal["pretrain", "sft", "preference", "reward", "rl"]

OWNER = re.compile(r"team:[A-Za-z0-9_]+|[^@\s]+@[^@\s]+\.[^@\s]+")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
TAG_KEY = re.compile(r"[A-Za-z0-9_.-]{1,63}")
TAG_VALUE = re.compile(r"[A-Za-z0-9_.-]{0,63}")


class Step(Declared):
    """One use of an operator. Written `- operator: {parameter: value}`, with an optional `name`."""

    operator: str = Field(description="The operator's name, as in the catalogue.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="The operator's fields.")
    name: str | None = Field(
        default=None, description="A name for this step; default: the operator's name."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"operator": value}
        if not isinstance(value, Mapping) or "operator" in value:
            return value
        names = [key for key in value if key != "name"]
        if len(names) != 1:
            raise ValueError(
                "a step is one operator: `- operator: {parameter: value}`, and optionally `name`; "
                f"found {', '.join(map(str, names)) or 'none'}"
            )
        parameters = value[names[0]]
        return {
            "operator": names[0],
            "parameters": {} if parameters is None else parameters,
            "name": value.get("name"),
        }

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and not NAME.fullmatch(value):
            raise ValueError("a step's name is a letter, then letters, digits and underscores")
        return value


class _Input(Declared):
    licence: str | None = Field(
        default=None, description="SPDX identifier of the rows' licence, e.g. PSF-2.0."
    )
    steps: tuple[Step, ...] = Field(
        default=(), description="Steps for this input's rows alone, before inputs are joined."
    )


class VersionInput(_Input):
    """The rows of another dataset version."""

    version: str = Field(description="`dataset/version`.")

    @field_validator("version")
    @classmethod
    def _version(cls, value: str) -> str:
        return version_name(value)


def _many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


OneOrMany = Annotated[
    tuple[str, ...], BeforeValidator(_many, json_schema_input_type=str | tuple[str, ...])
]
"""Texts; one may be written without a list."""


class FilesInput(_Input):
    """Rows read from files."""

    files: OneOrMany = Field(
        description="Paths or globs, relative to the workspace root. JSONL, JSON, CSV, TSV or "
        "Parquet; .gz, .bz2, .zst and .lz4 are opened.",
        min_length=1,
    )
    format: Literal["jsonl", "json", "csv", "tsv", "parquet"] | None = Field(
        default=None, description="Default: told by the files' names."
    )
    columns: dict[str, Literal["text", "int", "float", "bool", "json", "list[text]"]] | None = (
        Field(default=None, description="Types of fields; default: told by the values.")
    )


class HuggingFaceInput(_Input):
    """Rows of a Hugging Face dataset. Needs the extra `seedbed[huggingface]`."""

    huggingface: str = Field(description="The dataset's name on the hub, or a local folder.")
    config: str | None = Field(default=None, description="Name of the configuration.")
    split: str = Field(default="train", description="Name of the split.")
    revision: str | None = Field(
        default=None, description="Commit, tag or branch; give a commit to pin the rows."
    )


class SqlInput(_Input):
    """Rows of a DuckDB query over other dataset versions."""

    sql: str = Field(description="A SELECT in which `dataset.version` names a version's rows.")
    versions: tuple[str, ...] = Field(description="The versions the query reads.", min_length=1)

    @field_validator("versions")
    @classmethod
    def _versions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(version_name(item) for item in value)


class PythonInput(_Input):
    """Rows of a Python generator function in a file beside the recipe."""

    python: str = Field(description="`file.py:function`, relative to the recipe's folder.")
    params: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments.")

    @field_validator("python")
    @classmethod
    def _reference(cls, value: str) -> str:
        return _python_reference(value)


_SOURCES = {
    "version": VersionInput,
    "files": FilesInput,
    "huggingface": HuggingFaceInput,
    "sql": SqlInput,
    "python": PythonInput,
}


def _kind(value: Any, kinds: Mapping[str, type[_Input]]) -> str | None:
    if isinstance(value, BaseModel):
        return type(value).__name__
    if isinstance(value, Mapping):
        given = [kind for kind in kinds if kind in value]
        if len(given) == 1:
            return kinds[given[0]].__name__
    return None


Source = Annotated[
    Annotated[VersionInput, Tag("VersionInput")]
    | Annotated[FilesInput, Tag("FilesInput")]
    | Annotated[HuggingFaceInput, Tag("HuggingFaceInput")]
    | Annotated[SqlInput, Tag("SqlInput")]
    | Annotated[PythonInput, Tag("PythonInput")],
    Discriminator(
        lambda value: _kind(value, _SOURCES),
        custom_error_type="input_kind",
        custom_error_message=f"rows come from a mapping with exactly one of {', '.join(_SOURCES)}",
    ),
]
"""Rows that are there already."""


class GeneratedInput(_Input):
    """New rows, made by a generator until so many have passed the input's own `steps`."""

    generate: Step = Field(description="The generator, written as a step.")
    seeds: Source | None = Field(
        default=None, description="The rows that new ones are made from, declared as an input is."
    )
    rows: int = Field(ge=1, description="How many rows are wanted, after the input's own steps.")
    at_least: int | None = Field(
        default=None,
        ge=0,
        description="How many are enough for the version to be published, where there are fewer in "
        "the end; default: all that are wanted.",
    )
    max_candidates: int | None = Field(
        default=None, ge=1, description="Most candidates that are made; default: 10 for each row."
    )

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        if value is not None and value.steps:
            raise ValueError("seeds have no steps; make them a version, and refer to that")
        return value

    @property
    def enough(self) -> int:
        """How many rows are enough."""
        return self.rows if self.at_least is None else min(self.at_least, self.rows)

    @property
    def most_candidates(self) -> int:
        """Most candidates that are made."""
        return self.max_candidates or 10 * self.rows


class ContestInput(_Input):
    """The scores of a contest."""

    contest: Contest = Field(description="Who competes, at what, and how.")

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions it reads."""
        contest = self.contest
        pool = [contest.pool] if contest.pool else []
        return tuple(
            dict.fromkeys(
                rows.version for rows in (*contest.contestants.values(), *pool, contest.evaluation)
            )
        )


_KINDS = {**_SOURCES, "generate": GeneratedInput, "contest": ContestInput}

Input = Annotated[
    Annotated[VersionInput, Tag("VersionInput")]
    | Annotated[FilesInput, Tag("FilesInput")]
    | Annotated[HuggingFaceInput, Tag("HuggingFaceInput")]
    | Annotated[SqlInput, Tag("SqlInput")]
    | Annotated[PythonInput, Tag("PythonInput")]
    | Annotated[GeneratedInput, Tag("GeneratedInput")]
    | Annotated[ContestInput, Tag("ContestInput")],
    Discriminator(
        lambda value: _kind(value, _KINDS),
        custom_error_type="input_kind",
        custom_error_message=f"an input is a mapping with exactly one of {', '.join(_KINDS)}",
    ),
]


class Limits(Declared):
    """When a run must stop rather than go on."""

    quarantine: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="Largest share of a step's (or an input's) rows that may be quarantined.",
    )
    max_line_bytes: int = Field(
        default=256 * 2**20, gt=0, description="Longest line of an input, in bytes."
    )
    max_expansion: float = Field(
        default=1000, gt=1, description="Largest ratio of decompressed to compressed bytes."
    )


class Recipe(Declared):
    """The declaration of one dataset version."""

    description: str = Field(min_length=1, description="What these rows are and what for.")
    phase: Phase = Field(description="The training phase the rows are for.")
    owners: tuple[str, ...] = Field(
        default=(), description="Who answers for it: e-mail addresses or `team:name`."
    )
    licence: str | None = Field(default=None, description="SPDX identifier of the result.")
    tags: dict[str, str] = Field(default_factory=dict, description="Free labels.")
    inputs: dict[str, Input] = Field(min_length=1, description="Where rows come from, by name.")
    references: dict[str, Source] = Field(
        default_factory=dict,
        description="What rows are compared with, by name, such as evaluation sets or versions that "
        "are in use; no row of the version comes from them.",
    )
    steps: tuple[Step, ...] = Field(default=(), description="What is done to the joined rows.")
    checks: tuple[str | dict[str, Any], ...] = Field(
        default=(), description="Names of suites in `checks/`, or expectations written here."
    )
    models: dict[str, Model] = Field(
        default_factory=dict, description="Models that steps may ask, by name."
    )
    budget: Budget | None = Field(default=None, description="What it may spend.")
    on_request: bool = Field(
        default=False,
        description="Whether it is built only when it is named, not with all others: what asks models "
        "or takes long.",
    )
    schedule: str | None = Field(default=None, description="A cron line, UTC.")
    automation: Literal["eager", "on_missing"] | None = Field(
        default=None,
        description="`eager`: rebuild when an upstream version or the recipe changes; "
        "`on_missing`: build once when it can be.",
    )
    limits: Limits = Field(default_factory=Limits, description="When a run must stop.")

    @field_validator("owners")
    @classmethod
    def _owners(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for owner in value:
            if not OWNER.fullmatch(owner):
                raise ValueError(f"{owner!r} is neither an e-mail address nor `team:name`")
        return value

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: dict[str, str]) -> dict[str, str]:
        for key, text in value.items():
            if not TAG_KEY.fullmatch(key) or not TAG_VALUE.fullmatch(text):
                raise ValueError(
                    f"tag {key!r}: {text!r} may hold letters, digits, `_`, `.` and `-`, 63 at most"
                )
        return value

    @field_validator("inputs", "references", "models")
    @classmethod
    def _names(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot name an input, a reference or a model: a letter, then letters, "
                    "digits, underscores"
                )
        return value

    @field_validator("references")
    @classmethod
    def _references(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for name, source in value.items():
            if name in info.data.get("inputs", {}):
                raise ValueError(f"{name!r} is an input already; give the reference another name")
            if source.steps:
                raise ValueError(
                    f"{name!r}: a reference has no steps; make them a version, and refer to that"
                )
        return value

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None and len(value.split()) != 5:
            raise ValueError("a cron line has five parts: minute hour day month weekday")
        return value

    def generated(self) -> dict[str, GeneratedInput]:
        """The inputs whose rows are made, by name."""
        return {
            name: source
            for name, source in self.inputs.items()
            if isinstance(source, GeneratedInput)
        }

    def seeds(self) -> dict[str, Source]:
        """What rows are made from, by `<input>.seeds`."""
        return {
            f"{name}.seeds": source.seeds
            for name, source in self.generated().items()
            if source.seeds is not None
        }

    def upstream(self) -> list[VersionName]:
        """The versions this one is made from or compared with, in order, each once."""
        names: dict[VersionName, None] = {}
        for source in (*self.inputs.values(), *self.seeds().values(), *self.references.values()):
            if isinstance(source, VersionInput):
                names[VersionName.parse(source.version)] = None
            elif isinstance(source, SqlInput | ContestInput):
                names.update(dict.fromkeys(VersionName.parse(item) for item in source.versions))
        return list(names)


def _python_reference(value: str) -> str:
    file, colon, function = value.partition(":")
    parts = file.split("/")
    if not colon or not function.isidentifier() or not file.endswith(".py"):
        raise ValueError("write it `file.py:function`")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("the file must stand beside the recipe or in a folder below it")
    return value
