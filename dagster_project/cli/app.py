"""All verbs of the command."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from dagster_project.cli import (
    alerts,
    annotate,
    author,
    contamination,
    coverage,
    erase,
    export,
    init,
    inspect_version,
    leaderboard,
    loop,
    provenance,
    quality_report,
    render,
    run,
    spending,
)

app = typer.Typer(
    name="seedbed",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Dataset engineering for finetuning: versions with checks, rows with provenance.",
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"seedbed {version('seedbed')}")
        except PackageNotFoundError:
            typer.echo("seedbed, run from its sources; it is not installed")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_tell_version, help="Print the version, and end."
        ),
    ] = False,
) -> None:
    pass


for module in (
    init,
    author,
    run,
    provenance,
    inspect_version,
    quality_report,
    coverage,
    contamination,
    spending,
    leaderboard,
    loop,
    render,
    export,
    annotate,
    erase,
):
    module.add_to(app)
app.add_typer(alerts.app, name="alerts", help="Where failed checks and runs are reported.")
