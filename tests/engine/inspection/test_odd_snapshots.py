"""Snapshots that are empty, odd, split, of chats, or large."""

from __future__ import annotations

import json

import pytest

from dagster_project.engine.inspection.rows_looked_at import look
from dagster_project.engine.inspection.step_operators import step_operators
from dagster_project.engine.inspection.step_order import step_order
from dagster_project.operators.registry import built_in_operators
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.reading import Reader

ODD_NAME = """a "b" 'c' {d}; --"""


def test_no_row_is_left(space, ask) -> None:
    space.jsonl("rows.jsonl", [{"text": "a"}, {"text": None}])
    space.recipe(
        "a/v1",
        "inputs: {some: {files: rows.jsonl}}\n"
        "steps: [{filter_length: {column: text, min_words: 2}}]\n",
    )
    space.publish("a/v1")
    found = ask(space)
    assert (found.rows, found.distributions, found.outliers) == (0, (), ())
    (step,) = found.effects.steps
    assert (step.rows_in, step.rows_out, step.after.median) == (2, 0, None)
    (rule,) = found.rules
    assert (rule.removed, len(rule.just_removed), rule.just_stayed) == (2, 1, ())


def test_odd_values(space, ask) -> None:
    rows = [
        {"input": "x", "total": None, "value": float("1e300"), "m0": [], "row": {"a": None}},
        {"input": "", "total": 1, "value": -1e300, "m0": [1], "row": {"a": "b"}},
        {"input": None, "total": 2, "value": None, "m0": None, "row": None},
    ]
    rows[0][ODD_NAME], rows[1][ODD_NAME] = "some text", "text"
    space.jsonl("rows.jsonl", [*rows, "not json"])
    space.recipe(
        "a/v1", "inputs: {some: {files: rows.jsonl}}\nlimits: {quarantine: 0.5}\nsteps: []\n"
    )
    space.publish("a/v1")
    found = ask(space)
    columns = {column.name: (column.nulls, column.empty) for column in found.overview.columns}
    assert columns.pop(ODD_NAME) == (1, 0)
    assert columns == {
        "input": (1, 1),
        "total": (1, 0),
        "value": (1, 0),
        "m0": (1, 1),
        "row": (1, 0),
    }
    assert ask(space, column=ODD_NAME).distributions[0].most == 9
    assert ask(space, column="total").distributions[0].most == 2


def test_chats(space, ask) -> None:
    chats = [
        [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"}],
        [{"role": "user", "content": None}, {"role": None, "content": "x"}],
        [{"role": "user", "content": "four  five"}, {"role": "assistant", "content": "six"}],
        [],
        None,
    ]
    space.jsonl("rows.jsonl", [{"messages": chat, "day": "2024-01-02"} for chat in chats])
    space.recipe("a/v1", "inputs: {some: {files: rows.jsonl}}\nsteps: []\n")
    space.publish("a/v1")
    found = ask(space)
    spread = {each.unit: each for each in found.distributions if each.column == "messages"}
    assert (spread["characters"].least, spread["characters"].most) == (0, 13)
    assert (spread["turns"].rows, spread["turns"].most) == (4, 2)
    assert spread["words"].most == 3
    roles = next(each for each in found.values if each.kind == "roles")
    counts = {each.value: each.rows for each in roles.frequencies}
    assert counts == {"user,assistant": 2, "user,?": 1, "": 1, "(null)": 1}


def test_split_rows_of_two_inputs(space, ask) -> None:
    for name, texts in (("one", ["a b\nc d e\nf"]), ("two", ["g h\ni j", "k", ""])):
        space.jsonl(f"{name}.jsonl", [{"text": text} for text in texts])
    space.recipe(
        "a/v1",
        "inputs:\n  one: {files: one.jsonl}\n  two: {files: two.jsonl}\n"
        "steps:\n  - split_text: {column: text, at: line}\n    name: lines\n"
        "  - filter_length: {column: text, min_words: 2}\n    name: length\n",
    )
    space.publish("a/v1")
    found = ask(space)
    lines, length = found.effects.steps
    assert [(flow.rows_in, flow.rows_out) for flow in lines.inputs] == [(1, 3), (3, 3)]
    assert [(flow.rows_in, flow.rows_out) for flow in length.inputs] == [(3, 2), (3, 2)]
    assert lines.removed == {"no_pieces": 1}
    rule = next(each for each in found.rules if each.rule == "min_words")
    assert {row.text for row in rule.just_stayed} == {"a b", "g h", "i j"}


def test_an_upstream_version(space, ask) -> None:
    space.jsonl("rows.jsonl", [{"text": "short"}, {"text": "not so short"}])
    space.recipe("a/v1", "inputs: {some: {files: rows.jsonl}}\nsteps: []\n")
    space.recipe(
        "b/v1",
        "inputs: {before: {version: a/v1}}\n"
        "steps: [{filter_length: {column: text, min_words: 2}}]\n",
    )
    space.publish("a/v1")
    space.publish("b/v1")
    (rule,) = ask(space, "b/v1").rules
    (row,) = rule.just_removed
    assert row.row is not None
    assert (str(row.row.version), row.row.row_id, row.text) == ("a/v1", 0, "short")


def test_a_sample_of_a_large_snapshot(space) -> None:
    space.jsonl("rows.jsonl", [{"n": n, "text": f"text {n}"} for n in range(200)])
    space.recipe("a/v1", "inputs: {some: {files: rows.jsonl}}\nsteps: []\n")
    space.publish("a/v1")
    with Reader(space.store) as reader:
        snapshot = reader.open(SnapshotAddress.parse("a/v1"))
        drawn = []
        for seed in (0, 0, 1):
            seen = look(reader, snapshot, seed, most_rows=50, most_read=20)
            assert (seen.rows, seen.read, seen.sampled) == (50, 20, True)
            places = {each.unit: each.place for each in seen.measures}
            counted = f"count({places['characters']}), count({places['words']})"
            assert reader.all(f"SELECT {counted} FROM looked_at") == [(50, 20)]
            drawn.append(sorted(reader.all("SELECT row_id FROM looked_at")))
        assert drawn[0] == drawn[1] != drawn[2]


def test_a_quicker_order(space) -> None:
    texts = [f"This is sentence number {n}, in English, of no great length." for n in range(400)]
    texts += [f"short {n}" for n in range(1600)]
    space.jsonl("rows.jsonl", [{"text": text} for text in texts])
    space.recipe(
        "a/v1",
        "inputs: {some: {files: rows.jsonl}}\nsteps:\n"
        "  - filter_language: {column: text, keep: [en], min_confidence: 0.01}\n    name: slow\n"
        "  - filter_length: {column: text, min_characters: 20}\n    name: quick\n"
        "  - normalize_text: {columns: [text]}\n"
        "  - filter_length: {column: text, min_words: 3, prefix: again_}\n    name: alone\n",
    )
    space.publish("a/v1")
    advice, booked = _advice(space, "a/v1")
    (slow, slow_removes), (quick, quick_removes) = booked["slow"], booked["quick"]
    total = sum(seconds for seconds, _ in _times(space, "a/v1").values())
    (found,) = advice.suggestions
    assert found.better == ("quick", "slow")
    assert found.seconds == pytest.approx(2000 * (slow + (1 - slow_removes) * quick))
    assert found.better_seconds == pytest.approx(2000 * (quick + (1 - quick_removes) * slow))
    assert found.saving == pytest.approx((found.seconds - found.better_seconds) / total)
    assert found.saving >= 0.05


def test_an_order_that_is_quick_and_one_that_is_not_known(space) -> None:
    space.jsonl("rows.jsonl", [{"text": f"text {n}"} for n in range(300)])
    body = (
        "inputs: {some: {files: rows.jsonl}}\nsteps:\n"
        "  - filter_length: {column: text, min_characters: 7}\n    name: quick\n"
        "  - filter_language: {column: text, keep: [en], min_confidence: 0}\n    name: slow\n"
    )
    for name in ("a/v1", "a/v2"):
        space.recipe(name, body)
        space.publish(name)
    assert _advice(space, "a/v1")[0].suggestions == ()
    advice, _ = _advice(space, "a/v2")
    assert advice.suggestions == ()
    assert advice.note.startswith("how long quick, slow take is not known")


def _advice(space, name: str):
    """What is advised, and seconds a row and the share removed of each step as they are booked."""
    with Reader(space.store) as reader:
        snapshot = reader.open(SnapshotAddress.parse(name))
        steps = step_operators(reader, snapshot, built_in_operators())
        advice = step_order(reader, snapshot, steps)
        booked = reader.all(
            f"SELECT name, seconds, rows_in, dropped FROM {snapshot.table('steps')}"
        )
    return advice, {name: (seconds / rows, gone / rows) for name, seconds, rows, gone in booked}


def _times(space, name: str) -> dict[str, tuple[float, int]]:
    with Reader(space.store) as reader:
        snapshot = reader.open(SnapshotAddress.parse(name))
        booked = reader.all(f"SELECT name, seconds, rows_in FROM {snapshot.table('steps')}")
    return {name: (seconds, rows) for name, seconds, rows in booked}


def test_a_rule_that_removed_nothing_and_json(space, ask) -> None:
    space.jsonl("rows.jsonl", [{"text": "a b"}, {"text": "c"}])
    space.recipe(
        "a/v1",
        "inputs: {some: {files: rows.jsonl}}\n"
        "steps: [{filter_length: {column: text, min_words: 2, max_words: 9}}]\n",
    )
    space.publish("a/v1")
    (rule,) = ask(space, rule="max_words").rules
    assert (rule.removed, rule.at_random, rule.threshold) == (0, (), "<= 9")
    assert [row.measured for row in rule.just_stayed] == ["2"]
    told = json.loads(json.dumps(ask(space).model_dump(mode="json")))
    assert told["rules"][0]["just_removed"][0]["text"] == "c"


def test_chats_may_be_in_a_column_of_any_name(space, ask) -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x"}]
    space.jsonl("rows.jsonl", [{"m": turns, "content": "a"}])
    space.recipe(
        "a/v1", "inputs: {some: {files: rows.jsonl}}\nchecks: [{chat_structure: {column: m}}]\n"
    )
    space.publish("a/v1")
    assert {value.column for value in ask(space).distributions} >= {"m", "content"}
