"""What a version covers, and what it lacks, of rows in which that is planted."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.engine.plan import plan
from dagster_project.engine.profile import axes
from dagster_project.engine.profile.axes import AXES, TURNS, NoAxis
from dagster_project.engine.profile.clusters import clusters
from dagster_project.engine.profile.coverage import coverage, covered
from dagster_project.engine.profile.divergence import (
    effective_values,
    jensen_shannon,
    shares,
    wanted_of_all,
)
from dagster_project.engine.profile.gaps import MOST_JOBS, recipe_of
from dagster_project.engine.profile.map_picture import OURS, THEIRS, NoMap, map_picture
from dagster_project.engine.profile.placing import place
from dagster_project.engine.profile.profiled_rows import SaidRows, said
from dagster_project.engine.profile.spelling import misspelt
from dagster_project.engine.profile.text_parts import text_parts
from dagster_project.engine.profile.text_vectors import best_method
from dagster_project.engine.profile.topics import named_topics, topics
from dagster_project.recipe.loading import load_recipes
from dagster_project.recipe.problems import DeclarationError
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.workspace import VersionName

BREAD = ("bread", "dough", "oven", "flour", "yeast", "loaf", "crust", "knead", "bake")
STARS = ("star", "planet", "orbit", "telescope", "galaxy", "comet", "moon", "eclipse", "nebula")
SOCCER = ("goal", "striker", "referee", "penalty", "stadium", "league", "keeper", "match", "pitch")
BEES = ("bee", "hive", "honey", "queen", "swarm", "nectar", "pollen", "beekeeper", "wax")
GERMAN = "Bitte erklären Sie mir ausführlich, warum der Teig ruhen muss, bevor er gebacken wird"


def asked(words: tuple[str, ...], number: int) -> str:
    a, b, c = (
        words[(number * step + shift) % len(words)] for step, shift in ((1, 0), (2, 3), (4, 5))
    )
    return f"Explain how the {a} and the {b} matter when somebody looks at a {c}, item {number}."


def rows(**topics: int) -> list[dict]:
    named = {"bread": BREAD, "stars": STARS, "soccer": SOCCER, "bees": BEES}
    return [
        {
            "prompt": GERMAN + f" ({number})."
            if topic == "german"
            else asked(named[topic], number),
            "answer": f"It does so for {number} reasons of {topic}.",
            "subject": topic,
        }
        for topic, count in topics.items()
        for number in range(count)
    ]


def chats(given: list[dict]) -> list[dict]:
    return [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["answer"]},
            ]
            * (1 + number % 2),
        }
        for number, row in enumerate(given)
    ]


def published(space, name: str, given: list[dict], steps: str = "") -> SnapshotAddress:
    file = name.replace("/", "_") + ".jsonl"
    space.jsonl(file, given)
    space.recipe(name, f"inputs: {{one: {{files: {file}}}}}\n{steps}")
    space.publish(name)
    return SnapshotAddress.parse(name)


def told(**columns: list) -> SaidRows:
    frame = pl.DataFrame(columns, strict=False).with_row_index("row_id")
    parts = text_parts(frame.drop("row_id").schema)
    return SaidRows("rows", frame.height, parts, (), said(frame, parts, ()))


@pytest.mark.parametrize(
    ("request_", "task", "style"),
    [
        ("Write a Python function that adds two numbers.", "write code", "request"),
        ("Please summarise the text below in one line.", "summarise", "request"),
        ("Can you translate this sentence into French?", "translate", "question"),
        ("Find the bug in this Python code: prnt(1)", "fix", "request"),
        ("Is the moon larger than the sun?", "closed question", "question"),
        ("Why does bread rise", "open question", "question"),
        ("You are given a sentence. Classify it as happy or sad.", "classify", "request"),
        (
            "Tom has 3 apples and buys 4 pears. How many pieces of fruit has he?",
            "maths",
            "question",
        ),
        ("Act as a pirate.", "role play", "request"),
        ("hello there, friend", "chat", "statement"),
        ("best pizza rome", "other", "keywords"),
        ("   ", None, None),
    ],
)
def test_tasks_and_styles_are_told_by_first_words(request_, task, style) -> None:
    placed = place(told(prompt=[request_], answer=["x"]), ["task", "style"])
    assert placed.row(0) == (0, task, style)


def test_lengths_turns_difficulty_and_typos() -> None:
    easy = "The black cat sat on the mat. It was fat. The dog ran."
    hard = (
        "Notwithstanding considerable methodological heterogeneity, contemporaneous investigations "
        "demonstrate statistically significant interdependencies between macroeconomic indicators"
    )
    frame = place(
        told(
            messages=[
                [{"role": "user", "content": easy}, {"role": "assistant", "content": "word " * 30}],
                [{"role": "user", "content": hard}, {"role": "assistant", "content": "yes"}] * 7,
                [{"role": "user", "content": "I would like to know wheather the goverment knows."}],
            ]
        ),
        AXES,
    )
    assert frame["length"].to_list() == ["21-50 words", "1-20 words", None]
    assert frame["turns"].to_list() == ["1 turn", TURNS[-1], "1 turn"]
    assert frame["difficulty"].to_list()[:2] == ["easy", "hard"]
    assert frame["typos"].to_list() == ["none", "none", "many"]
    assert frame["language"].to_list() == ["en"] * 3


def test_misspelt_words_are_one_slip_away_from_frequent_ones() -> None:
    words = pl.Series(
        ["recieve", "goverment", "hieght", "government", "dogs", "zqxjkvw", "walking"]
    )
    assert misspelt(words).to_list() == ["goverment", "hieght", "recieve"]


@settings(max_examples=25)
@given(
    st.lists(
        st.none()
        | st.text(max_size=30)
        | st.sampled_from(["", " ", "```\ncode", "\x00", "🙂" * 9]),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_can_be_placed(texts) -> None:
    placed = place(told(prompt=[*texts, "x"], answer=["y", *texts]), set(AXES) - {"language"})
    assert placed.height == len(texts) + 1
    for name in ("task", "style", "length", "difficulty", "typos"):
        assert set(placed[name].drop_nulls()) <= set(AXES[name].values)


COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 99), min_size=1)


@given(COUNTS, COUNTS)
def test_divergence_is_symmetric_and_between_0_and_1(one, other) -> None:
    p, q = shares(one), shares(other)
    assert jensen_shannon(p, p) == 0
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p))
    assert 0 <= jensen_shannon(p, q) <= 1
    if not one.keys() & other.keys():
        assert jensen_shannon(p, q) == pytest.approx(1)
    assert 1 <= effective_values(p) + 1e-9 <= len(p) + 2e-9
    wanted = wanted_of_all({"a": 0.5, "z": 0.25}, q)
    assert sum(wanted.values()) == pytest.approx(1)


def test_clusters_are_found_again_whatever_the_seed() -> None:
    draw = np.random.default_rng(3)
    centres = np.eye(4, 32)
    truth = np.repeat(np.arange(4), (40, 30, 20, 10))
    given_ = centres[truth] + draw.normal(0, 0.05, (100, 32))
    vectors = (given_ / np.linalg.norm(given_, axis=1, keepdims=True)).astype(np.float32)
    for seed in range(5):
        found = clusters(np.vstack([vectors, np.zeros((1, 32), np.float32)]), 4, seed)
        assert found.of.tolist() == [*truth.tolist(), -1]


@pytest.mark.parametrize(
    "texts",
    [[], [None], ["", "```"], ["one"], ["the same"] * 5, ["12 34", "a red fox", "a red fox"]],
)
@pytest.mark.parametrize("method", ["words", "embeddings"])
def test_few_rows_have_topics_or_none(texts, method) -> None:
    if method == "embeddings" != best_method():
        pytest.skip("the embedding model is not installed")
    rows_ = pl.DataFrame(
        {"row_id": range(len(texts)), "asked": texts}, {"row_id": pl.Int64, "asked": pl.String}
    )
    other = pl.DataFrame({"row_id": [7, 8], "asked": ["a blue whale", "the sea, a blue whale"]})
    for target in (None, other):
        found = topics(rows_, target, method)
        assert found.rows.height == len(texts)
        assert len(set(found.names)) == len(found.names)
        assert found.exemplars.keys() == {*found.names}
    assert named_topics(rows_, ["fox", "sea"], method).rows.height == len(texts)


def test_what_is_missing_is_found_and_can_be_made(space) -> None:
    have = published(space, "tutor/v1", rows(bread=60, stars=60))
    published(space, "asked/v1", rows(bread=30, stars=30, soccer=30, bees=24, german=36))
    found = coverage(space.store, have, against="asked/v1", embeddings=False)
    new = [topic for topic in found.topics if topic.new]
    about = [{*topic.topic.split(", ")} for topic in new]
    for words in (SOCCER, BEES):
        assert any(len(name & {*words}) >= 2 for name in about)
    assert all(topic.rows == 0 and topic.text for topic in new)
    gaps = {(gap.axis, gap.value): gap for gap in found.gaps}
    german = gaps["language", "de"]
    assert (german.have, german.want, german.more_rows) == (0, 29, 29)
    assert german.examples[0].startswith("Bitte erklären")
    assert ("language", "en") not in gaps
    made = sum(gaps["topic", topic.topic].more_rows for topic in new)
    assert made == pytest.approx(120 * 90 / 150, abs=3)
    told_ = {axis.axis: axis for axis in found.axes}
    assert (told_["topic"].divergence or 0) > 0.3
    assert told_["length"].divergence == 0
    assert found.divergence == pytest.approx(
        np.mean([axis.divergence for axis in found.axes if axis.divergence is not None])
    )


@pytest.mark.parametrize("shape", [lambda given: given, chats])
def test_jobs_are_a_recipe(space, shape) -> None:
    have = published(space, "tutor/v1", shape(rows(bread=60, stars=60)))
    wanted = space.root / "wanted.yaml"
    subject = "  subject: {bread: 0.2, it's new: 0.4}\n" if shape is not chats else ""
    turns = "  turns: {3 turns: 0.2, 6 turns or more: 0.1}\n" if shape is chats else ""
    wanted.write_text(
        "rows: 200\naxes:\n  task: {fix: 0.2, explain: 0.7}\n  language: {de: 0.1, en: 0.9}\n"
        "  typos: {many: 0.1}\n  difficulty: {hard: 0.5}\n  topic: {honey bees: 0.3, bread: 0.2}\n"
        + subject
        + turns
    )
    found = coverage(space.store, have, against=str(wanted), embeddings=False)
    gaps = {(gap.axis, gap.value): gap.more_rows for gap in found.gaps}
    assert gaps["task", "fix"] == 40
    assert gaps["topic", "honey bees"] == 60
    assert gaps["language", "de"] == 20
    assert gaps["language", "en"] == 60
    assert gaps["typos", "many"] == 20
    if shape is chats:
        assert gaps["turns", "3 turns"] == 40
    else:
        assert gaps["label:subject", "it's new"] == 80
    space.workspace.assets.joinpath("tutor/v2.yaml").write_text(
        recipe_of(found.gaps, "tutor/v1", found.phase)
    )
    recipes = load_recipes(space.workspace)
    assert not recipes.problems
    declared = recipes.versions[VersionName.parse("tutor/v2")]
    planned = plan(declared)
    made = declared.recipe.generated()
    assert len(made) == len(found.gaps) <= MOST_JOBS
    assert [each.rows for each in made.values()] == [gap.more_rows for gap in found.gaps]
    for name in made:
        columns = planned.generators[name].operator
        assert columns.operator_name() in ("instruct_from_topics", "play_dialogue", "perturb_text")


def test_a_version_does_not_diverge_from_itself(space) -> None:
    address = published(space, "tutor/v1", rows(bread=40, stars=30, german=10))
    found = coverage(space.store, address, against="tutor/v1", embeddings=False)
    assert [axis.divergence for axis in found.axes if axis.told] == [0.0] * len(found.axes)
    assert found.divergence == 0
    assert found.gaps == ()
    assert not any(topic.new for topic in found.topics)


def test_the_same_is_told_and_drawn_again(space) -> None:
    address = published(space, "tutor/v1", rows(bread=40, stars=30, german=10))
    published(space, "tutor/v2", rows(bread=40, bees=30))
    options = {"against": "tutor/v2", "embeddings": False, "sample": 50, "cross": ("topic", "task")}
    one, other = (covered(space.store, address, **options) for _ in range(2))
    assert one.report == other.report
    assert map_picture(one) == map_picture(other)
    cross = one.report.cross
    assert cross is not None
    assert one.report.looked_at == 50 == sum(map(sum, cross.rows))


def test_maps_are_plain_pictures(space) -> None:
    address = published(space, "tutor/v1", rows(bread=40, stars=30))
    wanted = space.root / "wanted.yaml"
    wanted.write_text('axes:\n  topic: {"bread <script>alert(1)</script> & \\"dough\\"": 0.5}\n')
    found = covered(space.store, address, against=str(wanted), embeddings=False)
    picture = map_picture(found)
    drawn = ElementTree.fromstring(picture)
    tags = {each.tag.rpartition("}")[2] for each in drawn.iter()}
    assert tags == {"svg", "title", "style", "rect", "text", "circle", "path", "g"}
    titles = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert any("<script>" in (title or "") for title in titles)
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    assert sum(path.count("M") for path in _dots(drawn)) == 70
    without = covered(space.store, address, axes=["length"], embeddings=False)
    with pytest.raises(NoMap, match="no row has a topic"):
        map_picture(without)


def test_a_map_shows_one_version_over_another(space, monkeypatch) -> None:
    monkeypatch.setattr("dagster_project.engine.profile.map_picture.MOST_POINTS", 200)
    address = published(space, "tutor/v1", rows(bread=300, stars=250))
    published(space, "tutor/v2", rows(bread=200, bees=250))
    found = covered(space.store, address, against="tutor/v2", embeddings=False, axes=["topic"])
    picture = map_picture(found)
    drawn = ElementTree.fromstring(picture)
    assert OURS in picture and THEIRS in picture and 'class="i x"' in picture
    assert 100 < sum(path.count("M") for path in _dots(drawn)) <= 200
    assert len(picture) < 30_000


def _dots(drawn: ElementTree.Element) -> list[str]:
    return [each.attrib["d"] for each in drawn.iter("{http://www.w3.org/2000/svg}path")]


def test_wrong_targets_are_refused_with_line_and_field(space) -> None:
    address = published(space, "tutor/v1", rows(bread=40, stars=30))
    wanted = space.root / "wanted.yaml"
    wanted.write_text(
        "axes:\n  tusk: {fix: 0.1}\n  task:\n    explian: 0.5\n  language: {en: 0.9, German: 0.2}\n"
    )
    with pytest.raises(DeclarationError) as refused:
        coverage(space.store, address, against=str(wanted), embeddings=False)
    assert [(each.line, each.field) for each in refused.value.problems] == [
        (2, "axes.tusk"),
        (4, "axes.task.explian"),
        (5, "axes.language.German"),
        (5, "axes.language"),
    ]
    assert "did you mean 'explain'?" in str(refused.value)
    wanted.write_text("axes: {task: {fix: 2}}\n")
    with pytest.raises(DeclarationError, match=r"wanted\.yaml:1: axes\.task\.fix: must be 1"):
        coverage(space.store, address, against=str(wanted), embeddings=False)
    with pytest.raises(NoAxis, match="did you mean 'topic'"):
        coverage(space.store, address, axes=["topics"], embeddings=False)


def test_difficulty_is_measured_where_it_can_be(space, monkeypatch) -> None:
    given_ = [
        {"prompt": f"Explain number {number}.", "answer": "word " * number}
        for number in range(1, 100)
    ]
    monkeypatch.setattr(axes, "MEASURED", ("answer_words",))
    steps = "steps:\n  - measure_length: {column: answer, prefix: answer_}\n"
    address = published(space, "tutor/v1", given_, steps)
    (axis,) = coverage(space.store, address, axes=["difficulty"], embeddings=False).axes
    assert "measured column `answer_words`" in axis.how
    assert [value.rows for value in axis.values] == pytest.approx([33, 33, 33], abs=1)
