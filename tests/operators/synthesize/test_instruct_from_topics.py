"""Instructions on the topics of a tree, given or grown."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.asking.topic_tree import leaves
from dagster_project.operators.synthesize.instruct_from_topics import InstructFromTopics

TREE = {"Python": ["decorators", {"types": ["protocols", "generics"]}], "SQL": {"joins": None}}
ASK = "Why would a decorator need functools.wraps?"


def made_from(**fields: Any) -> InstructFromTopics:
    return InstructFromTopics.model_validate({"model": "m", "topics": TREE} | fields)


def test_leaves_are_told_in_the_order_of_the_tree() -> None:
    assert list(leaves(TREE)) == [
        ("Python", "decorators"),
        ("Python", "types", "protocols"),
        ("Python", "types", "generics"),
        ("SQL", "joins"),
    ]
    assert list(leaves("  one \n topic ")) == [("one topic",)]
    assert list(leaves({"a": {"b": []}, 2024: {}})) == [("a", "b"), ("2024",)]


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ({}, "no topic"),
        ([""], "is no topic"),
        ({"a": ["b", "b"]}, "'a / b' is there twice"),
        ({"a": [["b"]]}, "under 'a' is no topic"),
        ([None], "is no topic"),
    ],
)
def test_what_is_no_tree_is_refused(tree: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        made_from(topics=tree)


def test_a_row_says_what_was_drawn_for_it(attempt) -> None:
    generator = made_from(slots={"level": ["school"], "tone": ["dry", "warm"]})
    found, (first, second) = attempt(generator, [], [f"Instruction: {ASK}", "To keep the name."])
    (one,) = found
    assert one.rejection is None
    assert tuple(one.values["topic"]) in set(leaves(TREE))
    assert one.values["level"] == "school" and one.values["tone"] in ("dry", "warm")
    assert (one.values["instruction"], one.values["response"]) == (ASK, "To keep the name.")
    asked = first.messages[-1]["content"]
    assert " / ".join(one.values["topic"]) in asked and "Level: school" in asked
    assert second.messages == ({"role": "user", "content": ASK},)
    drawn = {
        tuple(attempt(generator, [], [ASK, "a"], number)[0][0].values["topic"])
        for number in range(60)
    }
    assert drawn == set(leaves(TREE))
    again, _ = attempt(generator, [], [ASK, "To keep the name."])
    assert again == found


def test_a_model_grows_the_tree_downwards(attempt) -> None:
    generator = made_from(topics="Cooking", depth=2, breadth=3, respond=False)
    listed = {"topics": ["cooking", " Soups ", "soups"]}
    deeper = {"topics": ["Broth", "Ramen", "Gazpacho"]}
    found, questions = attempt(generator, [], [listed, deeper, ASK])
    topic = found[0].values["topic"]
    assert topic[:2] == ["Cooking", "Soups"] and topic[2] in deeper["topics"]
    assert "Cooking / Soups" in questions[1].messages[-1]["content"]
    assert [question.sample for question in questions[:2]] == [0, 0]
    assert questions[0].json_schema["properties"]["topics"]["maxItems"] == 3
    assert found[0].values.get("response") is None


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ([""], "empty"),
        (["I'm sorry, but I can't help with that."], "refused"),
        ([Answer("Why", "length")], "cut_off"),
        (["It must make sense by itself, without the topic's name above it."], "echoes_prompt"),
        ([ASK, ""], "response_empty"),
        ([ASK, Answer("To", "length")], "response_cut_off"),
        ([ASK, "I'm sorry, but I can't help with that."], "response_refused"),
        ([ASK, CallFailed("refused", "no")], "response_unanswered"),
    ],
)
def test_what_cannot_be_used_is_kept_with_the_reason(answers, rule, attempt) -> None:
    (one,), _ = attempt(made_from(), [], answers)
    assert one.rejection.rule == rule
    text = answers[0] if isinstance(answers[0], str) else answers[0].text
    assert one.values["instruction"] == text


def test_a_branch_without_topics_ends_the_attempt(attempt) -> None:
    (one,), _ = attempt(made_from(topics="Cooking", depth=1), [], [{"topics": ["", "cooking"]}])
    assert one.rejection.rule == "no_topics"


def test_slots_do_not_take_the_names_of_columns() -> None:
    with pytest.raises(OperatorMisuse, match="'topic' is a column already"):
        made_from(slots={"topic": ["a"]}).produces(pl.Schema())
    with pytest.raises(OperatorMisuse, match="'tone' has no values"):
        made_from(slots={"tone": []}).produces(pl.Schema())
