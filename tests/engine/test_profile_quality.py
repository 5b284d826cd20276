"""How good a version is, of rows in which faults are planted: each trait finds its own."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.engine.profile.flagged_rows import write_flagged
from dagster_project.engine.profile.profiled_rows import TargetRefused
from dagster_project.engine.profile.quality import NothingToJudge, QualityReport, quality
from dagster_project.engine.profile.text_parts import NoText
from dagster_project.engine.profile.trait import TRAITS, Thresholds
from dagster_project.operators.registry import built_in_operators
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import NotPublished

BREAD = ("bread", "dough", "oven", "flour", "yeast", "loaf", "crust", "bake", "sourdough", "rye")
VERBS = ("rests", "rises", "needs", "holds", "takes", "keeps", "warms", "cools", "grows", "gains")
OTHER = ("striker", "referee", "penalty", "goalkeeper", "offside", "midfielder", "league", "corner")
OPERATORS = built_in_operators()
UNCHECKED = "checks: [phase_schema: {phase: sft, max_failing_share: 1, required: false}]\n"


def row(words: tuple[str, ...], number: int) -> dict:
    chance = random.Random(number)

    def sentence() -> str:
        said = [word for _ in range(5) for word in (chance.choice(words), chance.choice(VERBS))]
        return f"{' '.join(said)} {number}.".capitalize()

    return {
        "prompt": f"How does the {chance.choice(words)} help the {chance.choice(words)}, in {number}?",
        "answer": f"{sentence()} {sentence()}",
    }


def clean(count: int = 200) -> list[dict]:
    return [row(BREAD, number) for number in range(count)]


def published(
    space, name: str, rows: list[dict], licence: str = "licence: CC0-1.0"
) -> QualityReport:
    file = name.replace("/", "_") + ".jsonl"
    space.jsonl(file, rows)
    said = f", {licence}" if licence else ""
    space.recipe(name, f"inputs: {{one: {{files: {file}{said}}}}}\n{UNCHECKED}")
    space.publish(name)
    return judged(space, name)


def judged(space, name: str, **options) -> QualityReport:
    report = quality(space.store, SnapshotAddress.parse(name), **options)
    for figure in (figure for each in report.traits for figure in each.figures):
        if figure.mend.endswith("}"):
            ((operator, parameters),) = yaml.safe_load(figure.mend).items()
            OPERATORS[operator].model_validate(parameters)
    return report


def verdicts(report: QualityReport) -> dict[str, str]:
    return {each.name: each.verdict for each in report.traits}


def test_clean_rows_are_good(space) -> None:
    report = published(space, "a/v1", clean())
    examples = space.jsonl("examples.jsonl", [row(BREAD, number) for number in range(900, 940)])
    report = judged(space, "a/v1", examples=str(examples))
    wanted = {**dict.fromkeys(TRAITS, "good"), "alignment": "not measured"}
    assert verdicts(report) == wanted
    assert report.worst == ()
    assert report.mend == ()
    assert report.rows.height == 200
    assert report.rows["flags"].unique().to_list() == [""]


@pytest.mark.parametrize(
    ("trait", "figure", "planted", "verdict"),
    [
        ("uniqueness", "duplicates", lambda each: each, "bad"),
        (
            "uniqueness",
            "near duplicates",
            lambda each: {**each, "answer": each["answer"] + " It really is so."},
            "look",
        ),
        (
            "consistency",
            "same question",
            lambda each: {**each, "answer": "Not at all: nobody ever found that it does."},
            "bad",
        ),
        (
            "compliance",
            "e-mail",
            lambda each: {**each, "answer": f"{each['answer']} Ask ann.lee@bakers-guild.org."},
            "bad",
        ),
        (
            "format",
            "cut off",
            lambda each: {**each, "answer": each["answer"][:-1] + " and then it goes on to the"},
            "look",
        ),
        ("format", "empty", lambda each: {**each, "answer": " "}, "bad"),
        (
            "alignment",
            "refusals",
            lambda each: {**each, "answer": "I'm sorry, but I can't help with that request."},
            "look",
        ),
    ],
)
def test_each_trait_finds_its_own(space, trait, figure, planted, verdict) -> None:
    rows = clean()
    extra = [planted(dict(row(BREAD, number))) for number in range(10)]
    if trait in ("format", "alignment", "compliance"):
        extra = [{**each, "prompt": f"{each['prompt']} Really?"} for each in extra]
    report = published(space, "a/v1", [*rows, *extra])
    found = report.figure(figure)
    own = next(each for each in report.traits if each.name == trait)
    assert own.verdict == verdict
    assert set(found.row_ids) >= set(range(200, 210))
    assert len(found.row_ids) == (20 if figure == "same question" else 10)
    assert found.mend in report.mend
    at_fault = report.rows.filter(pl.col(f"{trait}_fault"))
    assert set(at_fault["row_id"]) >= set(found.row_ids)
    assert at_fault["flags"].str.contains(found.name, literal=True).any()


def test_rows_off_topic_by_examples_and_by_task(space) -> None:
    rows = [*clean(80), *(row(OTHER, number) for number in range(300, 308))]
    published(space, "a/v1", rows)
    published(space, "examples/v1", [row(BREAD, number) for number in range(900, 930)])
    by_examples = judged(space, "a/v1", examples="examples/v1").figure("off topic")
    assert set(range(80, 88)) <= set(by_examples.row_ids)
    assert len(by_examples.row_ids) < 14
    assert by_examples.verdict == "look"
    report = judged(space, "a/v1", task="baking bread with yeast dough in an oven")
    assert len(set(range(80, 88)) & set(report.figure("off topic").row_ids)) >= 6
    assert report.rows["relevance"].null_count() == 0


def test_licences_are_followed_upstream(space) -> None:
    published(space, "free/v1", clean(20))
    published(space, "bound/v1", [row(OTHER, n) for n in range(10)], "licence: CC-BY-NC-4.0")
    published(space, "unsaid/v1", [row(OTHER, n) for n in range(50, 55)], "")
    listed = ", ".join(f"{name}: {{version: {name}/v1}}" for name in ("free", "bound", "unsaid"))
    space.recipe("all/v1", f"inputs: {{{listed}}}\n{UNCHECKED}")
    space.publish("all/v1")
    report = judged(space, "all/v1")
    assert report.figure("no licence").rows == 5
    assert report.figure("restricted licence (CC-BY-NC-4.0)").rows == 10
    assert verdicts(report)["compliance"] == "bad"
    rows = [{**each, "licence": "MIT" if n else "unknown"} for n, each in enumerate(clean(30))]
    assert published(space, "named/v1", rows, "").figure("no licence").row_ids == (0,)


GRADES = """\
import polars as pl
from dagster_project.operators.base import RowOperator

class GiveGrades(RowOperator):
    \'\'\'Measures the grades that rows come with.

    Example:
        - give_grades: {}
    \'\'\'

    def reads(self):
        return ["grades"]

    def annotations(self, schema):
        grades = pl.col("grades").cast(pl.List(pl.Float64))
        return {"judged_overall": grades.list.mean(), "judged_helpful_each": grades}
"""


def test_grades_of_judges(space) -> None:
    graded = [
        {**each, "grades": [1, 1] if n < 6 else [4 + n % 2] * 2} for n, each in enumerate(clean(40))
    ]
    space.jsonl("graded.jsonl", graded)
    space.recipe("a/v1", "inputs: {one: {files: graded.jsonl}}\nsteps: [give_grades: {}]\n")
    (space.root / "assets" / "a" / "operators.py").write_text(GRADES)
    space.publish("a/v1")
    report = judged(space, "a/v1")
    assert report.figure("low judged_overall").row_ids == tuple(range(6))
    assert report.figure("mean judged_overall").value == pytest.approx(4.5 * 34 / 40 + 6 / 40)
    assert report.figure("agreement on judged_helpful").value == 1
    assert verdicts(report)["alignment"] == "look"


def test_pairs_that_contradict_each_other(space) -> None:
    pairs = [
        {"prompt": each["prompt"], "chosen": each["answer"], "rejected": f"No idea, {number}."}
        for number, each in enumerate(clean(40))
    ]
    turned = {**pairs[0], "chosen": pairs[0]["rejected"], "rejected": pairs[0]["chosen"]}
    same = {**pairs[1], "chosen": "Alike.", "rejected": "alike. "}
    report = published(space, "a/v1", [*pairs, turned, same])
    assert report.figure("the opposite").row_ids == (0, 40)
    assert report.figure("chosen is rejected").row_ids == (41,)
    assert report.figure("chosen is the longer").verdict == "bad"


def test_raters_and_labels(space) -> None:
    rows = [
        {
            "text": f"{each['answer']}",
            "label": "ab"[n % 2],
            "rater_1": n % 3,
            "rater_2": (n * n) % 3,
        }
        for n, each in enumerate(clean(60))
    ]
    rows += [{**rows[n], "label": "b"} for n in range(0, 10, 2)]
    report = published(space, "a/v1", rows)
    assert report.figure("agreement on rater_1, rater_2").verdict == "bad"
    assert report.figure("same text, other label").rows == 10
    agreeing = [{**each, "rater_2": each["rater_1"]} for each in rows]
    assert published(space, "b/v1", agreeing).figure("agreement").value == 1


def test_a_sample_says_so_and_duplicates_are_of_all(space) -> None:
    rows = [*clean(), *clean(20)]
    published(space, "a/v1", rows)
    report = judged(space, "a/v1", sample=50, seed=3)
    assert report.looked_at == 50
    assert report.figure("duplicates").rows == 20
    assert report.figure("cut off").of == 50
    assert set(report.figure("duplicates").row_ids) <= set(report.rows["row_id"])
    again = judged(space, "a/v1", sample=50, seed=3)
    assert again.model_dump_json() == report.model_dump_json()
    assert again.rows.equals(report.rows)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_rows_at_fault_as_a_file(space, tmp_path, suffix) -> None:
    report = published(space, "a/v1", [*clean(), *clean(3)])
    path = tmp_path / f"rows{suffix}"
    assert write_flagged(report, path) == 3
    readers = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}
    assert readers[suffix](path)["row_id"].to_list() == [200, 201, 202]
    with pytest.raises(TargetRefused, match="must be one of"):
        write_flagged(report, tmp_path / "rows.doc")


def test_what_cannot_be_judged(space) -> None:
    published(space, "tutor/v1", clean(5))
    with pytest.raises(NotPublished, match="did you mean tutor/v1"):
        judged(space, "tuttor/v1")
    with pytest.raises(NothingToJudge, match="did you mean 'duplicates'"):
        judged(space, "tutor/v1").figure("dupplicates")
    space.recipe(
        "empty/v1",
        "inputs: {one: {files: tutor_v1.jsonl}}\n"
        "steps: [filter_length: {column: answer, min_words: 999}]\n"
        "checks: [source_loss: {max: 1}]\n",
    )
    space.publish("empty/v1")
    with pytest.raises(NothingToJudge, match="has no rows"):
        judged(space, "empty/v1")
    with pytest.raises(NoText, match="no column holds texts"):
        published(space, "numbers/v1", [{"n": n} for n in range(5)])
    with pytest.raises(TargetRefused, match="no such file"):
        judged(space, "tutor/v1", examples="nothing.jsonl")


AWKWARD = st.one_of(
    st.none(), st.sampled_from(["", " ", "\0", "日本", "a" * 300, "```", "<think>"])
)


@settings(max_examples=4)
@given(
    chats=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["user", "assistant", "odd", None]), AWKWARD), max_size=3
        ),
        min_size=1,
        max_size=6,
    )
)
def test_odd_chats_are_judged(tmp_path_factory, chats) -> None:
    from tests.conftest import Space

    root = tmp_path_factory.mktemp("odd")
    (root / "assets").mkdir()
    (root / "checks").mkdir()
    (root / "workspace.yaml").write_text("load_from: []\n")
    rows = [{"messages": [{"role": "user", "content": "text"}]}]
    rows += [
        {"messages": [{"role": role, "content": said} for role, said in chat]} for chat in chats
    ]
    report = published(Space(root), "a/v1", rows)
    assert report.rows.height == len(rows)
    assert json.loads(report.model_dump_json())["total"] == len(rows)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_verdicts_worsen(one, other, third) -> None:
    low, middle, high = sorted((one, other, third))
    order = ["good", "look", "bad"]
    bounds = Thresholds(0.3, 0.6)
    found = [order.index(bounds.verdict(value)) for value in (low, middle, high)]
    assert found == sorted(found)
