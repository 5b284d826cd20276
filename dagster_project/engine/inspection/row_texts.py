"""Rows with what they say, for a person to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.engine.inspection.step_operators import StepOperator
from dagster_project.warehouse.address import Answer, Row


class RowToRead(Answer):
    """A row, or the record that it was made from.

    Attributes:
        row: its address; None for a record of an external input.
        input: the input it is of, or descends from.
        number: its number there; None for a row of the snapshot.
        measured: the value that the rule looked at; the error of a row that was quarantined.
        text: its beginning.
    """

    row: Row | None
    input: str
    number: int | None
    measured: str | None
    text: str


@dataclass(frozen=True)
class Found:
    """A row that was chosen for a step, before its text is read: of an input or reference by `number`,
    or of the snapshot itself.

    Attributes:
        step: for which, by number.
        number: of the input that it is of, or descends from.
        row: its number there, or in the snapshot.
        measured: what the step's rule looked at.
    """

    step: int
    number: int
    row: int
    measured: str | None = None


@dataclass(frozen=True)
class RowTexts:
    """Reads the texts of chosen rows: of the columns that the step looked at, where they are known.

    Args:
        sources: the snapshot and its inputs.
        steps: its steps, by number.
    """

    sources: SourceRows
    steps: Mapping[int, StepOperator]

    def removed(self, rows: Sequence[Found]) -> dict[Found, RowToRead]:
        """Rows of inputs and references."""
        together: dict[tuple[int, int], set[int]] = {}
        for row in rows:
            together.setdefault((row.step, row.number), set()).add(row.row)
        texts = {
            key: self.sources.texts(key[1], numbers, self._columns(key[0]))
            for key, numbers in together.items()
        }
        return {
            row: RowToRead(
                row=self.sources.address(row.number, row.row),
                input=self.sources.snapshot.origin(row.number).name,
                number=row.row,
                measured=row.measured,
                text=texts[row.step, row.number].get(row.row) or "",
            )
            for row in rows
        }

    def stayed(
        self, rules: Mapping[tuple[int, str], Sequence[Found]]
    ) -> dict[tuple[int, str], tuple[RowToRead, ...]]:
        """Rows of the snapshot itself, by step and rule."""
        texts = self.sources.own_texts(
            (row.row, self._columns(step)) for (step, _), rows in rules.items() for row in rows
        )
        return {
            (step, rule): tuple(
                RowToRead(
                    row=self.sources.own_address(row.row),
                    input=self.sources.snapshot.inputs[row.number].name,
                    number=None,
                    measured=row.measured,
                    text=texts[row.row, self._columns(step)],
                )
                for row in rows
            )
            for (step, rule), rows in rules.items()
        }

    def _columns(self, step: int) -> tuple[str, ...]:
        operator = self.steps[step].operator
        return tuple(operator.reads()) if operator else ()
