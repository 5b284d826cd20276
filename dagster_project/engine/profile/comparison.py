"""A version beside what it is compared with, both on the same axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from dagster_project.engine.profile.axes import TOPIC, Axis, Thirds, thirds_of
from dagster_project.engine.profile.divergence import shares, wanted_of_all
from dagster_project.engine.profile.gaps import Maker
from dagster_project.engine.profile.placing import asked, place
from dagster_project.engine.profile.profiled_rows import SaidRows, SnapshotRows
from dagster_project.engine.profile.target import Target
from dagster_project.engine.profile.text_vectors import Method
from dagster_project.engine.profile.topics import OTHER, Topics, named_topics, topics

EXAMPLES = 3
"""Rows that show a value."""
EXAMPLE_LENGTH = 160
"""Characters of their texts that are shown."""
THIN = 0.1
"""Share of rows that must have a value, for an axis to be compared."""


@dataclass(frozen=True)
class Comparison:
    """A version, and a target if there is one.

    Attributes:
        rows: of the version.
        target: what it is compared with.
        axes: along which.
        method: how vectors of topics are made.
        topic_rows: rows whose topic is told, of each side.
        topic_count: topics; None for: by the number of these rows.
        seed: of all that is drawn at random.
    """

    rows: SnapshotRows
    target: Target | None
    axes: Mapping[str, Axis]
    method: Method
    topic_rows: int
    topic_count: int | None
    seed: int

    @cached_property
    def thirds(self) -> Thirds | None:
        """How difficulty is measured in the version, where the target can be measured so too."""
        found = thirds_of(self.rows)
        theirs = self.target.rows if self.target else None
        if found is None or theirs is None:
            return found
        measured = isinstance(theirs, SnapshotRows) and found.column in theirs.scores
        return found if measured else None

    @cached_property
    def topics(self) -> Topics | None:
        """Told of some rows, where they are asked for."""
        if TOPIC not in self.axes:
            return None
        ours = self._asked(self.rows)
        wanted = self.target.shares.axes.get(TOPIC) if self.target and self.target.shares else None
        if wanted:
            return named_topics(ours, list(wanted), self.method)
        theirs = self._asked(self.target.rows) if self.target and self.target.rows else None
        return topics(ours, theirs, self.method, count=self.topic_count, seed=self.seed)

    @cached_property
    def placed(self) -> pl.DataFrame:
        """Rows of the version on all axes."""
        return self._placed(self.rows, self.topics.rows if self.topics else None)

    @cached_property
    def target_placed(self) -> pl.DataFrame | None:
        """Rows of the target, on those axes that it has."""
        if self.target is None or self.target.rows is None:
            return None
        return self._placed(self.target.rows, self.topics.target if self.topics else None)

    def counts(self, name: str) -> dict[str, int]:
        """Rows of the version by value of an axis, the most frequent first."""
        return _counts(self.placed, name)

    def shares(self, name: str) -> dict[str, float]:
        """Shares of them."""
        return shares(self.counts(name))

    def wanted(self, name: str) -> dict[str, float] | None:
        """Shares of the target; None where it says nothing of an axis, or too few rows have a value."""
        if self.target is None or self.thin(name):
            return None
        if self.target.shares is not None:
            wanted = self.target.shares.axes.get(name)
            return wanted_of_all(wanted, self.shares(name)) if wanted else None
        theirs, frame = self.target.rows, self.target_placed
        assert theirs is not None and frame is not None
        if name not in frame or self._other_lengths(name, theirs):
            return None
        counts = _counts(frame, name)
        return shares(counts) if counts else None

    def thin(self, name: str) -> bool:
        """Whether too few rows have a value to compare."""
        looked_at = self.topics.rows.height if name == TOPIC and self.topics else self.placed.height
        return self.placed[name].count() < max(THIN * looked_at, 1)

    def examples(self, name: str) -> dict[str, list[tuple[int, str]]]:
        """Rows of each value: of the target where it is of rows."""
        placed, said = self.placed, self.rows
        if self.target is not None and self.target.rows is not None:
            assert self.target_placed is not None
            placed, said = self.target_placed, self.target.rows
        first = placed.select("row_id", name).drop_nulls()
        if name == TOPIC and self.topics:
            best = pl.col("row_id").is_in(list(self.topics.exemplars.values()))
            first = first.sort(~best, maintain_order=True)
        first = first.group_by(name, maintain_order=True).head(EXAMPLES)
        texts = first.join(
            said.frame.select("row_id", text=beginning(asked(said))),
            on="row_id",
            how="left",
            maintain_order="left",
        )
        found: dict[str, list[tuple[int, str]]] = {}
        for value, row, text in texts.select(name, "row_id", "text").iter_rows():
            found.setdefault(value, []).append((row, text or ""))
        return found

    def maker(self) -> Maker:
        """Of jobs for the version."""
        known = self.topics.names[: len(self.topics.names) - self.topics.new] if self.topics else ()
        return Maker(
            version=str(self.rows.snapshot.address.version),
            parts=self.rows.parts,
            topics=tuple(topic for topic in known if topic != OTHER),
            labels=tuple(name for name in self.rows.labels if self.rows.schema[name] == pl.String),
        )

    def _placed(self, rows: SaidRows, topic: pl.DataFrame | None) -> pl.DataFrame:
        requests = self.rows.parts.has_prompts
        found = place(rows, self.axes, requests=requests, thirds=self.thirds)
        if topic is not None:
            found = found.join(topic, on="row_id", how="left", maintain_order="left")
        return found

    def _asked(self, rows: SaidRows) -> pl.DataFrame:
        return rows.sample(self.topic_rows, self.seed).select("row_id", asked=asked(rows))

    def _other_lengths(self, name: str, theirs: SaidRows) -> bool:
        """Whether lengths are of answers on one side only."""
        return name == "length" and theirs.parts.has_answers != self.rows.parts.has_answers


def beginning(text: pl.Expr) -> pl.Expr:
    """How a text begins, on one line."""
    return text.str.head(4 * EXAMPLE_LENGTH).str.replace_all(r"\s+", " ").str.head(EXAMPLE_LENGTH)


def _counts(frame: pl.DataFrame, name: str) -> dict[str, int]:
    counted = frame[name].drop_nulls().value_counts()
    return dict(counted.sort(["count", name], descending=[True, False]).iter_rows())
