from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import polars as pl
import pytest

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import Rejection, Row
from dagster_project.operators.registry import built_in_operators, operators_beside
from dagster_project.operators.simulation import Simulation, Trajectory, Transcript

COUNT = {
    "name": "count",
    "parameters": {
        "type": "object",
        "properties": {"by": {"type": "integer"}},
        "required": ["by"],
        "additionalProperties": False,
    },
}


class Counting(Simulation):
    """Counts."""

    def tools(self) -> Sequence[Mapping[str, Any]]:
        return [COUNT]

    def columns(self) -> pl.Schema:
        return pl.Schema({"steps": pl.Int64()})

    async def episode(self, seed: Row | None, draw: Random, calls: Calls) -> Trajectory:
        talk, total = Transcript(), 0
        talk.say("user", "Count.")
        for _ in range(draw.randint(1, 3)):
            by = draw.randint(1, 9)
            total += by
            talk.call("count", {"by": by}, {"total": total})
        talk.say("assistant", str(total))
        return Trajectory(talk.messages, {"n": 0}, {"n": total, "é": 1}, ["rain"], {"steps": total})


def test_an_episode_is_a_row(attempt) -> None:
    (one,), _ = attempt(Counting(), number=3)
    assert one.rejection is None
    assert one.values["final_state"] == f'{{"n": {one.values["steps"]}, "é": 1}}'
    assert one.values["events"] == ["rain"]
    messages = one.values["messages"]
    assert messages[0] == {
        "role": "user",
        "content": "Count.",
        "tool_calls": None,
        "tool_call_id": None,
    }
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == "call_0"
    assert attempt(Counting(), number=3)[0] == [one]
    assert attempt(Counting(), number=4)[0] != [one]


class Given(Counting):
    """Plays what it is given."""

    async def episode(self, seed: Row | None, draw: Random, calls: Calls) -> Trajectory:
        assert seed is not None
        return Trajectory(seed["messages"], None, None, rejection=seed.get("rejection"))


def asked(name: str, arguments: str, number: str = "1") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    call = {"id": number, "type": "function", "function": function}
    return {"role": "assistant", "tool_calls": [call]}


ANSWER = {"role": "tool", "content": "1", "tool_call_id": "1"}


@pytest.mark.parametrize(
    ("messages", "rule"),
    [
        ([asked("count", '{"by": 1}'), ANSWER], None),
        ([asked("add", "{}"), ANSWER], "unknown_tool"),
        ([asked("count", "{}"), ANSWER], "missing_argument"),
        ([asked("count", '{"by": "1"}'), ANSWER], "wrong_argument"),
        ([asked("count", "by 1"), ANSWER], "wrong_argument"),
        ([asked("count", '{"by": 1}')], "unanswered_call"),
        ([asked("count", '{"by": 1}'), {"role": "user"}, ANSWER], "unanswered_call"),
        ([asked("count", '{"by": 1}'), ANSWER, ANSWER], "unanswered_call"),
        ([ANSWER], "unanswered_call"),
        ([], None),
    ],
)
def test_calls_are_checked(messages: list, rule: str | None) -> None:
    (one,) = asyncio.run(Given().attempt([{"messages": messages}], Random(0), None))  # pyright: ignore
    assert (one.rejection.rule if one.rejection else None) == rule


def test_an_episode_may_turn_itself_down_and_has_no_other_fields() -> None:
    why = Rejection("wrong_argument", "a", "b")
    seed = {"messages": [], "rejection": why}
    (one,) = asyncio.run(Given().attempt([seed], Random(0), None))  # pyright: ignore
    assert one.rejection is why
    seed = {"messages": [{"role": "user", "nam": "x"}]}
    with pytest.raises(OperatorMisuse, match="`nam`"):
        asyncio.run(Given().attempt([seed], Random(0), None))  # pyright: ignore


def test_the_base_is_no_operator_and_a_subclass_beside_a_recipe_is(tmp_path) -> None:
    assert "simulation" not in built_in_operators()
    (tmp_path / "operators.py").write_text(
        "from dagster_project.operators.simulation import Simulation\n"
        "class Walk(Simulation):\n    '''Walks.'''\n"
    )
    assert list(operators_beside(tmp_path)) == ["walk"]
