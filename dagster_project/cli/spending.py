"""Verbs about what synthesis costs: before, and after."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.console import console, print_json, print_table
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[str, typer.Argument(help="dataset/version.")]


def add_to(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(forecast)


def forecast(
    version: Version,
    pilot: Annotated[int, typer.Option(help="Rows that the pilot makes.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """What making a version's rows will cost, told from a pilot. What the pilot pays for counts towards
    the version's budget, and is not paid for again."""
    from dagster_project.engine.forecast import forecast as forecast_of
    from dagster_project.orchestration.instance import use_instance_of
    from dagster_project.orchestration.running import Running
    from dagster_project.warehouse.manifest import read_manifest

    workspace, name = Workspace.find(), VersionName.parse(version)
    use_instance_of(workspace)
    running = Running(workspace)
    with console.status("") as status:
        (*_, item) = running.materialize(
            [name],
            sample=pilot,
            with_missing_upstream=True,
            say=lambda text: status.update(f"[dim]{text[:100]}[/]"),
            show=lambda line: None if as_json else console.print(line),
        )
    if not item["ok"]:
        raise SeedbedError(item["error"])
    plan = running.planned.versions[name].plan
    manifest = read_manifest(running.store, name, item["snapshot"])
    found = forecast_of(plan, manifest, running.store)
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
    elif not found:
        console.print(f"{name} makes no rows, or the pilot accepted none: nothing to tell from")
    else:
        print_table(
            [
                {
                    "input": each.input,
                    "rows": each.rows,
                    "pilot": f"{each.pilot_accepted} of {each.pilot_attempts} attempts",
                    "dollars": f"{each.dollars:.2f} ({each.least_dollars:.2f} to "
                    f"{each.most_dollars:.2f})",
                    "tokens": f"{each.tokens:,.0f} ({each.least_tokens:,.0f} to "
                    f"{each.most_tokens:,.0f})",
                    "hours of calls": f"{each.seconds / 3600:.2f}",
                }
                for each in found
            ],
            title=f"what all rows of {name} will cost, with nine-in-ten intervals",
        )
