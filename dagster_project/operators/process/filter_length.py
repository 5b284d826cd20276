"""Keep rows whose text is neither too short nor too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.measure_length import Tokenizer, Unit, length


class FilterLength(RowOperator):
    """Keeps rows whose text is neither too short nor too long.

    Each bound is a rule of its own, named after its field, and inclusive. Lengths are measured as
    by `measure_length`, only in the units that have a bound, and stay as annotations
    `<column>_characters`, `<column>_words` and `<column>_tokens`. A null is removed.

    Example:
        - filter_length: {column: text, min_words: 50, max_tokens: 8192}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages.
    """

    libraries: ClassVar[tuple[str, ...]] = ("quicktok-v1",)

    column: str = Field(description="A column of text or chat messages.")
    min_characters: int | None = Field(default=None, ge=0, description="Fewest code points.")
    max_characters: int | None = Field(default=None, ge=0, description="Most code points.")
    min_words: int | None = Field(default=None, ge=0, description="Fewest words.")
    max_words: int | None = Field(default=None, ge=0, description="Most words.")
    min_tokens: int | None = Field(default=None, ge=0, description="Fewest tokens.")
    max_tokens: int | None = Field(default=None, ge=0, description="Most tokens.")
    tokenizer: Tokenizer = Field(default="o200k", description="Whose tokens are counted.")
    prefix: str | None = Field(
        default=None,
        description="Put before the names of the annotations; default: the column's name and `_`.",
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if not any(self._bounded()):
            raise ValueError("give at least one bound, such as `min_characters` or `max_tokens`")
        for unit, least, most in self._bounded():
            if least is not None and most is not None and least > most:
                raise ValueError(f"no text has at least {least} and at most {most} {unit}")
        return self

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            self._annotation(unit): length(self, schema, self.column, unit, self.tokenizer)
            for unit, _, _ in self._bounded()
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        rules = []
        for unit, least, most in self._bounded():
            measured = pl.col(self._annotation(unit))
            if least is not None:
                rules.append(Rule(f"min_{unit}", measured >= least, measured, f">= {least}"))
            if most is not None:
                rules.append(Rule(f"max_{unit}", measured <= most, measured, f"<= {most}"))
        return rules

    def _annotation(self, unit: Unit) -> str:
        return f"{self.column}_{unit}" if self.prefix is None else f"{self.prefix}{unit}"

    def _bounded(self) -> Iterator[tuple[Unit, int | None, int | None]]:
        """The units that have a bound, with the bounds."""
        bounds: list[tuple[Unit, int | None, int | None]] = [
            ("characters", self.min_characters, self.max_characters),
            ("words", self.min_words, self.max_words),
            ("tokens", self.min_tokens, self.max_tokens),
        ]
        return (bound for bound in bounds if bound[1:] != (None, None))
