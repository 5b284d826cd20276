"""The operator contract.

An operator is a frozen model: its fields are its parameters, its docstring is its entry in the
catalogue. It opens no file, keeps no state and knows nothing of Dagster or DuckDB; it says what to
do as Polars expressions over a batch, and a runner does it. Three kinds are here; generators, which
make rows, and row operators that ask models or run programs have modules of their own:

- `RowOperator`: stateless over a batch. It may measure (annotate), edit, and remove rows by rules.
- `SplitOperator`: turns one row into any number of rows.
- `RelationOperator`: needs all rows at once, but only narrow columns of them, and answers with
  decisions by row.

**Annotate first, decide later**: a filter is a measured value and a rule on it. The measured value
is stored for kept and removed rows alike.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

import polars as pl
from pydantic import BaseModel, ConfigDict

from dagster_project.errors import SeedbedError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

SYSTEM_PREFIX = "__"
"""Columns whose names start so belong to the runner; no operator reads or adds one."""


class OperatorMisuse(SeedbedError):
    """An operator that does not fit the rows it was given, with what to do about it."""

    def __init__(self, message: str) -> None:
        super().__init__(without_expression(message))


def without_expression(message: str) -> str:
    """An error's message without the expression that Polars adds to whatever is raised in one."""
    return re.split(r"\s*(?:This error occurred in the following|Resolved plan until)", message)[0]


@dataclass(frozen=True)
class Rule:
    """A reason to remove a row.

    Attributes:
        name: what the rule is called in dispositions and counts.
        keep: Boolean; a row goes on where it is true, and is removed where it is false or null.
        measured: the value the rule looked at.
        threshold: what it was compared with, as a person would write it, e.g. `>= 5`.
    """

    name: str
    keep: pl.Expr
    measured: pl.Expr
    threshold: str


class Operator(BaseModel):
    """Base of all operators."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions, beside polars, whose version can change the result."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse an operator that could not be catalogued, when its class is defined."""
        super().__pydantic_init_subclass__(**kwargs)
        if cls.__module__ == __name__:
            return
        if not (cls.__doc__ or "").strip():
            raise TypeError(f"operator {cls.__name__} has no docstring; it is its catalogue entry")
        for name, declared in cls.model_fields.items():
            if not declared.description:
                raise TypeError(f"operator {cls.__name__}: field `{name}` has no description")

    @classmethod
    def operator_name(cls) -> str:
        """The name recipes use: the class name in snake case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    @classmethod
    def source_file(cls) -> Path:
        """The Python file that defines it."""
        return Path(inspect.getfile(cls))

    def runs_with(self) -> Sequence[str]:
        """Those of `libraries` that it uses with these parameters."""
        return self.libraries

    def reads(self) -> Sequence[str]:
        """The columns it needs. A recipe in which one is missing is refused before it runs."""
        return ()

    def references(self) -> Mapping[str, Sequence[str]]:
        """The recipe's references that it compares rows with, and the columns it needs of each."""
        return {}

    def models(self) -> Sequence[str]:
        """The recipe's models that it asks, by their names there."""
        return ()

    def files(self) -> Sequence[str]:
        """The files it needs, such as models: paths relative to the workspace. Their contents are part
        of what is built."""
        return ()

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        """It, ready to run.

        Args:
            references: rows of each of `references()`: their number there, `row` (Int64), and the
                columns asked for.
            files: where each of `files()` is.
        """
        return self


class RowOperator(Operator):
    """Stateless over a batch: measures, then edits, then removes by rules.

    Each method gives Polars expressions over the batch's columns; `schema` tells their types. What
    cannot be an expression is wrapped in `pl.Expr.map_batches`. A row on which an expression raises
    is quarantined by the runner, alone.
    """

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        """Measured values by column name. They travel with the row, later steps may read them, and
        they are stored in the snapshot's `scores`; they are not part of the published rows."""
        return {}

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        """New contents of data columns, by name; a new name adds a column. May read annotations."""
        return {}

    def removes(self, schema: pl.Schema) -> Sequence[str]:
        """Data columns to leave out from here on."""
        return ()

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        """Reasons to remove a row, in order; the first that a row breaks is recorded. They see
        annotations and edited columns."""
        return ()


class SplitOperator(Operator):
    """Turns one row into any number of rows, which share its other columns."""

    def pieces(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        """List-valued expressions by column name, equally long in each row; the lists' items become
        the columns of the new rows. A row whose lists are empty or null is removed by the rule
        `no_pieces`."""
        raise NotImplementedError


class Metric(NamedTuple):
    """A number about a step: what it is called, what it is about (such as a reference; None for all),
    and its value."""

    name: str
    subject: str | None
    value: float


@dataclass(frozen=True)
class Decisions:
    """What a relation operator decided. Rows are named by `row`, their position in the relation.

    Attributes:
        removed: columns of `REMOVED_SCHEMA`, one row for each row to remove; a duplicate is
            `merged` and names its survivor, which must itself stay, or is a row of a reference.
        annotations: `row` and measured columns, for the rows that have them.
        columns: `row` and data columns to add, for every row that stays.
        order: the rows that stay, in their new order; None keeps the order.
        pairs: columns of `PAIRS_SCHEMA`: what was found alike, whether or not it was removed.
        cuts: columns of `CUTS_SCHEMA`: what to cut out of the texts of rows that stay; sorted by
            row, column and start, not overlapping.
        metrics: what else there is to say of the whole, in numbers.
    """

    removed: pl.DataFrame
    annotations: pl.DataFrame | None = None
    columns: pl.DataFrame | None = None
    order: pl.Series | None = field(default=None, repr=False)
    pairs: pl.DataFrame | None = None
    cuts: pl.DataFrame | None = None
    metrics: Sequence[Metric] = ()


Columns = Callable[[pl.Schema], Mapping[str, pl.Expr]]
"""Columns by name, from the schema of the rows that they are computed from."""


class Fetch(Protocol):
    """Gives a relation operator more than its narrow columns, and room that may exceed memory."""

    def __call__(self, rows: pl.Series, columns: Columns) -> pl.DataFrame:
        """`row` and the columns asked for, of these rows (UInt64, sorted, each once), in order."""
        ...

    def batches(self, rows: pl.Series, columns: Columns) -> Iterator[pl.DataFrame]:
        """The same in parts, at least one, of which one is in memory at a time."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array whose contents do not matter yet; in a file if it is large."""
        ...

    def concatenated(self, parts: Iterable[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
        """Arrays of one dimension, one after the other; in a file if they are large."""
        ...


REMOVED_SCHEMA = pl.Schema(
    {
        "row": pl.UInt64,
        "disposition": pl.String,
        "rule": pl.String,
        "measured": pl.String,
        "threshold": pl.String,
        "survivor": pl.UInt64,
        "similarity": pl.Float64,
        "reference": pl.String,
    }
)
"""Why rows go. With a `reference`, the survivor is its row of that number."""

PAIRS_SCHEMA = pl.Schema(
    {
        "row": pl.UInt64,
        "other": pl.UInt64,
        "similarity": pl.Float64,
        "reference": pl.String,
        "matched": pl.String,
    }
)
"""Rows that are alike. With a `reference`, the other is its row of that number; `matched` is text of
the row that shows it."""

CUTS_SCHEMA = pl.Schema(
    {
        "row": pl.UInt64,
        "column": pl.String,
        "start": pl.UInt32,
        "length": pl.UInt32,
        "other": pl.UInt64,
    }
)
"""Spans of a row's text in a column of text, in bytes of its UTF-8, and a row in which the same text
stays, which may be the row itself."""


def completed(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A frame with all columns of a schema, in its types; those it does not have are null."""
    missing = [pl.lit(None).alias(name) for name in schema if name not in frame.columns]
    return frame.with_columns(*missing).select(list(schema)).cast(schema)  # pyright: ignore


class RelationOperator(Operator):
    """Needs the whole relation, but only narrow columns of it; answers with decisions by row."""

    rule_names: ClassVar[tuple[str, ...]] = ()
    """Names of the rules that its decisions may give for removing a row."""

    decides_by: ClassVar[tuple[str, ...]] = ()
    """The fields of `rules`, that change nothing of what is measured."""

    least_similarity: ClassVar[str | None] = None
    """The field that says how alike the rows of a pair must be for the first to be merged into the
    second, where the operator decides by nothing but the pairs it tells."""

    def pairs_told_from(self) -> float:
        """Least similarity of the pairs it tells, where it tells any."""
        return 1.0

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        """The narrow columns it wants to see, computed batch by batch."""
        raise NotImplementedError

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        """The annotation columns and the data columns that its decisions bring."""
        return pl.Schema(), pl.Schema()

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        """What its decisions come to for each row alone, from the annotations that they bring; none
        where that cannot be said so.

        Raises:
            OperatorMisuse: when its annotations do not tell, saying why.
        """
        return ()

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        """Decide about all rows.

        Args:
            relation: `row` (UInt64, from 0 without gaps, in order) and the columns asked for.
            fetch: gives more columns of a few rows, such as those that must be looked at closely.
        """
        raise NotImplementedError


def removed(
    row: pl.Series | Sequence[int],
    disposition: str,
    rule: str,
    *,
    measured: pl.Series | None = None,
    threshold: str | None = None,
    survivor: pl.Series | None = None,
    similarity: pl.Series | float | None = None,
    reference: pl.Series | str | None = None,
) -> pl.DataFrame:
    """A `Decisions.removed` frame in which one rule removes all rows."""
    frame = pl.DataFrame({"row": row}).with_columns(
        disposition=pl.lit(disposition),
        rule=pl.lit(rule),
        measured=pl.lit(measured),
        threshold=pl.lit(threshold),
        survivor=pl.lit(survivor),
        similarity=pl.lit(similarity),
        reference=pl.lit(reference),
    )
    return completed(frame, REMOVED_SCHEMA)
