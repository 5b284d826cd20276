"""Rows whose texts are nearly the same are merged into one that stays, after a true comparison."""

from __future__ import annotations

import random
import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.kernels.leaders import MOST_LEADERS
from dagster_project.operators.kernels.minhash import bands_for, shingle_sets
from dagster_project.operators.kernels.shingles import ALONE, INSIDE, SEPARATOR, code_points
from dagster_project.operators.process.deduplicate_near import DeduplicateNear

WORDS = [f"word{number}" for number in range(400)]
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


def operator(**options) -> DeduplicateNear:
    return DeduplicateNear.model_validate({"columns": ["text"], **options})


def words_of(text: str) -> list[str]:
    """The words of a text, the slow way."""
    _, kinds = code_points()
    found, word = [], ""
    for character in unicodedata.normalize("NFC", text):
        point = ord(character)
        beyond = ALONE if point < 0x323B0 else SEPARATOR
        kind = kinds[point] if point < len(kinds) else beyond
        folded = character.casefold()
        lower = folded if len(folded) == 1 else character.lower()[0]
        if kind == INSIDE:
            word += lower
            continue
        found += [word] if word else []
        word = ""
        if kind == ALONE:
            found.append(lower)
    return found + ([word] if word else [])


def shingles_of(text: str, size: int) -> set[tuple[str, ...]]:
    words = words_of(text)
    if not words:
        return set()
    return {tuple(words[at : at + size]) for at in range(max(1, len(words) - size + 1))}


def jaccard(one: str, other: str, size: int = 5) -> float:
    a, b = shingles_of(one, size), shingles_of(other, size)
    return len(a & b) / len(a | b) if a | b else 0.0


def essay(generator: random.Random, length: int = 80) -> list[str]:
    return [generator.choice(WORDS) for _ in range(length)]


@settings(max_examples=40)
@given(st.text(max_size=60), st.integers(1, 6))
def test_shingles_are_those_of_a_slow_reading(text: str, size: int) -> None:
    text = unicodedata.normalize("NFC", text)
    (found,) = shingle_sets(pl.Series([text]), "words", size)
    assert len(found) == len(shingles_of(text, size))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Straße, GRÜN und Éclair!", "straße grün UND éclair", True),
        ("Привет, МИР", "привет мир", True),
        ("naïve", "naive", False),
        ("東京は大きい。", "東京は 大きい", True),
        ("สวัสดีครับ", "สวัสดีค่ะ", False),
        ("don't", "don t", True),
        ("snake_case", "snake case", True),
        ("x1 y2", "x1 y3", False),
        ("😀 hi", "hi", True),
    ],
)
def test_words_in_any_script(one: str, other: str, same: bool) -> None:
    first, second = shingle_sets(pl.Series([one, other]), "words", 5).to_list()
    assert (first == second) is same


def test_every_pair_at_the_threshold_is_found_and_no_other(apply) -> None:
    generator = random.Random(3)
    rows: list[str] = []
    for _ in range(300):
        text = essay(generator)
        rows.append(" ".join(text))
        for _ in range(generator.randrange(1, 6)):
            text[generator.randrange(len(text))] = "changed"
        rows.append(" ".join(text))
    kept, removed = apply(operator(), pl.DataFrame({"text": rows}))
    merged = dict(removed.select("row", "survivor").iter_rows())
    alike = {first + 1: jaccard(rows[first], rows[first + 1]) for first in range(0, len(rows), 2)}
    expected = {row for row, similarity in alike.items() if similarity >= 0.8}
    assert 50 < len(expected) < 250
    assert set(merged) == expected
    assert merged == {row: row - 1 for row in expected}
    told = dict(removed.select("row", "similarity").iter_rows())
    assert told == {row: pytest.approx(alike[row], abs=1e-6) for row in expected}
    assert set(removed["rule"]) == {"near_duplicate"}
    assert kept.height == len(rows) - len(expected)


@settings(max_examples=15)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12), max_size=14),
    st.sampled_from([0.5, 0.8, 1.0]),
    st.sampled_from(["first", "last", "longest"]),
    st.lists(st.integers(0, 14), max_size=2),
)
def test_a_row_that_goes_is_alike_to_one_that_stays(apply, rows, threshold, keep, cuts) -> None:
    frame = pl.DataFrame({"text": [" ".join(row) for row in rows]}, schema={"text": pl.String})
    options = {"threshold": threshold, "size": 2, "keep": keep}
    kept, removed = apply(operator(**options), frame)
    texts = frame["text"].to_list()
    gone = set(removed["row"])
    for row, survivor, similarity in removed.select("row", "survivor", "similarity").iter_rows():
        assert survivor not in gone
        assert similarity == pytest.approx(jaccard(texts[row], texts[survivor], 2), abs=1e-6)
        assert similarity >= threshold - 1e-6
    assert kept["text"].to_list() == [t for row, t in enumerate(texts) if row not in gone]
    in_parts = apply(operator(**options), frame, cuts)
    assert in_parts[0].equals(kept)
    assert in_parts[1].equals(removed)


def test_likeness_does_not_chain(apply) -> None:
    text = [f"w{number}" for number in range(60)]
    rows = []
    for step in range(12):
        text[step * 5] = f"changed{step}"
        rows.append(" ".join(text))
    assert jaccard(rows[0], rows[1]) > 0.8 > jaccard(rows[0], rows[-1])
    kept, removed = apply(operator(), pl.DataFrame({"text": rows}))
    assert kept.height > 1
    for row, survivor in removed.select("row", "survivor").iter_rows():
        assert jaccard(rows[row], rows[survivor]) >= 0.8


def test_texts_from_one_template_stay(apply) -> None:
    template = "You can call this function to get what you asked for : "
    generator = random.Random(1)
    rows = [template + " ".join(essay(generator, 12)) for _ in range(MOST_LEADERS + 100)]
    kept, _ = apply(operator(), pl.DataFrame({"text": rows}))
    assert kept.height == len(rows)


def test_a_shared_system_prompt_makes_no_duplicates(apply) -> None:
    system = {"role": "system", "content": " ".join(WORDS[:200])}

    def chat(question: str, answer: str) -> list[dict[str, str]]:
        return [
            system,
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]

    chats = [
        chat("What is the capital of France?", "The capital of France is Paris."),
        chat("How many legs has a spider?", "A spider has eight legs."),
        chat("what is the capital of France", "The capital of France is: Paris!"),
    ]
    frame = pl.DataFrame({"m": chats}, schema={"m": MESSAGES})
    _, removed = apply(operator(columns=["m"]), frame)
    assert removed.select("row", "survivor").rows() == [(2, 0)]
    kept, _ = apply(operator(columns=["m"], roles=["system"]), frame)
    assert kept.height == 1


def test_which_row_stays(apply) -> None:
    base = " ".join(WORDS[:60])
    frame = pl.DataFrame(
        {
            "text": [base, base + ".", base.upper() + "!!"],
            "score": [0.5, None, 0.9],
            "source": ["forum", "manual", "blog"],
        }
    )
    chosen = {
        (): 0,
        (("keep", "last"),): 2,
        (("keep", "longest"),): 2,
        (("keep", "highest"), ("by", "score")): 2,
        (("keep", "longest"), ("prefer", (("source", ("manual", "forum")),))): 1,
    }
    for options, survivor in chosen.items():
        given = {name: dict(value) if name == "prefer" else value for name, value in options}
        _, removed = apply(operator(**given), frame)
        assert set(removed["survivor"]) == {survivor}, options


def test_rows_without_words_stay_and_short_texts_need_characters(apply) -> None:
    frame = pl.DataFrame(
        {"text": [None, None, "", "", "?!", "...", "hello you", "hello yOu!", "hello yu"]}
    )
    kept, removed = apply(operator(), frame)
    assert removed.select("row", "survivor").rows() == [(7, 6)]
    assert kept.height == frame.height - 1
    _, removed = apply(operator(shingles="characters", size=2, threshold=0.6), frame)
    assert sorted(removed["row"]) == [7, 8]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.99])
def test_bands_find_the_promised_share(threshold: float) -> None:
    bands, rows = bands_for(threshold)
    assert bands * rows <= 128
    assert 1 - (1 - threshold**rows) ** bands >= 0.98


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep": "highest"}, "needs a column in `by`"),
        ({"by": "score"}, "needs a column in `by`"),
        ({"recorded_from": 0.9}, "above `threshold`"),
        ({"threshold": 0}, "greater than 0"),
        ({"columns": []}, "at least 1"),
    ],
)
def test_refused(options, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(**options)


def test_a_column_of_numbers_is_refused(apply) -> None:
    with pytest.raises(SeedbedError, match="is Int64, but must be text or chat messages"):
        apply(operator(), pl.DataFrame({"text": [1, 2]}))
