"""SQL conditions and patterns decide, and show what they saw."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.filter_rows import FilterRows
from dagster_project.operators.process.filter_text import FilterText

FRAME = pl.DataFrame({"kind": ["a", "b", None], "n": [1, None, 3], "l": [["x" * 300], [], None]})


def test_true_goes_on_and_the_rest_shows_its_columns(apply) -> None:
    kept, removed = apply(FilterRows(keep="kind IN ('a', 'c') AND n < 2", rule="wanted"), FRAME)
    assert kept["kind"].to_list() == ["a"]
    assert removed.select("row", "rule", "measured", "threshold").rows() == [
        (1, "wanted", '{"kind":"b","n":null}', "kind IN ('a', 'c') AND n < 2"),
        (2, "wanted", '{"kind":null,"n":3}', "kind IN ('a', 'c') AND n < 2"),
    ]


def test_long_and_binary_values_are_not_copied_whole() -> None:
    frame = FRAME.with_columns(raw=pl.Series([b"\xff", b"", None]))
    (rule,) = FilterRows(keep="array_length(l) > 9 AND raw IS NOT NULL").rules(frame.schema)
    measured = frame.select(rule.measured).to_series().to_list()
    assert measured[0].startswith('{"l":"[\\"xxx')
    assert len(measured[0]) < 250
    assert measured[1:] == ['{"l":"[]","raw":"(binary)"}', '{"l":null,"raw":null}']


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("knd = 'a'", "no column 'knd'; did you mean 'kind'"),
        ("n + 1", r"`n \+ 1` gives Int64, but must be true or false"),
        ("n > 'x'", "`n > 'x'` does not fit the columns"),
    ],
)
def test_misuse(apply, keep: str, message: str) -> None:
    with pytest.raises(SeedbedError, match=message):
        apply(FilterRows(keep=keep), FRAME)


def test_a_condition_names_a_column() -> None:
    with pytest.raises(ValidationError, match="names no column"):
        FilterRows(keep="1 = 1")


@pytest.mark.parametrize(
    ("options", "kept_rows", "measured"),
    [
        ({"pattern": "lorem", "keep": "not_matching"}, [1, 2], ["lorem", None]),
        ({"pattern": "lorem", "keep": "matching"}, [0], [None, None, None]),
        (
            {"pattern": "LOREM", "keep": "not_matching", "case_sensitive": False},
            [2],
            ["lorem", "Lorem", None],
        ),
        (
            {"pattern": "(?s)^.*$", "keep": "not_matching"},
            [],
            ["x lorem " + "y" * 192, "Lorem", "", None],
        ),
    ],
)
def test_patterns_show_their_first_match(apply, options, kept_rows, measured) -> None:
    texts = ["x lorem " + "y" * 300, "Lorem", "", None]
    messages = [
        [{"content": "-"}, {"content": text}] if text is not None else None for text in texts
    ]
    frame = pl.DataFrame({"row": range(4), "text": texts})
    kept, removed = apply(FilterText(column="text", **options), frame)
    assert kept["row"].to_list() == kept_rows
    assert removed["measured"].to_list() == measured
    if options["pattern"] != "(?s)^.*$":
        chats = frame.with_columns(pl.Series("text", messages))
        kept, removed = apply(FilterText(column="text", **options), chats)
        assert kept["row"].to_list() == kept_rows
        assert removed["measured"].to_list() == measured


@pytest.mark.parametrize("pattern", ["(", "[a", r"(?<!a)b", r"(a)\1"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="not a regular expression: "):
        FilterText(column="text", pattern=pattern, keep="matching")
