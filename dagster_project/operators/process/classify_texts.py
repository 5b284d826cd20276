"""Give texts labels with a classifier of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

import polars as pl
from pydantic import Field, PrivateAttr, field_validator, model_validator

from dagster_project.operators.base import OperatorMisuse, RowOperator, Rule
from dagster_project.operators.process.classifier_formats import FORMATS, ModelRefused
from dagster_project.operators.process.compared_text import compared_text
from dagster_project.operators.process.isolated_classifier import IsolatedClassifier
from dagster_project.operators.process.once import Once

CLASSIFIED = pl.Struct({"label": pl.String, "probability": pl.Float64})
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".dill")
LIBRARIES = {
    ".bin": ("fasttext-predict",),
    ".ftz": ("fasttext-predict",),
    ".onnx": ("onnxruntime",),
    ".skops": ("skops", "scikit-learn"),
}


class ClassifyTexts(RowOperator):
    """Gives texts labels with a classifier that you bring as a file, and keeps those you name.

    `model` is a path in the workspace; what is in the file is part of what is built. By its suffix:

    | file | what it is |
    |---|---|
    | `.bin`, `.ftz` | a supervised fastText model; `__label__` is left out of its labels |
    | `.onnx` | one input of strings, of shape [n] or [n, 1]; two outputs, the label and the \
probabilities: what skl2onnx makes of a scikit-learn pipeline that begins with a text vectorizer. \
Weights in other files are not read |
    | `.skops` | a scikit-learn classifier with `predict_proba` that takes texts, saved by \
`skops.io.dump`, made of types that skops trusts by default; others are refused by name |

    Pickles (`.pkl`, `.joblib`, `.pt`) are refused: opening one runs whatever code is in it. The model
    runs in a process of its own with bounded time and memory (120 s of CPU for 200 texts; 1.5 GiB and
    four times the file), so that a damaged file stops the step and nothing else.

    Measures `<into>`, the most probable label, and `<into>_probability`, 0 to 1: its probability, or
    that of `label` if that is given. Both are null for a text of nothing but white space, and for a
    null. Rules, if given: `keep`, the label is one of these; `min_probability`.

    fastText reads one line: line ends are spaces to it. ONNX models are asked text by text, and so
    take about 0.1 ms each at least. One that lower-cases needs its locale on the machine; skl2onnx takes
    the option `locale: C.UTF-8`. `.onnx` and `.skops` need the extra `seedbed[classifiers]`.

    Example:
        - classify_texts: {columns: [text], model: models/quality.bin, label: hq, min_probability: 0.02}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages, or the model cannot be
            opened, is refused or crashes.
    """

    libraries: ClassVar[tuple[str, ...]] = tuple(
        dict.fromkeys(name for names in LIBRARIES.values() for name in names)
    )

    judged: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages count, in columns of chat messages.",
    )
    model: str = Field(description="Path of the model's file, relative to the workspace.")
    into: str = Field(
        default="label",
        min_length=1,
        description="Name of the annotation; the probability's is this and `_probability`.",
    )
    label: str | None = Field(
        default=None,
        description="Label whose probability is measured; default: the most probable one's.",
    )
    keep: tuple[str, ...] = Field(default=(), description="Labels of rows that stay; default: all.")
    min_probability: float | None = Field(
        default=None, ge=0, le=1, description="Least probability; null for no rule."
    )

    _classifier: IsolatedClassifier | None = PrivateAttr(default=None)

    @field_validator("model")
    @classmethod
    def _openable(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value:
            raise ValueError(f"{value!r} must be a path inside the workspace, such as models/m.bin")
        if path.suffix in PICKLES:
            raise ValueError(
                f"{value!r} is a pickle, and opening a pickle runs whatever code is in it. Save a "
                "scikit-learn model with `skops.io.dump(model, 'model.skops')`, or export it to ONNX"
            )
        if path.suffix not in FORMATS:
            raise ValueError(f"{value!r}: a model's file ends with {', '.join(FORMATS)}")
        return value

    @model_validator(mode="after")
    def _installed(self) -> Self:
        for name in self.runs_with():
            try:
                version(name)
            except PackageNotFoundError:
                raise ValueError(
                    f"{self.model} needs {name}; install it with `pip install 'seedbed[classifiers]'`"
                ) from None
        return self

    def runs_with(self) -> Sequence[str]:
        return LIBRARIES[PurePosixPath(self.model).suffix]

    def reads(self) -> Sequence[str]:
        return self.judged

    def files(self) -> Sequence[str]:
        return [self.model]

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        ready = self.model_copy()
        try:
            ready._classifier = IsolatedClassifier(files[self.model], self.label)
        except ModelRefused as error:
            raise self._refused(error) from error
        return ready

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        text = compared_text(self, schema, self.judged, self.roles)
        text = pl.when(text.str.contains(r"\S")).then(text)
        found = text.map_batches(Once(self._classified), return_dtype=CLASSIFIED)
        return {
            self.into: found.struct.field("label"),
            f"{self.into}_probability": found.struct.field("probability"),
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        label, probability = pl.col(self.into), pl.col(f"{self.into}_probability")
        rules = []
        if self.keep:
            rules.append(Rule("keep", label.is_in(self.keep), label, f"in {', '.join(self.keep)}"))
        if self.min_probability is not None:
            keep, threshold = probability >= self.min_probability, f">= {self.min_probability:g}"
            rules.append(Rule("min_probability", keep, probability, threshold))
        return rules

    def _classified(self, texts: pl.Series) -> pl.Series:
        assert self._classifier is not None
        there = texts.is_not_null()
        try:
            labels, probabilities = self._classifier.classify(texts.filter(there).to_list())
        except ModelRefused as error:
            raise self._refused(error) from error
        found = pl.DataFrame(
            {"label": labels, "probability": probabilities}, schema=CLASSIFIED.to_schema()
        ).with_columns(pl.col("probability").fill_nan(None).clip(0, 1).round(6))
        at = pl.select(pl.when(there).then(there.cum_sum().cast(pl.Int64) - 1)).to_series()
        return found.select(pl.all().gather(at)).to_struct(texts.name)

    def _refused(self, error: ModelRefused) -> OperatorMisuse:
        return OperatorMisuse(f"{self.operator_name()}: model {self.model}: {error}")
