"""How a report of quality is shown: on one screen."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from dagster_project.cli.console import cell, console
from dagster_project.engine.profile.quality import QualityReport
from dagster_project.engine.profile.trait import ORDER, Figure, Trait

COLOURS = {"good": "green", "look": "yellow", "bad": "red", "not measured": "dim"}
FEW = 3
"""Figures of a trait that are shown."""
SHOWN = 20
"""Rows of a figure that are shown."""
FLAGS = 60


def show_quality(report: QualityReport) -> None:
    """Print all of it."""
    looked = ""
    if report.looked_at < report.total:
        looked = (
            f"; {report.looked_at:,} of them were read, drawn at random (--sample 0: all); duplicates, "
            "contradictions and licences are told of all"
        )
    console.print(
        f"[bold]{escape(report.version)}[/] for {escape(report.phase)}: {report.total:,} rows{looked}"
    )
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("trait", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("because")
    for each in report.traits:
        table.add_row(each.name, _verdict(each.verdict), _because(each))
    console.print(table)
    if report.worst:
        _rule("rows with most faults (of one figure: --show FIGURE; all of them: --rows FILE)")
    for row in report.worst:
        _print_row(row.row_id, row.text, "; ".join(row.flags))
    if report.mend:
        _rule("what would mend it (steps of the recipe)")
    for line in report.mend:
        console.print(f"  - {line}" if _is_step(line) else f"  # {line}", markup=False)
    _rule("how it was told")
    for each in report.traits:
        for note in each.notes:
            console.print(f"[dim]{each.name}: {escape(note)}[/]")


def show_figure(report: QualityReport, figure: Figure, texts: Mapping[int, str]) -> None:
    """Print a figure and rows behind it.

    Args:
        report: that it is of.
        figure: which.
        texts: how its first rows begin, by id.
    """
    told = f" ({figure.thresholds})" if figure.thresholds else ""
    mark = f"  {_verdict(figure.verdict)}" if figure.verdict else ""
    console.print(f"[bold]{escape(report.version)}[/]  {escape(_number(figure))}{told}{mark}")
    for row in figure.row_ids[:SHOWN]:
        _print_row(row, texts.get(row, ""))
    more = len(figure.row_ids) - SHOWN
    if more > 0:
        console.print(f"[dim]{more:,} other rows: --rows FILE writes all of them[/]")
    if not figure.row_ids:
        console.print("[dim]no rows[/]")
    if figure.mend and figure.verdict in ("look", "bad"):
        console.print(f"mend: {figure.mend}", markup=False)


def _because(trait: Trait) -> str:
    """The figures that explain the verdict, the worst first."""
    if not trait.figures:
        return f"[dim]{escape(trait.notes[0] if trait.notes else '')}[/]"
    first = sorted(
        trait.figures,
        key=lambda each: (-ORDER.index(each.verdict or "not measured"), -(each.value or 0)),
    )[:FEW]
    return "\n".join(
        f"[{COLOURS[each.verdict or 'not measured']}]{escape(_number(each))}[/]"
        + (f" [dim]({each.thresholds})[/]" if each.verdict in ("look", "bad") else "")
        for each in first
    )


def _number(figure: Figure) -> str:
    if figure.rows is not None:
        return f"{figure.name}: {_percent(figure.value or 0)}, {figure.rows:,} of {figure.of or 0:,} rows"
    if figure.value is None:
        return f"{figure.name}: not defined"
    if figure.thresholds.endswith("%"):
        return f"{figure.name}: {_percent(figure.value)}"
    return f"{figure.name}: {figure.value:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share == 0 or share >= 0.001 else "< 0.1 %"


def _verdict(verdict: str) -> str:
    return f"[{COLOURS[verdict]}]{verdict}[/]"


def _is_step(line: str) -> bool:
    """Whether it is an operator with its parameters."""
    return ": {" in line and line.endswith("}") and " " not in line.partition(":")[0]


def _print_row(row: int, text: str, flags: str = "") -> None:
    said = f" [yellow]{cell(flags, FLAGS)}[/]" if flags else ""
    line = f"  [bold]{row}[/]{said}  [dim]{cell(text, len(text) + 1)}[/]"
    console.print(line, no_wrap=True, overflow="ellipsis")


def _rule(title: str) -> None:
    console.rule(f"[bold]{escape(title)}[/]", align="left", style="dim")
