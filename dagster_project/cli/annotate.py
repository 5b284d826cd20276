"""The verbs that bring rows to annotators, and their labels back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dagster_project.cli.console import console, print_json
from dagster_project.errors import SeedbedError
from dagster_project.workspace import Workspace

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(parent: typer.Typer) -> None:
    """Add this module's verbs, below `annotate`."""
    parent.add_typer(app, name="annotate", help="Rows to annotators, and their labels back.")


@app.command("export")
def export(
    version: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    guideline: Annotated[str, typer.Option(help="Of guidelines/NAME.md in the workspace.")],
    rows: Annotated[int, typer.Option(help="How many rows.", min=1)],
    to: Annotated[
        Literal["seedbed", "label-studio", "argilla"],
        typer.Option(help="The tool that annotators work with."),
    ] = "seedbed",
    by: Annotated[
        str | None,
        typer.Option(
            help="Choose by this column, data or measured: the highest first, or of lists of "
            "probabilities the most uncertain. Else at random."
        ),
    ] = None,
    lowest: Annotated[bool, typer.Option("--lowest", help="With --by: the lowest first.")] = False,
    nearest: Annotated[
        float | None, typer.Option(help="With --by: those nearest to this number first.")
    ] = None,
    annotators_each: Annotated[
        int, typer.Option(help="How many people are to label each row.", min=1)
    ] = 1,
    seed: Annotated[int, typer.Option(help="Another seed, other rows.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Write rows of a version as tasks for annotators."""
    from dagster_project.release.annotation.handout import hand_out
    from dagster_project.release.annotation.sample import Choosing
    from dagster_project.warehouse.address import SnapshotAddress

    choosing = Choosing(rows, by, lowest, nearest, seed)
    sampled = hand_out(
        Workspace.find(),
        SnapshotAddress.parse(version),
        guideline,
        choosing,
        to,
        folder,
        annotators_each=annotators_each,
    )
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "snapshot": str(sampled.snapshot),
                "content_id": sampled.content_id,
                "tasks": len(sampled.tasks),
                "guideline": sampled.tasks[0].guideline if sampled.tasks else None,
                "dollars_at_most": sampled.dollars_at_most,
            }
        )
        return
    console.print(
        f"[green]✓[/] {len(sampled.tasks):,} of {sampled.rows:,} rows of {sampled.snapshot} as tasks "
        f"for {to} in {folder}"
    )
    if sampled.dollars_at_most is not None:
        console.print(f"their labels cost ${sampled.dollars_at_most:,.2f} at most")


@app.command("import")
def import_labels(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Label Studio's JSON, Argilla's records.json, or JSON lines of labels."
        ),
    ],
    into: Annotated[Path, typer.Option(help="The file of labels, e.g. labels/helpful.jsonl.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="New answers take the place of earlier ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put labels into one file, all or none, after looking at what they cite."""
    from dagster_project.release.annotation.collect import collect

    merged = collect(Workspace.find(), files, into, replace=replace)
    if as_json:
        print_json(vars(merged))
        return
    console.print(
        f"[green]✓[/] {merged.added:,} labels added, {merged.known:,} known before, "
        f"{merged.replaced:,} replaced; {into} has {merged.labels:,}"
    )
    if merged.empty:
        console.print(f"[yellow]{merged.empty:,} annotations have no answer[/]; they are left out")


@app.command("review")
def review(
    tasks: Annotated[Path, typer.Argument(help="The folder of an export, or a file of tasks.")],
    annotator: Annotated[str, typer.Option(help="Who labels.", envvar="SEEDBED_ANNOTATOR")],
    into: Annotated[
        Path | None,
        typer.Option(help="The file of labels; labels.jsonl beside the tasks by default."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other sides of pairs.", min=0)] = 0,
    port: Annotated[int, typer.Option(help="To listen on; by default one that is free.")] = 0,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Label tasks on a page of this machine; every label is saved before the next task is shown."""
    import asyncio
    import webbrowser

    from dagster_project.release.annotation.review import Review, guideline_of
    from dagster_project.release.annotation.review_server import ReviewServer, serve
    from dagster_project.release.annotation.task import read_tasks
    from dagster_project.warehouse.store import Store

    found = read_tasks(tasks)
    workspace = _workspace()
    guideline = guideline_of(tasks, workspace.root if workspace else None, found[0].guideline)
    beside = (tasks if tasks.is_dir() else tasks.parent) / "labels.jsonl"
    store = Store(workspace.store) if workspace else None
    reviewed = Review(found, guideline, into or beside, annotator, seed=seed, store=store)
    server = ReviewServer(reviewed, port)

    def ready(address: str) -> None:
        console.print(f"Labels go to {into or beside}. Stop with Ctrl+C. Open")
        console.print(address, soft_wrap=True)
        if browser:
            webbrowser.open(address)

    try:
        asyncio.run(serve(server, ready))
    except KeyboardInterrupt:
        console.print("stopped; start it again to go on")


@app.command("agree")
def agree(
    labels: Annotated[Path, typer.Argument(help="A file of labels.")],
    guideline: Annotated[
        str | None, typer.Option(help="Citation of the one that is meant, if there are several.")
    ] = None,
    worst: Annotated[int, typer.Option(help="How many disputed rows are listed.", min=0)] = 10,
    draws: Annotated[int, typer.Option(help="Bootstrap samples for intervals.", min=1)] = 1_000,
    as_json: AsJson = False,
) -> None:
    """How far annotators agree, in which answers they do not, and on which rows."""
    from dagster_project.cli.annotate_view import show_agreement
    from dagster_project.release.annotation.adjudicate import labels_of_one
    from dagster_project.release.annotation.agreement_report import agreement
    from dagster_project.release.annotation.guideline import Guidelines
    from dagster_project.release.annotation.labels import read_labels

    meant = labels_of_one(read_labels(labels), labels, guideline)
    cited = Guidelines(Workspace.find().root).cited(meant[0].guideline)
    report = agreement(meant, cited, draws=draws, worst=worst)
    if as_json:
        print_json(report)
    else:
        show_agreement(report)


@app.command("adjudicate")
def adjudicate(
    labels: Annotated[Path, typer.Argument(help="A file of labels, NAME.jsonl.")],
    method: Annotated[
        Literal["majority", "weighted", "review"],
        typer.Option(
            help="The most frequent answer; the most probable (Dawid and Skene); only what all "
            "agree on."
        ),
    ] = "majority",
    decider: Annotated[
        str | None, typer.Option(help="An annotator whose labels decide, whatever others said.")
    ] = None,
    least: Annotated[
        float, typer.Option(help="Support below which a row is left open.", min=0, max=1)
    ] = 0.5,
    guideline: Annotated[
        str | None, typer.Option(help="Citation of the one that is meant, if there are several.")
    ] = None,
    with_rows: Annotated[
        bool,
        typer.Option("--with-rows", help="Write the columns that were shown beside the label."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write one label a row to NAME.adjudicated.jsonl, and what is open as tasks to NAME.left.jsonl."""
    from dagster_project.release.annotation.adjudicate import adjudicate as settle_all

    done = settle_all(
        Workspace.find(),
        labels,
        method,
        decider=decider,
        least=least,
        guideline=guideline,
        with_rows=with_rows,
    )
    if as_json:
        print_json(vars(done))
        return
    console.print(f"[green]✓[/] {done.settled:,} rows have one label each, in {done.path}")
    if done.left_path is not None:
        console.print(
            f"[yellow]{done.left:,} rows are left to a person[/]: seedbed annotate review "
            f"{done.left_path} --into {labels}"
        )


def _workspace() -> Workspace | None:
    """The workspace; None outside of one, where tasks can be labelled as well."""
    try:
        return Workspace.find()
    except SeedbedError:
        return None
