"""Rows that are made: exactly as many as asked for, every candidate accounted for, the same again."""

from __future__ import annotations

import json

import pytest

from dagster_project.engine.plan import RunStopped
from dagster_project.recipe.problems import DeclarationError
from dagster_project.warehouse.address import RowAddress
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.impact import impact
from dagster_project.warehouse.trace import trace
from dagster_project.warehouse.why import why
from dagster_project.workspace import VersionName

OPERATORS = '''
from collections.abc import Sequence
import polars as pl
from pydantic import Field
from dagster_project.operators.base import *
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.calls import CallFailed
from dagster_project.operators.generator import *


class Echo(Generator):
    """Says it again, somewhat longer."""

    origin = "augmented"
    rule_names = ("unlucky",)
    motive: Motive = Field(default="quantity", description="what for")
    fails: float = Field(default=0.0, description="share of attempts that fail")
    each: int = Field(default=1, description="candidates of an attempt")
    end: int | None = Field(default=None, description="most attempts")
    wrong: bool = Field(default=False, description="of the wrong type")

    def attempts(self, seeds):
        return self.end

    def produces(self, seeds):
        return pl.Schema({"text": pl.String, "n": pl.Int64})

    async def attempt(self, seeds, draw, calls):
        if draw.random() < self.fails:
            raise CallFailed("unavailable", "no answer")
        made = []
        for index in range(self.each):
            number = draw.randrange(1000)
            values = {"text": f"{seeds[0]['text']} {number}", "n": "x" if self.wrong else number}
            unlucky = Rejection("unlucky", str(number), "not a multiple of 5")
            made.append(
                Candidate(
                    values,
                    unlucky if number % 5 == 0 and not self.wrong else None,
                    made_from=(index - 1,) if index else (),
                )
            )
        return made


class Together(Generator):
    """Puts seeds and an accepted row together."""

    origin = "synthesised"
    motive: Motive = Field(default="coverage", description="what for")

    def seeds(self):
        return 2

    def examples(self):
        return 1

    def produces(self, seeds):
        return pl.Schema({"text": pl.String})

    async def attempt(self, seeds, draw, calls):
        return [Candidate({"text": " + ".join(seed["text"] for seed in seeds)})]


class Slow(CallingOperator):
    """Measures by asking; refuses some rows."""

    def reads(self):
        return ["n"]

    def brings(self, schema):
        return pl.Schema({"asked": pl.Int64})

    async def measured(self, row, calls):
        if row["n"] is not None and row["n"] % 7 == 0:
            raise CallFailed("refused", "seven")
        return {"asked": (row["n"] or 0) * 2}

    def rules(self, schema):
        return [Rule("odd", pl.col("asked") % 4 == 0, pl.col("asked"), "a multiple of 4")]
'''


@pytest.fixture
def made(space):
    folder = space.root / "assets" / "d"
    folder.mkdir(parents=True)
    (folder / "operators.py").write_text(OPERATORS)
    space.jsonl("seeds.jsonl", [{"text": f"seed {n}", "k": n} for n in range(10)])
    space.recipe("d/seeds", "inputs: {all: {files: seeds.jsonl}}\n")
    space.publish("d/seeds")
    return space


def recipe(generate: str, rest: str = "", rows: int = 30, seeds: str = "{version: d/seeds}") -> str:
    return (
        "inputs:\n  real: {version: d/seeds}\n"
        f"  new:\n    generate: {generate}\n    seeds: {seeds}\n    rows: {rows}\n{rest}"
    )


def query(space, sql: str, version: str = "d/v1") -> list[tuple]:
    name = VersionName.parse(version)
    manifest = space.publish(version).manifest
    with open_snapshot(space.store, name, manifest.snapshot_id) as connection:
        connection.execute("USE snapshot")
        return connection.execute(sql).fetchall()


STEPS = """    steps:
      - filter_length: {column: text, min_characters: 10}
      - deduplicate_exact: {columns: [text]}
"""


def test_exactly_as_many_as_asked_and_every_candidate_has_an_end(made):
    made.recipe("d/v1", recipe("{echo: {fails: 0.2, each: 2}}", STEPS, rows=40))
    ((asked, accepted, candidates, stopped),) = query(
        made, "SELECT asked, accepted, candidates, stopped_by FROM generated_inputs"
    )
    assert (asked, accepted, stopped) == (40, 40, "enough")
    assert query(made, "SELECT count(*) FROM rows") == [(50,)]
    assert query(made, "SELECT count(*) FROM generations") == [(candidates,)]
    ends = dict(
        query(
            made,
            "SELECT coalesce(rule, disposition), count(*) FROM dispositions "
            "WHERE parent_input = 1 GROUP BY ALL",
        )
    )
    assert ends["quarantined"] and ends["unlucky"] and ends["min_characters"]
    assert sum(ends.values()) + accepted == candidates
    failed = query(made, "SELECT error, content FROM quarantine LIMIT 1")
    assert failed[0][0] == "unavailable: no answer" and json.loads(failed[0][1])["values"] == {}
    assert query(made, "SELECT DISTINCT relation FROM lineage WHERE parent_input = 1") == [
        ("generated",)
    ]


def test_what_is_left_over_is_set_aside_and_told(made):
    made.recipe("d/v1", recipe("{echo: {each: 3}}", rows=7))
    assert query(made, "SELECT count(*) FROM rows") == [(17,)]
    ((left,),) = query(made, "SELECT count(*) FROM dispositions WHERE rule = 'surplus'")
    assert left > 0


def test_the_same_again_without_making_it_again(made):
    made.recipe("d/v1", recipe("{echo: {each: 2}}", STEPS))
    first = made.publish("d/v1")
    assert made.publish("d/v1").reused
    for folder in ("snapshots/d/v1", "landed/generated", "cache"):
        for path in sorted((made.store.root / folder).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    again = made.publish("d/v1")
    assert not again.reused
    assert again.manifest.content_id == first.manifest.content_id
    assert again.manifest.build_id == first.manifest.build_id


def test_depth_seeds_and_what_came_of_a_seed(made):
    made.recipe("d/v1", recipe("{echo: {each: 2, carry: [k]}}", rows=20))
    made.recipe(
        "d/v2",
        "inputs:\n  old: {version: d/v1}\n  new: {generate: together, seeds: {version: d/v1}, "
        "rows: 12}\n",
    )
    assert query(made, "SELECT max(depth) FROM synthetic") == [(2,)]
    ((deep,),) = query(made, "SELECT max(depth) FROM synthetic", "d/v2")
    assert deep >= 3
    assert query(made, "SELECT count(*) FROM synthetic", "d/v2") == [(32,)]
    found = trace(made.store, RowAddress.parse("d/v2:41"))
    (parent,) = found.rows[0].parents
    assert parent.relation == "generated" and parent.generations[0].generator == "together"
    assert {seed.row.version for seed in parent.generations[0].seeds if seed.row} == {
        VersionName("d", "v1")
    }
    assert {source.record.file for source in found.sources} == {"seeds.jsonl"}
    seed = next(row for row in found.rows if str(row.address.version) == "d/seeds").address
    reached = {str(reach.snapshot.version): reach for reach in impact(made.store, seed).reached}
    assert reached["d/v1"].descended and reached["d/v2"].descended
    told = why(made.store, VersionName("d", "v2"), f"d/seeds:{seed.row_id}")
    assert told.present and any(fate.candidates for fate in told.fates)
    ((carried,),) = query(
        made, "SELECT count(*) FROM rows WHERE k IS NOT NULL AND row_id >= 10", "d/v1"
    )
    assert carried == 20


def test_seeds_may_be_records_of_files(made):
    made.recipe("d/v1", recipe("echo", rows=5, seeds="{files: seeds.jsonl}"))
    assert query(made, "SELECT name, row_count FROM seed_inputs") == [("new.seeds", 10)]
    found = trace(made.store, RowAddress.parse("d/v1:12"))
    assert [source.record.file for source in found.sources] == ["seeds.jsonl"]
    assert why(made.store, VersionName("d", "v1"), "seeds.jsonl:1").fates


@pytest.mark.parametrize(
    ("generate", "rest", "stopped"),
    [
        ("{echo: {end: 6}}", "", "no_more_attempts"),
        ("echo", "    max_candidates: 9\n", "max_candidates"),
    ],
)
def test_too_few_are_not_published_unless_they_are_enough(made, generate, rest, stopped):
    made.recipe("d/v1", recipe(generate, rest))
    outcome = made.publish("d/v1")
    assert list(outcome.blocked_by) == ["rows_as_asked"] and outcome.manifest.status == "rejected"
    assert query(made, "SELECT stopped_by FROM generated_inputs") == [(stopped,)]
    made.recipe("d/v1", recipe(generate, rest + "    at_least: 2\n"))
    assert not made.publish("d/v1").blocked_by


def test_an_operator_that_always_fails_stops_the_run(made):
    made.recipe("d/v1", recipe("{echo: {fails: 1.0}}"))
    with pytest.raises(RunStopped, match=r"all failed[\s\S]*unavailable: no answer"):
        made.publish("d/v1")
    made.recipe("d/v1", recipe("{echo: {wrong: true}}"))
    with pytest.raises(RunStopped, match="all failed"):
        made.publish("d/v1")


def test_rows_are_measured_by_asking_and_a_failure_is_quarantined_alone(made):
    calling = "    steps: [slow]\n"
    made.recipe("d/v1", recipe("echo", calling, rows=15))
    assert query(made, "SELECT count(*) FROM rows WHERE n % 2 = 0") == [(15,)]
    assert query(made, "SELECT bool_and(asked = 2 * n) FROM rows JOIN scores USING (row_id)") == [
        (True,)
    ]
    errors = query(made, "SELECT DISTINCT error FROM quarantine")
    assert errors in ([], [("CallFailed: seven",)])
    joined = "inputs: {all: {version: d/v1}}\nsteps: [slow]\nlimits: {quarantine: 0.9}\n"
    made.recipe("d/v2", joined)
    assert query(made, "SELECT count(*) FROM rows WHERE n IS NULL", "d/v2") == [(10,)]


def test_a_trial_makes_as_few_as_are_asked(made):
    made.recipe("d/v1", recipe("{echo: {each: 2}}", STEPS, rows=500))
    trial = made.publish("d/v1", sample=6).manifest
    assert trial.status == "trial" and trial.rows == 12


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (recipe("normalize_text"), "makes no rows"),
        ("inputs: {real: {version: d/seeds}}\nsteps: [echo]\n", "makes rows"),
        (
            "inputs: {new: {generate: echo, rows: 3}}\n",
            "makes rows from others; `seeds` says from which",
        ),
        (recipe("{echo: {motive: money}}"), "not an allowed value"),
        (recipe("echo", rows=0), "must be 1 or more"),
        (recipe("echo", seeds="{version: d/sedes}"), "did you mean 'd/seeds'"),
        (recipe("ehco"), "did you mean 'echo'"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_told(made, body, said):
    made.recipe("d/v1", body)
    with pytest.raises(DeclarationError, match=said.replace("(", r"\(")):
        made.publish("d/v1")


def test_relation_steps_of_an_input_see_its_rows_alone(made):
    made.jsonl("twins.jsonl", [{"text": f"seed {n % 3}"} for n in range(9)])
    made.recipe(
        "d/v1",
        "inputs:\n  one: {version: d/seeds}\n"
        "  two: {files: twins.jsonl, steps: [normalize_text: {columns: [text]}, "
        "deduplicate_exact: {columns: [text]}]}\n",
    )
    assert query(made, "SELECT count(*) FROM rows") == [(13,)]
    assert query(made, "SELECT parent_input, count(*) FROM dispositions GROUP BY ALL") == [(1, 6)]
