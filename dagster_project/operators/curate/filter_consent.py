"""Leave out rows of people who did not consent, or no longer do."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import column_type, misuse

UNTIL = "retained_until"


class FilterConsent(RowOperator):
    """Keeps rows that may be trained on: their person consented, for this purpose, has not withdrawn, and
    the time for which the row may be kept is not over.

    | rule | the row |
    |---|---|
    | `no_consent` | has no consent: `consent` is false, null, or none of the `granted` words |
    | `other_purpose` | has consent for other purposes only |
    | `withdrawn` | is of a person whom the reference `withdrawn` names |
    | `expired` | may be kept no longer on the day `as_of`, or nothing tells until when |

    A row may be kept for `retain_days` from the day in `given`, until the day in `until`, or whichever is
    earlier. Days are dates, times, or texts that begin as `2026-11-30` does. The day `as_of` stands in
    the recipe, so that a version does not depend on when it is built: put a later one there, and the
    rows that have expired go. To be told, hold the published rows to the clock, with a check:

        - sql: "SELECT row_id FROM scores WHERE retained_until < current_date"
          name: retention_kept

    Who was removed is in the dispositions as a row's number, never by name. What was landed of removed
    rows stays in the store until `seedbed retain` deletes the snapshots that were made of it.

    Measures `retained_until`, the last day, where `as_of` is given.

    Example:
        - filter_consent: {consent: may_train, given: logged_at, retain_days: 365, as_of: 2026-11-01}

    Raises:
        OperatorMisuse: when a column has a type in which such a value cannot be.
    """

    consent: str = Field(description="The column of true and false, or of words.")
    granted: tuple[str, ...] = Field(
        default=("true", "yes", "granted"),
        min_length=1,
        description="Words that are consent, in any case, where the column holds words.",
    )
    purpose: str | None = Field(default=None, description="What consent must be for.")
    purposes: str | None = Field(
        default=None, description="The column of what it is for: a word, or a list of words."
    )
    subject: str | None = Field(default=None, description="The column of persons' ids.")
    withdrawn: dict[str, str] = Field(
        default={},
        description="References of the recipe that list persons who withdrew, and the column of ids.",
    )
    given: str | None = Field(default=None, description="The column of days from which to count.")
    retain_days: int | None = Field(default=None, ge=0, description="Days to keep a row.")
    until: str | None = Field(default=None, description="The column of last days.")
    as_of: datetime.date | None = Field(
        default=None, description="The day on which rows must still be kept."
    )

    _withdrawn: pl.Series = PrivateAttr(default=pl.Series(dtype=pl.String))

    @model_validator(mode="after")
    def _together(self) -> Self:
        for one, other in (
            ("purpose", "purposes"),
            ("subject", "withdrawn"),
            ("given", "retain_days"),
        ):
            values = (getattr(self, one), getattr(self, other))
            if any(value not in (None, {}) for value in values) and any(
                value in (None, {}) for value in values
            ):
                raise ValueError(f"give both `{one}` and `{other}`, or neither")
        if (self.as_of is None) != (self.given is None and self.until is None):
            raise ValueError(
                "`as_of` goes with `given` and `retain_days`, or with `until`; give both, or neither"
            )
        return self

    def reads(self) -> Sequence[str]:
        named = (self.consent, self.purposes, self.subject, self.given, self.until)
        return list(dict.fromkeys(name for name in named if name))

    def references(self) -> Mapping[str, tuple[str, ...]]:
        return {name: (column,) for name, column in self.withdrawn.items()}

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        ready = self.model_copy()
        told = [references[name][column].cast(pl.String) for name, column in self.withdrawn.items()]
        ready._withdrawn = pl.concat([ready._withdrawn, *told]).drop_nulls().unique().sort()
        return ready

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        if self.as_of is None:
            return {}
        last = []
        if self.given and self.retain_days is not None:
            last.append(self._day(schema, self.given) + pl.duration(days=self.retain_days))
        if self.until:
            last.append(self._day(schema, self.until))
        return {UNTIL: pl.min_horizontal(last)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        rules = [self._consented(schema)]
        if self.purpose and self.purposes:
            rules.append(self._purpose(schema, self.purposes, self.purpose))
        if self.subject:
            person = self._plain(schema, self.subject).cast(pl.String)
            keep = ~person.is_in(self._withdrawn.implode()).fill_null(False)
            hidden = pl.lit(None, pl.String)
            rules.append(Rule("withdrawn", keep, hidden, "a person who has not withdrawn"))
        if self.as_of is not None:
            keep = (pl.col(UNTIL) >= self.as_of).fill_null(False)
            rules.append(Rule("expired", keep, pl.col(UNTIL), f">= {self.as_of}"))
        return rules

    def _consented(self, schema: pl.Schema) -> Rule:
        kind = column_type(self, schema, self.consent)
        if kind == pl.Boolean:
            return Rule("no_consent", pl.col(self.consent), pl.col(self.consent), "true")
        words = [word.lower() for word in self.granted]
        keep = self._plain(schema, self.consent).cast(pl.String).str.to_lowercase().is_in(words)
        return Rule("no_consent", keep, pl.col(self.consent), f"one of {', '.join(words)}")

    def _purpose(self, schema: pl.Schema, column: str, wanted: str) -> Rule:
        kind = column_type(self, schema, column)
        if kind == pl.List(pl.String):
            told = pl.col(column).list.join(", ", ignore_nulls=True)
            return Rule("other_purpose", pl.col(column).list.contains(wanted), told, wanted)
        if kind != pl.String:
            raise misuse(self, column, kind, "a word, or a list of words")
        return Rule("other_purpose", pl.col(column) == wanted, pl.col(column), wanted)

    def _plain(self, schema: pl.Schema, column: str) -> pl.Expr:
        kind = column_type(self, schema, column)
        if kind.is_nested() or kind == pl.Binary:
            raise misuse(self, column, kind, "a plain value")
        return pl.col(column)

    def _day(self, schema: pl.Schema, column: str) -> pl.Expr:
        kind = column_type(self, schema, column)
        if kind == pl.String:
            return pl.col(column).str.head(10).str.to_date("%Y-%m-%d", strict=False)
        if kind == pl.Date or isinstance(kind, pl.Datetime):
            return pl.col(column).cast(pl.Date)
        raise misuse(self, column, kind, "days: dates, times, or texts such as 2026-11-30")
