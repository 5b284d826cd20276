"""Diverse rows are selected inside a budget, however rows are cut; all others say why not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.engine.batch import identified
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import PlannedStep, RunStopped
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.operators.curate.select_diverse import SelectDiverse

few = settings(max_examples=15, deadline=None, derandomize=True)
methods = st.sampled_from(["k_centre", "facility_location", "deita"])
numbers = st.one_of(st.none(), st.floats(width=32), st.integers(-2, 2).map(float))
vectors = st.one_of(
    st.none(),
    st.lists(numbers, max_size=4),
    st.lists(st.integers(-2, 2).map(float), min_size=3, max_size=3),
)
FANS = [[np.cos(a), np.sin(a)] for a in np.radians([0, 1, 2, 40, 41, 90, 170])]


def operator(method: str, **given) -> SelectDiverse:
    return SelectDiverse.model_validate({"vectors": "v", "method": method, **given})


def frame(rows: list, quality: list | None = None) -> pl.DataFrame:
    own = {"v": rows, "q": quality or [1.0] * len(rows)}
    kinds = {"v": pl.List(pl.Float64), "q": pl.Float64}
    return pl.DataFrame(own, kinds).with_row_index("n")


def metrics(operator: SelectDiverse, rows: pl.DataFrame) -> dict[tuple[str, str | None], float]:
    step = PlannedStep(0, "step", operator, None, "hash")
    chunk = Chunk("0", 0, rows.height, lambda: identified(rows, 0, 0))
    told = run_relation_step([chunk], step, frozenset()).metrics
    return {(each.name, each.subject): each.value for each in told}


@few
@given(
    rows=st.lists(st.tuples(vectors, numbers), max_size=12),
    method=methods,
    budget=st.sampled_from([{"rows": 3}, {"fraction": 0.4}, {"tokens": 9, "tokens_of": ["t"]}]),
    cut=st.integers(0, 12),
)
def test_every_row_is_selected_or_says_why_not(apply, rows, method, budget, cut) -> None:
    data = frame([row for row, _ in rows], [quality for _, quality in rows])
    data = data.with_columns(t=pl.format("word {}", pl.lit("and ").repeat_by("n").list.join("")))
    chosen = operator(method, quality="q", **budget)
    kept, gone = apply(chosen, data)
    assert sorted([*kept["n"], *gone["row"]]) == list(range(len(rows)))
    assert kept["selection_rank"].sort().to_list() == list(range(1, kept.height + 1))
    most = {"rows": 3, "fraction": int(len(rows) * 0.4 + 0.5), "tokens": 9}[next(iter(budget))]
    assert kept.height <= most
    assert gone["rule"].null_count() == gone["threshold"].null_count() == 0
    assert gone.filter(pl.col("rule") != "not_measured")["measured"].null_count() == 0
    again = apply(chosen, data, [cut])
    assert again[0].equals(kept)
    assert again[1].equals(gone)


def test_k_centre_starts_in_the_middle_and_goes_far(apply) -> None:
    kept, gone = apply(operator("k_centre", rows=3), frame(FANS))
    ranked = kept.sort("selection_rank")
    assert ranked["n"].to_list() == [3, 6, 5]
    assert ranked["selection_score"][0] is None
    assert ranked["selection_similarity"].to_list() == pytest.approx(
        [None, np.cos(np.radians(130)), np.cos(np.radians(50))], abs=1e-3
    )
    assert gone["rule"].unique().to_list() == ["not_selected"]
    dropped = gone.row(0, named=True)
    assert float(dropped["measured"]) == pytest.approx(1 - np.cos(np.radians(40)), abs=1e-3)
    assert dropped["threshold"] == f">= {ranked['selection_score'][2]}"


def test_quality_is_a_weight(apply) -> None:
    good = [1, 1, 1, 1, 1, 0.1, 0.1]
    kept, _ = apply(operator("k_centre", quality="q", rows=2), frame(FANS, good))
    assert kept.sort("selection_rank")["n"].to_list() == [0, 4]
    kept, _ = apply(operator("facility_location", rows=1), frame(FANS))
    assert kept["n"].to_list() == [3]
    weights = [1, 1, 3, 1, 1, 1, 1]
    kept, _ = apply(operator("facility_location", quality="q", rows=1), frame(FANS, weights))
    assert kept["n"].to_list() == [2]


def test_deita_names_the_better_row_that_it_is_too_similar_to(apply) -> None:
    quality = [1, 3, 2, 5, 5, 0, -1]
    kept, gone = apply(operator("deita", quality="q", rows=3), frame(FANS, quality))
    assert kept.sort("selection_rank")["n"].to_list() == [3, 1, 5]
    told = {row["row"]: row for row in gone.iter_rows(named=True)}
    assert {row: each["rule"] for row, each in told.items()} == {
        0: "too_similar",
        2: "too_similar",
        4: "too_similar",
        6: "not_selected",
    }
    assert [told[row]["survivor"] for row in (0, 2, 4)] == [1, 1, 3]
    assert told[2]["disposition"] == "merged"
    assert told[2]["similarity"] == pytest.approx(np.cos(np.radians(1)), abs=1e-4)
    assert told[2]["threshold"] == "<= 0.9"
    assert (told[6]["measured"], told[6]["threshold"]) == ("-1.0", ">= 0.0")


@few
@given(seed=st.integers(0, 999), method=methods)
def test_the_order_of_rows_decides_only_between_equals(apply, seed: int, method: str) -> None:
    random = np.random.default_rng(seed)
    data = frame(random.standard_normal((30, 6)).tolist(), random.permutation(30).tolist())
    weighed = operator(method, quality="q", rows=7)
    kept, _ = apply(weighed, data)
    other, _ = apply(weighed, data[random.permutation(30)])
    columns = ["n", "selection_rank", "selection_score", "selection_similarity"]
    assert other.select(columns).sort("n").equals(kept.select(columns).sort("n"))


def test_a_row_of_more_tokens_than_the_budget_is_passed_over(apply) -> None:
    texts = ["one two three four five six", "a", "b", "c", "d", "e", "f"]
    data = frame(FANS[::-1]).with_columns(t=pl.Series(texts))
    kept, gone = apply(operator("k_centre", tokens=2, tokens_of=["t"]), data)
    assert kept.sort("selection_rank")["n"].to_list() == [3, 1]
    assert gone["rule"].to_list()[0] == "over_budget"


@pytest.mark.parametrize("method", ["k_centre", "facility_location", "deita"])
def test_a_budget_of_nothing_selects_nothing(apply, method: str) -> None:
    kept, gone = apply(operator(method, quality="q", fraction=0.05), frame(FANS))
    assert kept.is_empty()
    assert gone["threshold"].to_list() == ["none fits"] * 7
    assert gone["measured"].to_list() == ["1.0"] * 7


def test_it_tells_what_it_bought(apply) -> None:
    random = np.random.default_rng(5)
    centres = random.standard_normal((20, 16))[random.integers(0, 20, 400) ** 2 // 20]
    data = frame((centres + random.normal(0, 0.2, (400, 16))).tolist())
    told = {m: metrics(operator(m, rows=20), data) for m in ("k_centre", "facility_location")}
    for found in told.values():
        assert found["rows_selected", None] == 20
        assert found["coverage", "selected"] > found["coverage", "random"]
        assert found["least_similarity", "selected"] > found["least_similarity", "random"]
    spread, standing = told["k_centre"], told["facility_location"]
    assert spread["vendi_score", "selected"] > spread["vendi_score", "random"] > 1
    assert standing["groups", None] == 1
    assert spread["coverage", "random"] == standing["coverage", "random"]
    other = metrics(operator("k_centre", rows=20, seed=1), data)
    assert other["coverage", "random"] != spread["coverage", "random"]
    assert other["coverage", "selected"] == spread["coverage", "selected"]
    assert metrics(operator("k_centre", rows=2), data[:0]) == {("rows_selected", None): 0}


def test_texts_are_compared_by_what_they_are_about(apply) -> None:
    texts = [
        "How do I sort a list in Python?",
        "What is the way to sort Python lists?",
        None,
        "Which wine goes with fish?",
        " ... ",
        "What wine should I drink with fish?",
        "Who wrote Hamlet?" + " Tell me, please." * 200,
    ]
    data = pl.DataFrame({"n": range(7), "t": texts, "q": [7.0, 6, 5, 4, 3, 2, 1]})
    chosen = SelectDiverse(columns=("t",), method="deita", quality="q", max_similarity=0.7, rows=3)
    kept, gone = apply(chosen, data)
    assert kept["n"].to_list() == [0, 3, 6]
    assert gone["rule"].to_list() == ["too_similar", "not_measured", "not_measured", "too_similar"]
    assert gone["survivor"].to_list() == [0, None, None, 3]
    assert metrics(chosen, data)["rows_read_in_part", None] == 1


def test_odd_settings_and_columns_are_refused(apply) -> None:
    for given_, said in [
        ({"method": "k_centre", "rows": 1}, "give `columns`"),
        ({"method": "deita", "rows": 1, "vectors": "v"}, "needs a numeric column in `quality`"),
        ({"method": "k_centre", "rows": 1, "vectors": "v", "max_similarity": 0.8}, "goes with"),
        ({"method": "k_centre", "vectors": "v"}, "give one of"),
    ]:
        with pytest.raises(ValidationError, match=said):
            SelectDiverse.model_validate(given_)
    with pytest.raises(RunStopped, match="'n' is UInt32, but must be a list of numbers"):
        apply(operator("k_centre", rows=1, vectors="n"), frame(FANS))
    with pytest.raises(RunStopped, match="must be numeric"):
        apply(operator("k_centre", rows=1, quality="v"), frame(FANS))
