"""Docstrings that are put into code, and code that is written from them."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.code.docstrings import (
    first_function,
    with_docstring,
    without_docstring,
)
from dagster_project.operators.synthesize.document_code import DocumentCode

CODE = (
    "import math\n\n\ndef area(r: float) -> float:\n    # of a circle\n    return math.pi * r**2\n"
)
TESTS = "assert 3.14 < area(1) < 3.15\n"
SEED = {"code": CODE, "tests": TESTS}
TEXT = "The area of a circle.\n\nArgs:\n    r: its radius."
REBUILT = "```python\nimport math\n\ndef area(r):\n    return math.pi * r * r\n```"

FUNCTIONS = [
    "def f(x): return x\n",
    "def f(x):\n\treturn x\n",
    "def f(x):\n    'old'\n    return x",
    'def f(x):\n    """old\n    lines\n    """\n\n    return x\n',
    "def f(x): 'old'; return x\n",
    "x = 'é\u2028'\r\n@staticmethod\r\nasync def f(a, b=(1,\r\n  2)):\r\n  # note\r\n  return 'ü'\r\n",
    "class A:\n    def g(self): ...\n\ndef f() -> None:\n    '''only'''\n",
    "def f():\n    f'no docstring {1}'\n    return 2\n",
]


def document(attempt, answers, seed=SEED, **changed):
    found, questions = attempt(
        DocumentCode.model_validate({"motive": "quality", "model": "writer"} | changed),
        [seed],
        answers,
    )
    return found[0], questions


@pytest.mark.parametrize("code", FUNCTIONS)
@given(text=st.text("ab \n\t\"'\\é{}", min_size=1, max_size=30).filter(str.strip))
def test_nothing_but_the_docstring_changes(code, text):
    function = first_function(code)
    assert function is not None
    documented = with_docstring(code, function, text)
    again = first_function(documented)
    assert again is not None
    assert without_docstring(again) == without_docstring(function)
    told = (ast.get_docstring(again) or "").split()
    assert told == text.split()
    assert others(documented) == others(code)


def others(code):
    return [ast.dump(node) for node in ast.parse(code).body if getattr(node, "name", "") != "f"]


def test_docstring_goes_into_the_source(attempt):
    made, _ = document(attempt, [TEXT])
    assert made.rejection is None
    assert made.values["checked"] == "written"
    assert made.values["docstring"] == TEXT
    assert made.values["code"] == CODE.replace(
        "    # of a circle\n    return",
        '    # of a circle\n    """The area of a circle.\n\n    Args:\n        r: its radius.\n'
        '    """\n    return',
    )


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f'"""{TEXT}"""',
        f'"""\n{TEXT}\n"""',
        f"Docstring: {TEXT}",
        f"```\n{TEXT}\n```",
        f"```python\ndef area(r):\n    '''{TEXT}'''\n    return 1\n```".replace("\n\n", "\n\n    ")
        .replace("\n    r:", "\n        r:")
        .replace("\n    Args", "\n    Args"),
    ],
)
def test_docstring_is_found_in_what_models_say(attempt, answer):
    assert document(attempt, [answer])[0].values["docstring"].split() == TEXT.split()


@pytest.mark.parametrize(
    ("seed", "answer", "rule"),
    [
        ({"code": "x = 1"}, TEXT, "no_function"),
        ({"code": "def f(:"}, TEXT, "no_function"),
        (SEED, Answer("The ar", "length"), "not_finished"),
        (SEED, '""""""', "empty"),
        (SEED, "a\0b", "broken_code"),
        (SEED, "The area.\n\n>>> area(0)\n7", "tests_failed"),
    ],
)
def test_what_does_not_do(attempt, seed, answer, rule):
    made, _ = document(attempt, [answer], seed)
    assert made.rejection.rule == rule
    assert made.values["code"]


def test_right_examples_are_run(attempt):
    made, _ = document(attempt, ["The area.\n\n>>> area(0)\n0.0"])
    assert (made.rejection, made.values["checked"]) == (None, "doctests")


def test_code_is_rebuilt_from_the_docstring_alone(attempt):
    made, questions = document(
        attempt, [TEXT, REBUILT], rebuild=True, tests="tests", rebuild_model="other"
    )
    assert (made.rejection, made.values["checked"]) == (None, "rebuilt")
    assert made.values["rebuilt"].startswith("import math")
    asked = questions[1].messages[0]["content"]
    assert "math.pi" not in asked
    assert "def area(r: float) -> float:" in asked
    assert "its radius." in asked
    assert [q.model for q in questions] == ["writer", "other"]


@pytest.mark.parametrize(
    "answer",
    ["```python\ndef area(r):\n    return r\n```", "no", CallFailed("refused", "no")],
)
def test_a_docstring_that_does_not_bring_the_code_back(attempt, answer):
    made, _ = document(attempt, [TEXT, answer], rebuild=True, tests="tests")
    assert made.rejection.rule == "not_rebuilt"
    assert made.values["docstring"] == TEXT


def test_rebuilding_needs_tests(attempt):
    with pytest.raises(OperatorMisuse, match="name their column"):
        document(attempt, [TEXT], rebuild=True)
    made, _ = document(attempt, [TEXT], SEED | {"tests": ""}, rebuild=True, tests="tests")
    assert made.rejection.measured == "no tests"
