"""Code that is written, run for real, and mended."""

from __future__ import annotations

import pytest

from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.code.written_code import code_in
from dagster_project.operators.synthesize.generate_code import GenerateCode
from dagster_project.operators.synthesize.translate_code import TranslateCode

TESTS = "assert double(4) == 8\nassert double('ab') == 'abab'\n"
SEED = {"description": "A function `double` that doubles what it is given.", "tests": TESTS}
GOOD = "Here it is:\n```python\ndef double(x):\n    return x * 2\n```\nIt doubles."
WRONG = "```python\ndef double(x):\n    return x + 2\n```"
BROKEN = "```python\ndef double(x)\n    return x * 2\n```"


def write(attempt, answers, seed=SEED, **changed):
    settings = {"motive": "distillation", "model": "writer", "tests": "tests"}
    return attempt(GenerateCode.model_validate(settings | changed), [seed], answers)


def rules(found):
    return [one.rejection.rule if one.rejection else None for one in found]


def test_code_that_passes_is_a_row(attempt):
    found, questions = write(attempt, [GOOD])
    assert rules(found) == [None]
    assert found[0].values["code"] == "def double(x):\n    return x * 2\n"
    assert found[0].values["checked"] == "tests"
    assert found[0].values["error"] is None
    assert TESTS not in questions[0].messages[0]["content"]
    shown = write(attempt, [GOOD], show_tests=True)[1]
    assert "assert double(4) == 8" in shown[0].messages[0]["content"]


def test_failures_are_told_and_mended_and_kept(attempt):
    found, questions = write(attempt, [BROKEN, WRONG, GOOD])
    assert rules(found) == ["syntax_error", "tests_failed", None]
    assert [one.values["tries"] for one in found] == [1, 2, 3]
    assert [one.made_from for one in found] == [(), (0,), (1,)]
    assert found[0].rejection.measured.startswith("line 1: expected ':'")
    assert "assert double(4) == 8: 6" in found[1].values["error"]
    assert "expected ':'" in questions[1].messages[-1]["content"]
    assert "assert double(4) == 8: 6" in questions[2].messages[-1]["content"]
    assert [m["role"] for m in questions[2].messages] == ["user", "assistant", "user"]
    assert questions[2].messages[1]["content"] == WRONG


def test_tries_come_to_an_end(attempt):
    found, questions = write(attempt, [WRONG, WRONG], tries=2)
    assert rules(found) == ["tests_failed"] * 2
    assert len(questions) == 2


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (Answer("```python\ndef double(x):\n    ret", "length"), "not_finished"),
        ("I cannot do that.", "no_code"),
        ("```javascript\nlet x = 1\n```", "no_code"),
        ("```python\n\n```", "no_code"),
        ("```python\nimport os\nos._exit(0)\n```", "tests_failed"),
        ("```python\nwhile True:\n    pass\n```", "tests_failed"),
        ("```python\nraise SystemExit(0)\n```", "tests_failed"),
        ("```python\ndef double(x):\n    print('" + "0" * 64 + "')\n```", "tests_failed"),
    ],
)
def test_what_does_not_do(attempt, answer, rule):
    found, _ = write(attempt, [answer], tries=1, seconds=2)
    assert rules(found) == [rule]
    assert found[0].values["code"]


def test_doctests_count_where_there_are_no_tests(attempt):
    doctested = (
        '```python\ndef one():\n    """One.\n\n    >>> one()\n    1\n    """\n    return {}\n```'
    )
    seed = {"description": "one", "tests": None}
    found, _ = write(attempt, [doctested.format(2), doctested.format(1)], seed, tests=None)
    assert rules(found) == ["tests_failed", None]
    assert [one.values["checked"] for one in found] == ["doctests"] * 2


def test_what_was_not_run_is_turned_down_or_said(attempt):
    nothing = SEED | {"tests": "# to be written"}
    assert rules(write(attempt, [GOOD], nothing)[0]) == ["untested"]
    seed = {"description": "double"}
    found, questions = write(attempt, [GOOD], seed, tests=None)
    assert (rules(found), len(questions)) == (["untested"], 1)
    found, _ = write(attempt, [GOOD], seed, tests=None, must_run=False)
    assert (rules(found), found[0].values["checked"]) == ([None], "parsed")


def test_failures_of_calls(attempt):
    with pytest.raises(CallFailed):
        write(attempt, [CallFailed("refused", "no")])
    found, _ = write(attempt, [WRONG, CallFailed("refused", "no")])
    assert rules(found) == ["tests_failed", "unanswered"]


def test_seeds_without_a_description_come_to_nothing(attempt):
    assert write(attempt, [], {"description": " ", "tests": ""}) == ([], [])


def test_translation_to_python_is_run_and_to_others_is_not(attempt):
    seed = {"code": "const double = x => x * 2", "tests": TESTS}
    to_python = TranslateCode(
        motive="coverage", model="writer", from_language="javascript", to="python", tests="tests"
    )
    found, questions = attempt(to_python, [seed], [WRONG, GOOD])
    assert rules(found) == ["tests_failed", None]
    assert found[1].values["language"] == "python"
    assert seed["code"] in questions[0].messages[0]["content"]
    to_rust = TranslateCode(motive="coverage", model="writer", from_language="python", to="rust")
    rust = "```rust\nfn double(x: i32) -> i32 { x * 2 }\n```"
    found, _ = attempt(to_rust, [seed], ["no idea", rust])
    assert rules(found) == ["no_code", None]
    assert found[1].values["checked"] == "unchecked"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("```py\nx = 1", "x = 1\n"),
        ("```python\n```python\nx = 1\n```\n```", "x = 1\n"),
        ("~~~~python\nx = '''\n```\n'''\n~~~~", "x = '''\n```\n'''\n"),
        ("```\na\n```\n\n```python\nlonger = 1\n```", "longer = 1\n"),
        ("def f():\n    return 1", "def f():\n    return 1\n"),
        ("Sorry", None),
        ("", None),
        ("```", None),
    ],
)
def test_code_in_answers(text, code):
    assert code_in(text) == code
