"""From a recipe to a plan: operators with their parameters, in stages, and the recipe's identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.identity import canonical_json, code_digest, digest, library_versions
from dagster_project.operators.base import Operator, RelationOperator
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.generator import Generator
from dagster_project.operators.models.smollm2 import WEIGHTS_SHA256
from dagster_project.operators.registry import (
    OperatorFileBroken,
    built_in_operators,
    operators_beside,
)
from dagster_project.recipe.loading import DeclaredVersion
from dagster_project.recipe.model import ContestInput, GeneratedInput, Input, PythonInput, Step
from dagster_project.recipe.models import Model
from dagster_project.recipe.problems import DeclarationError, Problem
from dagster_project.recipe.validation import problems_of
from dagster_project.warehouse.schema import FORMAT
from dagster_project.workspace import VersionName

SEMANTICS = 1
"""Raised when the engine itself would give other rows for the same operators and inputs."""

MAX_STEPS = 64
"""Steps that changed a row are bits of a 64-bit integer in `lineage`."""


class RunStopped(SeedbedError):
    """A run that stopped on purpose: a limit was passed or the rows do not fit the recipe."""


@dataclass(frozen=True)
class Compared:
    """A reference that a step compares rows with: its name, its number in the snapshot, and the
    identity of its rows."""

    name: str
    number: int
    content_id: str


@dataclass(frozen=True)
class PlannedStep:
    """One step with its operator.

    Attributes:
        number: over the whole recipe, from 0: first each input's own steps, then the joined ones.
        name: unique in the recipe.
        operator: with its parameters.
        input: the input whose rows it sees; None for the joined rows.
        code_hash: of the operator's code.
        compared: the references that it compares rows with, once they are open.
        files: sha256 of the files that it reads, by path, once they are found.
        models: identities of the models that it asks, by name.
    """

    number: int
    name: str
    operator: Operator
    input: str | None
    code_hash: str
    compared: tuple[Compared, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    models: tuple[tuple[str, str], ...] = ()

    @property
    def identity(self) -> dict:
        """All that can change what the step does."""
        asked = {"models": self.models} if self.models else {}
        return {
            **asked,
            "number": self.number,
            "operator": type(self.operator).operator_name(),
            "parameters": self.operator.model_dump(mode="json"),
            "code": self.code_hash,
            "libraries": library_versions(("polars", *self.operator.runs_with())),
            "compared": [[each.name, each.number, each.content_id] for each in self.compared],
            "files": self.files,
        }


@dataclass(frozen=True)
class Stage:
    """Consecutive row steps that run in one pass, or one relation step."""

    steps: tuple[PlannedStep, ...]

    @property
    def relation(self) -> RelationOperator | None:
        """The relation operator, if this is a relation stage."""
        operator = self.steps[0].operator if self.steps else None
        return operator if isinstance(operator, RelationOperator) else None


@dataclass(frozen=True)
class Plan:
    """How to build one version.

    Attributes:
        declared: the recipe and where it stands.
        generators: what makes the rows of inputs that are made, by input name.
        input_stages: stages of each input's own steps, by input name; the last is a row stage, perhaps
            an empty one.
        stages: stages of the joined rows; the first is a row stage, perhaps an empty one.
        recipe_id: identity of everything declared that can change the result.
    """

    declared: DeclaredVersion
    generators: Mapping[str, PlannedStep]
    input_stages: Mapping[str, tuple[Stage, ...]]
    stages: tuple[Stage, ...]
    recipe_id: str

    @property
    def name(self) -> VersionName:
        """The version's name."""
        return self.declared.name

    @property
    def steps(self) -> list[PlannedStep]:
        """All steps in the order of their numbers."""
        stages = [stage for each in self.input_stages.values() for stage in each]
        done = [step for stage in (*stages, *self.stages) for step in stage.steps]
        return sorted([*self.generators.values(), *done], key=lambda step: step.number)

    def own_steps(self, name: str) -> list[PlannedStep]:
        """The steps of an input's own, without what makes its rows."""
        return [step for stage in self.input_stages[name] for step in stage.steps]

    @property
    def calls(self) -> bool:
        """Whether a step asks models or runs programs."""
        return any(isinstance(step.operator, CallingOperator | Generator) for step in self.steps)


def plan(declared: DeclaredVersion) -> Plan:
    """Plan a recipe.

    Raises:
        DeclarationError: with every problem: unknown operators and parameters, wrong values, names
            used twice, too many steps, a Python file that is missing or broken.
    """
    problems: list[Problem] = []
    catalogue = built_in_operators()
    try:
        if beside := operators_beside(declared.folder):
            catalogue = {**catalogue, **beside}
    except OperatorFileBroken as error:
        problems.append(declared.problem(("steps",), str(error)))
    resolver = _Resolver(declared, catalogue, problems)
    generators: dict[str, PlannedStep] = {}
    input_steps: dict[str, tuple[PlannedStep, ...]] = {}
    for name, source in declared.recipe.inputs.items():
        if isinstance(source, GeneratedInput):
            found = resolver.generator(source, ("inputs", name), name)
            generators.update({name: found} if found else {})
        input_steps[name] = resolver.resolve(source.steps, ("inputs", name, "steps"), name)
    for section, sources in (
        ("inputs", declared.recipe.inputs),
        ("inputs", declared.recipe.seeds()),
        ("references", declared.recipe.references),
    ):
        for name, source in sources.items():
            if isinstance(source, PythonInput):
                path = _python_file(declared, source)
                if not path.is_file():
                    at = (section, *name.split("."), "python")
                    problems.append(declared.problem(at, f"there is no file {path}"))
    joined = resolver.resolve(declared.recipe.steps, ("steps",), None)
    if resolver.number > MAX_STEPS:
        problems.append(
            declared.problem(
                ("steps",),
                f"{resolver.number} steps; at most {MAX_STEPS}: split the recipe into two versions",
            )
        )
    if problems:
        raise DeclarationError(problems)
    return Plan(
        declared,
        generators,
        {name: _stages(steps, row_last=True) for name, steps in input_steps.items()},
        _stages(joined, row_first=True),
        _recipe_id(declared, generators, input_steps, joined),
    )


class _Resolver:
    def __init__(
        self,
        declared: DeclaredVersion,
        catalogue: Mapping[str, type[Operator]],
        problems: list[Problem],
    ) -> None:
        self.declared, self.catalogue, self.problems = declared, catalogue, problems
        self.number = 0
        self.names: set[str] = set()

    def resolve(
        self, steps: tuple[Step, ...], at: tuple[str, ...], input_name: str | None
    ) -> tuple[PlannedStep, ...]:
        resolved = [
            self._resolve_one(step, (*at, index), input_name) for index, step in enumerate(steps)
        ]
        return tuple(step for step in resolved if step is not None)

    def generator(
        self, source: GeneratedInput, at: tuple[str, ...], name: str
    ) -> PlannedStep | None:
        """What makes the rows of an input."""
        step = self._resolve_one(source.generate, (*at, "generate"), name, makes_rows=True)
        if step is None:
            return None
        generator = step.operator
        assert isinstance(generator, Generator)
        if generator.seeds() and source.seeds is None:
            message = f"{generator.operator_name()} makes rows from others; `seeds` says from which"
            self.problems.append(self.declared.problem(at, message))
        return step

    def _resolve_one(
        self,
        step: Step,
        at: tuple[str | int, ...],
        input_name: str | None,
        *,
        makes_rows: bool = False,
    ) -> PlannedStep | None:
        number, self.number = self.number, self.number + 1
        if step.operator not in self.catalogue:
            self.problems.append(
                self.declared.problem(
                    at, "unknown operator", found=step.operator, allowed=sorted(self.catalogue)
                )
            )
            return None
        kind = self.catalogue[step.operator]
        if issubclass(kind, Generator) is not makes_rows:
            message = (
                f"{step.operator} makes no rows; `generate` takes a generator"
                if makes_rows
                else f"{step.operator} makes rows; put it under an input's `generate`, with `seeds` "
                "and `rows`"
            )
            self.problems.append(self.declared.problem(at, message))
            return None
        try:
            operator = kind.model_validate(step.parameters)
        except ValidationError as error:
            source = self.declared.source
            if source is None:
                self.problems.append(self.declared.problem(at, str(error)))
            else:
                data = source.data
                for part in at:
                    data = data[part]
                short = isinstance(data, Mapping) and step.operator in data
                below = step.operator if short else "parameters"
                self.problems += problems_of(error, kind, source, (*at, below))
            return None
        for reference in operator.references():
            if reference not in self.declared.recipe.references:
                known = list(self.declared.recipe.references)
                self.problems.append(
                    self.declared.problem(
                        at,
                        "compares rows with a reference that the recipe does not have; `references`, "
                        "beside `inputs`, says what it is",
                        found=reference,
                        allowed=known,
                    )
                )
        name = step.name or self._free_name(step.operator)
        if name in self.names:
            self.problems.append(self.declared.problem((*at, "name"), "is used twice", found=name))
        self.names.add(name)
        return PlannedStep(
            number,
            name,
            operator,
            input_name,
            code_digest(kind.source_file()),
            models=self._models(operator, at),
        )

    def _models(self, operator: Operator, at: tuple[str | int, ...]) -> tuple[tuple[str, str], ...]:
        """Identities of the models that an operator asks, by name."""
        declared, found = self.declared.recipe.models, []
        for name in operator.models():
            if name in declared:
                found.append((name, _identity(declared[name])))
                continue
            self.problems.append(
                self.declared.problem(
                    at,
                    "asks a model that the recipe does not have; `models`, beside `inputs`, says "
                    "what it is, such as `models: {writer: {provider: embedded}}`",
                    found=name,
                    allowed=list(declared),
                )
            )
        return tuple(found)

    def _free_name(self, operator: str) -> str:
        name, count = operator, 1
        while name in self.names:
            count += 1
            name = f"{operator}_{count}"
        return name


def _identity(model: Model) -> str:
    """What can change a model's answers, as far as it is known before it is asked."""
    weights = {"weights": WEIGHTS_SHA256} if model.provider == "embedded" else {}
    return canonical_json(model.identity | weights)


def _stages(
    steps: tuple[PlannedStep, ...], *, row_first: bool = False, row_last: bool = False
) -> tuple[Stage, ...]:
    """Fuse neighbouring row steps; each relation step stands alone. `row_first`, `row_last`: begins, or
    ends, with a row stage, if need be with an empty one."""
    stages: list[Stage] = []
    for is_relation, group in groupby(
        steps, key=lambda step: isinstance(step.operator, RelationOperator)
    ):
        if is_relation:
            stages += [Stage((step,)) for step in group]
        else:
            stages.append(Stage(tuple(group)))
    if row_first and (not stages or stages[0].relation is not None):
        stages.insert(0, Stage(()))
    if row_last and (not stages or stages[-1].relation is not None):
        stages.append(Stage(()))
    return tuple(stages)


def _recipe_id(
    declared: DeclaredVersion,
    generators: Mapping[str, PlannedStep],
    input_steps: Mapping[str, tuple[PlannedStep, ...]],
    joined: tuple[PlannedStep, ...],
) -> str:
    recipe = declared.recipe

    def identity(source: Input) -> dict:
        left_out = {"steps", "licence", "generate", "seeds", "at_least"}
        known = source.model_dump(mode="json", exclude=left_out)
        if isinstance(source, PythonInput):
            known["code"] = code_digest(_python_file(declared, source))
        if isinstance(source, ContestInput):
            from dagster_project.arena.identity import contest_code

            known["code"] = contest_code()
        if isinstance(source, GeneratedInput) and source.seeds is not None:
            known["seeds"] = identity(source.seeds)
        return known

    inputs = [
        [
            name,
            identity(source),
            [step.identity for step in input_steps[name]],
            *([generators[name].identity] if name in generators else []),
        ]
        for name, source in recipe.inputs.items()
    ]
    references = [[name, identity(source)] for name, source in recipe.references.items()]
    return digest(
        {
            "semantics": [SEMANTICS, FORMAT],
            "libraries": library_versions(("polars", "duckdb", "pyarrow")),
            "inputs": inputs,
            "references": references,
            "steps": [step.identity for step in joined],
            "budget": recipe.budget.model_dump(mode="json") if recipe.budget else None,
        }
    )


def _python_file(declared: DeclaredVersion, source: PythonInput) -> Path:
    return declared.folder / source.python.partition(":")[0]
