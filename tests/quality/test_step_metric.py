"""Numbers that steps tell are held to bounds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dagster_project.quality.step_metric import StepMetric

TOLD = (
    "INSERT INTO metrics VALUES ('share_realised', 'mix', 'web', 0.62), "
    "('share_realised', 'mix', 'code', 0.38), ('gold_kappa', 'calibrate', NULL, 0.41)"
)


@pytest.fixture
def found(tmp_path, write_snapshot, look):
    path = write_snapshot(tmp_path / "s.duckdb", "SELECT 0::BIGINT AS row_id, 'a' AS text", TOLD)

    def result(**arguments):
        told = look(path, {"metric": arguments})
        return told.passed, told.error or told.observed

    return result


def test_a_number_is_held_to_its_bounds(found):
    assert found(metric="gold_kappa", min=0.4) == (True, "0.41")
    assert found(metric="gold_kappa", step="calibrate", min=0.5) == (False, "0.41")
    assert found(metric="share_realised", subject="web", min=0.6, max=0.65) == (True, "0.62 (web)")
    assert found(metric="share_realised", max=0.5) == (False, "0.62 (web)")


def test_a_number_that_nothing_tells_cannot_be_checked(found):
    passed, said = found(metric="gold_kapa", min=0.4)
    assert not passed and "gold_kappa" in said
    assert not found(metric="gold_kappa", step="mix", min=0)[0]


@pytest.mark.parametrize("bounds", [{}, {"min": 2, "max": 1}])
def test_bounds_are_needed_and_in_order(bounds):
    with pytest.raises(ValidationError, match="`min`"):
        StepMetric.model_validate({"metric": "a", **bounds})
