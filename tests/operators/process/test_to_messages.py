"""Templates become messages."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.to_messages import ToMessages

FRAME = pl.DataFrame(
    {"q": ["a{b}", None, ""], "a b": [1, 2, None], "ok": [True, False, None], "l": [[], [1], None]}
)


def test_templates_are_filled(apply) -> None:
    operator = ToMessages(system="Be {{kind}}.", user="{q}?{q}", assistant="{a b} {ok}")
    kept, removed = apply(operator, FRAME)
    assert kept["messages"].to_list() == [
        [
            {"role": "system", "content": "Be {kind}."},
            {"role": "user", "content": "a{b}?a{b}"},
            {"role": "assistant", "content": "1 true"},
        ]
    ]
    assert removed.select("row", "rule", "measured").rows() == [
        (1, "missing_value", "q"),
        (2, "missing_value", "a b, ok"),
    ]


def test_nulls_can_be_empty(apply) -> None:
    kept, _ = apply(ToMessages(user="<{q}>", assistant="", on_null="empty", into="chat"), FRAME)
    users = kept["chat"].list.get(0).struct.field("content").to_list()
    assert users == ["<a{b}>", "<>", "<>"]


@pytest.mark.parametrize("template", ["{", "}", "{a", "{a}}", "{}", "{{a}"])
def test_a_stray_brace_is_shown(template: str) -> None:
    with pytest.raises(ValidationError, match=r"a single `[{}]` at character \d"):
        ToMessages(user=template, assistant="x")


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (ToMessages(user="{l}", assistant="x"), "column 'l' is List"),
        (ToMessages(user="{qq}", assistant="x"), "no column 'qq'; did you mean 'q'"),
        (ToMessages(user="{q}", assistant="x", into="ok"), "there is a column 'ok' already"),
    ],
)
def test_misuse(apply, operator: ToMessages, message: str) -> None:
    with pytest.raises(SeedbedError, match=message):
        apply(operator, FRAME)
