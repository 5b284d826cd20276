"""Cut out passages that stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Decisions, Fetch, RelationOperator, removed
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.process.span_cuts import PIECES, cuts_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WINDOWS_AT_ONCE = 2**26
"""So many windows, each of about 40 bytes, are compared at once; more of them are in parts, for each
of which the candidates are read again."""


class DeduplicateSubstrings(RelationOperator):
    """Cuts passages of at least `min_tokens` tokens that stand elsewhere out of texts, exactly.

    A token is a run of letters, marks and digits, or one other visible character; an ideograph or a
    kana is one of its own. White space makes no difference. A window is `min_tokens` tokens in a row;
    a passage is what windows that overlap or touch cover. Rows are read in order, each from its
    start: a window is cut if an equal one **stands whole before it**, in text that stays, in an
    earlier row or before the window begins. So the first occurrence stays; every window that is cut
    is found unbroken in the row that the stored cut names; and in all that stays, no window stands
    twice without overlapping itself.

    All windows are compared, by 64-bit hashes, and none is missed; it takes no suffix array, since
    only rows that share a winnowing fingerprint (Schleimer, Wilkerson and Aiken 2003) are looked at
    closely. Lee et al. 2022 (arXiv 2107.06499), whose 50 tokens are the default, cut every
    occurrence, the first one too. Differences to "all but the first occurrence in a suffix array":

    - where the first occurrence is itself broken by a cut, the next one stays, for else the passage
      would be lost;
    - a loop within a text stays up to less than twice `min_tokens`: windows that overlap do not cut
      each other;
    - a row that is dropped takes nothing with it: of what it repeats or begins, others stay.

    Of the white space around and in a cut one piece stays, that with most line feeds. What stood apart
    now stands together, so that a second run may find a little more. A row of which nothing visible
    is left is dropped by the rule `nothing_left`; by `repeated_share` one of whose tokens more than
    `max_share` would be cut.

    Example:
        - deduplicate_substrings: {column: text, min_tokens: 50, max_share: 0.8}

    Raises:
        OperatorMisuse: when the column holds no text.
    """

    rule_names = ("nothing_left", "repeated_share")
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    column: str = Field(description="A column of text.")
    min_tokens: int = Field(default=50, ge=2, description="Fewest tokens of a passage that is cut.")
    normalize: Literal["none", "case"] = Field(
        default="none", description="What makes no difference, beside white space."
    )
    max_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="A row is dropped instead of cut if a greater share of its tokens is repeated.",
    )

    def reads(self) -> Sequence[str]:
        return [self.column]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        from dagster_project.operators.kernels.token_windows import fingerprints

        require_text(self, schema, self.column)
        return {
            "fingerprints": pl.col(self.column).map_batches(
                lambda texts: fingerprints(texts, self.min_tokens, fold=self._fold),
                return_dtype=pl.List(pl.UInt64),
                is_elementwise=True,
            )
        }

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        import numpy as np

        from dagster_project.operators.kernels.equal_keys import equal_keys, holding
        from dagster_project.operators.kernels.token_windows import run_size, token_bounds
        from dagster_project.operators.kernels.whole_repeats import find_repeats

        found = relation["fingerprints"].explode(empty_as_null=False).to_numpy()
        numbers = equal_keys(found)
        shared = found[numbers >= 0]
        candidates = holding(relation["fingerprints"].list.len().to_numpy(), numbers)
        rows = relation["row"].filter(pl.Series(candidates))
        most = len(shared) * (self.min_tokens - run_size(self.min_tokens) + 1)
        windows, tokens = self._windows(rows, np.unique(shared), most // WINDOWS_AT_ONCE + 1, fetch)
        share = 1.0 if self.max_share is None else self.max_share
        pieces, shares, goes = find_repeats(self.min_tokens, tokens, *windows, share)
        gone = pl.DataFrame({"row": rows, "share": shares}).filter(pl.Series(goes))
        nothing = pl.col("share") == 1
        empty, repeated = gone.filter(nothing), gone.filter(~nothing)
        places = rows.to_numpy()
        return Decisions(
            pl.concat(
                [
                    _dropped(empty, "nothing_left", "< 1"),
                    _dropped(repeated, "repeated_share", f"<= {share:g}"),
                ]
            ),
            cuts=cuts_of(
                self.column,
                pl.DataFrame(
                    {
                        "row": places[pieces[:, 0]],
                        "first": pieces[:, 1],
                        "last": pieces[:, 2],
                        "other": places[pieces[:, 3]],
                    },
                    schema=PIECES,
                ),
                pl.DataFrame({"row": rows, "units": tokens}),
                token_bounds,
                fetch,
            ),
        )

    @property
    def _fold(self) -> bool:
        return self.normalize == "case"

    def _windows(
        self, rows: pl.Series, fingerprints: NDArray[np.uint64], parts: int, fetch: Fetch
    ) -> tuple[tuple[NDArray, NDArray, NDArray], NDArray[np.uint32]]:
        """The windows of some rows that are not alone, sorted: position of the row, first token, and
        a number that equal ones share; and how many tokens each row has."""
        import numpy as np

        from dagster_project.operators.kernels.equal_keys import equal_keys

        found, used = [], 0
        tokens = np.zeros(len(rows), np.uint32)
        for part in range(parts):
            texts = fetch(rows, self._windows_with(fingerprints, part, parts))[
                "found"
            ].struct.unnest()
            tokens = texts["tokens"].to_numpy()
            flat = texts["windows"].explode(empty_as_null=False).struct
            numbers = equal_keys(flat.field("hash").to_numpy())
            here = np.flatnonzero(numbers >= 0)
            lengths = texts["windows"].list.len().to_numpy()
            row = np.repeat(np.arange(len(rows), dtype=np.uint32), lengths)[here]
            found.append((row, flat.field("at").to_numpy()[here], numbers[here] + np.int32(used)))
            used += int(numbers.max(initial=-1)) + 1
        row, at, number = (np.concatenate(column) for column in zip(*found, strict=True))
        if parts > 1:
            order = np.lexsort((at, row))
            row, at, number = row[order], at[order], number[order]
        return (row, at, number), tokens

    def _windows_with(
        self, fingerprints: NDArray[np.uint64], part: int, parts: int
    ) -> Callable[[pl.Schema], Mapping[str, pl.Expr]]:
        from dagster_project.operators.kernels.token_windows import WINDOWS, windows_with

        def windows(texts: pl.Series) -> pl.Series:
            size, fold = self.min_tokens, self._fold
            return windows_with(texts, size, fingerprints, fold=fold, part=part, parts=parts)

        found = pl.col(self.column).map_batches(windows, return_dtype=WINDOWS, is_elementwise=True)
        return lambda schema: {"found": found}


def _dropped(rows: pl.DataFrame, rule: str, threshold: str) -> pl.DataFrame:
    measured = rows["share"].round(4).cast(pl.String)
    return removed(rows["row"], "dropped", rule, measured=measured, threshold=threshold)
