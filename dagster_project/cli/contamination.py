"""The verb that tells what a version has in common with evaluation sets."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from dagster_project.cli.console import cell, console, print_json, print_table
from dagster_project.cli.provenance import AsJson
from dagster_project.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(contamination)


def contamination(
    version: Annotated[str, typer.Argument(help="dataset/version, or one snapshot of it.")],
    examples: Annotated[int, typer.Option(help="Matches to show of each set.", min=0)] = 5,
    as_json: AsJson = False,
) -> None:
    """What a version's rows have in common with evaluation sets: by set and by source, with the text."""
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.contamination import contamination as contamination_of
    from dagster_project.warehouse.store import Store

    store = Store(Workspace.find().store)
    found = contamination_of(store, SnapshotAddress.parse(version), examples)
    if as_json:
        print_json(found)
        return
    console.print(f"[bold]{escape(str(found.snapshot))}[/]")
    print_table(
        [
            {
                "evaluation set": each.reference,
                "step": each.step,
                "items": each.items,
                "too short": each.items_not_checked,
                "found": each.items_found,
                "share found": f"{each.share_found:.1%}",
                "rows that hold them": each.rows_found,
                "by source": ", ".join(
                    f"{source.source}: {source.removed} removed"
                    + (f", {source.stayed} stayed" if source.stayed else "")
                    for source in each.sources
                ),
            }
            for each in found.sets
        ]
    )
    for each in found.sets:
        for match in each.matches:
            row = str(match.row) if match.row else f"{match.source}:{match.number}"
            console.print(
                f"[bold]{escape(row)}[/] and item {match.item} of {escape(each.reference)} "
                f"({match.share:.0%}, {escape(each.step)})"
            )
            console.print(f"    [dim]{cell(match.matched, 300)}[/]")
