"""The verb that says what to do after a contest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import console, print_json
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(loop)


def loop(
    arena: Annotated[str, typer.Argument(help="dataset/version of an arena.")],
    contestant: Annotated[
        str | None,
        typer.Option(help="Whose weakness is wanted; default: the last that is declared."),
    ] = None,
    more: Annotated[
        int | None,
        typer.Option(help="Rows that the next round adds; default: what is lacking.", min=1),
    ] = None,
    job: Annotated[
        Path | None, typer.Option(help="Write the next job to this file, as an input of a recipe.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What each round bought, where a version is weakest, the job that mends it, and whether to go on."""
    from dagster_project.engine.loop.markdown import job_yaml, markdown
    from dagster_project.engine.loop.page import loop_page
    from dagster_project.warehouse.store import Store

    store = Store(Workspace.find().store)
    page = loop_page(store, VersionName.parse(arena), contestant=contestant, more=more)
    if as_json:
        print_json(page.model_dump(mode="json"))
    else:
        from rich.markdown import Markdown

        console.print(Markdown(markdown(page)))
    if job is not None:
        if page.gap is None:
            raise SeedbedError(f"no slice of {page.contestant} is weak: there is no job to write")
        if job.exists():
            raise SeedbedError(f"{job} exists already; nothing was written")
        job.write_text(job_yaml(page))
        console.print(f"wrote {job}")
