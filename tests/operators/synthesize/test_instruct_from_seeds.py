"""Self-Instruct: lists of instructions, instances, and every filter."""

from __future__ import annotations

import pytest

from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.asking.self_instruct import (
    Instance,
    bad_instances,
    bad_instruction,
    instances_in,
    instructions_in,
)
from dagster_project.operators.synthesize.instruct_from_seeds import InstructFromSeeds

SEEDS = [{"instruction": f"Explain thing number {n} to a child."} for n in range(8)]
NEW = "Suggest a name for a bakery."
OUTPUT = "Output: The Crusty Corner"


def rules(candidates) -> list[str | None]:
    return [None if one.rejection is None else one.rejection.rule for one in candidates]


@pytest.mark.parametrize(
    ("instruction", "rule"),
    [
        ("One two three", "too_short"),
        ("One two three four", None),
        ("word " * 150, None),
        ("word " * 151, "too_long"),
        ("Describe the Picture in detail.", "keyword"),
        ("Pictured people are not looked for.", None),
        ("Please Go To the market now.", "keyword"),
        ("write a PROGRAM that adds numbers.", "write_a_program"),
        ("Write some program that adds numbers.", None),
        ("(a) Name three large rivers.", "starts_with_punctuation"),
        ("Écris un poème sur Paris.", "starts_with_non_ascii"),
        ("2 plus 2 is what?", None),
    ],
)
def test_the_published_filters_of_instructions(instruction: str, rule: str | None) -> None:
    why = bad_instruction(instruction)
    assert (why and why.rule) == rule


def test_lists_are_read_as_published_and_a_little_more() -> None:
    published = " name three\n rivers.\n10. List two seas.\n11 . Sum: 3. 4."
    assert instructions_in(published) == ["Name three rivers.", "List two seas.", "Sum: 3. 4."]
    chatty = "Here are more tasks:\n\n9. First One.\n\n**10.** Second.\nTask 11: Third.\n12) "
    assert instructions_in(chatty) == ["First One.", "Second.", "Third."]
    assert instructions_in("  ") == []


def test_instances_are_read_as_published() -> None:
    text = "Example 1\nInput: 3, 1\nOutput: 1, 3\nExample 2\nInput: b a\nOutput 2: a b\nInput: c"
    assert instances_in(text, False) == [Instance("3, 1", "1, 3"), Instance("b a", "a b")]
    assert instances_in("x\nOutput: y", False) == [Instance("x", "y")]
    assert instances_in("Just an answer.", False) == []
    labelled = "Class label: good\nI like it.\nVery.\nClass label: bad"
    wanted = [Instance("I like it.\nVery.", "good"), Instance("", "bad")]
    assert instances_in(labelled, True) == wanted
    assert instances_in("good", True) == []


@pytest.mark.parametrize(
    ("instances", "rules"),
    [
        ([("a", "a")], ["same_input_and_output"]),
        ([("", "")], ["same_input_and_output"]),
        ([("a", "")], ["empty_output"]),
        ([("a:", "b")], ["ends_with_colon"]),
        ([("a", "b:")], ["ends_with_colon"]),
        ([("a", "b"), ("a", "c"), ("d", "e")], ["conflicting_outputs"] * 3),
        ([("", "b"), ("", "c")], [None, None]),
        ([("a", "b"), ("a", "b")], [None, "repeated_instance"]),
        ([("a", "b"), ("a", "c:")], [None, "ends_with_colon"]),
    ],
)
def test_the_published_filters_of_instances(instances, rules) -> None:
    found = bad_instances([Instance(*pair) for pair in instances])
    assert [why and why.rule for why in found] == rules


def test_every_instruction_of_the_list_is_accounted_for(attempt) -> None:
    listed = f"9. {NEW}\n10. Too short.\n11. Draw a tree and a house.\n12. {NEW.upper()}\n13. " + (
        f"{SEEDS[0]['instruction']}\n14. Give advice on sleep and health.\n15. Sort the words by length."
    )
    answers = [
        listed,
        OUTPUT,
        "Sleep more.",
        "Example 1\nInput: aa b\nOutput: b aa\nExample 2\nInput: ccc d\nOutput: d ccc",
    ]
    found, questions = attempt(InstructFromSeeds(model="m"), SEEDS, answers)
    assert rules(found) == [
        *(None, "too_short", "keyword", "repeated", "repeated", "no_instance"),
        *(None, "more_than_asked"),
    ]
    assert found[0].values == {"instruction": NEW, "input": "", "output": "The Crusty Corner"}
    assert found[6].values["input"] == "aa b" and found[5].values["output"] == "Sleep more."
    assert len(questions) == 4 and questions[1].temperature == 0
    assert questions[0].stop == ("\n16.",) and "9." in questions[0].messages[-1]["content"]


def test_two_of_the_eight_were_accepted_before(attempt) -> None:
    accepted = [{"instruction": f"Accepted {n} before this one."} for n in range(2)]
    generator = InstructFromSeeds(model="m")
    assert (generator.seeds(), generator.examples()) == (8, 2)
    found, questions = attempt(generator, [*SEEDS, *accepted], [f"9. {NEW}", OUTPUT])
    shown = questions[0].messages[-1]["content"]
    assert all(row["instruction"] in shown for row in [*SEEDS[:6], *accepted])
    assert SEEDS[6]["instruction"] not in shown
    assert found[0].seeds == (0, 1, 2, 3, 4, 5, 8, 9)
    orders = {
        attempt(generator, SEEDS, [f"9. {NEW}", OUTPUT], number)[1][0].messages[-1]["content"]
        for number in (0, 0, 1)
    }
    assert len(orders) == 2


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ([Answer(f"9. {NEW}", "length")], "cut_off"),
        (["\n"], "empty"),
        (["I'm sorry, but I can't help with that."], "refused"),
        ([NEW, Answer("Input: a\nOutput: The Crus", "length")], "cut_off"),
        ([NEW, CallFailed("invalid", "no")], "unanswered"),
        ([NEW, "Input: a\nOutput: Choose one of:"], "ends_with_colon"),
    ],
)
def test_what_cannot_be_used_is_kept_with_the_reason(answers, rule, attempt) -> None:
    found, _ = attempt(InstructFromSeeds(model="m"), SEEDS, answers)
    assert rules(found) == [rule]
    text = answers[0] if isinstance(answers[0], str) else answers[0].text
    assert found[0].values["instruction"] == text


@pytest.mark.parametrize(("verdict", "label"), [("Yes", "good"), ("No, it is not.", None)])
def test_a_classification_gets_labels_before_inputs(verdict, label, attempt) -> None:
    generator = InstructFromSeeds(model="m", classification_first=True)
    instances = "Class label: good\nI like it." if label else OUTPUT
    found, questions = attempt(generator, SEEDS, [f"9. {NEW}", verdict, instances])
    assert rules(found) == [None]
    assert found[0].values["is_classification"] is (label is not None)
    assert found[0].values["output"] == (label or "The Crusty Corner")
    assert ("class labels" in questions[2].messages[-1]["content"]) is (label is not None)


def test_seeds_without_instructions_are_passed_over(attempt) -> None:
    rows = [{"instruction": None}, {"instruction": " "}, *SEEDS[:1]]
    found, questions = attempt(InstructFromSeeds(model="m"), rows, [NEW, OUTPUT])
    assert rules(found) == [None] and found[0].seeds == (2,)
    assert "\n2." in questions[0].messages[-1]["content"]
    assert attempt(InstructFromSeeds(model="m"), rows[:2], []) == ([], [])
