"""Reasoning between tags: planted faults are found, each by its name, and no others."""

from __future__ import annotations

import pytest

GOOD = (
    "<think>2 + 2</think>4",
    "\n<think>\n2 + 2\n</think>\n\nThe answer is 4.",
    "<think>2 + 2</think>#### 4.0",
    "<think>2 + 2</think>so \\boxed{4}",
)
BAD = {
    "no reasoning": "4",
    "reasoning that is not closed": "<think>2 + 2 = 4",
    "reasoning that is not opened": "2 + 2</think>4",
    "reasoning more than once": "<think>2</think><think>2</think>4",
    "text before the reasoning": "Well. <think>2 + 2</think>4",
    "empty reasoning": "<think>\n</think>4",
    "no answer after the reasoning": "<think>2 + 2 = 4</think>\n",
    "another final answer": "<think>2 + 2</think>5",
    "reasoning closed before it is opened": "</think>4<think>",
}


@pytest.fixture
def judged(tmp_path, write_snapshot, look, failing):
    """`judged(columns, rows, **arguments)`: which of some rows, in SQL, fail, and the result."""

    def judge(columns, rows, **arguments):
        values = ", ".join(f"({number}, {row})" for number, row in enumerate(rows))
        path = write_snapshot(
            tmp_path / f"{len(list(tmp_path.iterdir()))}.duckdb",
            f"SELECT * FROM (VALUES {values}) t(row_id, {columns})",
        )
        result = look(path, {"reasoning_valid": arguments})
        assert result.error is None, result.error
        assert result.element_count == len(rows)
        return failing(path, result), result

    return judge


def as_chat(text):
    return f"[{{'role': 'user', 'content': 'Q'}}, {{'role': 'assistant', 'content': '{text}'}}]"


@pytest.mark.parametrize("column", ["text", "messages"])
def test_each_planted_fault_is_found_by_its_name(judged, column):
    def row(text):
        text = text.replace("\n", " ")
        return (f"'{text}'" if column == "text" else as_chat(text)) + ", '4'"

    rows = [row(text) for text in (*GOOD, *BAD.values())]
    found, result = judged(f"{column}, final_answer", rows, column=column)
    assert found == list(range(len(GOOD), len(rows)))
    assert not result.passed
    for number, fault in enumerate(BAD):
        one = [rows[0], rows[len(GOOD) + number]]
        (alone, result) = judged(f"{column}, final_answer", one, column=column)
        assert alone == [1]
        assert f"1 {fault}" in result.observed


def test_final_answers_are_compared_only_where_there_are_any(judged):
    rows = [f"'<think>a</think>{answer}', {right}" for answer, right in (("4", 4), ("4", 5))]
    rows += ["'<think>a</think>4', NULL"]
    assert judged("text, final_answer", rows, column="text")[0] == [1]
    assert judged("text, given", rows, column="text")[0] == []
    assert judged("text, given", rows, column="text", final_answer_column="given")[0] == [1]


def test_other_tags_and_answers_without_reasoning(judged):
    rows = "'[R]a[/R]b'", "'b'", "'[R]a'"
    assert judged("text", rows, column="text", opens="[R]", closes="[/R]")[0] == [1, 2]
    loose = {"opens": "[R]", "closes": "[/R]", "required": False}
    assert judged("text", rows, column="text", **loose)[0] == [2]
    rows = ("'Well: <think>a</think>b'", "'<think>a</think>b'")
    assert judged("text", rows, column="text", first=False)[0] == []


def test_turns_that_call_tools_need_no_answer(judged):
    turns = [("<think>a</think>", "['f']"), ("<think>b</think>", "NULL")]
    rows = [
        f"[{{'role': 'assistant', 'content': '{text}', 'tool_calls': {calls}}}]"
        for text, calls in turns
    ]
    assert judged("messages", rows)[0] == [1]


def test_a_reasoning_turn_before_the_last_is_looked_at(judged):
    def chat(first, last):
        said = f"{{'role': 'assistant', 'content': '{first}'}}", "{'role': 'user', 'content': 'x'}"
        return f"[{', '.join(said)}, {{'role': 'assistant', 'content': '{last}'}}]"

    right = "<think>a</think>b"
    rows = chat("Hello", right), chat("<think>a", right), chat(right, "Bye")
    assert judged("messages", rows)[0] == [1, 2]


def test_tags_that_hold_each_other_are_refused():
    from pydantic import ValidationError

    from dagster_project.quality.reasoning import ReasoningValid

    with pytest.raises(ValidationError, match="parts of each other"):
        ReasoningValid(opens="think", closes="/think")
