"""What an inspection tells is what plain Python counts."""

from __future__ import annotations

import math
import statistics
from collections import Counter

import pytest

from dagster_project.engine.inspection.inspection import NothingToInspect


def quantile(values, share: float) -> float:
    values = sorted(values)
    place = share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def words(row) -> int:
    return len((row["text"] or "").split())


def length(row) -> int:
    return len(row["text"] or "")


def test_overview(made, ask) -> None:
    kept, found = made.kept(), ask(made.space)
    assert (found.rows, found.looked_at, found.status) == (len(kept), len(kept), "published")
    columns = {column.name: column for column in found.overview.columns}
    assert columns["n"].type == "BIGINT"
    assert columns["topic"].nulls == sum(row["topic"] is None for row in kept) > 0
    assert columns["n"].distinct == pytest.approx(len(kept), rel=0.05)


def test_distributions(made, ask) -> None:
    kept = made.kept()
    found = {(each.column, each.unit): each for each in ask(made.space).distributions}
    assert ("topic", "characters") not in found
    for unit, measure in (("characters", length), ("words", words)):
        spread, values = found["text", unit], [measure(row) for row in kept]
        shares = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
        assert spread.quantiles == pytest.approx([quantile(values, share) for share in shares])
        assert (spread.least, spread.most, spread.rows) == (min(values), max(values), len(kept))
        low, high = math.log1p(min(values)), math.log1p(max(values))
        bins = Counter(
            min(int(24 * (math.log1p(value) - low) / (high - low) + 1e-9), 23) for value in values
        )
        assert spread.histogram == tuple(bins[index] for index in range(24))
    assert found["n", "value"].quantiles[3] == statistics.median(row["n"] for row in kept)
    (asked,) = ask(made.space, column="text_words").distributions
    assert (asked.column, asked.unit, asked.most) == ("text_words", "value", max(map(words, kept)))


def test_values_and_months(made, ask) -> None:
    kept, found = made.kept(), ask(made.space)
    values = {each.column: each for each in found.values if each.kind != "detected"}
    topics = Counter(row["topic"] or "(null)" for row in kept)
    told = {each.value: each for each in values["topic"].frequencies}
    assert {value: each.rows for value, each in told.items()} == topics
    maths = [length(row) for row in kept if row["topic"] == "maths"]
    assert told["maths"].median_characters is not None
    assert told["maths"].median_characters == pytest.approx(statistics.median(maths), abs=10)
    inputs = {each.value: each.rows for each in values["input"].frequencies}
    assert inputs == Counter("two" if row["n"] % 2 else "one" for row in kept)
    (months,) = found.months
    by_month = Counter(row["created"][:7] for row in kept)
    assert {month.month: month.rows for month in months.months} == by_month
    assert [month.month for month in months.months] == sorted(by_month)


def test_what_steps_did(made, ask) -> None:
    effects = ask(made.space).effects
    rows = {"one": made.inputs["one"], "two": made.inputs["two"]}
    unlucky = {"one": rows["one"], "two": [row for row in rows["two"] if row["n"] != 13]}
    long = {name: [row for row in some if words(row) >= 4] for name, some in unlucky.items()}
    kept = {row["n"] for row in made.kept()}
    merged = {name: [row for row in some if row["n"] in kept] for name, some in long.items()}
    assert [step.step for step in effects.steps] == ["lucky", "length", "near"]
    lucky, short, near = effects.steps
    assert [(flow.input, flow.rows_in, flow.rows_out) for flow in lucky.inputs] == [
        ("two", len(rows["two"]), len(unlucky["two"]))
    ]
    for step, before, after in ((short, unlucky, long), (near, long, merged)):
        flows = [(flow.input, flow.rows_in, flow.rows_out) for flow in step.inputs]
        assert flows == [(name, len(before[name]), len(after[name])) for name in ("one", "two")]
        for told, there in ((step.before, before), (step.after, after)):
            lengths = [
                length(row) + len(row["topic"] or "") + len(row["created"])
                for some in there.values()
                for row in some
            ]
            assert told.median == statistics.median(lengths)
            assert told.p95 == pytest.approx(quantile(lengths, 0.95))
    assert effects.columns["one"] == ("text", "topic", "created")
    gone = sum(map(len, unlucky.values())) - sum(map(len, long.values()))
    assert short.removed == {"min_words": gone - 1, "max_characters": 1}, "the null is too long"


def test_shifts(made, ask) -> None:
    shift = next(each for each in ask(made.space).shifts if each.column == "text")
    assert shift.origins == ("one.text", "two.text")
    assert shift.before is not None
    assert shift.before.rows == len(made.rows)
    assert shift.before.median == statistics.median(map(length, made.rows))
    assert shift.after.median == statistics.median(map(length, made.kept()))
    assert sum(shift.after.histogram) == len(made.kept())


def test_outliers(made, ask) -> None:
    kept = made.kept()
    found = {(each.column, each.unit): each for each in ask(made.space, rows=2).outliers}
    shares = [
        sum(not letter.isalpha() and not letter.isspace() for letter in row["text"]) / length(row)
        for row in kept
    ]
    middle = statistics.median(shares)
    deviation = 1.4826 * statistics.median(abs(share - middle) for share in shares)
    far = [abs(share - middle) / deviation for share in shares]
    told = found["text", "non-letters"]
    assert told.rows == sum(distance > 6 for distance in far) > 0
    assert told.farthest[0].distance == pytest.approx(max(far))
    assert told.farthest[0].text.startswith("????? !!!!!")
    assert told.median == pytest.approx(middle)


def test_rows_on_either_side_of_a_threshold(made, ask) -> None:
    (rule,) = ask(made.space, rule="min_words", rows=5).rules
    kept = made.kept()
    assert (rule.step, rule.threshold, rule.note) == ("length", ">= 4", "")
    assert [row.measured for row in rule.just_removed] == ["3"] * 5
    short = [row for row in made.rows if row["text"] is not None and words(row) < 4]
    assert rule.removed == len(short)
    assert [int(row.measured or 0) for row in rule.worst] == sorted(map(words, short))[:5]
    assert [int(row.measured or 0) for row in rule.just_stayed] == sorted(map(words, kept))[:5]
    by_number = {row["row_id"]: row for row in kept}
    for row in rule.just_stayed:
        assert row.row is not None
        assert by_number[row.row.row_id]["text"] == row.text
    for row in rule.just_removed:
        assert row.row is None and row.number is not None
        assert made.inputs[row.input][row.number]["text"] == row.text
    assert len({(row.input, row.number) for row in rule.at_random}) == 5


def test_the_same_seed_draws_the_same_rows(made, ask) -> None:
    one, same, other = (ask(made.space, seed=seed) for seed in (1, 1, 2))
    assert one == same
    drawn = [[row.number for rule in each.rules for row in rule.at_random] for each in (one, other)]
    assert drawn[0] != drawn[1]


def test_a_null_is_not_near_a_threshold(made, ask) -> None:
    (rule,) = ask(made.space, rule="max_characters", rows=2).rules
    assert (rule.removed, rule.worst, rule.just_removed) == (1, (), ())
    assert [row.measured for row in rule.at_random] == [None]
    longest = sorted(map(length, made.kept()))[-2:]
    assert [int(row.measured or 0) for row in rule.just_stayed] == longest[::-1]


def test_pairs_on_either_side(made, ask) -> None:
    found = ask(made.space, step="near", rows=3)
    (pairs,) = found.pairs
    assert [rule.rule for rule in found.rules] == ["near_duplicate"]
    alike, unlike = ([pair.similarity for pair in side] for side in (pairs.alike, pairs.unlike))
    assert alike == sorted(alike) and min(alike) >= 0.8 > max(unlike)
    assert unlike == sorted(unlike, reverse=True)
    for pair in (*pairs.alike, *pairs.unlike):
        sides = [set(row.text.split()) for row in (pair.first, pair.second)]
        assert sides[0] & sides[1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"column": "txt"}, "no column 'txt'; did you mean 'text'?"),
        ({"step": "lenght"}, "no step 'lenght'; did you mean 'length'?"),
        ({"rule": "min_word"}, "no rule 'min_word'; did you mean 'min_words'?"),
    ],
)
def test_what_is_not_there(made, ask, asked, said) -> None:
    with pytest.raises(NothingToInspect, match=said.replace("?", r"\?")):
        ask(made.space, **asked)
