from __future__ import annotations

import asyncio
import re
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.synthesize.perturb_text import PerturbText
from dagster_project.operators.synthesize.text.distractors import stands_alone
from dagster_project.operators.synthesize.text.protected_spans import (
    PATTERNS,
    Edit,
    edited,
    free_characters,
    protected_spans,
)
from dagster_project.operators.synthesize.text.sentences import sentences
from dagster_project.operators.synthesize.text.text_noise import typos

TEXT = "Natalia sold clips to 48 friends in April. She paid $3.50. How many did Natalia sell?"
KEPT = (
    "Look at `sold_clips(48)` and https://shop.example/clips?n=48 now, {name}: $x_1 + 2$ is 1,200."
)


def rules(found) -> list[str | None]:
    return [one.rejection.rule if one.rejection else None for one in found]


@given(st.text(max_size=200))
def test_sentences_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text
    assert all(sentences(text))


def test_where_sentences_end() -> None:
    text = 'Dr. Bo paid 3.5. "Why?" he asked.\n1. One\n```\na. b\n```\n好。再见! No'
    assert sentences(text) == [
        "Dr. Bo paid 3.5. ",
        '"Why?" ',
        "he asked.\n",
        "1. One\n",
        "```\na. b\n```\n",
        "好。",
        "再见! ",
        "No",
    ]


@given(
    st.text(alphabet="ab1 .`\n{}", max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.text(max_size=2)), max_size=8),
)
def test_edits_never_touch_what_is_protected(text: str, wanted: list) -> None:
    spans = protected_spans(text, PATTERNS.values())
    kept = [text[start:end] for start, end in spans]
    edits = [
        Edit(at, min(at + size, len(text)), new) for at, size, new in wanted if at <= len(text)
    ]
    after = edited(text, edits, free_characters(text, spans))
    place = 0
    for one in kept:
        place = after.index(one, place) + len(one)


@given(st.text(alphabet="abcdefgh12. ?`{}\nÉ", max_size=80), st.integers(0, 9))
def test_numbers_and_code_stay_whatever_the_text(text: str, number: int) -> None:
    generator = PerturbText(columns=("t",), kinds_at_once=4, edits=9, min_word=1)
    for one in asyncio.run(generator.attempt([{"t": text}], Random(number), None)):  # pyright: ignore
        if one.rejection is None:
            for pattern in (r"\d+", r"`[^`\n]+`", r"\{[^{}\s]+\}"):
                assert re.findall(pattern, one.values["t"]) == re.findall(pattern, text)


@pytest.mark.parametrize("kind", ["typos", "case", "punctuation", "spaces"])
def test_every_kind_changes_what_is_free_and_nothing_else(kind: str, attempt) -> None:
    generator = PerturbText(columns=("text",), kinds=(kind,), versions=40, rate=0.3, mark_rate=0.9)  # pyright: ignore
    found, _ = attempt(generator, [{"text": f"{TEXT} {KEPT}", "label": "24"}])
    good = [one.values for one in found if one.rejection is None]
    assert len(good) > 3
    assert set(rules(found)) <= {None, "repeated"}
    for values in good:
        assert values["label"] == "24"
        assert values["text"] != f"{TEXT} {KEPT}"
        for kept in ("`sold_clips(48)`", "https://shop.example/clips?n=48", "{name}", "$x_1 + 2$"):
            assert kept in values["text"]
        assert re.findall(r"\d[\d.,]*\d|\d", values["text"]) == re.findall(
            r"\d[\d.,]*\d|\d", f"{TEXT} {KEPT}"
        )


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("drop", r"^[word]{3}$"),
        ("double", r"^w+o+r+d+$"),
        ("swap", r"^(owrd|wrod|wodr)$"),
        ("neighbour", r"^[qeasd]ord$|^w[ipkl]rd$|^wo[etdf]d$|^wor[erscxf]$"),
    ],
)
def test_typos(kind: Any, wanted: str) -> None:
    for number in range(20):
        edits = typos("word", [1] * 4, 1, (kind,), 4, "qwerty", Random(number))
        after = edited("word", edits, [1] * 4)
        assert re.match(wanted, after)
        assert after != "word"
    assert typos("not", [1] * 3, 1, (kind,), 4, "qwerty", Random(0)) == []
    assert typos("e\u0301", [1] * 2, 9, ("drop",), 1, "qwerty", Random(0)) == []


def test_typos_are_as_many_as_asked_for(attempt) -> None:
    generator = PerturbText(columns=("text",), kinds=("typos",), edits=3, typos=("double",))
    (one,), _ = attempt(generator, [{"text": TEXT}])
    assert len(one.values["text"]) == len(TEXT) + 3


def test_capitals_at_the_start_of_words(attempt) -> None:
    generator = PerturbText(columns=("t",), kinds=("case",), versions=20)
    found, _ = attempt(generator, [{"t": "wouldn't it be 10km, Ann?"}])
    texts = {one.values["t"] for one in found}
    assert {"Wouldn't It Be 10km, Ann?", "WOULDN'T IT BE 10km, ANN?"} < texts


def test_long_texts_take_no_longer_than_they_are_long(attempt) -> None:
    for text in ("." * 100_000 + "x", "`` $ { < a@" * 9_000, "a. " * 40_000):
        generator = PerturbText(columns=("t",), edits=3)
        assert len(attempt(generator, [{"t": text}])[0]) == 1


def test_synonyms_keep_their_case(attempt) -> None:
    generator = PerturbText(
        columns=("text",),
        kinds=("synonyms",),
        synonyms={"How many": ("what number of",), "sold": ("vended",), "clips": ("clips",)},
        synonym_rate=1,
    )
    (one,), _ = attempt(generator, [{"text": "HOW MANY were sold? How many clips, Sold?"}])
    assert one.values["text"] == "WHAT NUMBER OF were vended? What number of clips, Vended?"


def test_entities_are_swapped_throughout_the_row(attempt) -> None:
    seed = {
        "question": [{"role": "user", "content": "Ann and Bo met. Ann's hat?"}, None],
        "answer": "Ann has Bo's hat, not Annie.",
    }
    given: dict[str, Any] = {
        "columns": ("question",),
        "kinds": ("entities",),
        "entities": {"names": ("Ann", "Bo", "Cy", "Di")},
    }
    found, _ = attempt(PerturbText(**given), [seed])
    assert rules(found) == ["label_changed"]
    assert found[0].rejection.measured == "answer: Ann, Bo"
    (one,), _ = attempt(PerturbText(**given, entity_columns=("answer",)), [seed])
    first, second = re.findall(r"(\w+) and (\w+)", one.values["question"][0]["content"])[0]
    assert {first, second} == {"Cy", "Di"}
    assert one.values["answer"] == f"{first} has {second}'s hat, not Annie."
    assert one.values["question"][0]["content"].endswith(f"{first}'s hat?")


def test_a_distractor_is_put_before_no_pronoun_and_never_last(attempt) -> None:
    generator = PerturbText(
        columns=("text",), kinds=("distractor",), distractors=("It rained 9 times.",), versions=20
    )
    found, _ = attempt(generator, [{"text": TEXT}])
    texts = {one.values["text"] for one in found if one.rejection is None}
    assert len(texts) == 2
    for text in texts:
        assert text.replace("It rained 9 times. ", "") == TEXT
        assert text.endswith("How many did Natalia sell?")


def test_a_distractor_of_another_seed_is_named_as_one(attempt) -> None:
    generator = PerturbText(columns=("t",), kinds=("distractor",), distractor_column="t")
    assert generator.seeds() == 2
    (one,), _ = attempt(generator, [{"t": "Where is Bo?"}, {"t": "We sang. Larks fly. Why?"}])
    assert one.values["t"] == "Larks fly. Where is Bo?"
    assert one.seeds == (0, 1)
    (none,), _ = attempt(generator, [{"t": "Do larks fly?"}, {"t": "Larks fly. Why?"}])
    assert (none.rejection.rule, none.seeds) == ("unchanged", (0,))


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("Larks fly.", True),
        ("Do larks fly?", False),
        ("There are 40 tulips.", False),
        ("Tickets cost $5.", False),
        ("Then larks fly.", False),
        ("Larks see them.", False),
        ("Clips are sold.", False),
    ],
)
def test_what_is_beside_the_point(sentence: str, wanted: bool) -> None:
    assert stands_alone(sentence, [TEXT]) is wanted


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"invariant": (r"[Nn]ot",)}, "label_changed"),
        ({"invariant_columns": ("answer",)}, "label_changed"),
        ({"protect_patterns": (r"not it",)}, "unchanged"),
        ({"invariant": ("maybe",)}, None),
    ],
)
def test_what_must_not_change(more: dict, rule: str | None, attempt) -> None:
    generator = PerturbText(
        columns=("text",), kinds=("synonyms",), synonyms={"not it": ("that",)}, **more
    )
    found, _ = attempt(generator, [{"text": "Is it not it?", "answer": "not it"}])
    assert rules(found) == [rule]


def test_only_the_roles_that_are_named_are_edited(attempt) -> None:
    chat = [
        {"role": "system", "content": "answer briefly"},
        {"role": "user", "content": "what about clips"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": None},
    ]
    generator = PerturbText(columns=("chat",), kinds=("case", "typos"), perturbation="how")
    (one,), _ = attempt(generator, [{"chat": chat, "id": 7}])
    after = one.values["chat"]
    assert [after[0], *after[2:]] == [chat[0], *chat[2:]]
    assert after[1]["content"] != chat[1]["content"]
    assert one.values["how"] in ("case", "typos")
    assert one.values["id"] == 7


def test_several_kinds_at_once(attempt) -> None:
    generator = PerturbText(columns=("t",), kinds_at_once=3, versions=5, perturbation="how")
    found, _ = attempt(generator, [{"t": TEXT}])
    assert all(len(set(one.values["how"].split("+"))) == 3 for one in found)


def test_nothing_to_change(attempt) -> None:
    found, _ = attempt(PerturbText(columns=("t",), kinds=("typos",)), [{"t": "48 + `a` is"}])
    assert rules(found) == ["unchanged"]
    assert attempt(PerturbText(columns=("t",)), [{"t": " "}])[0] == []


def test_versions_that_are_the_same_are_turned_down(attempt) -> None:
    generator = PerturbText(columns=("t",), kinds=("punctuation",), edits=1, versions=9)
    found, _ = attempt(generator, [{"t": "Hi!"}])
    good = [one.values["t"] for one in found if one.rejection is None]
    assert sorted(good) == sorted(set(good)) == ["Hi", "Hi !", "Hi!!", "Hi."]
    assert rules(found).count("repeated") == 5


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kinds": ("synonyms",)}, "needs `synonyms`"),
        ({"kinds": ("distractor",)}, "needs `distractors` or `distractor_column`"),
        ({"distractors": ("A.",), "distractor_column": "t"}, "not both"),
        ({"invariant": ("(",)}, "no regular expression"),
    ],
)
def test_recipes_that_lack_something(given: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        PerturbText(columns=("t",), **given)


def test_columns_that_do_not_fit() -> None:
    schema = pl.Schema({"t": pl.String(), "n": pl.Int64(), "__row": pl.Int64()})
    assert PerturbText(columns=("t",), carry=("n",)).produces(schema) == {"t": pl.String()}
    for declared, told in (
        ({"columns": ("n",)}, "must be text"),
        ({"columns": ("t",), "carry": ("t",)}, "leave `carry` out"),
        ({"columns": ("t",), "perturbation": "n"}, "already"),
    ):
        with pytest.raises(OperatorMisuse, match=told):
            PerturbText.model_validate(declared).produces(schema)
