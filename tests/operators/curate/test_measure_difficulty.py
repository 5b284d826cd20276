"""How much an instruction helps to foresee its answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.curate import measure_difficulty
from dagster_project.operators.curate.measure_difficulty import MeasureDifficulty
from dagster_project.operators.models import small_language_model
from dagster_project.operators.models.sentence_embeddings import ModelMissing

for package in ("tokenizers", "threadpoolctl"):
    pytest.importorskip(package)
try:
    small_language_model.require_installed()
except ModelMissing as missing:
    pytest.skip(str(missing), allow_module_level=True)

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
PAIRS = [
    ("What is the capital of Italy?", "The capital of Italy is Rome."),
    ("How do I boil an egg?", "Put the egg in boiling water for eight minutes, then cool it."),
    ("Why is the sky blue?", "Because air scatters blue light more than red light."),
    ("Write a line of Python that sorts a list.", "numbers = sorted(numbers)"),
    ("Translate 'good morning' into French.", "In French, one says 'bonjour'."),
    ("Name three fruits.", "Apples, bananas and oranges."),
    ("Who wrote Hamlet?", "William Shakespeare wrote the play around 1600."),
    ("How can I sleep better?", "Go to bed at the same time each night and avoid coffee late."),
    ("What does a bee make?", "Bees collect nectar from flowers and turn it into honey."),
    ("Tom has 3 pens and buys 4 more. How many pens has he?", "He has 3 + 4 = 7 pens."),
    ("Give me a name for a cat.", "Whiskers would be a lovely name for a kitten."),
    ("What is the largest ocean?", "It is the Pacific, which covers a third of the Earth."),
]


def chats(*rows: Sequence[tuple[str | None, str | None]] | None) -> pl.DataFrame:
    listed = [row and [{"role": r, "content": c} for r, c in row] for row in rows]
    return pl.DataFrame({"messages": listed}, {"messages": MESSAGES})


def test_answers_to_other_prompts_are_harder(apply) -> None:
    prompts, answers = zip(*PAIRS, strict=True)
    frame = pl.DataFrame(
        {
            "p": prompts * 2,
            "a": [*answers, *answers[1:], answers[0]],
            "own": [True] * 12 + [False] * 12,
        }
    )
    kept, _ = apply(MeasureDifficulty(column="a", prompt="p"), frame)
    own = kept.filter("own").select(ours="ifd")
    others = kept.filter(~pl.col("own")).select(theirs="ifd")
    assert (
        own.join(others, how="cross").select(pl.col("ours") < pl.col("theirs")).mean().item() > 0.9
    )
    alone = kept["loss_alone"].to_list()
    assert alone[1:12] == pytest.approx(alone[12:23], abs=2e-4), (
        "the prompt changed what it is not in"
    )


def test_both_variants_are_told_from_the_same_losses(apply) -> None:
    frame = pl.DataFrame({"p": [p for p, _ in PAIRS[:2]], "a": [a for _, a in PAIRS[:2]]})
    for variant in ("loss_ratio", "perplexity_ratio"):
        operator = MeasureDifficulty(column="a", prompt="p", variant=variant)
        for row in apply(operator, frame)[0].iter_rows(named=True):
            given, alone = row["loss_given"], row["loss_alone"]
            expected = given / alone if variant == "loss_ratio" else math.exp(given - alone)
            assert row["ifd"] == pytest.approx(expected, abs=1e-3)
            assert row["perplexity"] == pytest.approx(math.exp(alone), rel=1e-3)


def test_the_last_answer_is_measured_given_all_before_it(apply) -> None:
    turns: list = [("user", PAIRS[0][0]), ("assistant", PAIRS[0][1]), ("user", "And of Spain?")]
    frame = chats(
        [*turns, ("assistant", "The capital of Spain is Madrid."), ("user", "Thanks.")],
        [("user", "And of Spain?"), ("assistant", "The capital of Spain is Madrid.")],
    )
    first, second = apply(MeasureDifficulty(), frame)[0].iter_rows(named=True)
    assert first["answer_tokens_scored"] == second["answer_tokens_scored"]
    assert first["loss_given"] < second["loss_given"]


def test_what_has_no_prompt_or_no_answer_has_no_difficulty(apply) -> None:
    frame = chats(
        None,
        [],
        [("user", "Hi")],
        [("assistant", "Hello.")],
        [("user", " "), ("assistant", "Hello.")],
        [("user", None), ("assistant", "Hello.")],
        [("user", "Hi"), ("assistant", None)],
        [("user", "Hi"), ("assistant", "\n")],
        [("user", "Hi"), ("assistant", "Hello."), ("assistant", "")],
        [(None, "Hi"), ("assistant", "Hello.")],
    )
    kept, _ = apply(MeasureDifficulty(), frame)
    assert kept["ifd"].is_not_null().to_list() == [False] * 9 + [True]
    kept, removed = apply(MeasureDifficulty(max_ifd=5), frame)
    assert kept.height == 1 and removed["rule"].unique().to_list() == ["max_ifd"]
    assert removed["threshold"][0] == "<= 5"


def test_awkward_texts_and_cuts(apply, awkward_texts) -> None:
    rows = [[("user", text), ("assistant", text)] for text in awkward_texts[::3]]
    operator = MeasureDifficulty(window=16)
    whole = apply(operator, chats(*rows))[0]
    assert whole["answer_tokens_scored"].drop_nulls().max() <= 16
    assert whole.equals(apply(operator, chats(*rows), [1, 3])[0])


def test_the_model_is_asked_once_for_a_batch(apply, monkeypatch) -> None:
    asked = []
    losses = measure_difficulty.losses
    monkeypatch.setattr(
        measure_difficulty, "losses", lambda *rest: asked.append(len(rest[1])) or losses(*rest)
    )
    rows = [[("user", p), ("assistant", a)] for p, a in PAIRS[:2]]
    apply(MeasureDifficulty(max_ifd=1, max_perplexity=1000), chats(*rows))
    assert asked == [2]


def test_misuse_is_named(apply, monkeypatch) -> None:
    frame = pl.DataFrame({"a": ["x"], "n": [1]})
    with pytest.raises(SeedbedError, match="name the column of the prompts in `prompt`"):
        apply(MeasureDifficulty(column="a"), frame)
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be text"):
        apply(MeasureDifficulty(column="a", prompt="n"), frame)

    def missing() -> None:
        raise ModelMissing("the small language model needs tokenizers")

    monkeypatch.setattr(measure_difficulty, "require_installed", missing)
    with pytest.raises(ValidationError, match="needs tokenizers"):
        MeasureDifficulty()
