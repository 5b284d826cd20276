"""The verb that shows who stands where in an arena."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.console import console, print_json, print_table
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace

if TYPE_CHECKING:
    import polars as pl

    from dagster_project.arena.learning_curve import Gain, NoCurve

BASELINE = "random of pool"


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(leaderboard)


def leaderboard(
    arena: Annotated[str, typer.Argument(help="dataset/version of an arena.")],
    against: Annotated[
        str | None,
        typer.Option(
            help="The contestant that others are compared with; default: `random of pool`, or the first.",
            show_default=False,
        ),
    ] = None,
    more: Annotated[
        int, typer.Option(help="Tell what so many more rows of each contestant would buy.", min=0)
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Who stands where in an arena: scores at equal budgets, with paired differences."""
    from dataclasses import asdict

    from dagster_project.arena.contest import RESULTS
    from dagster_project.arena.learning_curve import NoCurve
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
    against = against or (BASELINE if BASELINE in known else str(known[0]))
    if against not in known:
        raise SeedbedError(no_such("contestant", against, known))
    found = standing(rows, against)
    if as_json:
        gains = [asdict(each) for each in _gains(rows, more) if not isinstance(each, NoCurve)]
        print_json({"standing": found.to_dicts(), "gains": gains})
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
    for each in _gains(rows, more):
        console.print(f"[yellow]?[/] {each}" if isinstance(each, NoCurve) else str(each))
    console.print(
        "[dim]language_model: nats for each token of the answer, 0 at best; embedding_map: cosine of the "
        "told answer, 1 at best[/]"
    )


def _gains(rows: pl.DataFrame, more: int) -> list[Gain | NoCurve]:
    """What more rows of each contestant would buy, by each model, or why that cannot be told."""
    from dagster_project.arena.learning_curve import NoCurve, gain

    found: list[Gain | NoCurve] = []
    drawn = rows.filter(rows["drawn"] == "random") if more else rows.clear()
    for model, contestant in drawn.select("model", "contestant").unique(maintain_order=True).rows():
        try:
            found.append(gain(rows, model, contestant, more))
        except NoCurve as error:
            found.append(error)
    return found
