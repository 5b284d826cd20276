"""The contract of generators: operators that make new rows, each naming what it was made from.

A generator makes *attempts*. An attempt gets some seed rows and a source of chance, may ask models and
run programs, and gives candidates. The runner decides how many attempts there are: it goes on until so
many candidates as the recipe asks for have passed the input's own steps, or the budget, or the bound on
candidates, is reached. Every candidate is accounted for: accepted, rejected by a rule, or failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Operator
from dagster_project.operators.calls import Calls

Motive = Literal["quantity", "coverage", "quality", "privacy", "distillation"]
Origin = Literal["augmented", "synthesised"]

Row = Mapping[str, Any]
"""A row as values by column."""


@dataclass(frozen=True)
class Rejection:
    """Why a generator itself turns a candidate down.

    Attributes:
        rule: one of the generator's `rule_names`.
        measured: what it looked at.
        threshold: what it compared that with, as a person would write it.
    """

    rule: str
    measured: str | None = None
    threshold: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A new row.

    Attributes:
        values: by column; what is not there is null.
        rejection: why it goes no further; None when it does.
        seeds: which of the attempt's seeds it was made from, by position; None for all.
        made_from: which earlier candidates of the attempt it was made from, by position.
    """

    values: Row
    rejection: Rejection | None = None
    seeds: tuple[int, ...] | None = None
    made_from: tuple[int, ...] = ()


class Generator(Operator):
    """Makes new rows."""

    origin: ClassVar[Origin]
    """`augmented`: real rows, altered; `synthesised`: new ones."""

    rule_names: ClassVar[tuple[str, ...]] = ()
    """Names of the rules by which it turns its own candidates down."""

    motive: Motive = Field(
        description="What the new rows are for: quantity, coverage, quality, privacy or distillation."
    )
    carry: tuple[str, ...] = Field(
        default=(), description="Columns that a new row takes over from its first seed."
    )

    def seeds(self) -> int:
        """How many seed rows an attempt gets; 0 for a generator that needs none. The first comes from
        the seeds in turn, the others are drawn from them."""
        return 1

    def examples(self) -> int:
        """How many rows an attempt gets, at most, of those that were accepted so far; they come after
        the seeds."""
        return 0

    def attempts(self, seeds: int) -> int | None:
        """How many different attempts there are with so many seeds; None for no end."""
        return None

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        """The columns of its candidates, without those it carries over.

        Args:
            seeds: the columns of the seeds.

        Raises:
            OperatorMisuse: when the seeds are not such as it needs.
        """
        raise NotImplementedError

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        """One attempt.

        Args:
            seeds: rows to make new ones from, in all of their columns.
            draw: chance; the same for the same attempt of the same recipe.
            calls: answers.

        Returns:
            Candidates, in order. None at all is an attempt that came to nothing.

        Raises:
            CallFailed: when there is no answer to go on from; the attempt has failed.
        """
        raise NotImplementedError
