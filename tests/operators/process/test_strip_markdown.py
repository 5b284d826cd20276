"""Markdown goes, its text and everything that only looks like it stays."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.strip_markdown import StripMarkdown


def stripped(apply, text: str, **options: str) -> str:
    operator = StripMarkdown.model_validate({"columns": ["text"], **options})
    return apply(operator, pl.DataFrame({"text": [text]}))[0]["text"].item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One #\n###### Six\n#", "One\nSix\n"),
        ("Title\n=====\nbody\n---\nx\n\n* * *\ny", "Title\nbody\nx\n\ny"),
        ("*a* **b** ***c*** _d_ __E f__ ~~g~~, (*h*)", "a b c d E f g, (h)"),
        ("这是**重点**内容，见[链接](http://x)。", "这是重点内容，见链接。"),
        ("**use `a*b` now**", "use a*b now"),
        ("[a](http://x/y_(z) 'T') ![b](c.png) [![d](e)](f) <https://g>", "a b d https://g"),
        ("[a][1] and [b][]\n\n[1]: http://x 'T'\n[b]: y\nend", "a and b\n\nend"),
        ("> a\n> > b\n>\nc", "a\nb\n\nc"),
        ("| a | b |\n|---|:-:|\n| `c` | 2 |\nend", "a\tb\nc\t2\nend"),
        ("``a ` b`` `c`", "a ` b c"),
    ],
)
def test_markdown_goes(apply, text: str, expected: str) -> None:
    assert stripped(apply, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "snake_case __init__ 2*3*4 2**3**4 a * b * c f(*args, **kwargs)",
        "handlers[name](event) m[i][j] x = [1][0]",
        ">>> 1 + 1\n2",
        "- a\n* b\n+ c\n1. d",
        "$a_i * b_i$ and $$x_{i} _y_$$",
        "\\*not\\* \\_this\\_",
        "#hashtag #!/bin/sh a | b",
        "```python\n# comment\n**x** [a](b)\n```",
        "**日本\0",
    ],
)
def test_what_is_not_markdown_stays(apply, text: str) -> None:
    assert stripped(apply, text) == text


def test_fenced_code_can_be_dropped(apply) -> None:
    assert stripped(apply, "a\n```\n# x\n```\nb `c`", code="drop") == "a\nb c"
