"""The rows that new ones are made from: which ones an attempt gets, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from random import Random

import polars as pl

from dagster_project.engine.ancestry import synthetic_rows
from dagster_project.engine.batch import PARENT, user_schema
from dagster_project.engine.inputs import OpenInput
from dagster_project.operators.curate.splitmix64 import numbers, start
from dagster_project.warehouse.store import Store


class SeedRows:
    """Seeds, in an order of their own that is the same wherever they are the same.

    Args:
        opened: the seeds; None where there are none.
        store: where upstream snapshots are.
        name: of the input that they are seeds of.
    """

    def __init__(self, opened: OpenInput | None, store: Store, name: str) -> None:
        self.opened, self.store, self.name = opened, store, name
        self._known: dict[int, dict] = {}

    @property
    def schema(self) -> pl.Schema:
        """Their columns."""
        return self.opened.schema if self.opened else pl.Schema()

    @cached_property
    def rows(self) -> int:
        """How many there are."""
        return sum(chunk.rows for chunk in self.opened.chunks) if self.opened else 0

    @cached_property
    def _order(self) -> list[int]:
        """Their row ids, mixed."""
        if self.opened is None:
            return []
        ids = pl.concat([chunk.load()[PARENT] for chunk in self.opened.chunks] or [pl.Series([])])
        mixed = numbers(start(f"seeds of {self.name}", 0), pl.int_range(len(ids), eager=True))
        return ids.gather(mixed.arg_sort()).to_list()

    def of_attempt(self, attempt: int, count: int, draw: Random) -> list[int]:
        """The row ids that an attempt gets: the first in turn, the others drawn."""
        if not count or not self._order:
            return []
        size = len(self._order)
        first = attempt % size
        others = [at for at in draw.sample(range(size), min(count, size)) if at != first]
        return [self._order[at] for at in (first, *others[: count - 1])]

    def take(self, row_ids: Iterable[int]) -> Mapping[int, dict]:
        """Rows by their ids, in all columns."""
        wanted = sorted(set(row_ids) - set(self._known))
        if wanted and self.opened is not None:
            self._known = {row: self._known[row] for row in set(row_ids) & set(self._known)}
            ids = pl.Series(wanted, dtype=pl.Int64)
            columns = list(user_schema(self.opened.schema))
            for chunk in self.opened.chunks:
                found = chunk.load().filter(pl.col(PARENT).is_in(ids.implode()))
                rows = found.select(columns).to_dicts()
                self._known.update(zip(found[PARENT].to_list(), rows, strict=True))
        return self._known

    @cached_property
    def ancestry(self) -> Mapping[int, tuple[int, tuple[str, ...]]]:
        """Depth and teachers of those seeds that were themselves generated, by row id."""
        if self.opened is None:
            return {}
        known = synthetic_rows(self.opened, self.store)
        return {row: (depth, tuple(names)) for row, depth, names in known.iter_rows()}
