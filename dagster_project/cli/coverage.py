"""The verb that tells what a version covers, and what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import console, print_json
from dagster_project.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command("coverage")(coverage)


def coverage(
    version: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    axis: Annotated[
        list[str] | None, typer.Option(help="Only this axis; may be given several times.")
    ] = None,
    cross: Annotated[
        tuple[str, str] | None, typer.Option(help="Two axes whose values are crossed.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="A version, a file of rows (.jsonl, .parquet, .csv), or wanted shares (.yaml)."
        ),
    ] = None,
    gaps: Annotated[
        int | None, typer.Option(help="How many gaps are listed; with --against.", min=0)
    ] = None,
    jobs: Annotated[
        Path | None, typer.Option(help="Write a recipe that fills the gaps to this file.")
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Draw a map of the topics into this SVG file.")
    ] = None,
    over: Annotated[
        str | None, typer.Option(help="With --map: draw the version over this one, or this file.")
    ] = None,
    sample: Annotated[
        int, typer.Option(help="Rows that are looked at, drawn at random; 0 for all.", min=0)
    ] = 100_000,
    topic_rows: Annotated[int | None, typer.Option(help="Rows whose topic is told.", min=1)] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Tell topics by words, not by embeddings: quicker.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed, other rows.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """What a version's rows cover: by task, topic, language, length and more; and against a target, what
    is lacking."""
    from dagster_project.cli.coverage_view import show_coverage
    from dagster_project.engine.profile.coverage import covered
    from dagster_project.engine.profile.gaps import recipe_of
    from dagster_project.engine.profile.map_picture import map_picture
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.store import Store

    if over is not None and against is not None and over != against:
        raise typer.BadParameter("give --against or --over, or the same to both")
    target = against or over
    if target is None and (gaps is not None or jobs is not None):
        raise typer.BadParameter("--gaps and --jobs need --against: what should there be?")
    if over is not None and map_file is None:
        raise typer.BadParameter("--over needs --map")
    wanted = [*axis, "topic"] if axis and map_file else axis
    address = SnapshotAddress.parse(version)
    found = covered(
        Store(Workspace.find().store),
        address,
        axes=wanted,
        cross=cross,
        against=target,
        sample=sample or None,
        topic_rows=topic_rows,
        embeddings=False if words else None,
        seed=seed,
    )
    report = found.report
    if jobs is not None:
        chosen = report.gaps if gaps is None else report.gaps[:gaps]
        jobs.write_text(recipe_of(chosen, str(address.version), report.phase), encoding="utf-8")
    if map_file is not None:
        map_file.write_text(map_picture(found), encoding="utf-8")
    if as_json:
        print_json(report)
        return
    show_coverage(report, gaps)
    for written in (jobs, map_file):
        if written is not None:
            console.print(f"wrote {written}")
