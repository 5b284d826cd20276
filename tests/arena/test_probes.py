"""The fixed models see what they are for, and say so at equal rows."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.arena.held_out import without_held_out
from dagster_project.arena.pairs import NoPairs, pairs
from dagster_project.arena.probes import EmbeddingMap, LanguageModel
from dagster_project.arena.small_vocabulary import SIZE, tokenized

TOPICS = ("lists", "strings", "files", "dates", "sets", "queues", "paths", "numbers")


def rows(count: int, seed: int = 0) -> pl.DataFrame:
    draw = random.Random(seed)
    made = []
    for number in range(count):
        topic = draw.choice(TOPICS)
        made.append(
            {
                "prompt": f"How do I sort {topic} in case {number}?",
                "answer": f"To sort {topic}, call sorted on the {topic} and give it a key that fits "
                f"{topic}; {draw.choice(['it is stable', 'it copies', 'it is quick'])}.",
            }
        )
    return pl.DataFrame(made)


def of_topic(texts: pl.Series) -> np.ndarray:
    """Vectors that stand for the topic alone, with a little noise: what an embedding does at best."""
    found = np.zeros((len(texts), len(TOPICS) + 1), np.float32)
    for at, text in enumerate(texts):
        for place, topic in enumerate(TOPICS):
            found[at, place] = topic in text
        found[at, -1] = int(hashlib.md5(text.encode()).hexdigest()[:4], 16) / 65536 / 4
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_language_model_sees_garbled_answers_and_not_shuffled_ones():
    train, test = rows(300), rows(40, seed=1)
    clean = LanguageModel().scores(train, test).mean()
    garbled = train.with_columns(
        answer=pl.when(pl.int_range(pl.len()) % 2 == 0)
        .then(pl.col("answer").str.reverse())
        .otherwise("answer")
    )
    shuffled = train.with_columns(answer=pl.col("answer").reverse())
    assert LanguageModel().scores(garbled, test).mean() < clean - 0.05
    assert abs(LanguageModel().scores(shuffled, test).mean() - clean) < 0.05
    assert clean > LanguageModel().scores(train.clear(), test).mean()


def test_the_embedding_map_sees_shuffled_answers():
    train, test = rows(300), rows(40, seed=1)
    clean = EmbeddingMap(of_topic).scores(train, test)
    shuffled = train.with_columns(answer=pl.col("answer").shuffle(seed=3))
    assert clean.mean() > 0.95
    assert EmbeddingMap(of_topic).scores(shuffled, test).mean() < clean.mean() - 0.2
    assert not EmbeddingMap(of_topic).scores(train.clear(), test).any()


def test_contestants_that_share_rows_share_what_the_map_is_trained_on():
    asked: list[str] = []

    def embed(texts):
        asked.extend(texts)
        return of_topic(texts)

    train, test = rows(400), rows(5, seed=1)
    EmbeddingMap(embed, most=50).scores(train, test)
    first, asked[:] = set(asked), []
    EmbeddingMap(embed, most=50).scores(train.reverse().tail(200), test)
    both = set(train.head(200)["prompt"])
    assert len(first & both) > 10
    assert first & both <= set(asked)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_texts_are_their_tokens(texts):
    tokens, first = tokenized(texts)
    assert len(first) == len(texts) + 1 and first[-1] == len(tokens)
    assert (tokens < SIZE).all()
    alone = [tokenized([text])[0].tolist() for text in texts]
    assert tokens.tolist() == [token for each in alone for token in each]


def test_pairs_are_told_by_the_usual_names_or_said():
    chat = [
        [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        [{"role": "user", "content": "no answer"}],
        None,
    ]
    assert pairs(pl.DataFrame({"messages": chat})).rows() == [("q", "a", chat[0][:1])]
    both = pl.DataFrame({"question": ["q", "r"], "answer": ["a", " "], "text": ["t", "u"]})
    assert pairs(both).rows() == [("q", "a", [{"role": "user", "content": "q"}])]
    assert pairs(both, ["text"]).rows() == [("", "t", []), ("", "u", [])]
    assert pairs(both, ["text", "answer"])["prompt", "answer"].rows() == [("t", "a")]
    with pytest.raises(NoPairs, match="did you mean 'answer'"):
        pairs(both, ["question", "anwser"])
    with pytest.raises(NoPairs, match="say which ones are"):
        pairs(pl.DataFrame({"n": [1]}))


def test_what_is_held_out_is_not_trained_on():
    held_out = pl.DataFrame(
        {
            "prompt": ["p", "", ""],
            "answer": ["one two three four five six seven eight nine ten", "yes", "a short one"],
        }
    )
    train = pl.DataFrame(
        {
            "prompt": ["p", "x", "x", "x", "x"],
            "answer": [
                "anything",
                "Zero one, two three four five six seven eight nine!",
                "yes",
                "four five six seven eight",
                "something else",
            ],
        }
    )
    assert without_held_out(train, held_out)["answer"].to_list() == [
        "four five six seven eight",
        "something else",
    ]
