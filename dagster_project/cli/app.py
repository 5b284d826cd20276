"""All verbs of the command."""

from __future__ import annotations

import typer

from dagster_project.cli import (
    alerts,
    author,
    contamination,
    export,
    inspect_version,
    leaderboard,
    provenance,
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
for module in (
    author,
    run,
    provenance,
    inspect_version,
    contamination,
    spending,
    leaderboard,
    render,
    export,
):
    module.add_to(app)
app.add_typer(alerts.app, name="alerts", help="Where failed checks and runs are reported.")
