"""The verb that gives an account of a version."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.console import print_json
from dagster_project.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command("inspect")(inspect_version)


def inspect_version(
    version: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    column: Annotated[
        str | None, typer.Option(help="Only this column, of the rows or measured.")
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Only rows to read of this rule.")] = None,
    step: Annotated[str | None, typer.Option(help="Only rows to read of this step.")] = None,
    rows: Annotated[
        int | None, typer.Option(help="Rows to read of each kind, for every rule.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other rows.", min=0)] = 0,
    every: Annotated[
        bool, typer.Option("--all", help="Look at all rows, where there are more than 100,000.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """What a version holds, what its steps did, and rows to read to decide what to do next."""
    from dagster_project.cli.inspect_view import show_inspection, show_rules
    from dagster_project.engine.inspection.inspection import inspect
    from dagster_project.operators.registry import built_in_operators, operators_beside
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.store import Store

    workspace, address = Workspace.find(), SnapshotAddress.parse(version)
    beside = operators_beside(workspace.assets / address.version.dataset)
    found = inspect(
        Store(workspace.store),
        address,
        {**built_in_operators(), **beside},
        column=column,
        step=step,
        rule=rule,
        rows=rows or 3,
        seed=seed,
        whole=every,
    )
    if as_json:
        print_json(found)
    elif rule is not None or step is not None:
        show_rules(found)
    else:
        show_inspection(found, in_full=rows is not None, column=column)
