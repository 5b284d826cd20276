"""How an inspection is shown: at most two screens, unless rows to read are asked for."""

from __future__ import annotations

from rich.markup import escape

from dagster_project.cli.console import cell, console, print_table
from dagster_project.engine.inspection.distributions import Distribution
from dagster_project.engine.inspection.inspection import Inspection
from dagster_project.engine.inspection.rows_to_read import RowToRead
from dagster_project.engine.inspection.sparkline import sparkline
from dagster_project.engine.inspection.step_effects import InputFlow, StepEffect
from dagster_project.engine.inspection.values import Values
from dagster_project.warehouse.address import RowAddress

FEW = 6
MOST_STEPS = 24
"""Steps that are shown; of more, those that removed rows."""


def show_inspection(found: Inspection, *, in_full: bool, column: str | None = None) -> None:
    """Print all of it.

    Args:
        found: what to print.
        in_full: whether all rows to read are printed, or one on each side of every rule.
        column: the only column that was asked for.
    """
    _show_overview(found)
    _show_lengths(found, every_unit=column is not None)
    if found.values:
        _rule("values: rows, their share and the median of characters in all their texts")
    for values in found.values:
        _show_values(values)
    for months in found.months:
        bars = sparkline([month.rows for month in months.months])
        first, last = months.months[0].month, months.months[-1].month
        console.print(f"[bold]{escape(months.column)}[/] by month  {first} {bars} {last}")
    if column is None:
        _show_steps(found)
    _show_outliers(found, in_full or column is not None)
    if column is not None:
        return
    if in_full:
        show_rules(found)
    else:
        _show_sides(found)
    _show_order(found)


def show_rules(found: Inspection) -> None:
    """Print rows to read of every rule, and pairs."""
    for rule in found.rules:
        _rule(
            f"{rule.step}: {rule.rule}" + (f", wanted {rule.threshold}" if rule.threshold else "")
        )
        console.print(f"{rule.removed:,} rows removed" + (f"; {rule.note}" if rule.note else ""))
        for title, rows in (
            ("[red]removed, at random[/]", rule.at_random),
            ("[red]removed, farthest from the threshold[/]", rule.worst),
            ("[red]removed, nearest to it[/]", rule.just_removed),
            ("[green]stayed, nearest to it[/]", rule.just_stayed),
        ):
            if rows:
                console.print(title)
                for row in rows:
                    _print("  " + _line(row))
    for pairs in found.pairs:
        _rule(f"{pairs.step}: {pairs.pairs:,} pairs stored, merged from {pairs.threshold:g} on")
        for title, sides in (
            ("[red]merged[/]", pairs.alike),
            ("[green]not merged[/]", pairs.unlike),
        ):
            for pair in sides:
                console.print(f"{title} [bold]{pair.similarity:.3f}[/]")
                _print("  " + _line(pair.first))
                _print("  " + _line(pair.second))
    if not found.rules and not found.pairs:
        console.print("no rule of it removed a row")


def _show_overview(found: Inspection) -> None:
    looked = ""
    if found.looked_at < found.rows:
        looked = f"; looked at {found.looked_at:,} of them, drawn at random (--all: all)"
    tokens = "".join(f"; {tokens:,} in {name}" for name, tokens in found.overview.tokens.items())
    console.print(
        f"[bold]{escape(str(found.snapshot))}[/] {found.status}: {found.rows:,} rows{tokens}{looked}"
    )
    print_table(
        [
            {
                "column": each.name,
                "type": cell(each.type, 48),
                "nulls": each.nulls,
                "empty": each.empty,
                "distinct, about": min(each.distinct, found.looked_at - each.nulls),
            }
            for each in found.overview.columns
        ]
    )


def _show_lengths(found: Inspection, every_unit: bool) -> None:
    shown = [each for each in found.distributions if every_unit or _says_something(each)]
    if shown:
        read = f"; words in {found.read:,} rows" if found.read < found.looked_at else ""
        _rule(f"lengths and values{read}")
        print_table([_length(each) for each in shown])


def _says_something(each: Distribution) -> bool:
    """Whether it is worth a line where not all can be shown."""
    if each.unit in ("words", "turns"):
        return each.least < each.most > 1
    return each.unit != "non-letters"


def _length(each: Distribution) -> dict:
    one, five, quarter, half, three_quarters, most, nearly_all = each.quantiles
    whole = all(float(value).is_integer() for value in (each.least, each.most))
    cut = round if whole and each.most >= 10 else float
    return {
        "column": each.column,
        "of": each.unit,
        "1 %": cut(one),
        "5 %": cut(five),
        "25 %": cut(quarter),
        "median": cut(half),
        "75 %": cut(three_quarters),
        "95 %": cut(most),
        "99 %": cut(nearly_all),
        "most": cut(each.most),
        "least to most" + (" " * 11): f"▕{sparkline(each.histogram)}▏",
    }


def _show_values(values: Values) -> None:
    title = {
        "roles": f"{values.column}: order of roles",
        "detected": f"{values.column}: languages of {values.rows:,} rows, detected now",
    }.get(values.kind, values.column)
    each = [
        f"{cell(item.value, 40)} {item.rows:,} ({item.rows / max(values.rows, 1):.0%}"
        + (f", {item.median_characters:,.0f}" if item.median_characters is not None else "")
        + ")"
        for item in values.frequencies[:FEW]
    ]
    more = values.distinct - len(each)
    rest = f" · {more:,} more" if more > 0 else ""
    _print(f"[bold]{escape(title)}[/]  {' · '.join(each)}{rest}")


def _show_steps(found: Inspection) -> None:
    steps = found.effects.steps
    shown = steps if len(steps) <= MOST_STEPS else [step for step in steps if step.removed]
    several = len({flow.input for step in steps for flow in step.inputs}) > 1
    if not shown:
        return
    sampled = "".join(
        f"; {name}: lengths of {rows:,} rows, drawn at random"
        for name, rows in found.effects.sampled.items()
    )
    _rule(f"steps, with the length of the source text in characters{sampled}")
    print_table([_step(step, several) for step in shown])
    if len(shown) < len(steps):
        console.print(f"[dim]{len(steps) - len(shown)} other steps removed no row[/]")


def _step(step: StepEffect, several: bool) -> dict:
    rules = ", ".join(f"{rule} {rows:,}" for rule, rows in step.removed.items())
    line = {
        "step": (f"{step.input}: " if step.input else "") + step.step,
        "rows in": step.rows_in,
        "rows out": step.rows_out,
        "changed": step.changed,
        "seconds": round(step.seconds, 2),
        "median": _shift(step.before.median, step.after.median),
        "95 %": _shift(step.before.p95, step.after.p95),
        "removed by": rules,
    }
    if several:
        line["by input"] = ", ".join(map(_flow, step.inputs)) if rules and not step.input else ""
    return line


def _shift(before: float | None, after: float | None) -> str:
    if before is None:
        return ""
    if after is None or round(after) == round(before):
        return f"{before:,.0f}"
    return f"{before:,.0f} → {after:,.0f}"


def _flow(flow: InputFlow) -> str:
    came, left = (
        f"{rows:,}" if rows is not None else "?" for rows in (flow.rows_in, flow.rows_out)
    )
    return f"{flow.input} {came} → {left}" if came != left else f"{flow.input} {came}"


def _show_outliers(found: Inspection, in_full: bool) -> None:
    far = sorted(found.outliers, key=lambda each: -each.farthest[0].distance)
    if not far:
        return
    _rule("outliers: rows farther than 6 robust deviations from the median")
    lines = [
        {
            "measure": each.column if each.unit == "value" else f"{each.column} {each.unit}",
            "median": _number(each.median),
            "rows": each.rows,
            "farthest": _address(row.row),
            "value": _number(row.value),
            "deviations": round(row.distance, 1),
            "text": cell(row.text, 60),
        }
        for each in (far if in_full else far[:FEW])
        for row in (each.farthest if in_full else each.farthest[:1])
    ]
    print_table(lines)
    if not in_full and len(far) > FEW:
        console.print(f"[dim]{len(far) - FEW} other measures; --rows N shows all[/]")


def _show_sides(found: Inspection) -> None:
    """One row on each side of every rule."""
    if not found.rules:
        return
    _rule("rules, with the rows nearest to the threshold (more: --rule NAME --rows N)")
    most = sorted(found.rules, key=lambda each: -each.removed)[: 2 * FEW]
    for rule in (each for each in found.rules if each in most):
        wanted = f", wanted {cell(rule.threshold, 50)}" if rule.threshold else ""
        console.print(f"[bold]{escape(rule.step)}[/] {escape(rule.rule)}{wanted}: {rule.removed:,}")
        removed = rule.just_removed or rule.at_random
        for colour, title, rows in (
            ("red", "removed", removed),
            ("green", "stayed ", rule.just_stayed),
        ):
            for row in rows[:1]:
                _print(f"  [{colour}]{title}[/] " + _line(row))
    for pairs in found.pairs:
        for title, sides in (("merged", pairs.alike), ("not merged", pairs.unlike)):
            for pair in sides[:1]:
                console.print(f"[bold]{escape(pairs.step)}[/] {title} {pair.similarity:.3f}")
                _print("  " + _line(pair.first))
                _print("  " + _line(pair.second))


def _show_order(found: Inspection) -> None:
    for order in found.order.suggestions:
        _rule("a quicker order of filters")
        console.print(
            f"{' → '.join(map(escape, order.better))}\n"
            f"{order.seconds:.2f} s → {order.better_seconds:.2f} s, {order.saving:.0%} of all steps; "
            + ", ".join(
                f"{each.step} {each.microseconds:,.1f} µs a row, removes {each.removes:.1%}"
                for each in order.now
            )
        )
    if found.order.note:
        console.print(f"[dim]{escape(found.order.note)}[/]")


def _line(row: RowToRead) -> str:
    """Address, measured value and text."""
    head = f"[bold]{escape(_address(row.row, row))}[/]"
    if row.measured is not None:
        head += f" {cell(_rounded(row.measured), 40)}"
    return f"{head}  [dim]{cell(row.text, len(row.text) + 1)}[/]"


def _print(line: str) -> None:
    """Print a line, cut to the width of the screen."""
    console.print(line, no_wrap=True, overflow="ellipsis")


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() else value


def _rounded(measured: str) -> str:
    try:
        return f"{float(measured):.6g}"
    except ValueError:
        return measured


def _address(address: RowAddress | None, row: RowToRead | None = None) -> str:
    """How the other verbs name a row: of a version by its number, of an external input by record."""
    if address is not None:
        return f"{address.version}:{address.row_id}"
    assert row is not None
    return f"{row.input}:{row.number}"


def _rule(title: str) -> None:
    console.rule(f"[bold]{escape(title)}[/]", align="left", style="dim")
