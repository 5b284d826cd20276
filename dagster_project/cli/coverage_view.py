"""How coverage is shown."""

from __future__ import annotations

from rich.markup import escape

from dagster_project.cli.console import cell, console, print_table
from dagster_project.engine.profile.axes import LABEL, TOPIC
from dagster_project.engine.profile.coverage_report import AxisCoverage, CoverageReport, Value
from dagster_project.engine.profile.gaps import MOST_JOBS, Gap

FEW = 8
"""Values of an axis that are shown; of topics all."""
GAPS = 12
"""Gaps that are shown by default."""
BAR = 24
"""Characters of a bar of all rows."""


def show_coverage(found: CoverageReport, gaps: int | None) -> None:
    """Print all of it.

    Args:
        found: what to print.
        gaps: how many are listed; by default the first few, if any.
    """
    console.print(f"[bold]{escape(found.version)}[/]: {found.rows:,} rows" + _against(found))
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/]")
    several = len(found.axes) > 2
    for axis in found.axes:
        if axis.axis == TOPIC or not axis.told:
            continue
        if several and axis.divergence is None:
            _show_in_short(axis)
        else:
            _show_axis(axis)
    _show_topics(found)
    if found.cross is not None:
        _rule(f"{_name(found.cross.axis)} by {_name(found.cross.other)}")
        print_table(
            [
                {_name(found.cross.axis): value}
                | dict(zip(found.cross.other_values, row, strict=True))
                for value, row in zip(found.cross.values, found.cross.rows, strict=True)
            ]
        )
    if found.target is not None:
        _show_gaps(found.gaps, GAPS if gaps is None else gaps)


def _against(found: CoverageReport) -> str:
    if found.target is None:
        return ""
    rows = f" ({found.target_rows:,} rows)" if found.target_rows is not None else ""
    apart = (
        f"divergence {found.divergence:.3f} (0 alike, 1 nothing in common; mean of all axes)"
        if found.divergence is not None
        else "no axis in common"
    )
    return f", against [bold]{escape(found.target)}[/]{rows}: {apart}"


def _show_in_short(axis: AxisCoverage) -> None:
    most = sorted(axis.values, key=lambda each: -each.rows)[:FEW]
    each = (f"{cell(value.value, 40)} {value.rows:,} ({value.share:.0%})" for value in most)
    more = len(axis.values) - len(most)
    rest = f" · {more:,} more" if more else ""
    line = f"[bold]{escape(_name(axis.axis))}[/]  {' · '.join(each)}{rest}"
    console.print(line, no_wrap=True, overflow="ellipsis")


def _show_axis(axis: AxisCoverage) -> None:
    _rule(_title(axis))
    console.print(f"[dim]{escape(axis.how)}[/]")
    shown = _shown(axis)
    print_table([_line(each, axis.divergence is not None) for each in shown])
    if more := len(axis.values) - len(shown):
        console.print(f"[dim]{more} other values; --json has them[/]")


def _shown(axis: AxisCoverage) -> list[Value]:
    """The values of the most rows here or in the target, in their order."""
    most = sorted(axis.values, key=lambda each: -max(each.share, each.target_share or 0.0))[:FEW]
    return [each for each in axis.values if each in most]


def _title(axis: AxisCoverage) -> str:
    apart = f", divergence {axis.divergence:.3f}" if axis.divergence is not None else ""
    spread = f"as varied as {axis.effective:.1f} equal values"
    return f"{escape(_name(axis.axis))}{apart}: {spread}"


def _line(value: Value, compared: bool) -> dict:
    line = {
        "value": cell(value.value, 40),
        "rows": value.rows,
        "share": f"{value.share:.1%}",
    }
    if compared:
        wanted = value.target_share or 0.0
        line |= {"target": f"{wanted:.1%}", "difference": f"{100 * (value.share - wanted):+.1f}"}
    return line | {"": "█" * round(BAR * value.share)}


def _show_topics(found: CoverageReport) -> None:
    axis = next((each for each in found.axes if each.axis == TOPIC), None)
    if axis is None or not axis.told:
        return
    _rule(f"{_title(axis)}, by {found.method}, of {found.topics_of:,} rows")
    shares = {each.value: each for each in axis.values}
    lines = []
    for topic in found.topics:
        value = shares.get(topic.topic)
        if value is None:
            continue
        lines.append(
            _line(value, axis.divergence is not None)
            | {"": "new" if topic.new else "", "row": topic.exemplar, "text": cell(topic.text, 70)}
        )
    print_table(lines)


def _show_gaps(gaps: tuple[Gap, ...], shown: int) -> None:
    if not gaps:
        _rule("gaps: none")
        return
    _rule("gaps: rows that bring a value to its share of as many rows as there are, or are wanted")
    print_table(
        [
            {
                "more rows": gap.more_rows,
                "axis": _name(gap.axis),
                "value": cell(gap.value, 44),
                "have": gap.have,
                "want": gap.want,
                "by": next(iter(gap.job["generate"])),
                "such as": cell(gap.examples[0], 60) if gap.examples else "",
            }
            for gap in gaps[:shown]
        ]
    )
    if len(gaps) > shown:
        console.print(f"[dim]{len(gaps) - shown} other gaps; --gaps N lists more[/]")
    console.print(
        f"[dim]--jobs FILE.yaml writes a recipe that makes them (the first {MOST_JOBS})[/]"
    )


def _name(axis: str) -> str:
    return axis.removeprefix(LABEL)


def _rule(title: str) -> None:
    console.rule(f"[bold]{title}[/]", align="left", style="dim")
