"""Passages that stand elsewhere go; what went stands whole in what stays."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.kernels import equal_keys
from dagster_project.operators.kernels.shingles import INSIDE, code_points
from dagster_project.operators.process import deduplicate_substrings, span_cuts
from dagster_project.operators.process.deduplicate_substrings import DeduplicateSubstrings

WORDS = [f"w{number}" for number in range(5000)]
SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
"""The Unicode property White_Space."""
TINY = st.lists(st.lists(st.sampled_from("ab"), max_size=16), max_size=9)
SMALL = st.lists(
    st.lists(st.sampled_from(["a", "bb", ",", "日", "é", "😀"]), max_size=14), max_size=9
)


def operator(**options) -> DeduplicateSubstrings:
    return DeduplicateSubstrings.model_validate({"column": "text", "min_tokens": 4, **options})


def run(operator, texts: list[str | None], parts: tuple[int, ...] = ()):
    """The texts without what is cut, None where the row goes; cuts and removed rows."""
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    bounds = sorted({0, frame.height, *(min(part, frame.height) for part in parts)})
    batches = [frame[low:high] for low, high in pairwise(bounds)] or [frame]
    narrow = pl.concat([batch.select(**operator.columns(batch.schema)) for batch in batches])
    relation = narrow.select(pl.int_range(pl.len(), dtype=pl.UInt64).alias("row"), pl.all())

    def fetch(rows, columns):
        assert rows.is_sorted() and rows.is_unique().all()
        part = frame[rows.cast(pl.Int64)]
        return part.select(rows.alias("row"), **columns(part.schema))

    decisions = operator.decide(relation, fetch)
    cuts, removed = decisions.cuts, decisions.removed
    assert cuts is not None
    assert not cuts["row"].is_in(removed["row"].implode()).any()
    assert not cuts["other"].is_in(removed["row"].implode()).any()
    assert cuts.select("row", "start").equals(cuts.select("row", "start").sort("row", "start"))
    left: list[bytes | None] = [None if text is None else text.encode() for text in texts]
    end = {}
    for row, start, length in reversed(cuts.select("row", "start", "length").rows()):
        assert length > 0 and start + length <= end.get(row, len(left[row] or b""))
        left[row] = left[row][:start] + left[row][start + length :]  # pyright: ignore
        end[row] = start
    for row in removed["row"]:
        left[row] = None
    return [None if text is None else text.decode() for text in left], cuts, removed


def tokens_of(text: str) -> list[str]:
    """The tokens of a text, the slow way."""
    _, kinds = code_points()
    tokens, inside = [], False
    for character in text:
        point = ord(character)
        word = point < len(kinds) and kinds[point] == INSIDE
        if word and inside:
            tokens[-1] += character
        elif not SPACE.match(character):
            tokens.append(character)
        inside = word
    return tokens


def staying(rows: list[list[str]], size: int, most: float = 1.0) -> list[list[bool] | None]:
    """Which tokens stay, None where the row goes: by a dictionary of all windows that stay whole."""
    whole: set[tuple[str, ...]] = set()
    result: list[list[bool] | None] = []
    for tokens in rows:
        windows = [tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)]
        stays = [True] * len(tokens)
        for start, window in enumerate(windows):
            before = (windows[at] for at in range(start - size + 1) if all(stays[at : at + size]))
            if window in whole or window in before:
                stays[start : start + size] = [False] * size
        gone = stays.count(False)
        if gone and (gone == len(tokens) or gone / len(tokens) > most):
            result.append(None)
            continue
        whole |= {window for at, window in enumerate(windows) if all(stays[at : at + size])}
        result.append(stays)
    return result


def in_suffix_array(rows: list[list[str]], size: int) -> list[list[bool]]:
    """Which tokens are in a run of `size` that stands earlier, in the same row or another, by sorting
    all suffixes."""
    suffixes = sorted(
        (tokens[at:], row, at) for row, tokens in enumerate(rows) for at in range(len(tokens))
    )
    repeated = [[False] * len(tokens) for tokens in rows]
    group: list[tuple[int, int]] = []
    previous: list[str] = []
    for suffix, row, at in [*suffixes, ([], -1, -1)]:
        if len(suffix) < size or suffix[:size] != previous[:size]:
            for other, start in sorted(group)[1:]:
                repeated[other][start : start + size] = [True] * size
            group = []
        if len(suffix) >= size:
            group.append((row, at))
        previous = suffix
    return repeated


def left_of(rows: list[list[str]], stays: list[list[bool] | None]) -> list[str | None]:
    return [
        None if kept is None else "".join(t for t, stay in zip(tokens, kept, strict=True) if stay)
        for tokens, kept in zip(rows, stays, strict=True)
    ]


def bare(texts: list[str | None]) -> list[str | None]:
    return [None if text is None else SPACE.sub("", text) for text in texts]


@pytest.mark.parametrize("strategy", [TINY, SMALL], ids=["tiny", "small"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    data=st.data(),
    size=st.integers(2, 6),
    most=st.sampled_from([None, 0.0, 0.5]),
    parts=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_as_a_dictionary_of_all_windows(strategy, data, size, most, parts) -> None:
    rows = data.draw(strategy)
    texts: list[str | None] = [" ".join(row) for row in rows]
    found, cuts, removed = run(operator(min_tokens=size, max_share=most), texts, parts)
    expected = staying(rows, size, 1.0 if most is None else most)
    assert bare(found) == left_of(rows, expected)
    shares = dict(removed.select("row", "rule").iter_rows())
    assert set(shares) == {row for row, stays in enumerate(expected) if stays is None}
    assert most is not None or "repeated_share" not in shares.values()
    for row, other in cuts.select("row", "other").iter_rows():
        assert other <= row


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rows=TINY, size=st.integers(2, 5))
def test_what_goes_stands_whole_in_what_stays_where_nothing_stands_twice(rows, size) -> None:
    texts: list[str | None] = [" ".join(row) for row in rows]
    _, cuts, removed = run(operator(min_tokens=size), texts)
    gone = {row: [(0, len(" ".join(rows[row])) + 1, -1)] for row in removed["row"]}
    for row, start, length, other in cuts.select("row", "start", "length", "other").iter_rows():
        gone.setdefault(row, []).append((start, start + length, other))
    others, stay = [], {}
    for row, tokens in enumerate(rows):  # a token is one byte, and there is one between two
        cover = [
            [other for low, high, other in gone.get(row, ()) if low <= 2 * at < high]
            for at in range(len(tokens))
        ]
        others.append(cover)
        for at in range(len(tokens) - size + 1):
            if not any(cover[at : at + size]):
                stay.setdefault(tuple(tokens[at : at + size]), []).append((row, at))
    for places in stay.values():
        assert len({row for row, _ in places}) == 1
        assert places[-1][1] - places[0][1] < size
    for tokens, cover in zip(rows, others, strict=True):
        for at in range(len(tokens)):
            if cover[at]:
                around = range(max(0, at - size + 1), min(at, len(tokens) - size) + 1)
                held = {stay.get(tuple(tokens[s : s + size]), [(None, 0)])[0][0] for s in around}
                assert cover[at] == [-1] or cover[at][0] in held
                assert held - {None}


def planted(seed: int) -> list[list[str]]:
    """Texts of words that occur once, with passages that do not overlap planted in several."""
    generator = random.Random(seed)
    words = iter(generator.sample(WORDS, 4000))
    passages = [[next(words) for _ in range(generator.randrange(5, 15))] for _ in range(12)]
    rows = []
    for _ in range(60):
        row = []
        for passage in generator.sample(passages, generator.randrange(3)):
            row += [next(words) for _ in range(generator.randrange(1, 30))] + passage
        rows.append([*row, next(words)])
    return rows


def test_as_a_suffix_array_where_the_first_occurrences_stay(monkeypatch) -> None:
    rows = planted(1)
    texts: list[str | None] = ["\n".join(row) for row in rows]
    expected = [[not gone for gone in row] for row in in_suffix_array(rows, 8)]
    assert sum(row.count(False) for row in expected) > 100
    found, cuts, removed = run(operator(min_tokens=8), texts)
    assert removed.is_empty()
    assert bare(found) == left_of(rows, expected)  # pyright: ignore
    for row, start, length, other in cuts.select("row", "start", "length", "other").iter_rows():
        passage = (texts[row] or "").encode()[start : start + length].decode().strip()
        assert passage in (found[other] or "")
    monkeypatch.setattr(deduplicate_substrings, "WINDOWS_AT_ONCE", 50)
    monkeypatch.setattr(span_cuts, "UNITS_AT_ONCE", 40)
    monkeypatch.setattr(equal_keys, "MOST_KEYS", 30)
    in_parts = run(operator(min_tokens=8), texts, (7, 30))
    assert in_parts[0] == found
    assert in_parts[1].equals(cuts)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rows=TINY, size=st.integers(2, 5))
def test_no_more_goes_than_by_a_suffix_array(rows, size) -> None:
    repeated = in_suffix_array(rows, size)
    for stays, row in zip(staying(rows, size), repeated, strict=True):
        if stays is not None:
            assert all(stay or gone for stay, gone in zip(stays, row, strict=True))


def test_what_a_cut_breaks_stays_elsewhere() -> None:
    found, _, _ = run(operator(), ["a b c d", "a b c d e f", "b c d e", "x b c d e"])
    assert found == ["a b c d", "e f", "b c d e", "x"]


def test_a_row_that_is_dropped_holds_nothing() -> None:
    texts: list[str | None] = ["a b c d e f", "a b c d e f 1 2 3 4", "1 2 3 4"]
    found, _, removed = run(operator(max_share=0.5), texts)
    assert found == ["a b c d e f", None, "1 2 3 4"]
    assert removed.select("row", "disposition", "rule", "measured", "threshold").rows() == [
        (1, "dropped", "repeated_share", "0.6", "<= 0.5")
    ]
    assert run(operator(), texts)[0] == ["a b c d e f", "1 2 3 4", None]
    assert run(operator(), texts)[2]["rule"].to_list() == ["nothing_left"]


def test_a_loop_stays_for_less_than_two_windows() -> None:
    found, cuts, _ = run(operator(), ["a " * 7, "b " * 100, "ab cd " * 20 + "end"])
    assert found == ["a " * 7, "b " * 4, "ab cd ab cd end"]
    assert cuts["other"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("x. a b c d y", "x. y"),
        ("a b c d\n y", "y"),
        ("x\na b c d\n", "x\n"),
        ("x\n\na b c d\ny", "x\n\ny"),
        ("x a b c d\ny", "x\ny"),
        ("x\na b\n\nc d\ny", "x\n\ny"),
        ("x(a b c d)y", "x( )y"),
        ("日a,b-本", "日a,b-本"),
        (" a\tb  c\u3000d é", " é"),
    ],
)
def test_one_white_space_stays(text: str, left: str) -> None:
    assert run(operator(), ["a b c d", text])[0] == ["a b c d", left]


def test_case_counts_unless_told() -> None:
    texts: list[str | None] = ["Über die Brücke gehen", "ÜBER DIE BRÜCKE GEHEN wir"]
    assert run(operator(), texts)[0] == texts
    assert run(operator(normalize="case"), texts)[0] == [texts[0], "wir"]


def test_a_template_in_every_row_stays_once() -> None:
    template = " ".join(WORDS[:60])
    texts: list[str | None] = [f"{row} {template} x{row}" for row in range(3000)]
    found, cuts, _ = run(operator(min_tokens=50), texts)
    assert found == [texts[0], *(f"{row} x{row}" for row in range(1, 3000))]
    assert set(cuts["other"]) == {0}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_text(texts, data) -> None:
    drawn = data.draw(st.lists(texts, max_size=5)) * 2
    found, _, _ = run(operator(min_tokens=2), drawn)
    rows = [tokens_of(text or "") for text in drawn]
    expected = left_of(rows, staying(rows, 2))
    for text, left, wanted in zip(drawn, bare(found), expected, strict=True):
        assert left == (None if text is None else wanted)


def test_only_text() -> None:
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be text"):
        operator(column="n").columns(pl.Schema({"n": pl.Int64}))
