"""All recipes of a workspace, and the problems of those that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dagster_project.recipe.model import ContestInput, Recipe, SqlInput, VersionInput
from dagster_project.recipe.problems import DeclarationError, Problem, nearest
from dagster_project.recipe.validation import problems_of
from dagster_project.recipe.yaml_source import YamlSource, read_yaml
from dagster_project.workspace import NameRefused, VersionName, Workspace


@dataclass(frozen=True)
class DeclaredVersion:
    """A recipe with its name and where it stands.

    Attributes:
        name: the version's name.
        recipe: what it says.
        folder: the folder that Python files it names are relative to.
        source: the YAML it was read from; None for a version written in Python.
    """

    name: VersionName
    recipe: Recipe
    folder: Path
    source: YamlSource | None = None

    def problem(self, location: tuple[str | int, ...], message: str, **details) -> Problem:
        """A problem at `location` of this recipe."""
        if self.source is not None:
            return self.source.problem(location, message, **details)
        field = ".".join(str(part) for part in location)
        return Problem(self.folder, 1, f"{self.name} {field}", message, **details)


@dataclass(frozen=True)
class Recipes:
    """The usable versions by name, and the problems of the others by what names them."""

    versions: dict[VersionName, DeclaredVersion]
    problems: dict[str, list[Problem]]


def read_recipe(path: Path, name: VersionName) -> DeclaredVersion:
    """Read one recipe file.

    Raises:
        DeclarationError: with every problem found.
    """
    source = read_yaml(path)
    if not isinstance(source.data, dict):
        raise DeclarationError([source.problem((), "a recipe is a mapping of fields")])
    try:
        recipe = Recipe.model_validate(source.data)
    except ValidationError as error:
        raise DeclarationError(problems_of(error, Recipe, source)) from error
    return DeclaredVersion(name, recipe, path.parent, source)


def load_recipes(workspace: Workspace, declared: Iterable[DeclaredVersion] = ()) -> Recipes:
    """Read every `assets/<dataset>/<version>.yaml`, and join the versions `declared` in Python.

    A recipe that cannot be used is set aside with its problems and does not take others down;
    neither does one whose upstream is missing or part of a cycle.
    """
    versions: dict[VersionName, DeclaredVersion] = {}
    problems: dict[str, list[Problem]] = {}
    seen: dict[str, Path] = {}
    for path in sorted([*workspace.assets.glob("*/*.yaml"), *workspace.assets.glob("*/*.yml")]):
        if path.stem.startswith((".", "_")):
            continue
        label = f"{path.parent.name}/{path.stem}"
        try:
            name = VersionName.parse(label)
            first = seen.setdefault(str(name).lower(), path)
            if first != path:
                raise DeclarationError(
                    [Problem(path, 1, "", f"declares {name}, which {first} declares already")]
                )
            versions[name] = read_recipe(path, name)
        except NameRefused as error:
            problems[label] = [Problem(path, 1, "", str(error))]
        except DeclarationError as error:
            problems.setdefault(label, []).extend(error.problems)
    for version in declared:
        if str(version.name).lower() in seen:
            problems.setdefault(str(version.name), []).append(
                version.problem((), f"{seen[str(version.name).lower()]} declares it already")
            )
        else:
            seen[str(version.name).lower()] = version.folder
            versions[version.name] = version
    _set_aside_unbuildable(versions, problems)
    return Recipes(versions, problems)


def _set_aside_unbuildable(
    versions: dict[VersionName, DeclaredVersion], problems: dict[str, list[Problem]]
) -> None:
    """Move versions with missing upstream or in a cycle from `versions` to `problems`."""
    known = {str(name) for name in versions} | set(problems)
    for name, version in sorted(versions.items()):
        recipe = version.recipe
        sources = [
            *((("inputs", key), source) for key, source in recipe.inputs.items()),
            *((("inputs", *key.split(".")), of) for key, of in recipe.seeds().items()),
            *((("references", key), source) for key, source in recipe.references.items()),
        ]
        for at, source in sources:
            named: tuple[str, ...] = ()
            if isinstance(source, VersionInput):
                named = (source.version,)
            elif isinstance(source, SqlInput | ContestInput):
                named = source.versions
            for other in named:
                key = "versions" if isinstance(source, SqlInput) else "version"
                field = (*at, "contest") if isinstance(source, ContestInput) else (*at, key)
                if other not in known:
                    near = nearest(other, sorted(known))
                    problems.setdefault(str(name), []).append(
                        version.problem(
                            field,
                            "there is no such version"
                            + (f"; did you mean {near!r}?" if near else ""),
                            found=other,
                        )
                    )
    for cycle in _cycles(versions):
        chain = " → ".join(str(name) for name in [*cycle, cycle[0]])
        for name in cycle:
            problems.setdefault(str(name), []).append(
                versions[name].problem(("inputs",), f"is made from itself: {chain}")
            )
    for label in problems:
        versions.pop(VersionName(*label.split("/", 1)), None) if "/" in label else None


def _cycles(versions: dict[VersionName, DeclaredVersion]) -> list[list[VersionName]]:
    """The cycles among versions, each once, starting at its first name."""
    cycles: dict[tuple[VersionName, ...], None] = {}
    done: set[VersionName] = set()
    for start in sorted(versions):
        stack: list[tuple[VersionName, list[VersionName]]] = [(start, [start])]
        while stack:
            name, path = stack.pop()
            if name in done:
                continue
            for upstream in versions[name].recipe.upstream() if name in versions else []:
                if upstream in path:
                    cycle = path[path.index(upstream) :]
                    least = cycle.index(min(cycle))
                    cycles[tuple(cycle[least:] + cycle[:least])] = None
                elif upstream in versions:
                    stack.append((upstream, [*path, upstream]))
        done.add(start)
    return [list(cycle) for cycle in cycles]
