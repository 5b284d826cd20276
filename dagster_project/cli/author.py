"""Verbs for people who write recipes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import console, errors, print_json
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace

FIRST_RECIPE = """\
description: Say what these rows are and what for.
phase: sft                      # pretrain, sft, preference, reward or rl
owners: [team:{dataset}]
# licence: CC-BY-4.0            # of the result, as SPDX has it

inputs:
  rows:
    files: {files}

steps:
  - deduplicate_exact: {{columns: null}}

checks: {checks}
"""

NEXT_RECIPE = """\
description: As {previous}, with what is added below.
phase: {phase}
owners: {owners}
{licence}
inputs:
  {previous_name}:
    version: {previous}

steps: []                       # what this version does to the rows of {previous}

checks: {checks}
"""


def add_to(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(new)
    app.command()(check)
    app.command()(schema)
    app.command()(operators)
    app.command()(whatif)


def new(
    version: Annotated[str, typer.Argument(help="dataset, or dataset/version.")],
    files: Annotated[
        str | None,
        typer.Option(help="Rows of a first version: a path or glob; default: data/*.jsonl."),
    ] = None,
) -> None:
    """Scaffold a dataset's first version, or the next version of one that exists."""
    workspace = Workspace.find()
    dataset, slash, label = version.partition("/")
    existing = sorted(
        (path.stem for path in (workspace.assets / dataset).glob("*.yaml")), key=_natural
    )
    name = VersionName.parse(f"{dataset}/{label if slash else _next(existing)}")
    path = workspace.assets / name.dataset / f"{name.version}.yaml"
    if path.exists():
        raise SeedbedError(f"{path} exists already; nothing was written")
    if existing and files:
        raise SeedbedError(
            f"{name} would be made from {name.dataset}/{existing[-1]}, not from files; leave "
            "--files out, or name another dataset"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        _next_recipe(workspace, name, existing[-1])
        if existing
        else FIRST_RECIPE.format(
            dataset=name.dataset,
            files=json.dumps(files or "data/*.jsonl", ensure_ascii=False),
            checks=_checks(workspace),
        )
    )
    console.print(f"wrote {path.relative_to(workspace.root)}; next: `seedbed check`, then")
    console.print(f"  seedbed build {name} --sample 100")


def check(
    versions: Annotated[
        list[str] | None,
        typer.Argument(help="dataset/version; default: all recipes, and the suites."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print problems as JSON.")] = False,
) -> None:
    """Validate recipes and suites; say what is wrong, where, and what is allowed."""
    from dagster_project.orchestration.workspace_definitions import plan_workspace
    from dagster_project.recipe.problems import no_such

    planned = plan_workspace(Workspace.find())
    known = {*map(str, planned.versions), *planned.problems}
    for version in versions or ():
        if version not in known:
            raise SeedbedError(no_such("version", version, sorted(known)))
    wanted = set(versions) if versions else known
    usable = [name for name in map(str, planned.versions) if name in wanted]
    broken = {name: found for name, found in planned.problems.items() if name in wanted}
    problems = [problem for found in broken.values() for problem in found]
    if as_json:
        print_json(
            {
                "versions": usable,
                "problems": [
                    {
                        "file": str(problem.file),
                        "line": problem.line,
                        "field": problem.field,
                        "message": problem.message,
                        "found": problem.found,
                        "allowed": problem.allowed,
                    }
                    for problem in problems
                ],
            }
        )
    else:
        for problem in problems:
            errors.print(f"[red]✗[/] {_shown(problem)}", soft_wrap=True)
        console.print(
            f"{len(usable)} version{'' if len(usable) == 1 else 's'} can be used, {len(broken)} cannot"
        )
    raise typer.Exit(1 if problems else 0)


def schema(
    write: Annotated[
        bool, typer.Option(help="Write it to assets/recipe.schema.json, for editors.")
    ] = False,
) -> None:
    """The JSON Schema of recipes, with every operator's parameters."""
    from dagster_project.engine.json_schema import recipe_schema

    text = json.dumps(recipe_schema(), indent=2, ensure_ascii=False)
    if not write:
        print(text)
        return
    path = Workspace.find().assets / "recipe.schema.json"
    path.write_text(text + "\n")
    console.print(
        f"wrote {path}; in a recipe's first line: # yaml-language-server: $schema=../recipe.schema.json"
    )


def operators(
    name: Annotated[str | None, typer.Argument(help="One operator, in full.")] = None,
    markdown: Annotated[bool, typer.Option(help="The whole catalogue as Markdown.")] = False,
) -> None:
    """The operators recipes can use."""
    from rich.markdown import Markdown

    from dagster_project.engine.catalogue import catalogue as whole_catalogue
    from dagster_project.engine.catalogue import catalogue_entry, first_line
    from dagster_project.operators.registry import built_in_operators
    from dagster_project.recipe.problems import nearest

    if markdown:
        print(whole_catalogue(), end="")
        return
    catalogue = built_in_operators()
    if name is None:
        for each, operator in catalogue.items():
            console.print(f"[bold]{each}[/]  {first_line(operator)}")
        return
    if name not in catalogue:
        near = nearest(name, catalogue)
        raise SeedbedError(f"no operator {name!r}" + (f"; did you mean {near!r}?" if near else ""))
    console.print(Markdown(catalogue_entry(catalogue[name])))


def _checks(workspace: Workspace) -> str:
    """The suite that fits any rows, where the workspace has it."""
    return "[rows]" if (workspace.checks / "rows.yaml").exists() else "[]"


def _shown(problem: object) -> str:
    from rich.markup import escape

    return escape(str(problem))


def _next(existing: list[str]) -> str:
    numbers = [int(match[1]) for name in existing if (match := re.fullmatch(r"v(\d+)", name))]
    return f"v{max(numbers, default=0) + 1}"


def _natural(name: str) -> tuple[int, str]:
    match = re.fullmatch(r"v(\d+)", name)
    return (int(match[1]) if match else -1, name)


def _next_recipe(workspace: Workspace, name: VersionName, previous: str) -> str:
    from dagster_project.recipe.loading import read_recipe

    before = VersionName(name.dataset, previous)
    path: Path = workspace.assets / before.dataset / f"{previous}.yaml"
    recipe = read_recipe(path, before).recipe
    return NEXT_RECIPE.format(
        previous=before,
        previous_name=re.sub(r"\W", "_", f"from_{previous}"),
        phase=recipe.phase,
        owners=f"[{', '.join(recipe.owners)}]",
        licence=f"licence: {recipe.licence}\n" if recipe.licence else "",
        checks=_checks(workspace),
    )


def whatif(
    version: Annotated[str, typer.Argument(help="dataset/version.")],
    setting: Annotated[
        str, typer.Argument(help="step.parameter=value, such as near_duplicates.threshold=0.7.")
    ],
    rows: Annotated[int, typer.Option(help="Examples each way.", min=0)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What another threshold would change, from what was measured, without running anything."""
    from dagster_project.cli.what_if_view import show_what_if
    from dagster_project.engine.plan import plan
    from dagster_project.engine.what_if import what_if
    from dagster_project.recipe.loading import load_recipes
    from dagster_project.recipe.problems import DeclarationError, no_such
    from dagster_project.warehouse.store import Store

    workspace = Workspace.find()
    recipes, name = load_recipes(workspace), VersionName.parse(version)
    if str(name) in recipes.problems:
        raise DeclarationError(recipes.problems[str(name)])
    if name not in recipes.versions:
        raise SeedbedError(no_such("version", str(name), map(str, recipes.versions)))
    found = what_if(plan(recipes.versions[name]), Store(workspace.store), setting, rows)
    if as_json:
        print_json(found)
    else:
        show_what_if(found)
