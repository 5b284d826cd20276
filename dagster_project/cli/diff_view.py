"""How a difference between two versions is shown."""

from __future__ import annotations

from rich.markup import escape

from dagster_project.cli.console import console, print_table
from dagster_project.warehouse.diff import Cause, Diff


def show_diff(found: Diff, examples: int) -> None:
    """Print counts, column changes and causes."""
    console.print(f"[bold]{escape(str(found.a))}[/] → [bold]{escape(str(found.b))}[/]")
    console.print(
        f"{found.rows_a:,} → {found.rows_b:,} rows: {found.unchanged:,} unchanged, "
        f"[yellow]{found.changed:,} changed[/], [green]{found.entered:,} entered[/], "
        f"[red]{found.left:,} left[/]"
    )
    if not found.related:
        console.print("[dim]no common origin; rows are matched by content alone[/]")
    print_table(
        [
            {"column": item.column, "before": item.before, "after": item.after}
            for item in found.columns
        ],
        title="columns that differ",
    )
    print_table(
        [
            {
                "change": cause.change,
                "rows": cause.rows,
                "cause": _cause(cause),
                "examples": ", ".join(str(row.row_id) for row in cause.examples[:examples]),
            }
            for cause in found.causes
        ]
    )


def _cause(cause: Cause) -> str:
    if cause.cause == "removed":
        text = f"{cause.disposition} by step {cause.step}"
        if cause.rule and cause.rule != cause.step:
            text += f", rule {cause.rule}"
        return text + (f" ({cause.threshold})" if cause.threshold else "")
    if cause.cause == "steps":
        return f"changed by {cause.changed_in_b or cause.changed_in_a}"
    return cause.cause
