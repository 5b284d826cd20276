"""What a what-if says is what a materialization then does."""

from __future__ import annotations

import random

import pytest

from dagster_project.engine.plan import plan
from dagster_project.engine.what_if import CannotTell, what_if
from dagster_project.recipe.loading import load_recipes
from dagster_project.warehouse.connect import connect
from dagster_project.workspace import VersionName

NAME = VersionName("a", "v1")
RECIPE = """\
inputs:
  one: {files: one.jsonl}
  two: {files: two.jsonl}
steps:
  - filter_length: {column: text, min_words: MIN_WORDS, max_characters: 400}
    name: length
  - deduplicate_near: {columns: [text], threshold: THRESHOLD, size: 2}
    name: near
  - filter_rows: {keep: n <> 13}
    name: unlucky
checks: [source_loss: {max: 1}]
"""


def declare(space, min_words: int = 3, threshold: float = 0.8) -> None:
    body = RECIPE.replace("MIN_WORDS", str(min_words)).replace("THRESHOLD", str(threshold))
    space.recipe("a/v1", body)


def ask(space, setting: str, examples: int = 3):
    recipes = load_recipes(space.workspace)
    return what_if(plan(recipes.versions[NAME]), space.store, setting, examples)


def rows(space) -> set[int]:
    with connect(space.store) as connection:
        return {n for (n,) in connection.execute("SELECT n FROM a.v1").fetchall()}


@pytest.fixture
def published(space):
    generator = random.Random(4)
    words = [f"w{number}" for number in range(60)]
    texts = []
    for _ in range(150):
        text = [generator.choice(words) for _ in range(generator.randrange(1, 25))]
        texts.append(" ".join(text))
        if generator.random() < 0.4 and len(text) > 4:
            text[generator.randrange(len(text))] = "changed"
            texts.append(" ".join(text))
    made = [{"n": number, "text": text} for number, text in enumerate(texts)]
    space.jsonl("one.jsonl", made[::2])
    space.jsonl("two.jsonl", made[1::2])
    declare(space)
    space.publish("a/v1")
    return space


@pytest.mark.parametrize("least", [1, 2, 4, 9, 30])
def test_a_filter(published, least: int) -> None:
    now = rows(published)
    told = ask(published, f"length.min_words={least}")
    declare(published, min_words=least)
    published.publish("a/v1")
    then = rows(published)
    assert (told.before, told.after) == (3, least)
    if least >= 3:
        # A row that goes may have been the survivor of others, which then stay.
        assert told.would_go == len(now - then)
        assert told.would_come_back == 0
    else:
        # A row that comes back may be merged, by a later step.
        assert told.would_go == 0
        assert told.would_come_back >= len(then - now) > 0
    assert (told.would_remove > told.removed) is (least > 3)


@pytest.mark.parametrize("threshold", [0.72, 0.75, 0.85, 0.9, 1.0])
def test_near_duplicates(published, threshold: float) -> None:
    now = rows(published)
    told = ask(published, f"near.threshold={threshold}", examples=2)
    declare(published, threshold=threshold)
    published.publish("a/v1")
    then = rows(published)
    assert told.would_go == len(now - then)
    assert told.would_come_back == len((then - now) - {13})
    assert told.would_go + told.would_come_back > 0
    for example in (*told.going, *told.coming):
        assert example.rule == "near_duplicate"
        low, high = sorted((0.8, threshold))
        assert low <= float(example.measured) < high
        assert '"text"' in example.text


def test_examples_and_inputs(published) -> None:
    told = ask(published, "length.min_words=9", examples=4)
    assert len(told.going) == 4
    assert sum(change.would_go for change in told.inputs) == told.would_go
    assert {change.input for change in told.inputs} == {"one", "two"}
    for example in told.going:
        assert example.rule == "min_words"
        assert int(example.measured) < 9
    assert ask(published, "length.min_words=3").would_go == 0
    assert ask(published, "length.min_words=9", examples=0).going == ()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("length", "is no setting; write it `step.parameter=value`"),
        ("lenght.min_words=3", "no step 'lenght'; did you mean 'length'?"),
        ("length.min_wrds=3", "no parameter 'min_wrds'; did you mean 'min_words'?"),
        ("length.min_words=few", "min_words = 'few': Input should be a valid integer"),
        ("length.min_words=[", "is no YAML value"),
        ("length.max_tokens=9", "not measured: `text_tokens`"),
        ("near.threshold=0.5", "stored from a similarity of 0.7 on"),
        ("near.size=3", "cannot be told from what was measured"),
        ("unlucky.keep=n > 3", "cannot be told from what was measured"),
    ],
)
def test_what_cannot_be_told(published, setting: str, said: str) -> None:
    with pytest.raises(CannotTell, match=said.replace("(", r"\(")):
        ask(published, setting)


def test_a_recipe_that_was_changed_since(published) -> None:
    declare(published, min_words=4)
    with pytest.raises(CannotTell, match="materialize it first"):
        ask(published, "length.min_words=5")


def test_every_row_that_reached_the_step_is_seen(published) -> None:
    told = ask(published, "near.threshold=0.9")
    assert sum(change.rows for change in told.inputs) == told.seen
    length = ask(published, "length.min_words=3")
    assert length.seen - length.removed == told.seen
    assert told.removed > 0


def test_a_relation_operator_that_measures_each_row(space) -> None:
    """Contamination and outliers are told from the annotations of the snapshot, as they would be
    built; where shares are not stored that far down, it says so."""
    space.jsonl("exam.jsonl", [{"q": " ".join(f"e{number}" for number in range(20))}])
    texts = [
        " ".join([f"e{number}" for number in range(held)] + [f"r{row}x{k}" for k in range(9)])
        for row, held in enumerate([0, 9, 10, 12, 15, 18, 20])
    ]
    space.jsonl("one.jsonl", [{"n": n, "text": text} for n, text in enumerate(texts)])
    body = """\
inputs: {one: {files: one.jsonl}}
references: {exam: {files: exam.jsonl}}
steps:
  - decontaminate: {columns: [text], against: {exam: [q]}, threshold: LIMIT}
  - filter_outliers: {columns: [n], max_z: 50}
checks: [source_loss: {max: 1}]
"""
    space.recipe("a/v1", body.replace("LIMIT", "0.5"))
    space.publish("a/v1")
    before = rows(space)
    told = ask(space, "decontaminate.threshold=0.8")
    assert (told.removed, told.would_remove) == (4, 2)
    assert (told.would_come_back, told.would_go) == (2, 0)
    assert ask(space, "filter_outliers.max_z=0.01").would_remove >= 2
    with pytest.raises(CannotTell, match=r"stored from 0.25 on; to ask about 0.1, materialize"):
        ask(space, "decontaminate.threshold=0.1")
    for changed in ("decontaminate.variant=palm", "decontaminate.common_rows=1"):
        with pytest.raises(CannotTell, match="changes what is measured"):
            ask(space, changed)
    space.recipe("a/v1", body.replace("LIMIT", "0.8"))
    space.publish("a/v1")
    assert len(rows(space)) - len(before) == told.would_come_back
