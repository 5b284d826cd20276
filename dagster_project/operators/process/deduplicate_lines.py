"""Cut out lines, sentences or paragraphs that stood before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Decisions, Fetch, RelationOperator, removed
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.process.span_cuts import PIECES, cuts_of


class DeduplicateLines(RelationOperator):
    """Cuts lines, sentences or paragraphs that stood before out of texts, over the whole version.

    Of a `unit` that occurs more than `max_occurrences` times, the first in row order stays and all
    others are cut. The cuts are stored with the row in which the unit stays. A row of which nothing
    visible is left is dropped by the rule `nothing_left`.

    A `line` ends with a line feed, a `paragraph` with a blank line, a `sentence` with a line or a
    stop that white space follows (`。` needs none): an abbreviation cuts it, which does no harm. Of
    the white space around and between what is cut one piece stays, that with most line feeds.

    Units are compared as in CCNet (Wenzek et al. 2020, arXiv 1911.00359), which likewise cuts what
    was seen before: without case and punctuation, and with every digit as 0; any white space within
    is one space, and none counts around. So `3 - 1 = 2` equals `5 - 4 = 1`: for mathematics and code
    take `normalize: whitespace_case` or `none`. Units with fewer than `min_characters` letters,
    digits and symbols of what is compared stay, since `}`, `Yes.` or `## Example` are no boilerplate.

    They are compared by 64-bit hashes, 8 bytes a unit. Of a thousand million different units the
    chance that any two are taken for one is 3 %; of ten million, 3 in a million.

    Example:
        - deduplicate_lines: {column: text, unit: paragraph, max_occurrences: 3}

    Raises:
        OperatorMisuse: when the column holds no text.
    """

    rule_names = ("nothing_left",)
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    column: str = Field(description="A column of text.")
    unit: Literal["line", "sentence", "paragraph"] = Field(
        default="line", description="What is compared and cut."
    )
    within: Literal["version", "row"] = Field(
        default="version",
        description="Where a unit must have stood before: anywhere, or in its row.",
    )
    max_occurrences: int = Field(
        default=1,
        ge=1,
        description="A unit that occurs more often than this is cut but for the first; as in CCNet, "
        "any that occurs twice. A greater number cuts only what is likely boilerplate.",
    )
    normalize: Literal["none", "whitespace_case", "ccnet"] = Field(
        default="ccnet",
        description="What makes no difference: case, digits and punctuation (`ccnet`), only case and "
        "white space (`whitespace_case`), or nothing (`none`).",
    )
    min_characters: int = Field(
        default=30,
        ge=1,
        description="Fewest visible characters, of what is compared, of a unit that may be cut.",
    )

    def reads(self) -> Sequence[str]:
        return [self.column]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        from dagster_project.operators.kernels.text_lines import unit_hashes

        require_text(self, schema, self.column)
        return {
            "hashes": pl.col(self.column).map_batches(
                lambda texts: unit_hashes(texts, self.unit, self.normalize, self.min_characters),
                return_dtype=pl.List(pl.UInt64),
                is_elementwise=True,
            )
        }

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        from dagster_project.operators.kernels.text_lines import unit_bounds

        sizes = relation.select("row", pl.col("hashes").list.len().alias("units"))
        pieces = self._repeated(relation)
        cut = pieces.group_by("row").agg(cut=pl.len()).join(sizes, on="row")
        gone = cut.filter(pl.col("cut") == pl.col("units"))["row"].sort()
        pieces = pieces.filter(~pl.col("row").is_in(gone.implode()))
        return Decisions(
            removed(
                gone,
                "dropped",
                "nothing_left",
                measured=pl.repeat("1.0", gone.len(), eager=True),
                threshold="< 1",
            ),
            cuts=cuts_of(
                self.column, pieces, sizes, lambda texts: unit_bounds(texts, self.unit), fetch
            ),
        )

    def _repeated(self, relation: pl.DataFrame) -> pl.DataFrame:
        """The units that go: `PIECES` of one unit each."""
        import numpy as np

        from dagster_project.operators.kernels.equal_keys import equal_keys

        hashes = relation["hashes"].explode(empty_as_null=False).to_numpy()
        lengths = relation["hashes"].list.len().to_numpy()
        keys = hashes
        if self.within == "row":
            places = relation["row"].to_numpy() * np.uint64(0x9E3779B97F4A7C15)
            keys = hashes ^ np.repeat(places, lengths)
        numbers = equal_keys(keys)
        numbers[hashes == 0] = -1
        found = np.flatnonzero(numbers >= 0)
        ends = np.cumsum(lengths, dtype=np.int64)
        index = np.searchsorted(ends, found, side="right")
        first = found - (ends - lengths)[index]
        units = pl.DataFrame(
            {
                "row": relation["row"].gather(index),
                "first": first,
                "last": first + 1,
                "number": numbers[found],
            }
        )
        row, number = pl.col("row"), pl.col("number")
        repeated = units.with_columns(
            other=row.first().over(number),
            occurrences=pl.len().over(number),
            before=pl.int_range(pl.len()).over(number),
        ).filter((pl.col("occurrences") > self.max_occurrences) & (pl.col("before") > 0))
        return repeated.select(list(PIECES)).cast(PIECES)  # pyright: ignore
