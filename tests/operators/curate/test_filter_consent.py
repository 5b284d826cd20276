"""Only rows that may be trained on stay."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.curate.filter_consent import FilterConsent

DAY = datetime.date(2026, 11, 1)


def rules(removed: pl.DataFrame) -> list[tuple]:
    return removed.select("row", "rule", "measured").rows()


def test_consent_is_true_or_a_word_that_grants_it(apply) -> None:
    frame = pl.DataFrame({"ok": [True, False, None], "said": ["Yes", "no", None]})
    told = [(1, "no_consent", "false"), (2, "no_consent", None)]
    assert rules(apply(FilterConsent(consent="ok"), frame)[1]) == told
    found = apply(FilterConsent(consent="said"), frame)[1]
    assert found["row"].to_list() == [1, 2]


def test_consent_is_for_a_purpose(apply) -> None:
    frame = pl.DataFrame({"ok": [True] * 3, "for": [["support", "training"], ["support"], None]})
    operator = FilterConsent(consent="ok", purpose="training", purposes="for")
    assert rules(apply(operator, frame)[1]) == [
        (1, "other_purpose", "support"),
        (2, "other_purpose", None),
    ]


def test_rows_expire_at_the_earlier_of_both_days(apply) -> None:
    frame = pl.DataFrame(
        {
            "ok": [True] * 5,
            "at": ["2026-10-01T10:00:00Z", "2026-09-01", "2026-10-30", None, "soon"],
            "until": [None, None, datetime.date(2026, 10, 31), DAY, None],
        }
    )
    operator = FilterConsent(
        consent="ok", given="at", retain_days=31, until="until", as_of=DAY, granted=("x",)
    )
    kept, removed = apply(operator, frame)
    assert kept["retained_until"].to_list() == [DAY, DAY]
    assert rules(removed) == [
        (1, "expired", "2026-10-02"),
        (2, "expired", "2026-10-31"),
        (4, "expired", None),
    ]


def test_who_withdrew_goes_unnamed(apply) -> None:
    operator = FilterConsent(consent="ok", subject="user", withdrawn={"left": "id"}).prepared(
        {"left": pl.DataFrame({"row": [0, 1], "id": [7, None]})}, {}
    )
    frame = pl.DataFrame({"ok": [True] * 3, "user": ["7", "8", None]})
    assert rules(apply(operator, frame)[1]) == [(0, "withdrawn", None)]


@pytest.mark.parametrize(
    "given",
    [
        {"purpose": "training"},
        {"subject": "user"},
        {"given": "at", "as_of": DAY},
        {"until": "day"},
        {"as_of": DAY},
    ],
)
def test_what_belongs_together_is_given_together(given) -> None:
    with pytest.raises(ValidationError, match="both"):
        FilterConsent.model_validate({"consent": "ok", **given})


def test_a_column_of_another_kind_is_refused(apply) -> None:
    with pytest.raises(SeedbedError, match="days"):
        apply(
            FilterConsent(consent="ok", until="n", as_of=DAY),
            pl.DataFrame({"ok": [True], "n": [1]}),
        )
