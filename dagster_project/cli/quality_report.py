"""The verb that judges a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import console, print_json
from dagster_project.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command("quality")(quality_report)


def quality_report(
    version: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    task: Annotated[
        str | None, typer.Option(help="What the rows are for, in words: tells rows off topic.")
    ] = None,
    examples: Annotated[
        str | None,
        typer.Option(help="Rows of the task: a file (.jsonl, .parquet, .csv) or a version."),
    ] = None,
    sample: Annotated[
        int, typer.Option(help="Rows that are read, drawn at random; 0 for all.", min=0)
    ] = 50_000,
    show: Annotated[
        str | None, typer.Option(help="Show rows behind this figure, such as `duplicates`.")
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="Write the rows at fault to this file: .parquet, .csv or .jsonl."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other rows.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """How good a version's rows are: relevance, alignment, consistency, format, uniqueness and
    compliance, with the rows behind every number."""
    from dagster_project.cli.quality_view import SHOWN, show_figure, show_quality
    from dagster_project.engine.profile.flagged_rows import require_writable, write_flagged
    from dagster_project.engine.profile.quality import excerpts, quality
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.store import Store

    if rows is not None:
        require_writable(rows)
    store = Store(Workspace.find().store)
    report = quality(
        store,
        SnapshotAddress.parse(version),
        task=task,
        examples=examples,
        sample=sample or None,
        seed=seed,
    )
    figure = report.figure(show) if show is not None else None
    written = write_flagged(report, rows) if rows is not None else 0
    if as_json:
        print_json(report if figure is None else figure)
        return
    if figure is not None:
        first = list(figure.row_ids[:SHOWN])
        show_figure(report, figure, excerpts(store, SnapshotAddress.parse(report.version), first))
    else:
        show_quality(report)
    if rows is not None:
        console.print(f"wrote {written:,} rows at fault to {rows}", markup=False)
