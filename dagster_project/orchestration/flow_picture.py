"""A picture of the flow of rows: from the inputs, through the steps, to the published rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from dagster_project.orchestration.picture import picture

INLINE_LIMIT = 1000
"""Dagster's UI shows Markdown shorter than this in place, and longer Markdown in a dialog."""

WIDTH = 400

KEPT, REMOVED, QUIET = "#2a9d8f", "#e76f51", "#888"


@dataclass(frozen=True)
class FlowStep:
    """What one step did to the flow."""

    name: str
    rows_in: int
    rows_out: int
    removed: int


@dataclass(frozen=True)
class RuleRows:
    """What one rule of a step removed."""

    step: str
    rule: str
    rows: int


def flow_picture(steps: Sequence[FlowStep], rows_in: int) -> str:
    """Markdown with a small picture: the band is the rows that go on, what hangs below it at a step
    is what the step removed. Short enough to be shown in place; steps have their names if those fit,
    else their numbers."""
    for label in (_name, _number, _no_label):
        markdown = picture(_band(steps, rows_in, label))
        if len(markdown) < INLINE_LIMIT and (label is not _name or _fit(steps)):
            return markdown
    return picture(_band(_largest(steps), rows_in, _no_label))


def funnel_picture(steps: Sequence[FlowStep], rules: Sequence[RuleRows], rows_in: int) -> str:
    """Markdown with a large picture: one bar a step, of the rows that go on from it, and below it
    one for each rule, of the rows it removed. For Dagster's dialog, where there is room."""
    lines = [("rows in", rows_in, 0, KEPT)]
    for number, step in enumerate(steps):
        lines.append((f"{number + 1} {step.name}", step.rows_out, 0, KEPT))
        start = step.rows_out
        for rule in rules:
            if rule.step == step.name:
                lines.append((f"− {rule.rule}", rule.rows, start, REMOVED))
                start += rule.rows
    scale = 460 / max(rows_in, 1, *(start + rows for _, rows, start, _ in lines))
    shown = "".join(
        f'<text x="270" y="{y + 13}" text-anchor="end">{escape(label[:44])}</text>'
        f'<rect x="{280 + start * scale:.1f}" y="{y + 1}" width="{max(rows * scale, 1):.1f}" '
        f'height="16" fill="{colour}"/>'
        f'<text x="{286 + (start + rows) * scale:.1f}" y="{y + 13}">{rows:,}</text>'
        for y, (label, rows, start, colour) in zip(
            range(4, 4 + 20 * len(lines), 20), lines, strict=True
        )
    )
    text = f'<g font-family="sans-serif" font-size="12" fill="{QUIET}">{shown}</g>'
    return picture(_svg(820, 8 + 20 * len(lines), text))


def length_picture(before: Sequence[int], after: Sequence[int]) -> str:
    """Markdown with two histograms over the same bins: rows by length before (grey) and after."""
    top = max(*before, *after, 1)
    width = 240 / max(len(before), 1)

    def bars(counts: Sequence[int], colour: str) -> str:
        path = "".join(
            f"M{index * width:.0f} 50v-{count * 48 / top:.0f}h{width:.0f}V50"
            for index, count in enumerate(counts)
            if round(count * 48 / top)
        )
        return f'<path d="{path}" fill="{colour}" fill-opacity=".6"/>'

    return picture(_svg(240, 50, bars(before, QUIET) + bars(after, KEPT)))


def _band(steps: Sequence[FlowStep], rows_in: int, label) -> str:
    count = len(steps)
    cell = WIDTH / (count + 1)
    scale = 60 / max(rows_in, 1, *(step.rows_in for step in steps))
    height = rows_in * scale
    top, drops, labels = f"M0 4v{height:.1f}h{cell:.0f}", "", ""
    for index, step in enumerate(steps):
        x = (index + 1) * cell
        new = step.rows_out * scale
        if step.removed:
            drops += f"M{x:.0f} {4 + new:.1f}h{cell * 0.6:.0f}v{step.removed * scale:.1f}H{x:.0f}z"
        top += f"V{4 + new:.1f}h{cell:.0f}"
        labels += label(index, step, x)
    body = f'<path d="{top}V4z" fill="{KEPT}"/><path d="{drops}" fill="{REMOVED}"/>'
    if labels:
        body += f'<g font-size="8" fill="{QUIET}">{labels}</g>'
    return _svg(WIDTH, 80, body)


def _fit(steps: Sequence[FlowStep]) -> bool:
    """Whether the names have room beside each other."""
    return all(len(step.name) * 4.4 < WIDTH / (len(steps) + 1) for step in steps)


def _name(_: int, step: FlowStep, x: float) -> str:
    return f'<text x="{x:.0f}" y="76">{escape(step.name)}</text>'


def _number(index: int, _: FlowStep, x: float) -> str:
    return f'<text x="{x:.0f}" y="76">{index + 1}</text>'


def _no_label(_: int, __: FlowStep, ___: float) -> str:
    return ""


def _largest(steps: Sequence[FlowStep]) -> list[FlowStep]:
    """The eight steps that removed most, in their order."""
    most = sorted(steps, key=lambda step: -step.removed)[:8]
    return [step for step in steps if step in most]


def _svg(width: int, height: int, body: str) -> str:
    size = f'width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{body}</svg>'
