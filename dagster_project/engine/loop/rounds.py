"""What each version bought over the one before it, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from dagster_project.arena.standing import standing
from dagster_project.warehouse.address import Answer


class Contender(Answer):
    """A contestant, as what it took to make.

    Attributes:
        name: of the contestant.
        version: whose rows it has.
        rows: that the version has.
        generated: how many of them were made.
        dollars, tokens: spent on calls for the version's current snapshot.
    """

    name: str
    version: str
    rows: int
    generated: int
    dollars: float
    tokens: int


class Round(Answer):
    """What a contestant bought over the one before it, at one equal budget.

    Attributes:
        model, budget: whose score, trained on what.
        before, after: contestants.
        difference: of the scores.
        low, high: between which it lies (95 %).
        rows_more: rows that the later version has more.
        dollars, tokens: that the later one cost.
        for_a_dollar: difference for a dollar spent; None where nothing was.
        for_a_thousand_rows: difference for a thousand more rows; None where there are none.
        for_a_million_tokens: difference for a million tokens of calls; None where none were spent.
    """

    model: str
    budget: str
    before: str
    after: str
    difference: float
    low: float
    high: float
    rows_more: int
    dollars: float
    tokens: int
    for_a_dollar: float | None
    for_a_thousand_rows: float | None
    for_a_million_tokens: float | None

    @property
    def verdict(self) -> str:
        """Better, worse, or no difference."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "no difference"


def rounds(results: pl.DataFrame, contenders: Sequence[Contender]) -> list[Round]:
    """What each contestant bought over the one before it, at the largest equal budget of each kind.

    Args:
        results: `RESULTS` of the contest.
        contenders: in the order in which they were made.
    """
    equal = results.filter(pl.col("budget") != "all")
    largest = equal.group_by("budget").agg(pl.col("amount").max())
    equal = equal.join(largest, on=["budget", "amount"], how="semi")
    found = []
    for before, after in pairwise(contenders):
        both = equal.filter(pl.col("contestant").is_in([before.name, after.name]))
        if both["contestant"].n_unique() < 2:
            continue
        for row in standing(both, before.name).iter_rows(named=True):
            if row["contestant"] != after.name:
                continue
            more, difference = after.rows - before.rows, row["difference"]
            found.append(
                Round(
                    model=row["model"],
                    budget=f"{row['amount']:,} {row['budget']}",
                    before=before.name,
                    after=after.name,
                    difference=difference,
                    low=row["low"],
                    high=row["high"],
                    rows_more=more,
                    dollars=after.dollars,
                    tokens=after.tokens,
                    for_a_dollar=difference / after.dollars if after.dollars else None,
                    for_a_thousand_rows=1000 * difference / more if more > 0 else None,
                    for_a_million_tokens=1e6 * difference / after.tokens if after.tokens else None,
                )
            )
    return found
