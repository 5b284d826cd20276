"""Probabilities that are some; odd texts, texts of other languages, texts by heart."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.kernels.ngram_model import fitted, perplexities
from dagster_project.operators.process.filter_perplexity import FilterPerplexity
from dagster_project.warehouse.connect import connect, open_snapshot
from dagster_project.workspace import VersionName

SENTENCES = [
    f"{who} {does} {what} because {why}"
    for who in ("the cat", "my old dog", "a small bird", "the boy next door")
    for does in ("eats", "wants", "hides", "looks for")
    for what in ("the apple", "a red ball", "some bread", "an old shoe")
    for why in ("it is late", "nobody is there", "the sun shines")
]


class SlowModel:
    """Interpolated modified Kneser-Ney over words, as Chen and Goodman write it, in dictionaries."""

    def __init__(self, texts: list[str]) -> None:
        grams = {3: Counter(), 2: Counter(), 1: Counter()}
        for text in filter(None, (text.split() for text in texts)):
            words = ["<s>", *text, "</s>"]
            grams[3].update(zip(words, words[1:], words[2:], strict=False))
            grams[2][tuple(words[:2])] += 1
        grams[2].update(gram[1:] for gram in grams[3])
        grams[1].update(gram[1:] for gram in grams[2])
        self.words = {word for (word,) in grams[1]}
        self.grams = grams
        self.discounts = {order: self._discounts(counts) for order, counts in grams.items()}
        self.follow: dict = defaultdict(dict)
        for counts in grams.values():
            for gram, count in counts.items():
                self.follow[gram[:-1]][gram[-1]] = count

    @staticmethod
    def _discounts(counts: Counter) -> list[float]:
        number = Counter(counts.values())
        if not all(number[k] for k in (1, 2, 3, 4)):
            return [0, 0.5, 1, 1.5]
        share = number[1] / (number[1] + 2 * number[2])
        found = [k - (k + 1) * share * number[k + 1] / number[k] for k in (1, 2, 3)]
        return [0, *found] if all(0 < d <= k + 1 for k, d in enumerate(found)) else [0, 0.5, 1, 1.5]

    def probability(self, word: str, context: tuple[str, ...]) -> float:
        seen = self.follow.get(context)
        lower = self.probability(word, context[1:]) if context else 1 / (len(self.words) + 1)
        if not seen:
            return lower
        taken = self.discounts[len(context) + 1]
        left = sum(taken[min(count, 3)] for count in seen.values())
        count = seen.get(word, 0)
        return (count - taken[min(count, 3)] + left * lower) / sum(seen.values())

    def perplexity(self, text: str) -> float:
        words = ["<s>", *text.split(), "</s>"]
        logs = [
            math.log(self.probability(words[at], tuple(words[max(0, at - 2) : at])))
            for at in range(1, len(words))
        ]
        return math.exp(-sum(logs) / len(logs))


def prepared(texts: Sequence, **options) -> FilterPerplexity:
    options = options or {"mark_only": True}
    operator = FilterPerplexity.model_validate(
        {"columns": ["text"], "like": {"good": ["said"]}, **options}
    )
    rows = pl.DataFrame(
        {"row": range(len(texts)), "said": texts}, {"row": pl.Int64, "said": pl.String}
    )
    return operator.prepared({"good": rows}, {})


def measured(apply, operator, texts, cuts=()) -> list:
    frame = pl.DataFrame({"text": texts}, {"text": pl.String})
    return apply(operator, frame, cuts)[0]["perplexity"].to_list()


letters = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)


@settings(max_examples=40)
@given(learnt=st.lists(letters, min_size=1, max_size=12), asked=letters, seed=st.integers(0, 99))
def test_it_is_the_model_of_the_books(learnt: list[str], asked: str, seed: int) -> None:
    generator = random.Random(seed)
    learnt = [*learnt, " ".join(generator.choices("abcdefg", weights=[9, 5, 4, 3, 2, 1, 1], k=200))]
    model = fitted(pl.Series(learnt))
    assert model is not None
    asked = f"{asked} z a".strip()
    (found,) = perplexities(pl.Series([asked]), model)
    assert found == pytest.approx(SlowModel(learnt).perplexity(asked), rel=1e-5)


@settings(max_examples=20)
@given(st.lists(letters, min_size=1, max_size=12), st.sampled_from(["a", "a b", "d d", "z", "z a"]))
def test_probabilities_sum_to_one_over_the_vocabulary(learnt: list[str], context: str) -> None:
    """Of what may come after some words: a word, one never seen, or the end."""
    model = fitted(pl.Series([*learnt, "a b c d"]))
    assert model is not None

    def log_of(text: str) -> float:
        """Of the text and what ends it."""
        (found,) = perplexities(pl.Series([text]), model)
        return -math.log(found) * (len(text.split()) + 1)

    slow = SlowModel([*learnt, "a b c d"])
    *_, last = context.split()
    ending = {word: math.log(slow.probability("</s>", (last, word))) for word in "abcdz"}
    before = log_of(context) - math.log(
        slow.probability("</s>", tuple(["<s>", *context.split()][-2:]))
    )
    after = [math.exp(log_of(f"{context} {word}") - ending[word] - before) for word in "abcdz"]
    end = math.exp(log_of(context) - before)
    assert sum(after) + end == pytest.approx(1, abs=1e-4)


def test_scrambled_garbled_and_foreign_texts_are_odd(apply) -> None:
    generator = random.Random(1)
    shuffled = generator.sample(SENTENCES, len(SENTENCES))
    learnt, asked = shuffled[:130], shuffled[130:]
    operator = prepared([*learnt])
    scrambled = [" ".join(generator.sample(text.split(), len(text.split()))) for text in asked]
    foreign = ["der Hund sucht einen roten Ball weil die Sonne scheint", "gfhj qwpo zxnm, vbty"]
    usual = measured(apply, operator, asked)
    odd = measured(apply, operator, scrambled)
    worst = measured(apply, operator, foreign)
    assert all(before < after for before, after in zip(usual, odd, strict=True))
    assert max(usual) < min(worst)
    assert sorted(usual)[-1] < 10


def test_rules_say_what_is_too_odd_and_too_usual(apply) -> None:
    operator = prepared(SENTENCES[:50], min_perplexity=1.5, max_perplexity=30)
    texts = [SENTENCES[60], "qwrt zxcv bnmp", "", None, "—!"]
    kept, removed = apply(operator, pl.DataFrame({"text": texts}))
    assert kept["text"].to_list() == [SENTENCES[60]]
    assert removed["row"].to_list() == [1, 2, 3, 4]
    assert removed.row(0)[2] == "max_perplexity" and removed.row(0)[4] == "<= 30"
    (text,) = (SENTENCES[0],)
    by_heart = prepared([text] * 3, min_perplexity=1.9)
    assert apply(by_heart, pl.DataFrame({"text": [text]}))[1]["rule"].to_list() == [
        "min_perplexity"
    ]


@settings(max_examples=30)
@given(data=st.data())
def test_whatever_the_texts_and_the_batches(apply, texts, data) -> None:
    learnt, rows = (data.draw(st.lists(texts, max_size=8)) for _ in range(2))
    cuts = data.draw(st.lists(st.integers(0, 8), max_size=3))
    operator = prepared([*learnt, "a b", "日本 c"])
    found = measured(apply, operator, rows)
    assert measured(apply, operator, rows, cuts) == found
    assert all(value is None or 1 <= value < math.inf for value in found)


def test_numbers_of_one_length_are_one_word() -> None:
    model = fitted(pl.Series(["he has 12 apples", "she has 345 pears"]))
    assert model is not None
    twelve, other, longer = perplexities(
        pl.Series(["he has 12 apples", "He has 97 apples!", "he has 4455 apples"]), model
    )
    assert twelve == other < longer


def test_a_filter_that_filters_nothing_is_refused() -> None:
    base = {"columns": ["text"], "like": {"good": ["text"]}}
    with pytest.raises(ValidationError, match="or `mark_only: true` to measure"):
        FilterPerplexity.model_validate(base)
    with pytest.raises(ValidationError, match="`mark_only: true` removes no row"):
        FilterPerplexity.model_validate({**base, "mark_only": True, "max_perplexity": 9})
    with pytest.raises(SeedbedError, match=r"no word to learn from in good\.said"):
        prepared([None, "", "?!"])


def test_the_reference_is_part_of_what_is_built(space) -> None:
    space.jsonl("good.jsonl", [{"said": text} for text in SENTENCES])
    chat = [{"role": "system", "content": "zz"}, {"role": "user", "content": SENTENCES[3]}]
    odd = [{"role": "user", "content": "blorf quux wibble wobble"}]
    space.jsonl("rows.jsonl", [{"messages": chat}, {"messages": odd}])
    space.recipe(
        "a/v1",
        "inputs: {rows: {files: rows.jsonl}}\nreferences: {good: {files: good.jsonl}}\n"
        "steps: [{filter_perplexity: {columns: [messages], like: {good: [said]}, "
        "max_perplexity: 50}}]\n",
    )
    first = space.publish("a/v1")
    with connect(space.store) as connection:
        assert connection.execute("SELECT count(*) FROM a.v1").fetchall() == [(1,)]
    with open_snapshot(space.store, VersionName("a", "v1")) as connection:
        connection.execute("USE snapshot")
        near, far = connection.execute(
            "SELECT perplexity FROM scores ORDER BY parent_row_id"
        ).fetchall()
    assert near < far
    assert space.publish("a/v1").reused
    space.jsonl("good.jsonl", [{"said": text} for text in SENTENCES[1:]])
    assert space.publish("a/v1").manifest.build_id != first.manifest.build_id
