"""The verb that shows who stands where in an arena."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.console import console, print_json, print_table
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(leaderboard)


def leaderboard(
    arena: Annotated[str, typer.Argument(help="dataset/version of an arena.")],
    against: Annotated[
        str, typer.Option(help="The contestant that others are compared with.")
    ] = "random of pool",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Who stands where in an arena: scores at equal budgets, with paired differences."""
    from dagster_project.arena.contest import RESULTS
    from dagster_project.arena.standing import standing
    from dagster_project.recipe.problems import no_such
    from dagster_project.warehouse.connect import connect
    from dagster_project.warehouse.store import Store

    name = VersionName.parse(arena)
    with connect(Store(Workspace.find().store), only=[name]) as connection:
        rows = connection.sql(f'FROM "{name.dataset}"."{name.version}"').pl()
    if not set(RESULTS) <= set(rows.columns):
        raise SeedbedError(f"{name} is no arena: its rows are not the scores of a contest")
    known = rows["contestant"].unique(maintain_order=True).to_list()
    if against not in known:
        raise SeedbedError(no_such("contestant", against, known))
    found = standing(rows, against)
    if as_json:
        print_json(found.to_dicts())
        return
    for (model,), own in found.group_by("model", maintain_order=True):
        print_table(
            [
                {
                    "trained on": "all rows"
                    if row["budget"] == "all"
                    else f"{row['amount']:,} {row['budget']}",
                    "contestant": row["contestant"],
                    "score": f"{row['score']:.4f}",
                    "difference (95 %)": ""
                    if row["difference"] is None
                    else f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})",
                    "verdict": row["verdict"] or "",
                    "rows": round(row["rows"]),
                    "tokens": round(row["tokens"]),
                }
                for row in own.iter_rows(named=True)
            ],
            title=str(model),
        )
    console.print(
        "[dim]language_model: nats for each token of the answer, 0 at best; embedding_map: cosine of the "
        "told answer, 1 at best[/]"
    )
