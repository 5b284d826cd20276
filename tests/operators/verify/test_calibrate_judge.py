"""Calibration of a judge on rows that people graded."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.verify.calibrate_judge import CalibrateJudge

GOLD = {"judged_helpful": "gold"}


def metrics(frame: pl.DataFrame, **settings):
    operator = CalibrateJudge.model_validate(
        {"gold": GOLD, "good_from": 4, "draws": 100} | settings
    )
    columns = operator.columns(frame.schema)
    relation = frame.select(pl.int_range(pl.len(), dtype=pl.UInt64).alias("row"), **columns)
    decisions = operator.decide(relation, None)  # pyright: ignore[reportArgumentType]
    return {m.name: m.value for m in decisions.metrics}, decisions


def rows(judged, gold, **more):
    return pl.DataFrame({"judged_helpful": judged, "gold": gold, **more})


def test_a_judge_like_people_and_one_that_passes_everything():
    gold = [5, 4, 4, 4, 5, 4, 5, 4, 1, 2]
    same, _ = metrics(rows([float(g) for g in gold], gold))
    assert same["gold_accuracy"] == same["gold_kappa"] == same["gold_alpha"] == 1
    assert same["gold_auc"] == 1
    lenient, _ = metrics(rows([5.0] * 10, gold))
    assert lenient["gold_accuracy"] == pytest.approx(0.8)
    assert lenient["gold_kappa"] == 0
    assert lenient["gold_auc"] == 0.5
    assert lenient["gold_alpha"] < 0


def test_numbers_of_a_small_table():
    judged, gold = [5.0, 5, 3, 2, 4], [5, 3, 4, 1, 4]
    found, _ = metrics(rows(judged, gold))
    assert found["gold_rows"] == 5
    assert found["gold_accuracy"] == pytest.approx(3 / 5)
    assert found["gold_kappa"] == pytest.approx((0.6 - 0.52) / 0.48)
    assert found["gold_auc"] == pytest.approx((0.5 + 1 + 0 + 1 + 0 + 1) / 6)
    assert found["gold_kappa_low"] <= found["gold_kappa"] <= found["gold_kappa_high"]


def test_canaries_are_counted_and_removed():
    frame = rows(
        [5.0, 4, 5, 1, 2, None],
        [5, 4, None, None, None, None],
        canary=[None, "", "bad", "bad", "good", "good"],
    )
    found, decisions = metrics(frame, canary="canary")
    assert found["gold_rows"] == 2
    assert found["canaries"] == 3
    assert found["canaries_bad_passed"] == 0.5
    assert found["canaries_good_failed"] == 1.0
    assert decisions.removed["row"].to_list() == [2, 3, 4, 5]
    assert decisions.removed["rule"].unique().to_list() == ["canary"]


def test_several_judges():
    each = [[5, 5], [1, 1], [3, 3], [4, 5]]
    found, _ = metrics(rows([5.0, 1, 3, 4], [5, 1, 3, 4], judged_helpful_each=each))
    assert 0.8 < found["judges_alpha"] < 1


def test_nothing_to_compare_says_so():
    empty = pl.DataFrame(schema={"judged_helpful": pl.Float64, "gold": pl.Int64})
    for frame in (empty, rows([1.0, np.nan], [None, 2])):
        found, decisions = metrics(frame)
        assert found == {"gold_rows": 0}
        assert decisions.removed.height == 0


def test_gold_that_is_no_number_is_refused():
    frame = pl.DataFrame({"judged_helpful": [1.0], "gold": ["good"]})
    with pytest.raises(OperatorMisuse, match="'gold' is String"):
        metrics(frame)
