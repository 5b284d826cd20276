"""Labels that are likely wrong: the same as cleanlab finds, and those that were planted."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.engine.plan import RunStopped
from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.curate.find_label_errors import FindLabelErrors
from dagster_project.operators.kernels.confident_learning import confident_joint, label_errors
from tests.operators.curate.label_cases import CASES, case

CLEANLAB = [
    *((19, "8dfc480b50bc"), (17, "df3135a2ade1"), (14, "8b06307dac9d"), (71, "7987bc280422")),
    *((24, "80099aeed353"), (20, "a59fcaa14196"), (125, "3cc098caca8d"), (106, "d2559b347bad")),
    *((72, "3877d5fc014b"), (156, "3850c6b68f34"), (130, "cdaa9a6884d3"), (122, "30e074dcafe8")),
]
"""What `cleanlab.filter.find_label_issues` of cleanlab 2.9.0 finds with its defaults: how many rows, and
the start of the sha256 of their positions."""
FIRST_FOUND = [1, 3, 16, 19, 25, 27, 28, 29, 34, 36, 37, 42, 48, 49, 51, 53, 56, 57, 58]
"""The same of the first case."""
TEXTS = {
    "bread": [
        f"{verb} the {what} {how}"
        for verb in ("Bake", "Knead", "Proof", "Slice")
        for what in ("sourdough loaf", "rye dough", "bread rolls")
        for how in ("in a hot oven", "with flour and yeast", "until the crust is golden")
    ],
    "football": [
        f"{who} {did} {when}"
        for who in ("The striker", "Our goalkeeper", "The midfielder")
        for did in ("scored a goal", "saved the penalty", "was shown a red card", "passed the ball")
        for when in ("in the final match", "before half time", "against the champions")
    ],
}


@pytest.mark.parametrize("number", CASES)
def test_what_cleanlab_finds(number) -> None:
    _, labels, probabilities = case(number)
    found = np.nonzero(label_errors(labels, probabilities))[0].tolist()
    seal = hashlib.sha256(",".join(map(str, found)).encode()).hexdigest()[:12]
    assert (len(found), seal) == CLEANLAB[number]
    if number == 0:
        assert found == FIRST_FOUND


def test_the_joint_of_a_worked_example() -> None:
    """Means of the labelled are 0.7 and 0.6. The third row is confidently of the other class, the fifth
    of neither: 2 and 1 of the rows labelled 0 that count, 1 of 1 of those labelled 1."""
    first = np.array([0.9, 0.9, 0.3, 0.35, 0.45])
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.column_stack([first, 1 - first])
    assert confident_joint(labels, probabilities).tolist() == [[2, 1], [0, 2]]
    assert label_errors(labels, probabilities).tolist() == [False, False, True, False, False]


def frame(number: int = 8) -> pl.DataFrame:
    _, labels, probabilities = case(number)
    return pl.DataFrame({"topic": [f"t{each}" for each in labels], "p": probabilities.tolist()})


def test_it_tells_and_removes_only_when_asked(apply) -> None:
    _, labels, probabilities = case(8)
    wrong = label_errors(labels, probabilities)
    rows = frame()
    kept, gone = apply(FindLabelErrors(label="topic", probabilities="p"), rows, cuts=[50])
    assert gone.is_empty()
    assert kept["label_error"].to_list() == wrong.tolist()
    own = probabilities[np.arange(len(labels)), labels]
    assert kept["label_quality"].to_list() == own.tolist()
    assert kept["suggested_label"].to_list() == [
        f"t{each}" for each in probabilities.argmax(axis=1)
    ]
    kept, gone = apply(FindLabelErrors(label="topic", probabilities="p", remove=True), rows)
    assert gone["row"].to_list() == np.nonzero(wrong)[0].tolist()
    assert set(gone["rule"]) == {"label_error"}
    assert gone["threshold"][0].startswith("the label is likely t")
    assert kept.height + gone.height == rows.height


def test_classes_name_the_places_in_the_lists(apply) -> None:
    rows = frame().with_columns(pl.col("p").list.reverse())
    classes = tuple(sorted(set(rows["topic"]), reverse=True))
    kept, _ = apply(FindLabelErrors(label="topic", probabilities="p", classes=classes), rows)
    plain, _ = apply(FindLabelErrors(label="topic", probabilities="p"), frame())
    assert kept["suggested_label"].equals(plain["suggested_label"])
    with pytest.raises(OperatorMisuse, match="has 't1', which is not among"):
        apply(FindLabelErrors(label="topic", probabilities="p", classes=("t0", "x")), rows)


def test_rows_that_say_nothing_are_not_measured_and_stay(apply) -> None:
    odd = [None, [], [0.5], [0.5, 0.6], [1.5, -0.5], [float("nan"), 1.0], [None, 1.0], [0.2, 0.8]]
    rows = pl.DataFrame(
        {"label": [True, False, True, False, True, False, True, None], "p": odd},
        schema={"label": pl.Boolean, "p": pl.List(pl.Float64)},
    )
    sound = pl.DataFrame({"label": [True, False] * 5, "p": [[0.1, 0.9], [0.8, 0.2]] * 5})
    kept, gone = apply(FindLabelErrors(label="label", probabilities="p"), pl.concat([rows, sound]))
    assert gone.is_empty()
    assert kept["label_quality"].to_list() == [None] * 8 + [0.9, 0.8] * 5
    assert not kept["label_error"].any()


def test_planted_mistakes_are_found_by_what_texts_say(apply) -> None:
    rows = [
        {"text": text, "topic": topic} for topic, texts in TEXTS.items() for text in sorted(texts)
    ]
    planted = [5, 17, 30, 41, 55, 66]
    for row in planted:
        rows[row]["topic"] = "football" if rows[row]["topic"] == "bread" else "bread"
    operator = FindLabelErrors(label="topic", columns=("text",))  # pyright: ignore
    kept, _ = apply(operator, pl.DataFrame(rows), cuts=[10])
    found = np.nonzero(kept["label_error"].to_numpy())[0].tolist()
    assert set(planted) <= set(found)
    assert len(found) <= len(planted) + 2
    again, _ = apply(operator, pl.DataFrame(rows))
    assert kept.equals(again)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "", None]),
            st.one_of(
                st.none(),
                st.lists(st.one_of(st.none(), st.floats()), max_size=3),
                st.sampled_from([[0.5, 0.5, 0.0], [1.0, 0.0], [0.0, 0.0, 1.0], [0.2, 0.8]]),
            ),
        ),
        max_size=12,
    )
)
def test_whatever_rows_hold(apply, drawn) -> None:
    rows = pl.DataFrame(drawn, {"l": pl.String, "p": pl.List(pl.Float64)}, orient="row")
    for remove in (False, True):
        kept, gone = apply(FindLabelErrors(label="l", probabilities="p", remove=remove), rows)
        assert kept.height + gone.height == rows.height
        assert set(gone["rule"]) <= {"label_error"}


def test_parameters() -> None:
    with pytest.raises(ValidationError, match="give `probabilities`"):
        FindLabelErrors(label="a")
    with pytest.raises(ValidationError, match="one label twice"):
        FindLabelErrors(label="a", probabilities="p", classes=("a", "a"))


def test_columns_of_other_kinds(apply) -> None:
    rows = pl.DataFrame({"a": [1.5], "p": [[0.5, 0.5]], "q": ["x"], "n": [1]})
    with pytest.raises(RunStopped, match="text, whole numbers"):
        apply(FindLabelErrors(label="a", probabilities="p"), rows)
    with pytest.raises(RunStopped, match="a list of numbers"):
        apply(FindLabelErrors(label="n", probabilities="q"), rows)
