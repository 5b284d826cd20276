from __future__ import annotations

import datetime
import json
import subprocess
import sys
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.synthesize import fill_templates
from dagster_project.operators.synthesize.fill_templates import FillTemplates

TEMPLATES = {"question": "{{ n }} {{ thing }}", "answer": "{{ n * 2 }}"}


def filling(slots: dict[str, Any], templates: Any = TEMPLATES, **more: Any) -> FillTemplates:
    return FillTemplates.model_validate({"templates": templates, "slots": slots, **more})


@given(st.integers(-5, 5), st.integers(0, 9), st.integers(1, 4), st.integers(1, 4))
def test_all_combinations_once(start: int, length: int, step: int, things: int) -> None:
    from asyncio import run
    from random import Random

    slots = {
        "n": {"from": start, "to": start + length, "step": step},
        "thing": [f"t{i}" for i in range(things)],
    }
    generator = filling(slots)
    assert generator.attempts(0) == 1
    found = run(generator.attempt([], Random(0), None))  # pyright: ignore[reportArgumentType]
    wanted = {
        (f"{n} t{i}", str(2 * n))
        for n in range(start, start + length + 1, step)
        for i in range(things)
    }
    assert len(found) == len(wanted)
    assert {(one.values["question"], one.values["answer"]) for one in found} == wanted


def test_the_order_is_shuffled_the_same_way_for_the_same_chance(attempt) -> None:
    generator = filling({"n": {"from": 1, "to": 50}, "thing": ["a", "b"]})
    first, _ = attempt(generator, number=1)
    again, _ = attempt(generator, number=1)
    other, _ = attempt(generator, number=2)
    assert first == again
    assert first != other
    assert [one.values["answer"] for one in first] != sorted(one.values["answer"] for one in first)


@pytest.mark.parametrize("to", [10**4, 10**30])
def test_a_part_of_a_large_space_has_no_repeats(to: int, attempt) -> None:
    generator = filling({"n": {"from": 1, "to": to}, "thing": ["a", "b"]}, most=300)
    found, _ = attempt(generator)
    assert len({one.values["question"] for one in found}) == 300
    assert all(one.rejection is None for one in found)


def test_ranges_of_decimals_and_days(attempt) -> None:
    templates = {"text": "{{ x }} {{ day }} {{ day.strftime('%a') }}"}
    slots = {
        "x": {"from": 0.1, "to": 0.5, "step": 0.2},
        "day": {"from": "2024-02-28", "to": datetime.date(2024, 3, 1)},
    }
    found, _ = attempt(filling(slots, templates))
    assert sorted(one.values["text"] for one in found)[:4] == [
        "0.1 2024-02-28 Wed",
        "0.1 2024-02-29 Thu",
        "0.1 2024-03-01 Fri",
        "0.3 2024-02-28 Wed",
    ]
    assert len(found) == 9


def test_chats_objects_and_what_is_turned_down(attempt) -> None:
    templates = {
        "messages": [
            {"role": "user", "content": "{% if n < 3 %}{{ 6 // n }} {{ item.name }}?{% endif %}"},
            {"role": "assistant", "content": "{{ item.price }}"},
        ]
    }
    items = [{"name": "pen", "price": 2}, {"name": "pen", "price": 2}]
    generator = filling({"n": [0, 2, 4], "item": items}, templates)
    found, _ = attempt(generator)
    rules = [one.rejection.rule if one.rejection else None for one in found]
    assert sorted(map(str, rules)) == ["None", *["empty"] * 2, *["not_filled"] * 2, "repeated"]
    good = next(one for one in found if one.rejection is None)
    assert good.values["messages"] == [
        {"role": "user", "content": "3 pen?"},
        {"role": "assistant", "content": "2"},
    ]


def test_faker_is_seeded_and_endless(attempt) -> None:
    slots = {"n": {"from": 1, "to": 3}, "thing": {"faker": "name", "locale": "de_DE"}}
    generator = filling(slots)
    assert generator.attempts(0) is None
    assert "faker" in generator.runs_with()
    assert "faker" not in filling({"n": [1], "thing": ["a"]}).runs_with()
    rows = [attempt(generator, number=number)[0][0].values for number in range(30)]
    assert rows == [attempt(generator, number=number)[0][0].values for number in range(30)]
    assert len({row["question"] for row in rows}) > 25


def test_faker_gives_the_same_in_another_process_with_another_hash_seed(attempt) -> None:
    slots = {"n": [1], "thing": {"faker": "address"}}
    code = (
        "import asyncio, json, random, sys\n"
        "from dagster_project.operators.synthesize.fill_templates import FillTemplates as F\n"
        "made = asyncio.run(F.model_validate_json(sys.argv[1]).attempt([], random.Random(4), None))\n"
        "print(json.dumps(made[0].values))"
    )
    generator = filling(slots)
    out = subprocess.run(
        [sys.executable, "-c", code, generator.model_dump_json()],
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": ":".join(sys.path)},
    )
    assert json.loads(out.stdout) == attempt(generator, number=4)[0][0].values


@pytest.mark.parametrize(
    ("slot", "told"),
    [
        ({"faker": "frist_name"}, "did you mean 'first_name'"),
        ({"faker": "date_of_birth"}, "every day"),
        ({"faker": "add_provider"}, "every day"),
        ({"faker": "seed_instance"}, "every day"),
        ({"faker": "name", "locale": "xx_XX"}, "no locale 'xx_XX'"),
    ],
)
def test_what_faker_cannot_do_the_same_again(slot: dict, told: str) -> None:
    generator = filling({"n": [1], "thing": slot})
    with pytest.raises(OperatorMisuse, match=told):
        generator.produces(pl.Schema())


def test_without_faker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill_templates, "find_spec", lambda name: None)
    assert filling({"n": [1], "thing": ["a"]}).attempts(0) == 1
    with pytest.raises(ValidationError, match=r"pip install 'seedbed\[faker\]'"):
        filling({"n": [1], "thing": {"faker": "name"}})


@pytest.mark.parametrize(
    ("slots", "templates", "told"),
    [
        ({"thing": [1]}, {"a": "{{ thng }}"}, "did you mean `thing`"),
        ({"n": [1], "m": [2]}, {"a": "{{ n }}"}, "slot `m` is used in no template"),
        ({"n": [1]}, {"a": "{{ [n]|random }}"}, "`random`"),
        ({"n": [1]}, {"a": "{{ n }}{{ lipsum() }}"}, "`lipsum`"),
        ({"n": [1]}, {"a": "{{ n "}, "no Jinja template"),
        ({"n": []}, {"a": "{{ n }}"}, "at least 1"),
        ({"n": {"from": 2, "to": 1}}, {"a": "{{ n }}"}, "empty"),
        ({"n": {"from": "2024-01-01", "to": 3}}, {"a": "{{ n }}"}, "from day to day"),
    ],
)
def test_recipes_that_cannot_be_filled(slots: dict, templates: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        filling(slots, templates)
