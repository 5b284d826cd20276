"""How the effect of another threshold is shown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape

from dagster_project.cli.console import console, print_table
from dagster_project.engine.what_if import Example, WhatIf


def show_what_if(found: WhatIf) -> None:
    """Print counts, by input too, and examples."""
    console.print(
        f"[bold]{escape(str(found.snapshot))}[/], step [bold]{escape(found.step)}[/]: "
        f"{found.parameter} {found.before} → {found.after}"
    )
    console.print(
        f"of {found.seen:,} rows it would remove {found.would_remove:,}, now {found.removed:,}: "
        f"[red]{found.would_go:,} would go[/], [green]{found.would_come_back:,} would come back[/]"
    )
    if found.note:
        console.print(f"[dim]{found.note}[/]")
    if len(found.inputs) > 1:
        print_table([change.model_dump() for change in found.inputs])
    _show("would go", "red", found.going)
    _show("would come back", "green", found.coming)


def _show(title: str, colour: str, examples: Sequence[Example]) -> None:
    for example in examples:
        row = str(example.row) if example.row else f"{example.input}:{example.number}"
        why = example.rule + (f", {example.measured}" if example.measured is not None else "")
        console.print(f"[{colour}]{title}[/] [bold]{escape(row)}[/] ({escape(why)})")
        console.print(f"    [dim]{escape(example.text)}[/]")
