"""Prompts in their answers."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.filter_copied_prompt import FilterCopiedPrompt

PROMPT = "Write a short poem about the sea, the moon, and a sailor who never came home."
TEXT = "the ship left on a cold morning and nobody on the pier knew that it would not return"
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


def test_each_rule(apply) -> None:
    answers = {
        PROMPT.upper() + "\n\nThe sea": ("prompt_echoes", "1"),
        "You asked: “Write a short *poem* about the sea, the moon, and a sailor who never came "
        "home”.": ("prompt_share", "1.0"),
        "The sea was calm, the moon was bright, the sailor lost.": None,
        "": None,
    }
    frame = pl.DataFrame({"p": [PROMPT] * len(answers), "a": list(answers)})
    _, removed = apply(FilterCopiedPrompt(column="a", prompt="p"), frame)
    assert removed.select("rule", "measured").rows() == [a for a in answers.values() if a]
    for off, left in (("max_echoes", ["prompt_share"] * 2), ("max_share", ["prompt_echoes"])):
        operator = FilterCopiedPrompt.model_validate({"column": "a", "prompt": "p", off: None})
        assert apply(operator, frame)[1]["rule"].to_list() == left


def test_editing_repeats_the_text_not_the_request(apply) -> None:
    request = "Correct the spelling of this and answer with nothing else: "
    frame = pl.DataFrame({"p": [request + TEXT], "a": [TEXT.capitalize() + "."]})
    kept, _ = apply(FilterCopiedPrompt(column="a", prompt="p"), frame)
    assert 0.5 < kept["prompt_share"].item() < 0.9


def test_short_prompts_are_left_alone(apply) -> None:
    frame = pl.DataFrame({"p": ["What is a cat?", None], "a": ["What is a cat? A pet.", "Yes."]})
    assert apply(FilterCopiedPrompt(column="a", prompt="p"), frame)[1].is_empty()
    strict = FilterCopiedPrompt(column="a", prompt="p", min_echo_words=4)
    assert apply(strict, frame)[1]["row"].to_list() == [0]


def test_a_prompt_is_what_the_user_said_just_before(apply) -> None:
    rows = [
        [("user", PROMPT), ("assistant", "Gladly."), ("user", "Go on."), ("assistant", PROMPT)],
        [("system", PROMPT), ("assistant", PROMPT)],
        [("user", "Hi"), ("assistant", "Hello"), ("user", PROMPT), ("assistant", PROMPT)],
        [("user", None), ("assistant", PROMPT)],
        [("user", PROMPT), ("assistant", None)],
        [],
    ]
    chats = [[{"role": role, "content": content} for role, content in row] for row in rows]
    frame = pl.DataFrame({"messages": [*chats, [None], None]}, {"messages": MESSAGES})
    kept, removed = apply(FilterCopiedPrompt(), frame)
    assert removed["row"].to_list() == [2, 7]
    assert kept["prompt_share"].to_list() == [0.0] * 6


def test_answers_need_a_column_of_prompts(apply) -> None:
    frame = pl.DataFrame({"a": ["x"], "n": [1]})
    with pytest.raises(SeedbedError, match="name the column of the prompts in `prompt`"):
        apply(FilterCopiedPrompt(column="a"), frame)
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be text"):
        apply(FilterCopiedPrompt(column="a", prompt="n"), frame)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    prompt=st.lists(st.sampled_from("abcde"), min_size=12, max_size=20),
    answer=st.lists(st.sampled_from("abcde"), max_size=30),
)
def test_the_share_is_that_of_distinct_trigrams(apply, prompt, answer) -> None:
    asked, said = (
        {tuple(words[i : i + 3]) for i in range(len(words) - 2)} for words in (prompt, answer)
    )
    frame = pl.DataFrame({"p": [" ".join(prompt)], "a": [", ".join(answer)]})
    operator = FilterCopiedPrompt(column="a", prompt="p", max_share=1, max_echoes=9)
    kept, _ = apply(operator, frame)
    assert kept["prompt_share"].item() == pytest.approx(len(asked & said) / len(asked), abs=1e-4)
