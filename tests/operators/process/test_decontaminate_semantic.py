"""Rows that ask an evaluation item in other words are found, wherever in the row; others are not."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.base import Decisions
from dagster_project.operators.kernels import nearest_vectors
from dagster_project.operators.kernels.nearest_vectors import nearest_items
from dagster_project.operators.kernels.text_windows import overlapping_windows, word_counts
from dagster_project.operators.kernels.vector_leaders import MOST_PAIRS, STEPS, whole_numbers
from dagster_project.operators.models import sentence_embeddings
from dagster_project.operators.models.sentence_embeddings import MOST_TOKENS
from dagster_project.operators.process import decontaminate_semantic
from dagster_project.operators.process.decontaminate_semantic import DecontaminateSemantic
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.contamination import contamination
from dagster_project.workspace import VersionName

pytest.importorskip("onnxruntime")

ITEMS = [
    "Maria bakes 24 muffins every morning. She eats 3 of them and sells the rest for $2 each. How "
    "many dollars does she earn in a day?",
    "A train travels 60 miles in the first hour and 45 miles in the second. What is its average "
    "speed over the two hours?",
    "Which gas do plants take in from the air during photosynthesis?",
    "Write a Python function that returns the longest word in a sentence.",
    "What is the name of the treaty that ended the First World War?",
    "A rope of 18 meters is cut into pieces of 3 meters. How many cuts are needed?",
]
REPHRASED = [
    "Each morning, Maria makes 24 muffins. If 3 of them are eaten by her and the others are sold at "
    "$2 apiece, what does she make per day in dollars?",
    "In its first hour a train covers 60 miles, in its second hour 45 miles. How fast was it on "
    "average during these two hours?",
    "During photosynthesis, what gas is absorbed from the air by plants?",
    "Create a function in Python which finds the longest word of a given sentence and returns it.",
    "What was the treaty called by which World War I came to an end?",
    "How many times must you cut an 18 meter rope to divide it into 3 meter pieces?",
]
OTHERS = [
    "Why is the sky blue?",
    "Tom buys 4 notebooks for $3 each and pays with a $20 bill. How much change does he get?",
    "A car uses 8 liters of fuel for 100 kilometers. How much does it use for 350 kilometers?",
    "Which planet of the solar system has the most moons?",
    "Write a Python function that checks whether a number is prime.",
    "Who was the first president of the United States?",
    "How many apples do you need for a pie of 30 centimeters?",
]
BEFORE = (
    "The old harbor was quiet that evening, and only a few gulls were crying above the boats. My uncle "
    "had promised to show me how fishermen mend their nets, but he had forgotten it, as he forgot most "
    "of what he promised. So I sat on the wall and waited for the lamps to be lit. "
)
AFTER = (
    " Later the wind turned, and we walked home along the cliffs, where the grass was wet. Nobody said "
    "much. In the kitchen my aunt had left bread and soup on the table for us, and a letter that had "
    "come from the city, with a stamp none of us had ever seen before."
)


@pytest.fixture(autouse=True)
def _embedded_once(monkeypatch) -> None:
    """Each text is embedded once in all tests; its vector does not depend on the others."""
    real = sentence_embeddings.embed

    def remembered(texts: pl.Series) -> np.ndarray:
        new = texts.filter(~texts.is_in(list(_VECTORS))).unique(maintain_order=True)
        _VECTORS.update(zip(new, real(new), strict=True))
        return np.array([_VECTORS[text] for text in texts], np.float32).reshape(-1, 384)

    monkeypatch.setattr(sentence_embeddings, "embed", remembered)


_VECTORS: dict[str, np.ndarray] = {}


def operator(items: list[str | None] = ITEMS, **options) -> DecontaminateSemantic:  # pyright: ignore
    """Ready to compare with an exam, whose items have the numbers 100, 101 and so on."""
    chosen = DecontaminateSemantic.model_validate(
        {"columns": ["text"], "against": {"exam": ["question"]}, **options}
    )
    rows = {"row": range(100, 100 + len(items)), "question": items}
    exam = pl.DataFrame(rows, {"row": pl.Int64, "question": pl.String})
    return chosen.prepared(dict.fromkeys(chosen.against, exam), {})


def decide(
    chosen: DecontaminateSemantic, frame: pl.DataFrame | list, cuts: Sequence[int] = ()
) -> Decisions:
    """What is decided about rows that come in batches, cut at some positions."""
    frame = frame if isinstance(frame, pl.DataFrame) else frame_of(frame)
    columns = chosen.columns(frame.schema)
    bounds = [0, *sorted(min(cut, frame.height) for cut in cuts), frame.height]
    parts = [frame[start:end].select(**columns) for start, end in pairwise(bounds)]
    relation = pl.concat(parts).with_row_index("row").cast({"row": pl.UInt64})
    return chosen.decide(
        relation,
        lambda rows, columns: frame[rows.cast(pl.Int64)].select(  # pyright: ignore
            rows.alias("row"), **columns(frame.schema)
        ),
    )


def frame_of(texts: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"text": texts}, {"text": pl.String})


def goes(decided: Decisions) -> dict[int, int]:
    """The rows that go, and the item that each is like."""
    return {row: other - 100 for row, other in decided.removed.select("row", "survivor").rows()}


def test_rephrased_items_go_and_other_questions_stay() -> None:
    decided = decide(operator(), REPHRASED + OTHERS)
    assert goes(decided) == {row: row for row in range(len(ITEMS))}
    assert set(decided.removed["reference"]) == {"exam"}
    assert set(decided.removed["threshold"]) == {"< 0.8"}
    assert decided.annotations is not None and decided.pairs is not None
    marks = decided.annotations
    assert marks["contaminated"].to_list() == [True] * 6 + [False] * 7
    assert marks["contaminated_by"][3] == "exam:103"
    assert (marks["contamination"][:6] >= 0.8).all() and (marks["contamination"][6:] < 0.8).all()
    assert (decided.pairs["similarity"] >= 0.7).all()
    whole = decide(operator(windows=False), REPHRASED)
    assert whole.pairs is not None
    assert whole.pairs.sort("row")["matched"].to_list() == [text[:300] for text in REPHRASED]


def test_rows_stay_where_they_are_only_marked() -> None:
    decided = decide(operator(remove=False, prefix="exam_"), [REPHRASED[0], OTHERS[0]])
    assert decided.removed.is_empty()
    assert decided.annotations is not None
    assert decided.annotations["exam_contaminated"].to_list() == [True, False]
    assert decided.annotations["exam_contaminated_by"].to_list() == ["exam:100", None]
    assert decided.annotations["exam_contamination"][1] == 0


def test_a_row_as_similar_as_the_threshold_goes() -> None:
    at = decide(operator(), REPHRASED[:1]).removed["similarity"][0]
    assert at == round(at, 4)
    assert goes(decide(operator(threshold=at), REPHRASED[:1])) == {0: 0}
    above = decide(operator(threshold=at + 0.0001), REPHRASED[:1])
    assert goes(above) == {}
    assert above.pairs is not None and above.pairs["similarity"].to_list() == [at]
    kept = decide(operator(threshold=0.99, recorded_from=0.985), REPHRASED[:1])
    assert kept.pairs is not None and kept.pairs.is_empty()


def test_an_item_in_the_middle_of_a_long_text_is_found_by_windows() -> None:
    rows: list = [BEFORE + text + AFTER for text in REPHRASED] + [BEFORE + OTHERS[0] + AFTER]
    decided = decide(operator(), rows)
    assert goes(decided) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
    assert decided.pairs is not None
    best = decided.pairs.sort("similarity", descending=True).unique("row", keep="first")
    for row, matched in best.select("row", "matched").iter_rows():
        words = set(REPHRASED[row].split())
        assert matched in rows[row]
        assert len(words & set(matched.split())) > len(words) / 2
    assert goes(decide(operator(windows=False), rows)) == {}


def test_an_item_beyond_what_the_model_reads_of_a_text_is_found() -> None:
    before = (BEFORE + AFTER) * 3
    assert sentence_embeddings.tokens_read(pl.Series([before]))["tokens"][0] > MOST_TOKENS
    assert goes(decide(operator(), [before + "\n" + REPHRASED[0]])) == {0: 0}


def test_each_message_of_some_roles_is_compared() -> None:
    def chat(*said: tuple[str | None, str | None]) -> list[dict[str, str | None]]:
        return [{"role": role, "content": content} for role, content in said]

    chats = [
        chat(("user", "Good morning!"), ("assistant", "Hello."), ("user", REPHRASED[1])),
        chat(("system", REPHRASED[1]), ("user", "Good morning!")),
        chat(("user", "Ask me something."), ("assistant", REPHRASED[1])),
        chat((None, None), ("user", None), ("user", "")),
        [None],
        None,
        [],
    ]
    kind = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    frame = pl.DataFrame({"m": chats}, {"m": kind})
    assert goes(decide(operator(columns=["m"]), frame)) == {0: 1, 2: 1}
    assert goes(decide(operator(columns=["m"], roles=["user"]), frame)) == {0: 1}
    without = frame.select(pl.col("m").list.eval(pl.struct(pl.element().struct.field("content"))))
    assert goes(decide(operator(columns=["m"]), without)) == {0: 1, 1: 1, 2: 1}


def test_columns_of_text_are_compared_by_themselves_and_together() -> None:
    task = "Give three synonyms of the word.\nhappy"
    frame = pl.DataFrame(
        {
            "prompt": ["Name three words with the same meaning as this:", REPHRASED[4], None],
            "input": ["happy", AFTER, None],
        }
    )
    options = {"windows": False, "threshold": 0.75}
    both = operator([task, ITEMS[4]], columns=["prompt", "input"], **options)
    decided = decide(both, frame)
    assert goes(decided) == {0: 0, 1: 1}
    assert decided.pairs is not None
    assert decided.pairs.sort("row")["matched"][0] == "\n".join(frame.row(0))
    for name in frame.columns:
        assert goes(decide(operator([task], columns=[name], **options), frame)) == {}


def test_only_rows_with_the_numbers_of_an_item_go_if_wanted() -> None:
    rows = [
        REPHRASED[0],
        REPHRASED[0].replace("24", "36"),
        REPHRASED[0] + " Her 1,000 guests like them.",
        REPHRASED[2],
    ]
    assert goes(decide(operator(), rows)) == {0: 0, 1: 0, 2: 0, 3: 2}
    decided = decide(operator(same_numbers=True), rows)
    assert goes(decided) == {0: 0, 2: 0, 3: 2}
    assert decided.pairs is not None and 1 not in decided.pairs["row"]


def test_items_and_rows_that_cannot_be_read_are_counted() -> None:
    items = [ITEMS[0], None, "", "12 + 7 = ?", "Где находится библиотека?", "🍕 🍔 x", "日本語"]
    rows = [*items[1:], "I like 🍕 better than anything else.", "naïve café"]
    decided = decide(operator(items), rows)
    assert goes(decided) == {}
    assert {(name, of): value for name, of, value in decided.metrics} == {
        ("items", "exam"): 7,
        ("items_not_checked", "exam"): 6,
        ("items_found", "exam"): 0,
        ("rows_found", "exam"): 0,
        ("rows_not_readable", None): 3,
        ("pairs_not_stored", None): 0,
    }


def test_each_reference_is_counted_by_itself() -> None:
    decided = decide(operator(against={"quiz": ["question"], "exam": ["question"]}), REPHRASED[2:4])
    assert decided.pairs is not None and decided.annotations is not None
    assert sorted(decided.pairs.select("row", "reference", "other").rows()) == [
        (row, name, row + 102) for row in (0, 1) for name in ("exam", "quiz")
    ]
    assert decided.annotations["contaminated_by"].to_list() == ["exam:102", "exam:103"]
    found = [each[1:] for each in decided.metrics if each.name == "items_found"]
    assert found == [("quiz", 2), ("exam", 2)]


@pytest.mark.parametrize("items", [[], [None, "?"]])
def test_without_items_to_compare_with_nothing_goes(items: list) -> None:
    decided = decide(operator(items), [REPHRASED[0], None])
    assert decided.removed.is_empty()
    assert decided.annotations is not None
    assert decided.annotations["contamination"].to_list() == [0, 0]


def test_of_many_items_the_most_similar_are_stored() -> None:
    items: list = [f"{ITEMS[1]} {number}" for number in range(MOST_PAIRS + 5)]
    decided = decide(operator(items), [f"{ITEMS[1]} 7", OTHERS[0]])
    assert decided.pairs is not None and decided.pairs.height == MOST_PAIRS
    assert goes(decided) == {0: 7}
    assert decided.metrics[-1] == ("pairs_not_stored", None, 5)


TEXTS = [None, "", "?", REPHRASED[0], REPHRASED[2], OTHERS[1], BEFORE + REPHRASED[1], "Где?"]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from(TEXTS), max_size=9),
    st.lists(st.integers(0, 9), max_size=3),
    st.sampled_from([1, 500, 2**20]),
)
def test_decisions_do_not_depend_on_where_batches_are_cut(monkeypatch, rows, cuts, at_once) -> None:
    monkeypatch.setattr(decontaminate_semantic, "AT_ONCE", 2**20)
    whole = decide(operator(), rows)
    rephrased = {TEXTS[3]: 0, TEXTS[4]: 2, TEXTS[6]: 1}
    assert goes(whole) == {
        row: rephrased[text] for row, text in enumerate(rows) if text in rephrased
    }
    monkeypatch.setattr(decontaminate_semantic, "AT_ONCE", at_once)
    in_parts = decide(operator(), rows, cuts)
    for name in ("removed", "annotations", "pairs"):
        assert getattr(in_parts, name).equals(getattr(whole, name))
    assert in_parts.metrics == whole.metrics


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_text_is_accounted_for(apply, texts, data) -> None:
    rows = data.draw(st.lists(texts, max_size=4))
    kept, removed = apply(operator(["a b c", ITEMS[0]]), frame_of(rows))
    assert kept.height + removed.height == len(rows)
    assert removed["error"].null_count() == removed.height


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recorded_from": 0.9}, "above `threshold`"),
        ({"threshold": 0}, "greater than 0"),
        ({"columns": []}, "at least 1"),
        ({"against": {}}, "at least 1"),
        ({"variant": "tulu3"}, "not permitted"),
    ],
)
def test_refused(options, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        operator(**options)


def test_a_column_of_numbers_is_refused(apply) -> None:
    with pytest.raises(SeedbedError, match="is Int64, but must be text or chat messages"):
        apply(operator(), pl.DataFrame({"text": [1, 2]}))


def test_a_model_that_is_not_installed_is_named(monkeypatch) -> None:
    def missing(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(sentence_embeddings, "distribution", missing)
    with pytest.raises(ValueError, match=r"need onnxruntime; .*'seedbed\[embeddings\]'"):
        operator()


def test_the_report_tells_what_was_found(space) -> None:
    space.jsonl("exam.jsonl", [{"q": item} for item in ITEMS[:2]])
    space.jsonl("rows.jsonl", [{"text": text} for text in (OTHERS[0], REPHRASED[1])])
    space.recipe(
        "a/v1",
        "inputs: {rows: {files: rows.jsonl}}\nreferences: {exam: {files: exam.jsonl}}\n"
        "steps: [{decontaminate_semantic: {columns: [text], against: {exam: [q]}}}]\n"
        "checks: [contamination: {}]\n",
    )
    assert space.publish("a/v1").blocked_by == []
    (found,) = contamination(space.store, SnapshotAddress(VersionName("a", "v1"))).sets
    assert (found.items, found.items_not_checked, found.items_found, found.rows_found) == (
        2,
        0,
        1,
        1,
    )
    (match,) = found.matches
    assert (match.number, match.item, match.matched) == (1, 1, REPHRASED[1])


@pytest.mark.parametrize("size", [2, 5, 8])
def test_windows_cover_a_text_and_overlap_by_half(size: int) -> None:
    texts = pl.Series(
        ["", "a b", " ".join(f"w{n}" for n in range(21)), "a-b! (ü) 日本\n\nc d e f "]
    )
    found = overlapping_windows(texts, size)
    for place, text in enumerate(texts):
        windows = found.filter(text=place)["window"].to_list()
        words = word_counts(pl.Series([text]))[0]
        assert bool(windows) == (words > size)
        assert word_counts(pl.Series(windows, dtype=pl.String)).to_list() == [size] * len(windows)
        at = [text.index(window) for window in windows]
        assert at == sorted(set(at))
        if windows:
            assert text.strip().startswith(windows[0]) and text.strip().endswith(windows[-1])
            assert len(windows) == -(-(words - size) // (size // 2)) + 1


@pytest.mark.parametrize("block", [4, 1024])
def test_the_nearest_items_are_those_of_a_slow_reading(monkeypatch, block: int) -> None:
    monkeypatch.setattr(nearest_vectors, "_VECTORS", block)
    monkeypatch.setattr(nearest_vectors, "_PRODUCTS", block * 7)
    generator = np.random.default_rng(block)
    drawn = generator.normal(size=(120, 8))
    unit = whole_numbers(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
    vectors, items = unit[:70], unit[70:]
    ends = np.sort(np.append(generator.integers(0, 70, 30), 70)).astype(np.int64)
    found = nearest_items(vectors, ends, items, 0.2)
    as_floats = unit.astype(np.float64)
    as_floats /= np.linalg.norm(as_floats, axis=1, keepdims=True)
    start = 0
    for row, end in enumerate(ends):
        alike = as_floats[start:end] @ as_floats[70:].T
        best = np.rint(alike.max(axis=0, initial=-1) * STEPS) / STEPS
        order = np.argsort(-best, kind="stable")
        expected = order[best[order] >= 0.2]
        assert found.counts[row] == len(expected)
        told = found.items[row][found.items[row] >= 0]
        assert told.tolist() == expected[:MOST_PAIRS].tolist()
        assert found.similarities[row][: len(told)] == pytest.approx(best[told])
        for item, which in zip(told, found.vectors[row], strict=False):
            assert alike[which, item] == pytest.approx(alike[:, item].max())
        start = end
