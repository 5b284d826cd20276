"""Addresses go, and only they."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.operators.process.remove_urls import RemoveUrls


def removed(apply, text: str, **options) -> tuple[str, int]:
    operator = RemoveUrls.model_validate({"columns": ["text"], "replacement": "_", **options})
    return apply(operator, pl.DataFrame({"text": [text]}))[0].row(0)


@pytest.mark.parametrize(
    ("text", "expected", "urls"),
    [
        ("See https://a.b/c?d=e#f. And http://x.y!", "See _. And _!", 2),
        ("(https://en.wikipedia.org/wiki/A_(b)), (see http://x.y/)", "(_), (see _)", 2),
        ('"HTTPS://X.ORG:8080/", <ftp://u:p@h.i/j> http://localhost:3000', '"_", _ _', 3),
        ("http://[::1]:80/x and http://127.0.0.1/y;", "_ and _;", 2),
        ("中文https://x.com/a。中文", "中文_。中文", 1),
        ("www.foo.co.uk, example.com/a-b, example.com.au. youtu.be/x?t=1", "_, _, _. _", 4),
        ("[text *b*](https://a.b/c 'title') ![alt](<http://i.j>)", "text *b* alt", 2),
        ("[![alt](https://i.j/k.png)](https://l.m) [http://a.b](http://a.b)", "alt _", 2),
    ],
)
def test_addresses(apply, text: str, expected: str, urls: int) -> None:
    assert removed(apply, text) == (expected, urls)


@pytest.mark.parametrize(
    "text",
    [
        "me@example.com ann.lee@mail.example.org @user.com",
        "ASP.NET logger.info(x) Node.js file.py e.g. i.e. and/or 3.14 a...b",
        "src/main.com/x /usr/share/foo.org ../a.com C:\\x.com",
        "`curl https://a.b`\n```\nwget https://c.d\n```",
        "[text](relative/path.md) [1] [x]: y http:// https://",
    ],
)
def test_what_is_no_address_stays(apply, text: str) -> None:
    assert removed(apply, text) == (text, 0)


def test_options(apply) -> None:
    text = (
        "https://en.wiki.org/a https://wiki.org.evil.com b.com `https://c.d` [x](https://wiki.org)"
    )
    kept = {"keep_hosts": ["Wiki.org"], "keep_code": False}
    assert removed(apply, text, **kept) == (
        "https://en.wiki.org/a _ _ `_` [x](https://wiki.org)",
        3,
    )
    assert removed(apply, text, without_scheme=False, replacement="") == (
        "  b.com `https://c.d` x",
        3,
    )
    with pytest.raises(ValidationError, match="is an address itself"):
        RemoveUrls(columns=("text",), replacement="see https://a.b")
