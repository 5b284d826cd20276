"""Expectations about preference pairs as a whole: the lengths of answers, and how clear the choice is."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import (
    Finding,
    SqlExpectation,
    counted,
    percent,
    quoted,
    some_rows,
)
from dagster_project.quality.phase_columns import SPEAKING, kind_of
from dagster_project.quality.row_rules import fields_of
from dagster_project.warehouse.connect import identifier


class ChosenLongerShare(SqlExpectation):
    """The chosen answer is not nearly always the longer one, nor nearly always the shorter.

    A model that is trained on pairs in which length gives the choice away learns length. Lengths are in
    characters, of chats those of all messages, so that a prompt in both counts for nothing; pairs of
    the same length are left out. The median of chosen to rejected length is told too.
    """

    of_a_table: ClassVar[bool] = True

    chosen: str = Field(default="chosen", description="A column of texts or chats.")
    rejected: str = Field(default="rejected", description="A column of the same kind.")
    min: float = Field(default=0.3, ge=0, le=1, description="Least share of pairs.")
    max: float = Field(default=0.7, ge=0, le=1, description="Largest share of pairs.")
    min_pairs: int = Field(
        default=100, ge=1, description="Fewest pairs of different lengths that say anything."
    )

    @model_validator(mode="after")
    def _bounds(self) -> ChosenLongerShare:
        if self.min > self.max:
            raise ValueError("no share is at least `min` and at most `max`")
        return self

    def expected(self) -> str:
        return f"`{self.chosen}` is longer in {percent(self.min)} to {percent(self.max)} of pairs"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        audited.require(subject.table, [self.chosen, self.rejected])
        types = audited.columns(subject.table)
        lengths = ", ".join(
            f"{_length(column, types[column])} AS {name}"
            for column, name in ((self.chosen, "chosen"), (self.rejected, "rejected"))
        )
        longer, differ, ratio = audited.row(
            f"{subject.prefix}SELECT count(*) FILTER (chosen > rejected), count(*), "
            "median(chosen / nullif(rejected, 0)) FROM (SELECT "
            f"{lengths} FROM {identifier(subject.relation)}) WHERE chosen <> rejected"
        )
        observed = counted(longer, differ, f"pairs have the longer text in `{self.chosen}`")
        if ratio is not None:
            observed += f"; in the median it is {ratio:,.3g} times as long"
        if differ < self.min_pairs:
            return Finding(True, f"{observed}; fewer than {self.min_pairs:,} say nothing", differ)
        return Finding(self.min <= longer / differ <= self.max, observed, differ)


class PreferenceMargin(SqlExpectation):
    """The chosen answer scored higher than the rejected one, by enough. A pair without a margin fails."""

    of_a_table: ClassVar[bool] = True

    margin: str | None = Field(
        default=None, description="The column of margins; default: the difference of two scores."
    )
    chosen_score: str = Field(default="score_chosen", description="The column of chosen scores.")
    rejected_score: str = Field(
        default="score_rejected", description="The column of rejected scores."
    )
    more_than: float = Field(default=0.0, description="Every margin must be more than this.")
    max_failing_share: float = Field(
        default=0.0, ge=0, le=1, description="Such a share of pairs may have less."
    )

    def expected(self) -> str:
        what = (
            f"`{self.margin}`"
            if self.margin
            else f"`{self.chosen_score}` - `{self.rejected_score}`"
        )
        most = (
            f"at most {percent(self.max_failing_share)} of pairs"
            if self.max_failing_share
            else "no pair"
        )
        return f"{most} with {what} of {self.more_than:g} or less"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        columns = [self.margin] if self.margin else [self.chosen_score, self.rejected_score]
        audited.require(subject.table, ["row_id", *columns])
        types = audited.columns(subject.table)
        if any(kind_of(types[column]) != "number" for column in columns):
            raise CannotCheck(f"{quoted(columns)}: margins are made of numbers")
        margin = " - ".join(f"{identifier(column)}::DOUBLE" for column in columns)
        pairs = (
            f"{subject.prefix}SELECT row_id, {margin} AS margin FROM {identifier(subject.relation)}"
        )
        (total,) = audited.row(f"SELECT count(*) FROM (\n{pairs}\n)")
        return some_rows(
            audited,
            f"SELECT row_id FROM (\n{pairs}\n) WHERE margin IS NULL OR isnan(margin) "
            f"OR margin <= {self.more_than!r}",
            total=total,
            most=self.max_failing_share * total,
            shown_sql=pairs,
            noun="pairs have no clear choice",
        )


def _length(column: str, kind: str) -> str:
    """The characters of a text, or of a chat's messages, as SQL."""
    if kind_of(kind) == "text":
        return f"length({identifier(column)})"
    if kind_of(kind) != "chat":
        raise CannotCheck(f"column `{column}` is {kind}, and neither text nor chat messages")
    fields = fields_of(kind)
    said = next(said for who, said in SPEAKING.items() if {who, said} <= set(fields))
    lengths = f'list_transform({identifier(column)}, lambda __m: length(__m."{said}"))'
    return f"coalesce(list_sum({lengths}), 0)"
