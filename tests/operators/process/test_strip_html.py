"""HTML goes, everything that only looks like it stays."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.strip_html import StripHtml


def stripped(apply, text: str, **options: bool) -> str:
    kept, _ = apply(StripHtml(columns=("text",), **options), pl.DataFrame({"text": [text]}))
    return kept["text"].item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p class='x' hidden>Hi <b>you</b></p>", "\nHi you\n"),
        ("a<br/>b<BR>c", "a\nb\nc"),
        ("<td>1</td><td>2</td>", "\t1\t\t2\t"),
        ("x<!-- <p> \n -->y<!DOCTYPE html>", "xy"),
        ("<script src=a.js>if (a<b) `x`;</script>kept<style>p > a {}</style>", "kept"),
        ("<a href=https://x.y/?a=1&b=2 title='a > b'>link</a>", "link"),
        ("H<sub>2</sub>O<img src=x>", "H2O"),
        ("中文<table>中文</table>", "中文\n中文\n"),
        ("&lt;b&gt; &amp;lt; &#x41;&#66; &copy; &NotEqualTilde;", "<b> &lt; AB © ≂̸"),
    ],
)
def test_html_goes(apply, text: str, expected: str) -> None:
    assert stripped(apply, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "if a<b or c>d: x",
        "List<int> Map<String, Object> Vec<T> Promise<object> vector<time> Box<A>",
        "<Button> <me@example.org> <https://example.org> <unknown>",
        "?a=1&copy=2 AT&T &notit; &nosuch; & &; &#; &#x;",
        "`<b>` and ``<i>``",
        "```html\n<p>&amp;</p>\n```",
        "~~~\n<p>\n",
        "<<>> <> </> < p>",
        "日本 <日本> שלום\0",
    ],
)
def test_what_is_not_html_stays(apply, text: str) -> None:
    assert stripped(apply, text) == text


def test_code_is_html_when_asked(apply) -> None:
    assert stripped(apply, "`<b>x</b>` &amp;", keep_code=False) == "`x` &"
