"""Fences are closed, and blocks found as CommonMark finds them."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.clean_code_fences import CleanCodeFences

TEXT = (
    "a\n```Python title=X\nx\n```\nb ```inline```\n```c```\n~~~\n```\nq\n~~~\n"
    "````md\n```JS\n1\n```\n````\nend"
)


def cleaned(apply, text: str, **options) -> tuple[str, int]:
    operator = CleanCodeFences.model_validate({"columns": ["text"], **options})
    return apply(operator, pl.DataFrame({"text": [text]}))[0].row(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x\n```py\ncode", "x\n```py\ncode\n```"),
        ("x\n  ~~~~\ncode\n~~~\n", "x\n  ~~~~\ncode\n~~~\n  ~~~~"),
        ("```", "```\n```"),
        ("````\n```\na\n```", "````\n```\na\n```\n````"),
        ("```\na\n``` b", "```\na\n``` b\n```"),
    ],
)
def test_unclosed_blocks_are_closed(apply, text: str, expected: str) -> None:
    assert cleaned(apply, text) == (expected, 1)
    assert cleaned(apply, text, close=False) == (text, 1)


@pytest.mark.parametrize(
    "text", [TEXT, "", "no code", "```\n```", "```\r\nx\r\n```\r\nz", "a ```b"]
)
def test_closed_blocks_stay(apply, text: str) -> None:
    assert cleaned(apply, text) == (text, 0)


def test_languages(apply) -> None:
    assert cleaned(apply, TEXT, language="lower")[0] == TEXT.replace("Python", "python")
    dropped = TEXT.replace("Python title=X", "").replace("````md", "````")
    assert cleaned(apply, TEXT, language="drop")[0] == dropped


def test_blocks_go_or_stay_alone(apply) -> None:
    assert cleaned(apply, TEXT, code="drop")[0] == "a\nb ```inline```\n```c```\nend"
    only = "```Python title=X\nx\n```\n\n~~~\n```\nq\n~~~\n\n````md\n```JS\n1\n```\n````"
    assert cleaned(apply, TEXT, code="only")[0] == only
    assert cleaned(apply, "no code", code="only")[0] == ""
