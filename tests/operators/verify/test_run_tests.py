"""Code that passes its tests, and code that does not."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.errors import SeedbedError
from dagster_project.operators.verify.run_tests import RunTests

ADD = "def add(a, b):\n    return a + b\n"
WRONG = ADD.replace("+", "-")
CHECK = """
METADATA = {"author": "x"}
def check(candidate):
    assert candidate(1, 2) == 3
    assert abs(candidate(0.1, 0.2) - 0.3) < 1e-9, "floats"
    assert candidate([1], [2]) == [1, 2] and not candidate(0, 0)
"""


def row(code: str | None, tests: str | None, entry_point: str | None = "add") -> dict:
    return {"code": code, "tests": tests, "entry_point": entry_point}


def judged(measured, code: str | None, tests: str | None, **fields):
    told, broken, _ = measured(RunTests(entry_point="entry_point", **fields), row(code, tests))
    return told, broken


def test_passes_and_fails(measured) -> None:
    told, broken = judged(measured, ADD, CHECK)
    assert broken is None
    assert (told["tests_run"], told["tests_failed"], told["tests_trusting"]) == (3, 0, 0)
    assert told["tests_end"] == "finished" and told["tests_output"] == ""
    told, broken = judged(measured, WRONG, CHECK)
    assert (broken, told["tests_failed"]) == ("test_failed", 3)
    assert told["tests_output"].startswith("failed: assert candidate(1, 2) == 3: -1\n")


def test_what_must_fail(measured) -> None:
    assert judged(measured, WRONG, CHECK, expect="fail")[1] is None
    assert judged(measured, ADD, CHECK, expect="fail")[1] == "tests_passed"
    assert judged(measured, "def", CHECK, expect="fail")[1] == "not_finished"


@pytest.mark.parametrize(
    ("assertion", "values"),
    {
        "assert f(x) == 4": {4: True, 5: False, "4": False},
        "assert f(x) != 4": {4: False, 5: True},
        "assert f(x)": {0: False, 1: True, "": False},
        "assert not f(x)": {0: True, 1: False},
        "assert f(x) is None": {None: True, 0: False},
        "assert f(x) is not None": {None: False, 0: True},
        "assert f(x) in (1, 2)": {1: True, 3: False},
        "assert f(x) not in [1, 2]": {1: False, 3: True},
        "assert 1 < f(x) <= 3": {1: False, 2: True, 3: True, 4: False},
        "assert [f(x), 2] == [1, 2]": {1: True, 2: False},
        "assert {'a': f(x)} == {'a': (1, 2)}": {(1, 2): True, (2, 1): False},
        "assert len(f(x)) == 2 and sorted(f(x)) == [1, 2]": {(2, 1): True, (2, 2): False},
        "assert f(x) == 1 or f(x) == 2": {1: True, 2: True, 3: False},
        "import math\nassert math.isclose(f(x), 0.3, rel_tol=1e-6)": {0.1 + 0.2: True, 0.31: False},
        "assert round(f(x), 1) == 0.3": {0.1 + 0.2: True, 0.4: False},
        "assert f(x) == float('inf')": {float("inf"): True, 1.0: False},
        "assert -f(x) * 2 == -2 ** 3": {4: True, -4: False},
        "assert f(x) == 1j": {1j: True, 1: False},
        "assert f(x) == b'a' or f(x) == frozenset({1})": {
            b"a": True,
            frozenset({1}): True,
            1: False,
        },
        "assert f(x) == {1, 2}, f(x)": {frozenset({1, 2}): True, (1, 2): False},
        "def test_it():\n    y = f(x)\n    assert y == 4": {4: True, 5: False},
        "x = 0\ndef check(g):\n    assert g(x) == 4\ncheck(f)": {4: True, 5: False},
    }.items(),
)
def test_assertions_that_are_taken_apart(measured, assertion: str, values: dict) -> None:
    """As Python judges them itself."""
    for value, right in values.items():
        code = f"x = None\ndef f(_):\n    return {value!r}".replace("inf", "float('inf')")
        told, broken = judged(measured, code, assertion)
        assert (broken is None, told["tests_trusting"]) == (right, 0), (value, told)


def test_what_comes_as_another_class(measured) -> None:
    """Builtin types by another name compare as they do; a class of the code's own equals nothing."""
    code = """
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import IntEnum
Pair = namedtuple("Pair", "a b")
Kind = IntEnum("Kind", "ONE")
made = {"counter": Counter("a"), "ordered": OrderedDict(a=1), "pair": Pair(1, 2), "kind": Kind.ONE}
class Own:
    def __init__(self, value): self.value = value
    def __eq__(self, other): return self.value == getattr(other, "value", other)
    def __len__(self): return 3
"""
    good = (
        "assert made['counter'] == made['ordered'] == {'a': 1}\nassert made['pair'] == (1, 2)\n"
        "assert made['kind'] == 1\nassert len(Own(1)) == 3\nassert Own(1) == Own(1)\n"
        "assert isinstance(Own(1), Own)\nassert list(x for x in 'ab') == ['a', 'b']"
    )
    told, broken = judged(measured, code, good)
    assert broken is None and told["tests_trusting"] == 3, told
    assert judged(measured, code, good, trust_code=False)[1] == "trusts_code"
    told, broken = judged(measured, code, "assert Own(1) == 1")
    assert broken == "test_failed" and "an object of type Own" in told["tests_output"]


def test_what_is_run_whole(measured) -> None:
    tests = """
from fractions import Fraction
def helper(x):
    return add(x, x)
def test_loop():
    for x in range(3):
        assert add(x, x) == 2 * x
def test_raises():
    try:
        add(1, "x")
    except TypeError:
        return
    raise AssertionError("no error")
assert helper(2) == 4
"""
    told, broken = judged(measured, ADD, tests)
    assert (broken, told["tests_run"], told["tests_trusting"]) == (None, 3, 2)
    told, broken = judged(measured, WRONG, tests)
    assert (broken, told["tests_failed"]) == ("test_failed", 2)


def test_how_it_may_end(measured) -> None:
    def end(code: str, tests: str = CHECK, **fields) -> tuple[str, str | None]:
        told, broken = judged(measured, code, tests, **fields)
        return told["tests_end"], broken

    assert end("def add(:") == ("not_python", "not_finished")
    assert end(ADD, "assert (") == ("not_python", "not_finished")
    assert end("\0") == ("not_python", "not_finished")
    assert end("raise ValueError(1)") == ("code_raised", "not_finished")
    assert end("import numpy") == ("code_raised", "not_finished")
    assert end("while True: pass", seconds=0.3) == ("seconds", "not_finished")
    assert end("def add(*_):\n    import os\n    os._exit(0)") == ("died", "not_finished")
    assert end("def add(*_):\n    return bytearray(1 << 40)") == ("finished", "test_failed")
    assert end(ADD, "x = 1") == ("finished", "no_tests")
    assert end(ADD, "def check(c):\n    assert c(1, 1) == 2") == ("finished", None)
    assert end(ADD, " ") == ("finished", "no_tests")
    told, _ = judged(measured, ADD, "undefined()\nassert add(1, 1) == 2")
    assert (told["tests_run"], told["tests_failed"]) == (2, 1)


def test_lists_of_tests_and_rows_without(measured) -> None:
    schema = pl.Schema({"code": pl.String, "tests": pl.List(pl.String)})
    tests = ["assert add(1, 2) == 3", None, "assert add(0, 0) == 0"]
    told, broken, _ = measured(RunTests(), {"code": ADD, "tests": tests}, schema=schema)
    assert (broken, told["tests_run"]) == (None, 2)
    for code, tests in ((None, ["assert True"]), (ADD, None), (ADD, []), (ADD, [None])):
        assert measured(RunTests(), {"code": code, "tests": tests}, schema=schema)[1] is not None
    with pytest.raises(SeedbedError, match="column 'tests' is Int64, but must be text or lists"):
        RunTests().brings(pl.Schema({"code": pl.String, "tests": pl.Int64}))
    told, _, _ = measured(RunTests(entry_point="entry_point"), row(ADD, CHECK, ""))
    assert "name the function to check as entry point" in told["tests_output"]
