"""Doctests, run where the code is and compared where it is not."""

from __future__ import annotations

import bisect
import doctest
import fractions
import heapq
import inspect
import statistics
import sys
import textwrap
import types
from io import StringIO

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.verify.run_doctests import RunDoctests

CODE = '''
"""Numbers.

>>> double(2)
4
"""
from __future__ import annotations

class Wrong(ValueError):
    """A number that is wrong."""

def double(x: Undefined):
    """
    >>> double(3)
    6
    >>> double([1, 2]) == [1, 2, 1, 2]
    True
    >>> print(double("a"), end="")
    aa
    >>> for i in range(2):
    ...     print(double(i))
    0
    2
    >>> double(-1)
    Traceback (most recent call last):
        ...
    Wrong: negative
    >>> double(list(range(50))) # doctest: +ELLIPSIS
    [0, 1, ..., 49]
    >>> double(object())  # doctest: +SKIP
    1
    >>> x = 1
    """
    if isinstance(x, int) and x < 0:
        raise Wrong("negative")
    return x * 2

class Box:
    """
    >>> x
    Traceback (most recent call last):
    NameError: name 'x' is not defined
    """
    def get(self):
        """
        >>> Box().get()
        1
        """
        return 1
'''


def test_examples_as_doctest_runs_them(measured) -> None:
    told, broken, _ = measured(RunDoctests(), {"code": CODE})
    assert broken is None, told
    assert (told["doctests_run"], told["doctests_trusting"]) == (10, 0)
    told, broken, _ = measured(RunDoctests(), {"code": CODE.replace("x * 2", "x * 3")})
    assert (broken, told["doctests_failed"]) == ("doctest_failed", 5)
    assert told["doctests_output"].startswith("failed: module: double(2): 6")


def test_a_mutated_function_must_fail(measured) -> None:
    operator = RunDoctests(expect="fail")
    assert measured(operator, {"code": CODE.replace("* 2", "* 1")})[1] is None
    assert measured(operator, {"code": CODE})[1] == "doctests_passed"
    assert measured(operator, {"code": "x = 1"})[1] == "no_doctests"


def test_a_column_of_doctests_and_options(measured) -> None:
    code = "def f():\n    print('a   b')\n    raise KeyError('c')"
    examples = ">>> f()\nTraceback (most recent call last):\nKeyError: 'other'"
    row = {"code": code, "examples": examples}
    operator = RunDoctests(doctests="examples", flags=("IGNORE_EXCEPTION_DETAIL",))
    assert measured(operator, row)[1] is None
    assert measured(RunDoctests(doctests="examples"), row)[1] == "doctest_failed"
    spaces = {"code": "def f(): print('a   b')", "examples": ">>> f()\na b"}
    normal = RunDoctests(doctests="examples", flags=("NORMALIZE_WHITESPACE",))
    assert measured(normal, spaces)[1] is None
    assert measured(RunDoctests(doctests="examples"), spaces)[1] == "doctest_failed"
    with pytest.raises(ValidationError, match="no doctest option 'ELIPSIS'"):
        RunDoctests(flags=("ELIPSIS",))


def test_how_it_may_end(measured) -> None:
    def end(code: str | None, **fields) -> tuple[str | None, str | None]:
        told, broken, _ = measured(
            RunDoctests(**fields), {"code": code}, schema=pl.Schema({"code": pl.String})
        )
        return told["doctests_end"], broken

    example = "'''\n>>> 1\n1\n'''\n"
    assert end(example) == ("finished", None)
    assert end(None) == (None, "not_finished")
    assert end("") == ("finished", "no_doctests")
    assert end("# >>> 1") == ("finished", "no_doctests")
    assert end(example + "def") == ("not_python", "not_finished")
    assert end(example + "1 / 0") == ("code_raised", "not_finished")
    assert end(example + "while True: pass", seconds=0.3) == ("seconds", "not_finished")
    assert end("'''\n>>> f(\n1\n'''") == ("finished", "doctest_failed")
    assert end("'''\n>>>1\n1\n'''") == ("finished", "doctest_failed")
    with pytest.raises(SeedbedError, match="no column 'code'"):
        RunDoctests().brings(pl.Schema({"text": pl.String}))


@pytest.mark.parametrize("module", [bisect, fractions, heapq, statistics, textwrap])
def test_the_standard_library_as_doctest_has_it(measured, module) -> None:
    source = inspect.getsource(module)
    alone = types.ModuleType("alone")
    sys.modules["alone"] = alone
    exec(compile(source, "<alone>", "exec"), vars(alone))
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(alone, "alone"):
        runner.run(test, out=StringIO().write)
    told, _, _ = measured(RunDoctests(), {"code": source})
    assert (told["doctests_run"], told["doctests_failed"]) == (runner.tries, runner.failures)
