"""Units that stood before go, and one white space with them."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.kernels.text_lines import unit_bounds
from dagster_project.operators.process.deduplicate_lines import DeduplicateLines

ROWS = st.lists(st.text("ab \n\t", max_size=12), max_size=9)


def operator(**options) -> DeduplicateLines:
    return DeduplicateLines.model_validate({"column": "text", "min_characters": 1, **options})


def run(operator, texts: list[str | None], parts: tuple[int, ...] = ()):
    """The texts without what is cut, None where the row goes; cuts and removed rows."""
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    bounds = sorted({0, frame.height, *(min(part, frame.height) for part in parts)})
    batches = [frame[low:high] for low, high in pairwise(bounds)] or [frame]
    narrow = pl.concat([batch.select(**operator.columns(batch.schema)) for batch in batches])
    relation = narrow.select(pl.int_range(pl.len(), dtype=pl.UInt64).alias("row"), pl.all())

    def fetch(rows, columns):
        part = frame[rows.cast(pl.Int64)]
        return part.select(rows.alias("row"), **columns(part.schema))

    decisions = operator.decide(relation, fetch)
    cuts, removed = decisions.cuts, decisions.removed
    assert cuts is not None
    assert not cuts["row"].is_in(removed["row"].implode()).any()
    assert not cuts["other"].is_in(removed["row"].implode()).any()
    left: list[bytes | None] = [None if text is None else text.encode() for text in texts]
    end = {}
    for row, start, length in reversed(cuts.select("row", "start", "length").rows()):
        assert length > 0 and start + length <= end.get(row, len(left[row] or b""))
        left[row] = left[row][:start] + left[row][start + length :]  # pyright: ignore
        end[row] = start
    for row in removed["row"]:
        left[row] = None
    return [None if text is None else text.decode() for text in left], cuts, removed


def lines_of(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").split("\n") if line.strip()]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    rows=ROWS,
    most=st.integers(1, 3),
    within=st.sampled_from(["version", "row"]),
    parts=st.tuples(st.integers(0, 9)),
)
def test_as_a_dictionary_of_lines(rows, most, within, parts) -> None:
    times: dict[object, int] = {}
    for row, text in enumerate(rows):
        for line in lines_of(text):
            key = (line, row if within == "row" else None)
            times[key] = times.get(key, 0) + 1
    seen, expected = set(), []
    for row, text in enumerate(rows):
        left = []
        for line in lines_of(text):
            key = (line, row if within == "row" else None)
            if key not in seen or times[key] <= most:
                left.append(line)
            seen.add(key)
        expected.append(left if left or not lines_of(text) else None)
    tested = operator(normalize="none", max_occurrences=most, within=within)
    found, cuts, removed = run(tested, rows, parts)
    assert [None if text is None else lines_of(text) for text in found] == expected
    assert set(removed["row"]) == {row for row, left in enumerate(expected) if left is None}
    untouched = set(range(len(rows))) - set(cuts["row"]) - set(removed["row"])
    assert all(found[row] == rows[row] for row in untouched)
    for row, start, length, other in cuts.select("row", "start", "length", "other").iter_rows():
        assert set(lines_of(rows[row][start : start + length])) <= set(lines_of(found[other]))
    again = run(tested, [text for text in found if text is not None])
    assert again[1].is_empty() and again[2].is_empty()


@pytest.mark.parametrize(
    ("unit", "text", "left"),
    [
        ("line", "a\nX\nb", "a\nb"),
        ("line", "X\n\na", "a"),
        ("line", "a\nX", "a"),
        ("line", "a\r\nX\r\n", "a\r\n"),
        ("line", "a\n  X\n  b", "a\n  b"),
        ("line", "a\nX\n\nb", "a\n\nb"),
        ("line", "a\n\nX\nb", "a\n\nb"),
        ("line", "a\nX\n\nY\nb", "a\n\nb"),
        ("line", "X\nX\na\nX", "a"),
        ("paragraph", "a\n\nX\n \nb\n", "a\n \nb\n"),
        ("paragraph", "a\nX\n\nb", "a\nX\n\nb"),
        ("paragraph", "a\n\n\nX\nY\n\nb", "a\n\nb"),
        ("sentence", "a. X. b.", "a. b."),
        ("sentence", "a. X.\nb", "a.\nb"),
        ("sentence", "a.\n  X. b", "a.\n  b"),
        ("sentence", "a. X.\nX. b", "a.\nb"),
        ("sentence", "a? “X!” b", "a? b"),
        ("sentence", "甲。X。乙！", "甲。乙！"),
        ("sentence", "X.5 a", "X.5 a"),
    ],
)
def test_one_white_space_stays(unit: str, text: str, left: str) -> None:
    seen = "X\n\nY\n\nX\nY" if unit == "paragraph" else "X\nY"
    assert run(operator(unit=unit), [seen, text])[0][1] == left


@pytest.mark.parametrize(
    ("one", "other", "same_in"),
    [
        ("Page 12 of 34", "page 56 OF 78!", {"ccnet"}),
        ("Read  more", "\tread more ", {"ccnet", "whitespace_case"}),
        ("Read more", " Read more\r", {"ccnet", "whitespace_case", "none"}),
        ("« Lire la suite »", "Lire la suite…", {"ccnet"}),
        ("٣ أيام", "٤ أيام", {"ccnet"}),
        ("a + b", "a = b", set()),
        ("naïve", "naive", set()),
        ("ab", "a b", set()),
    ],
)
def test_what_makes_no_difference(one: str, other: str, same_in: set[str]) -> None:
    for normalize in ("ccnet", "whitespace_case", "none"):
        removed = run(operator(normalize=normalize), [one, other])[2]
        assert (removed["row"].to_list() == [1]) is (normalize in same_in)


def test_short_units_stay() -> None:
    rows: list[str | None] = ["}\nx = compute()\n-- * * --", "}\nx = compute()\n-- * * --"]
    assert run(operator(min_characters=2), rows)[0] == [rows[0], "}\n-- * * --"]
    assert run(operator(min_characters=11), rows)[0] == rows


def test_boilerplate_only() -> None:
    rows: list[str | None] = ["Subscribe now\na", "b\nSubscribe now", "c\na\nSUBSCRIBE NOW"]
    found, cuts, _ = run(operator(max_occurrences=2), rows)
    assert found == ["Subscribe now\na", "b", "c\na"]
    assert cuts.select("row", "other").rows() == [(1, 0), (2, 0)]


def test_a_row_of_which_nothing_is_left_goes() -> None:
    found, _, removed = run(operator(), ["a\nb", " b\n\n a\n", "\n", "", None])
    assert found == ["a\nb", None, "\n", "", None]
    assert removed.select("row", "disposition", "rule", "measured", "threshold").rows() == [
        (1, "dropped", "nothing_left", "1.0", "< 1")
    ]


@pytest.mark.parametrize("unit", ["line", "sentence", "paragraph"])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_units_hold_all_that_is_visible(texts, unit, data) -> None:
    drawn = data.draw(st.lists(texts, max_size=5))
    rows = unit_bounds(pl.Series(drawn, dtype=pl.String), unit)
    for text, units in zip(drawn, rows, strict=True):
        rest, end = "", 0
        for each in units:
            rest += (text or "").encode()[end : each["start"]].decode()
            end = each["end"]
        rest += (text or "").encode()[end:].decode()
        assert pl.Series([rest]).str.strip_chars().item() == ""
    run(operator(unit=unit), drawn * 2)


def test_only_text() -> None:
    with pytest.raises(SeedbedError, match="there is no column 'text'; did you mean 'texts'"):
        operator().columns(pl.Schema({"texts": pl.String}))
