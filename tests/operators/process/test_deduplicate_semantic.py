"""Rows whose texts mean the same are merged into one that stays, and numbers keep them apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.base import Decisions
from dagster_project.operators.kernels import vector_leaders
from dagster_project.operators.kernels.vector_leaders import (
    MOST_PAIRS,
    STEPS,
    find_vector_leaders,
    whole_numbers,
)
from dagster_project.operators.models import sentence_embeddings
from dagster_project.operators.process.deduplicate_semantic import DeduplicateSemantic

pytest.importorskip("onnxruntime")

PARAPHRASES = [
    ("How do I boil an egg?", "What is the way to boil an egg?"),
    ("What is the capital of Australia?", "Which city is Australia's capital?"),
    ("Write a short poem about the sea.", "Compose a brief poem on the ocean."),
    ("Explain how photosynthesis works.", "Can you explain the workings of photosynthesis?"),
    ("My laptop won't turn on. What can I do?", "What should I do if my laptop does not turn on?"),
    ("Give me tips for a job interview.", "What are some tips for job interviews?"),
    ("Summarize the plot of Hamlet.", "Give a summary of the plot of Hamlet."),
    ("How can I learn to play the guitar?", "What is the best way to learn playing guitar?"),
    ("Why is the sky blue?", "What makes the sky look blue?"),
    ("Suggest a name for my new puppy.", "Can you suggest names for a new puppy?"),
    (
        "Write a Python function that reverses a string.",
        "Create a function in Python to reverse a string.",
    ),
    ("What are the health benefits of green tea?", "How is green tea good for your health?"),
    ("Who painted the Mona Lisa?", "Which artist painted the Mona Lisa?"),
    (
        "How do vaccines protect people from disease?",
        "In what way do vaccines protect us against diseases?",
    ),
    ("Plan a 3 day trip to Rome.", "Make an itinerary for a 3 day visit to Rome."),
    (
        "Correct the grammar of the following sentence.",
        "Fix the grammatical mistakes in the following sentence.",
    ),
    ("What does a black hole look like?", "What is the appearance of a black hole?"),
    (
        "How do I remove red wine stains from a carpet?",
        "What is the best way to get a red wine stain out of carpet?",
    ),
    (
        "Describe the water cycle to a child.",
        "Explain the water cycle so that a child understands it.",
    ),
    ("Is it safe to eat raw eggs?", "Are raw eggs safe to eat?"),
    (
        "List some good books about the history of Rome.",
        "Which books on Roman history are good to read?",
    ),
    ("How does a refrigerator keep food cold?", "How do fridges keep food cold?"),
    (
        "Write an email to my boss asking for a day off.",
        "Draft an email asking my boss for a day of leave.",
    ),
    (
        "Tom has 5 apples and buys 7 more. How many apples has he now?",
        "Tom owns 5 apples. He buys 7 more apples. How many apples does Tom have now?",
    ),
    ("What causes earthquakes?", "Why do earthquakes happen?"),
    ("How much sleep does an adult need?", "How many hours should adults sleep?"),
    ("Tell me a joke about cats.", "Please tell me a funny joke about a cat."),
    (
        "What is the difference between a virus and a bacterium?",
        "How do viruses differ from bacteria?",
    ),
    (
        "Which exercises help with lower back pain?",
        "What are good exercises to relieve pain in the lower back?",
    ),
    ("Convert 30 degrees Celsius to Fahrenheit.", "What is 30 degrees Celsius in Fahrenheit?"),
    ("How do I open a savings account?", "What do I need to do to open a savings account?"),
    ("When did the Second World War end?", "In which year did World War II end?"),
]
"""Questions and tasks, and the same in other words."""

UNLIKE = [
    ("How do I boil an egg?", "How do I poach an egg?"),
    ("What is the capital of Australia?", "What is the capital of Austria?"),
    ("Write a short poem about the sea.", "Write a short story about the sea."),
    ("Explain how photosynthesis works.", "Explain how cellular respiration works."),
    ("My laptop won't turn on. What can I do?", "My laptop won't turn off. What can I do?"),
    ("Give me tips for a job interview.", "Give me questions to ask in a job interview."),
    ("Summarize the plot of Hamlet.", "Summarize the plot of Macbeth."),
    ("How can I learn to play the guitar?", "How can I learn to play the piano?"),
    ("Why is the sky blue?", "Why is the sea blue?"),
    ("Suggest a name for my new puppy.", "Suggest a name for my new kitten."),
    (
        "Write a Python function that reverses a string.",
        "Write a Python function that reverses a list.",
    ),
    ("What are the health benefits of green tea?", "What are the health risks of green tea?"),
    ("Who painted the Mona Lisa?", "Who stole the Mona Lisa?"),
    ("Plan a 3 day trip to Rome.", "Plan a 4 day trip to Rome."),
    ("What does a black hole look like?", "What does a neutron star look like?"),
    (
        "How do I remove red wine stains from a carpet?",
        "How do I remove red wine stains from a shirt?",
    ),
    ("Is it safe to eat raw eggs?", "Is it safe to eat raw fish?"),
    ("How does a refrigerator keep food cold?", "How does a microwave make food hot?"),
    (
        "Write an email to my boss asking for a day off.",
        "Write an email to my boss asking for a raise.",
    ),
    (
        "Tom has 5 apples and buys 7 more. How many apples has he now?",
        "Tom has 5 apples and buys 8 more. How many apples has he now?",
    ),
    ("What is 12 + 7?", "What is 12 - 7?"),
    ("What is 2 + 3?", "What is 2 + 4?"),
    ("What causes earthquakes?", "What causes volcanic eruptions?"),
    (
        "Translate the following sentence into French.",
        "Translate the following sentence into Spanish.",
    ),
    ("Convert 30 degrees Celsius to Fahrenheit.", "Convert 30 degrees Fahrenheit to Celsius."),
    ("How do I open a savings account?", "How do I close a savings account?"),
    ("When did the Second World War end?", "When did the First World War end?"),
    (
        "Name three countries that border Germany.",
        "Name three countries that do not border Germany.",
    ),
    ("The film was good.", "The film was not good."),
    ("Anna gave the book to Paul.", "Paul gave the book to Anna."),
    ("Sort the list in ascending order.", "Sort the list in descending order."),
    ("What was the population of Texas in 2010?", "What was the population of Texas in 2020?"),
]
"""The first of a pair, and something else that is said in almost the same words."""


@pytest.fixture(autouse=True)
def embedded(monkeypatch) -> dict[str, np.ndarray]:
    """Each text is embedded once in all tests; its vector does not depend on the others."""
    real = sentence_embeddings.embed

    def remembered(texts: pl.Series) -> np.ndarray:
        new = texts.filter(~texts.is_in(list(_VECTORS))).unique(maintain_order=True)
        _VECTORS.update(zip(new, real(new), strict=True))
        return np.array([_VECTORS[text] for text in texts]).reshape(-1, 384)

    monkeypatch.setattr(sentence_embeddings, "embed", remembered)
    return _VECTORS


_VECTORS: dict[str, np.ndarray] = {}


def operator(**options) -> DeduplicateSemantic:
    return DeduplicateSemantic.model_validate({"columns": ["text"], **options})


def frame_of(*texts: str | None) -> pl.DataFrame:
    return pl.DataFrame({"text": texts}, {"text": pl.String})


def decisions(operator: DeduplicateSemantic, frame: pl.DataFrame) -> Decisions:
    relation = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt64).alias("row"), **operator.columns(frame.schema)
    )
    return operator.decide(
        relation,
        lambda rows, columns: frame[rows.cast(pl.Int64)].select(
            rows.alias("row"), **columns(frame.schema)
        ),
    )


@pytest.mark.parametrize(
    ("threshold", "found", "wrong"), [(0.95, 6, 3), (0.915, 17, 4), (0.9, 22, 6)]
)
def test_planted_paraphrases(apply, threshold: float, found: int, wrong: int) -> None:
    rows = list(dict.fromkeys(text for pair in [*PARAPHRASES, *UNLIKE] for text in pair))
    kept, removed = apply(operator(threshold=threshold), frame_of(*rows))
    merged = [(rows[row], rows[into]) for row, into in removed.select("row", "survivor").rows()]
    pairs = {(other, text) for text, other in PARAPHRASES}
    assert len(pairs & set(merged)) == found
    assert len(set(merged) - pairs) == wrong
    assert kept.height == len(rows) - len(merged)
    assert set(removed["rule"]) == {"semantic_duplicate"}
    assert (removed["similarity"] >= threshold).all()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is 2 + 3?", "What is 2 + 4?", False),
        ("What is 12 + 7?", "What is 12 - 7?", False),
        ("What is 12 + 7?", "What is 12+7?", True),
        ("It holds 1,000 men.", "It holds 1000 men.", True),
        ("It holds 1,000 men.", "It holds 1.000 men.", False),
        ("Plan a 3 day trip to Rome.", "Plan a 4 day trip to Rome.", False),
        ("First 3, then 5.", "First 5, then 3.", False),
    ],
)
def test_other_numbers_keep_texts_apart(apply, one: str, other: str, same: bool) -> None:
    frame = frame_of(one, other)
    _, removed = apply(operator(threshold=0.75), frame)
    assert removed.height == same
    _, removed = apply(operator(threshold=0.75, same_numbers=False), frame)
    assert removed.height == 1


def test_rows_whose_numbers_no_other_has_are_not_embedded(apply, embedded) -> None:
    rows = ["Only I speak of 4711.", "There is nobody with 1848 but me."]
    apply(operator(), frame_of(*rows))
    assert not set(rows) & set(embedded)


def test_what_the_model_cannot_read_stays(apply) -> None:
    rows = ["?!", "...", "", " ", None, "I love 🍕", "I love 🍔", "Где библиотека?", "word " * 300]
    frame = pl.concat([frame_of(*rows), frame_of(*rows)])
    _, removed = apply(operator(), frame)
    assert removed.is_empty()
    assert {metric.name: metric.value for metric in decisions(operator(), frame).metrics} == {
        "rows_too_long": 2,
        "rows_not_readable": 6,
        "pairs_not_stored": 0,
    }
    _, removed = apply(operator(truncate=True), frame)
    assert removed.select("row", "survivor").rows() == [(17, 8)]


TEXTS = [None, "?", *(text for pair in PARAPHRASES[:5] for text in pair), UNLIKE[0][1]]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(TEXTS), max_size=14),
    st.sampled_from([0.7, 0.95, 1.0]),
    st.sampled_from(["first", "last", "longest"]),
    st.lists(st.integers(0, 14), max_size=2),
)
def test_a_row_that_goes_is_alike_to_one_that_stays(
    apply, embedded, rows, threshold, keep, cuts
) -> None:
    chosen = operator(threshold=threshold, keep=keep)
    kept, removed = apply(chosen, frame_of(*rows))
    gone = set(removed["row"])
    for row, survivor, similarity in removed.select("row", "survivor", "similarity").iter_rows():
        assert survivor not in gone
        alike = embedded[rows[row]] @ embedded[rows[survivor]]
        assert similarity == pytest.approx(alike, abs=0.001)
        assert similarity >= threshold
    assert kept["text"].to_list() == [text for row, text in enumerate(rows) if row not in gone]
    in_parts = apply(chosen, frame_of(*rows), cuts)
    assert in_parts[0].equals(kept)
    assert in_parts[1].equals(removed)


def test_which_row_stays(apply) -> None:
    one, other = PARAPHRASES[0]
    frame = pl.DataFrame(
        {"text": [one, other, one], "score": [0.5, None, 0.9], "by": ["b", "a", "c"]}
    )
    chosen = [
        ({}, 0),
        ({"keep": "last"}, 2),
        ({"keep": "longest"}, 1),
        ({"keep": "highest", "by": "score"}, 2),
        ({"keep": "last", "prefer": {"by": ["a", "b"]}}, 1),
    ]
    for options, survivor in chosen:
        _, removed = apply(operator(**options), frame)
        assert set(removed["survivor"]) == {survivor}, options


def test_of_chats_only_what_some_roles_say_is_compared(apply) -> None:
    def chat(question: str, answer: str) -> list[dict[str, str]]:
        said = {"system": "You are a cook.", "user": question, "assistant": answer}
        return [{"role": role, "content": content} for role, content in said.items()]

    one, other = PARAPHRASES[0]
    chats = [chat(one, "Seven minutes."), chat(other, "Ask your mother."), chat("Why?", "Because.")]
    frame = pl.DataFrame({"m": chats})
    _, removed = apply(operator(columns=["m"], roles=["user"]), frame)
    assert removed.select("row", "survivor").rows() == [(1, 0)]
    kept, _ = apply(operator(columns=["m"]), frame)
    assert kept.height == 3


def test_rows_are_merged_into_those_of_references_first() -> None:
    one, other = PARAPHRASES[0]
    theirs = pl.DataFrame({"row": [40, 41], "text": ["Why?", one]})
    ready = operator(against=["used"]).prepared({"used": theirs}, {})
    decided = decisions(ready, frame_of(other, "Something else.", one))
    assert decided.removed.select("row", "survivor", "reference").rows() == [
        (0, 41, "used"),
        (2, 41, "used"),
    ]
    assert decided.pairs is not None and decided.pairs.height == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep": "highest"}, "needs a column in `by`"),
        ({"by": "score"}, "needs a column in `by`"),
        ({"recorded_from": 0.99}, "above `threshold`"),
        ({"threshold": 0}, "greater than 0"),
        ({"columns": []}, "at least 1"),
    ],
)
def test_refused(options, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(**options)


def test_pairs_are_told_from_a_little_below_the_threshold() -> None:
    assert operator().pairs_told_from() == 0.9
    assert operator(threshold=0.8, recorded_from=0.6).pairs_told_from() == 0.6


def test_a_column_of_numbers_is_refused(apply) -> None:
    with pytest.raises(SeedbedError, match="is Int64, but must be text or chat messages"):
        apply(operator(), pl.DataFrame({"text": [1, 2]}))


def unit(vectors: np.ndarray) -> np.ndarray:
    return whole_numbers(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def similarities(vectors: np.ndarray) -> np.ndarray:
    products = vectors.astype(np.int64) @ vectors.astype(np.int64).T
    lengths = np.sqrt(np.diag(products))
    return np.rint(products / (lengths[:, None] * lengths) * STEPS) / STEPS


def test_products_of_whole_numbers_are_exact() -> None:
    generator = np.random.default_rng(0)
    vectors = unit(
        np.concatenate(
            [
                generator.normal(size=(50, 384)),
                np.eye(384)[:5],
                np.ones((1, 384)),
                np.repeat([[0.5, 1.5]], 192, axis=0).reshape(1, 384),
            ]
        )
    )
    as_floats = vectors.astype(np.float32)
    exact = vectors.astype(np.int64) @ vectors.astype(np.int64).T
    assert np.array_equal((as_floats @ as_floats.T).astype(np.int64), exact)
    assert np.abs(vectors.astype(np.int64)).sum(axis=1).max() < 2**31
    assert (vectors.astype(np.int64) ** 2).sum(axis=1).max() < 2**24


@pytest.mark.parametrize("fixed", [0, 40])
def test_leaders_are_those_of_a_slow_reading(monkeypatch, fixed: int) -> None:
    monkeypatch.setattr(vector_leaders, "_ROWS", 64)
    monkeypatch.setattr(vector_leaders, "_OTHERS", 50)
    generator = np.random.default_rng(fixed)
    centres = generator.normal(size=(60, 24))[generator.integers(0, 60, 500)]
    vectors = unit(centres + 0.2 * generator.normal(size=(500, 24)))
    order, groups = generator.permutation(500), generator.integers(0, 3, 500)
    alike = similarities(vectors)
    stays: list[int] = []
    leader, pairs = np.full(500, -1), set()
    for place, row in enumerate(order):
        near = [] if place < fixed else [o for o in stays if groups[o] == groups[row]]
        near = [other for other in near if alike[row, other] >= 0.9]
        pairs |= {(row, other, alike[row, other]) for other in near}
        best = max(near, key=lambda other: alike[row, other], default=None)
        if best is not None and alike[row, best] >= 0.95:
            leader[row] = best
        else:
            stays.append(row)
    assert 100 < (leader >= 0).sum() < 400
    found = find_vector_leaders(order, groups, vectors, 0.95, 0.9, fixed)
    assert np.array_equal(found.leader, leader)
    told = {(*pair, value) for pair, value in zip(found.pairs, found.similarities, strict=True)}
    assert told == pairs and found.skipped == 0


def test_likeness_does_not_chain() -> None:
    angles = np.arange(12) * 0.2
    vectors = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found = find_vector_leaders(np.arange(12), np.zeros(12, int), vectors, 0.95, 0.9)
    assert found.leader.tolist() == [-1, 0, -1, 2, -1, 4, -1, 6, -1, 8, -1, 10]


def test_of_many_pairs_the_most_alike_are_told() -> None:
    angles = np.arange(50) * 0.001
    vectors = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found = find_vector_leaders(np.arange(50), np.zeros(50, int), vectors, 2.0, 0.5)
    expected = sum(min(row, MOST_PAIRS) for row in range(50))
    assert len(found.pairs) == expected and found.skipped == 50 * 49 / 2 - expected
    last = found.similarities[found.pairs[:, 0] == 49]
    alike = np.sort(similarities(vectors)[49, :49])[::-1]
    assert np.array_equal(last, alike[:MOST_PAIRS])
