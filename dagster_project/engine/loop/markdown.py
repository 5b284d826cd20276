"""The page as Markdown, for the terminal and for the UI."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from dagster_project.engine.loop.page import LoopPage
from dagster_project.engine.loop.rounds import Round
from dagster_project.engine.loop.slices import Slice

SHOWN = 6
"""Slices of each model that are shown."""


def markdown(page: LoopPage) -> str:
    """The page, in five parts."""
    answer = {True: "**Go on**", False: "**Stop**", None: "**Cannot be told**"}[page.go_on]
    lines = [
        f"### {page.arena}: what next for {page.contestant}?",
        "",
        f"{answer}: {page.why}.",
        "",
    ]
    lines += ["#### What each round bought", "", *_rounds(page.rounds), ""]
    lines += [f"#### Where {page.contestant} is weak", "", *_slices(page.slices), ""]
    lines += ["#### The next job", "", *_job(page), ""]
    lines += ["#### What more of the same would buy", ""]
    lines += [f"- {told}" for told in page.expected] or ["- nothing can be told"]
    return "\n".join(lines) + "\n"


def job_yaml(page: LoopPage) -> str:
    """The job as an input of a recipe."""
    assert page.gap is not None
    return yaml.safe_dump(
        {"inputs": {"weakest": page.gap.job}}, allow_unicode=True, sort_keys=False
    )


def _rounds(found: tuple[Round, ...]) -> Iterator[str]:
    if not found:
        yield "There is one contestant, or no equal budget: nothing to compare."
        return
    yield (
        "| round | model | at | difference (95 %) | verdict | more rows | spent | for $1 "
        "| for 1 M tokens of calls | for 1,000 rows |"
    )
    yield "|---|---|---|---|---|---:|---:|---:|---:|---:|"
    for each in found:
        yield (
            f"| {_cell(each.before)} → {_cell(each.after)} | {each.model} | {each.budget} "
            f"| {each.difference:+.4f} ({each.low:+.4f} to {each.high:+.4f}) | {each.verdict} "
            f"| {each.rows_more:+,} | ${each.dollars:,.2f}, {each.tokens:,} tokens "
            f"| {_number(each.for_a_dollar)} | {_number(each.for_a_million_tokens)} "
            f"| {_number(each.for_a_thousand_rows)} |"
        )


def _slices(found: tuple[Slice, ...]) -> Iterator[str]:
    if not found:
        yield "There are too few held-out rows to tell slices apart."
        return
    yield "| model | slice | held-out rows | score | the rest | difference (95 %) | costs |"
    yield "|---|---|---:|---:|---:|---|---:|"
    for model in dict.fromkeys(each.model for each in found):
        for each in [one for one in found if one.model == model][:SHOWN]:
            yield (
                f"| {model} | {each.axis}: {_cell(each.value)}{' (weak)' if each.is_weak else ''} "
                f"| {each.items:,} | {each.score:.4f} | {each.rest:.4f} "
                f"| {each.score - each.rest:+.4f} ({each.low:+.4f} to {each.high:+.4f}) "
                f"| {each.loss:+.4f} |"
            )
    yield ""
    yield "What a slice costs is what the mean of all rows would gain if it were as good as the rest."


def _job(page: LoopPage) -> Iterator[str]:
    gap = page.gap
    if gap is None:
        yield "No slice is worse than the rest by more than chance."
        return
    yield (
        f"{gap.more_rows:,} more rows on {gap.axis} {gap.value!r}; {page.version} has about "
        f"{gap.have:,}. Held-out rows of the kind:"
    )
    yield ""
    yield from (f"- {_cell(text)}" for text in gap.examples)
    if gap.note:
        yield ""
        yield f"Look at what it makes: {gap.note}."
    yield ""
    yield "```yaml"
    yield job_yaml(page).rstrip()
    yield "```"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def _cell(text: str) -> str:
    """Text that ends no cell of a table, and is no markup."""
    plain = " ".join(text.split())
    for sign in "\\`*_[]<>|":
        plain = plain.replace(sign, "\\" + sign)
    return plain
