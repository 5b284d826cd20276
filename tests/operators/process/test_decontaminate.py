"""Rows that hold items of evaluation sets are found, whatever stands around them; templates are not."""

from __future__ import annotations

import random
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.kernels.ngrams import item_ngrams, shared_ngrams
from dagster_project.operators.process.decontaminate import Decontaminate
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.contamination import NotCompared, contamination
from dagster_project.warehouse.why import why
from dagster_project.workspace import VersionName

NAME = VersionName("a", "v1")
WORDS = [f"word{number}" for number in range(500)]


def decide(rows: list[str | None], items: list[str], **options):
    """What is decided about rows: those that go with their share, and all pairs."""
    operator = Decontaminate.model_validate(
        {"columns": ["text"], "against": {"exam": ["question"]}, **options}
    )
    reference = pl.DataFrame({"row": range(100, 100 + len(items)), "question": items})
    operator = operator.prepared({"exam": reference.cast({"row": pl.Int64})}, {})
    frame = pl.DataFrame({"text": rows}, schema={"text": pl.String})
    number = pl.int_range(pl.len(), dtype=pl.UInt64).alias("row")
    relation = frame.select(number, **operator.columns(frame.schema))

    def fetch(wanted, columns):
        return frame[wanted.cast(pl.Int64)].select(wanted.alias("row"), **columns(frame.schema))

    return operator.decide(relation, fetch)


def sentence(generator: random.Random, words: int) -> list[str]:
    return [generator.choice(WORDS) for _ in range(words)]


def slow_share(row: str, item: str, size: int) -> float:
    """Tülu 3's share of an item's tokens, the slow way."""
    here, there = row.split(), item.split()
    grams = {tuple(here[at : at + size]) for at in range(len(here) - size + 1)}
    covered = set()
    for at in range(len(there) - size + 1):
        if tuple(there[at : at + size]) in grams:
            covered |= set(range(at, at + size))
    return len(covered) / len(there) if there else 0.0


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_the_share_is_that_of_a_slow_reading(seed: int) -> None:
    generator = random.Random(seed)
    items = [" ".join(generator.choices("abcd", k=generator.randrange(20))) for _ in range(4)]
    rows = [" ".join(generator.choices("abcd", k=generator.randrange(40))) for _ in range(6)]
    found = decide(rows, items, recorded_from=0.0001, common_items=9, common_rows=99)
    told = {
        (row, other - 100): share
        for row, other, share in found.pairs.select("row", "other", "similarity").iter_rows()
    }
    for row, text in enumerate(rows):
        shares = [slow_share(text, item, 8) for item in items]
        for item, share in enumerate(shares):
            assert told.get((row, item), 0.0) == pytest.approx(share, abs=1e-6)
        assert (row in found.removed["row"]) == (max(shares) > 0.5)


def test_verbatim_and_edited_items_go_with_the_text_that_shows_it() -> None:
    generator = random.Random(1)
    item = sentence(generator, 40)
    edited = [*item[:25], "edited", *item[26:]]
    before, after = sentence(generator, 30), sentence(generator, 30)
    rows = [
        " ".join(before + item + after),
        "«" + " ".join(edited).upper().replace(" ", ",\n") + "»",
        " ".join(item[:15] + after),
        " ".join(before),
        None,
        "",
    ]
    found = decide(rows, [" ".join(sentence(generator, 30)), " ".join(item)])
    assert found.removed["row"].to_list() == [0, 1]
    assert found.removed["similarity"].to_list() == [1.0, 0.975]
    assert found.removed["survivor"].to_list() == [101, 101]
    assert found.removed["reference"].to_list() == ["exam", "exam"]
    matched = dict(found.pairs.select("row", "matched").iter_rows())
    assert matched[0] == " ".join(item)[:300]
    assert matched[1] == ",\n".join(edited[:25]).upper()
    assert matched[2] == " ".join(item[:15])
    assert found.annotations["contamination"].to_list() == [1.0, 0.975, 0.375, 0, 0, 0]
    assert found.annotations["contaminated_by"].to_list() == ["exam:101"] * 3 + [None] * 3
    assert found.annotations["contaminated"].to_list() == [True, True] + [False] * 4
    assert {(name, value) for name, _, value in found.metrics} == {
        ("items", 2), ("items_not_checked", 0), ("items_found", 1), ("rows_found", 2),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "shared", "goes"),
    [
        ("tulu3", 20, False),
        ("tulu3", 21, True),
        ("palm", 29, False),
        ("palm", 31, True),
        ("gpt3", 12, False),
        ("gpt3", 13, True),
        ("datatrove", 11, False),
        ("datatrove", 12, True),
    ],
)
def test_each_variant_has_its_own_measure(variant: str, shared: int, goes: bool) -> None:
    item = sentence(random.Random(2), 40)
    found = decide([" ".join(["a", *item[:shared], "b"])], [" ".join(item)], variant=variant)
    assert (found.removed.height == 1) is goes


def test_a_template_makes_no_row_contaminated() -> None:
    generator = random.Random(3)
    template = sentence(generator, 25)
    items = [" ".join(template + sentence(generator, 20)) for _ in range(30)]
    rows = [" ".join(template + sentence(generator, 20)) for _ in range(50)]
    found = decide([*rows, items[4]], items)
    assert found.removed["row"].to_list() == [50], "a template that many items share"
    alone = [" ".join(template + sentence(generator, 30))]
    found = decide([*rows, alone[0]], alone, threshold=0.3)
    assert found.removed["row"].to_list() == [50], "a template that many rows share"
    found = decide([alone[0]] * 60, alone)
    assert found.removed.height == 60, "an item that stands in many rows is no template"


@pytest.mark.parametrize("variant", ["tulu3", "palm", "gpt3", "datatrove"])
def test_a_run_out_of_a_template_into_an_item_does_not_count(variant: str) -> None:
    generator = random.Random(6)
    before, after = sentence(generator, 30), sentence(generator, 30)
    own = [[f"own{number}", *sentence(generator, 4)] for number in range(30)]
    items = [" ".join(before + words * 5 + after) for words in own]
    rows = [" ".join(before + words[:2] + sentence(generator, 30) + after) for words in own]
    found = decide([*rows, " ".join(own[3] * 5)], items, variant=variant)
    assert found.removed["row"].to_list() == [30]
    short = [" ".join(before + words + after) for words in own]
    found = decide([*rows, short[7]], short, variant=variant)
    assert found.removed["row"].to_list() == [30], "too short for a run of its own words alone"


def test_rows_stay_where_they_are_only_marked() -> None:
    item = " ".join(sentence(random.Random(4), 20))
    found = decide([item, "other"], [item], remove=False)
    assert found.removed.is_empty()
    assert found.annotations["contamination"].to_list() == [1.0, 0.0]


def test_items_of_fewer_words_than_a_run_have_no_ngrams() -> None:
    known = item_ngrams(pl.Series(["one two three", None, "a b c d e f g h", ""]), 8, 10)
    assert known.ends.tolist() == [0, 0, 0, 1, 1]
    found = shared_ngrams(pl.Series([None, "x A, B c d e f g h i", "one two three"]), known)
    assert found.to_list() == [[], [0], []]


@pytest.fixture
def exam(space):
    """A recipe with an exam, and its second question in the first row."""
    generator = random.Random(5)
    items = [" ".join(sentence(generator, 20)) for _ in range(3)]
    space.jsonl("exam.jsonl", [{"q": item} for item in items])
    chats = [[{"role": "user", "content": f"Please: {text}"}] for text in (items[1], "hello")]
    space.jsonl("rows.jsonl", [{"messages": chat} for chat in chats])
    space.recipe(
        "a/v1",
        "inputs: {rows: {files: rows.jsonl}}\nreferences: {exam: {files: exam.jsonl}}\n"
        "steps: [{decontaminate: {columns: [messages], against: {exam: [q]}}}]\n"
        "checks: [contamination: {}]\n",
    )
    return space


def test_what_was_found_stands_in_the_snapshot(exam) -> None:
    assert exam.publish("a/v1").blocked_by == []
    with open_snapshot(exam.store, NAME) as connection:
        connection.execute("USE snapshot")
        read = connection.execute(
            "SELECT p.parent_row_id, r.name, p.other_row_id, p.similarity, p.matched, s.contamination "
            "FROM pairs p JOIN reference_inputs r ON r.input = p.other_input "
            "JOIN scores s USING (parent_input, parent_row_id)"
        ).fetchall()
    (asked,) = [row[4] for row in read]
    assert read == [(0, "exam", 1, 1.0, asked, 1.0)]
    assert asked in (exam.root / "exam.jsonl").read_text()


def test_the_report_tells_by_set_and_source_what_was_found(exam) -> None:
    exam.publish("a/v1")
    (found,) = contamination(exam.store, SnapshotAddress(NAME)).sets
    assert (found.reference, found.items, found.items_found, found.rows_found) == ("exam", 3, 1, 1)
    assert found.share_found == pytest.approx(1 / 3)
    assert [source.model_dump() for source in found.sources] == [
        {"source": "rows", "removed": 1, "stayed": 0}
    ]
    (match,) = found.matches
    assert (match.number, match.item, match.share) == (0, 1, 1.0)
    (fate,) = why(exam.store, NAME, "rows:0").fates
    (removal,) = fate.removed
    assert removal.matched == match.matched
    assert removal.survivor is not None and removal.survivor.reference
    assert removal.survivor.record == 1


def test_a_version_that_was_not_compared_is_refused(exam) -> None:
    path = exam.root / "assets" / "a" / "v1.yaml"
    path.write_text(re.sub("(steps|checks): .*\n", "", path.read_text()))
    exam.publish("a/v1")
    with pytest.raises(NotCompared, match="add `decontaminate`"):
        contamination(exam.store, SnapshotAddress(NAME))


def test_a_contaminated_row_that_stays_keeps_a_version_from_being_published(exam) -> None:
    path = exam.root / "assets" / "a" / "v1.yaml"
    recipe = path.read_text()
    path.write_text(recipe.replace("[q]}}", "[q]}, remove: false}"))
    outcome = exam.publish("a/v1")
    assert outcome.blocked_by == ["contamination"]
    assert outcome.results[0].observed == "1 of 2 rows hold an item (50 %)"
    at = SnapshotAddress(NAME, outcome.manifest.snapshot_id)
    (found,) = contamination(exam.store, at).sets
    assert [(each.removed, each.stayed) for each in found.sources] == [(0, 1)]
    path.write_text(re.sub("steps: .*\n", "", recipe))
    outcome = exam.publish("a/v1")
    assert "no step marked rows" in str(outcome.results[0].error)
    assert outcome.blocked_by == ["contamination"]
