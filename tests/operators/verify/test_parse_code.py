"""Code that parses."""

from __future__ import annotations

import ast

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.verify.parse_code import ParseCode


def test_errors_and_their_lines(apply) -> None:
    codes = {
        "x = 1": (0, ""),
        "": (0, ""),
        "x = 1\nif x\n    pass": (2, "expected ':'"),
        "print 'a'": (1, "Missing parentheses in call to 'print'. Did you mean print(...)?"),
        "def f():\n\treturn 1\n        x": (
            3,
            "inconsistent use of tabs and spaces in indentation",
        ),
        "\n\nreturn 1": (3, "'return' outside function"),
        "a\0b": (1, "source code string cannot contain null bytes"),
        "x is 1; '\\d'": (0, ""),
    }
    kept, removed = apply(ParseCode(), pl.DataFrame({"code": list(codes)}))
    assert kept["code"].to_list() == [code for code, (line, _) in codes.items() if line == 0]
    assert removed["measured"].to_list() == [error for line, error in codes.values() if line]
    assert set(removed["rule"]) == {"syntax_error"}
    frame = pl.DataFrame({"code": ["x = (", None]})
    assert apply(ParseCode(max_characters=2), frame)[1]["measured"].to_list() == [
        "longer than 2 characters",
        None,
    ]


@pytest.mark.parametrize(
    "code",
    [
        "(" * 50_000,
        "-" * 50_000 + "1",
        "[" * 150 + "]" * 150,
        "1" + "+1" * 50_000,
        "a" + ".a" * 50_000,
        "lambda:" * 20_000 + "1",
        "f'" + "{f'" * 50 + "'}" * 50 + "'",
        "if 1:\n pass\n" + "elif 1:\n pass\n" * 5_000,
        "9" * 10_000,
        "10 ** 10 ** 10 ** 10",
        "'a' * 10 ** 18",
        "x = " + "not " * 40_000 + "1",
    ],
)
def test_code_that_is_made_to_break_a_parser(apply, code: str) -> None:
    kept, removed = apply(ParseCode(), pl.DataFrame({"code": [code]}))
    assert kept.height + removed.height == 1
    assert removed["error"].to_list() in ([], [None])


def test_code_in_markdown(apply) -> None:
    answer = (
        "Here:\n\n```python\nx = 1\n```\n\nand\n\n```bash\nls -l\n```\n\n```\ny = x\n```\nDone."
    )
    texts = [
        answer,
        "no code = at all",
        "```py\nopen",
        "~~~Python3\nx = 1\n~~~",
        "x = 1",
        "``` \n\n```",
    ]
    frame = pl.DataFrame({"text": texts})
    kept, removed = apply(ParseCode(column="text", fenced="all", into="code"), frame)
    assert kept["code"].to_list() == ["x = 1\n\ny = x", "open", "x = 1", "x = 1", ""]
    assert removed["row"].to_list() == [1]
    kept, _ = apply(ParseCode(column="text", fenced="first", into="code"), frame)
    assert kept["code"].to_list()[0] == "x = 1"
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be text"):
        apply(ParseCode(column="n"), pl.DataFrame({"n": [1]}))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(code=st.text(st.sampled_from("xy=1+()[]:\n \t'\"#\\\0é"), max_size=30))
def test_as_ast_has_it(apply, code: str) -> None:
    kept, removed = apply(ParseCode(), pl.DataFrame({"code": [code]}))
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        assert removed.height == 1 and kept.height == 0
    else:
        assert kept.height == 1
