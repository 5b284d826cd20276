"""Expectation suites, and the checks that a recipe makes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from dagster_project.quality.arguments import IN_SQL, Locate, Location, argument_problems
from dagster_project.quality.audited import one_select
from dagster_project.quality.core_expectations import CORE
from dagster_project.recipe.declared import Declared
from dagster_project.recipe.loading import DeclaredVersion
from dagster_project.recipe.model import Phase
from dagster_project.recipe.problems import DeclarationError, Problem
from dagster_project.recipe.validation import problems_of
from dagster_project.recipe.yaml_source import YamlSource, read_yaml
from dagster_project.warehouse.schema import TABLES
from dagster_project.workspace import Workspace

CHECK_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
RESERVED = ("name", "severity", "blocking", "description", "table", "where")
BESIDE_SQL = ("max_failing", "max_failing_share")
NAMING = (
    "column",
    "column_A",
    "column_B",
    "column_list",
    "columns",
    "step",
    "rule",
    "input",
    "metric",
)
"""Arguments that tell one use of an expectation from another, for its default name."""

IN_RECIPE = "recipe"
"""The suite of checks that are written in a recipe."""

DEFAULT = "default"
"""The suite of checks that every version has."""


@dataclass(frozen=True)
class Check:
    """One expectation of one version.

    Attributes:
        name: unique in the version; letters, digits and underscores.
        suite: the suite it comes from, or `recipe`.
        expectation: its name.
        arguments: its arguments, as written.
        severity: of its failure.
        blocking: whether its failure keeps a snapshot from being published.
        description: for people.
        table: whose rows it looks at, for expectations about rows and columns.
        where: an SQL condition on these rows; None for all.
    """

    name: str
    suite: str
    expectation: str
    arguments: Mapping[str, Any]
    severity: Literal["error", "warning"]
    blocking: bool
    description: str
    table: str = "rows"
    where: str | None = None

    @property
    def text(self) -> str:
        """The expectation as it is written."""
        given = [f"{name}: {value}" for name, value in self.arguments.items()]
        return ", ".join([self.expectation, *given])


class Item(Declared):
    """One use of an expectation. Written `- expectation: {argument: value}`, with optional fields."""

    expectation: str = Field(description="Great Expectations' name, or one of Seedbed's own.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its arguments.")
    name: str | None = Field(default=None, description="Default: made of expectation and column.")
    severity: Literal["error", "warning"] = Field(default="error", description="Of a failure.")
    blocking: bool | None = Field(
        default=None, description="Whether a failure keeps the snapshot from being published; "
        "default: whether it is an error."
    )  # fmt: skip
    description: str = Field(default="", description="What it is for.")
    table: str = Field(default="rows", description="The table of the snapshot to look at.")
    where: str | None = Field(default=None, description="An SQL condition on its rows.")

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"expectation": value}
        if not isinstance(value, Mapping) or "expectation" in value:
            return value
        beside = BESIDE_SQL if "sql" in value else ()
        names = [key for key in value if key not in (*RESERVED, *beside)]
        if len(names) != 1:
            raise ValueError(
                "one expectation: `- expectation: {argument: value}`, and optionally "
                f"{', '.join(RESERVED)}; found {', '.join(map(str, names)) or 'none'}"
            )
        arguments = value[names[0]]
        if names == ["sql"] and isinstance(arguments, str):
            arguments = {"query": arguments, **{key: value[key] for key in beside if key in value}}
        return {
            "expectation": names[0],
            "arguments": {} if arguments is None else arguments,
            **{key: value[key] for key in RESERVED if value.get(key) is not None},
        }

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and not CHECK_NAME.fullmatch(value):
            raise ValueError("a check's name is a small letter, then small letters, digits and `_`")
        return value

    @field_validator("where")
    @classmethod
    def _where(cls, value: str | None) -> str | None:
        if value is not None:
            one_select(f"SELECT * FROM rows WHERE (\n{value}\n)")
        return value

    def check(self, name: str, suite: str) -> Check:
        """The check it makes."""
        return Check(
            name=name,
            suite=suite,
            expectation=self.expectation,
            arguments=self.arguments,
            severity=self.severity,
            blocking=self.severity == "error" if self.blocking is None else self.blocking,
            description=self.description,
            table=self.table,
            where=self.where,
        )

    def default_name(self) -> str:
        """A name made of the expectation and what it looks at."""
        words: list[str] = [self.expectation.removeprefix("expect_")]
        for argument in NAMING:
            given = self.arguments.get(argument, ())
            words += [given] if isinstance(given, str) else list(map(str, given or ()))
        slug = "_".join(re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_") for word in words)
        return re.sub(r"_+", "_", slug).strip("_")[:90]


class _SuiteFile(Declared):
    """What a suite's file says."""

    description: str = Field(min_length=1, description="What the suite makes sure of.")
    expectations: tuple[Item, ...] = Field(min_length=1, description="What is expected.")


DEFAULTS = (
    Item(
        expectation="source_loss",
        name="every_source_stays",
        description="A step that removes nearly all of a source is a mistake more often than not. Where "
        "it is meant, say so in the recipe: `checks: [source_loss: {max: 1}]`.",
    ),
)
"""What every version is checked for, unless its recipe or a suite of its has the same expectation."""

OF_GENERATED = (
    Item(
        expectation="rows_asked",
        name="rows_as_asked",
        description="Inputs whose rows are made have as many as the recipe asks for, or as its "
        "`at_least` says are enough.",
    ),
)
"""What every version whose rows are partly made is checked for, likewise."""


def of_phase(phase: Phase) -> Item:
    """What every version is checked for by its phase, likewise."""
    return Item(
        expectation="phase_schema",
        arguments={"phase": phase, "required": False},
        name="rows_fit_their_phase",
        severity="warning",
        description="Rows with the columns that the phase needs have something in them to train on. The "
        "suites of phases, such as `checks: [sft]`, want these columns, and block.",
    )


@dataclass(frozen=True)
class Suite:
    """A suite of `checks/`, by the name of its file."""

    name: str
    description: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Suites:
    """The usable suites by name, and the problems of the others."""

    suites: dict[str, Suite]
    problems: dict[str, list[Problem]]


def load_suites(workspace: Workspace) -> Suites:
    """Read every `checks/<name>.yaml`; one that cannot be used is set aside with its problems."""
    suites: dict[str, Suite] = {}
    problems: dict[str, list[Problem]] = {}
    for path in sorted([*workspace.checks.glob("*.yaml"), *workspace.checks.glob("*.yml")]):
        name = path.stem
        if name.startswith((".", "_")):
            continue
        if name in suites or name in problems:
            twin = Problem(path, 1, "", f"suite {name!r} is declared twice: .yaml and .yml")
            problems.setdefault(name, []).append(twin)
            suites.pop(name, None)
            continue
        try:
            source = read_yaml(path)
            suites[name] = _suite(name, source)
        except DeclarationError as error:
            problems[name] = error.problems
    return Suites(suites, problems)


def resolve_checks(declared: DeclaredVersion, suites: Suites) -> list[Check]:
    """The checks of a version, in the order of its recipe; then those that every version has.

    Names that are not given are made, and do not collide with others.

    Raises:
        DeclarationError: with every problem: unknown or broken suites, unknown expectations, wrong
            arguments, names given twice.
    """
    problems: list[Problem] = []
    found: list[tuple[Item, str, Location]] = []
    used: set[str] = set()
    for index, entry in enumerate(declared.recipe.checks):
        at: Location = ("checks", index)
        if not isinstance(entry, str):
            item, wrong = _inline(entry, at, declared)
            problems += wrong
            found += [(item, IN_RECIPE, at)] if item else []
        elif entry in used:
            problems.append(declared.problem(at, "is listed twice", found=entry))
        elif entry in suites.suites:
            used.add(entry)
            found += [(item, entry, at) for item in suites.suites[entry].items]
        elif entry in suites.problems:
            problems.append(declared.problem(at, "this suite cannot be used", found=entry))
            problems += suites.problems[entry]
        else:
            known = sorted({*suites.suites, *suites.problems})
            message = "there is no such suite"
            if entry in IN_SQL or entry in CORE:
                message = f"a suite is meant here; an expectation is written `{entry}: {{}}`"
            problems.append(declared.problem(at, message, found=entry, allowed=known))
    given: set[str] = set()
    for item, _, at in found:
        if item.name and item.name in given:
            problems.append(declared.problem(at, "another check has this name", found=item.name))
        given |= {item.name} if item.name else set()
    if problems:
        raise DeclarationError(problems)
    own = {item.expectation for item, _, _ in found}
    checks = [(item, suite) for item, suite, _ in found]
    generated = OF_GENERATED if declared.recipe.generated() else ()
    defaults = (*DEFAULTS, of_phase(declared.recipe.phase), *generated)
    checks += [(item, DEFAULT) for item in defaults if item.expectation not in own]
    return [item.check(_free_name(item, given), suite) for item, suite in checks]


def _suite(name: str, source: YamlSource) -> Suite:
    if not isinstance(source.data, dict):
        raise DeclarationError([source.problem((), "a suite is a mapping of fields")])
    try:
        file = _SuiteFile.model_validate(source.data)
    except ValidationError as error:
        raise DeclarationError(problems_of(error, _SuiteFile, source)) from error
    problems: list[Problem] = []
    names: set[str] = set()
    for index, item in enumerate(file.expectations):
        at: Location = ("expectations", index)
        problems += _item_problems(item, at, source.problem)
        if item.name and item.name in names:
            problems.append(
                source.problem((*at, "name"), "another check has this name", found=item.name)
            )
        names |= {item.name} if item.name else set()
    if problems:
        raise DeclarationError(problems)
    return Suite(name, file.description, file.expectations)


def _inline(
    entry: Mapping[str, Any], at: Location, declared: DeclaredVersion
) -> tuple[Item | None, list[Problem]]:
    try:
        item = Item.model_validate(entry)
    except ValidationError as error:
        if declared.source is not None:
            return None, problems_of(error, Item, declared.source, at)
        messages = [f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors()]
        return None, [declared.problem(at, message) for message in messages]
    return item, _item_problems(item, at, declared.problem)


def _item_problems(item: Item, at: Location, locate: Locate) -> list[Problem]:
    problems = argument_problems(item.expectation, item.arguments, (*at, item.expectation), locate)
    tables = ["rows", *TABLES]
    if item.table not in tables:
        problems.append(
            locate((*at, "table"), "a snapshot has no such table", found=item.table, allowed=tables)
        )
    model = IN_SQL.get(item.expectation)
    if model is not None and not model.of_a_table:
        for field in ("table", "where"):
            if field in item.model_fields_set:
                problems.append(locate((*at, field), f"does not go with {item.expectation}"))
    return problems


def _free_name(item: Item, taken: set[str]) -> str:
    if item.name:
        return item.name
    base = name = item.default_name()
    count = 1
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    taken.add(name)
    return name
