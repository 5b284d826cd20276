"""Quality filters beside datatrove's: which texts each rule keeps here and there, and what it costs.

`python -m benchmarks.filter_parity --datatrove PYTHON [--repeats 3] CORPUS.jsonl`; PYTHON is an
interpreter that has datatrove and spaCy, each line of the corpus an object with a field `text`. Rules
are compared one at a time, with all others off, and then together with the defaults of both. CPU
seconds are those of each filter alone, within a process, after imports and compilation; and those of
whole processes that read the corpus, run both Gopher filters and write what stays.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

from benchmarks.building import program
from benchmarks.measuring import (
    PEERS,
    Measured,
    Program,
    alternate,
    machine,
    measure,
    spread,
    table,
    warm,
)
from benchmarks.peering import datatrove, halved
from dagster_project.operators.base import RowOperator
from dagster_project.operators.process.filter_c4 import FilterC4
from dagster_project.operators.process.filter_fineweb import FilterFineweb
from dagster_project.operators.process.filter_gopher_quality import FilterGopherQuality
from dagster_project.operators.process.filter_gopher_repetition import FilterGopherRepetition

PEER = str(PEERS / "datatrove_filters.py")

STEPS = """\
filter_gopher_quality: {column: text}
filter_gopher_repetition: {column: text}"""

OPERATORS: list[type[RowOperator]] = [
    FilterGopherQuality,
    FilterGopherRepetition,
    FilterFineweb,
    FilterC4,
]

PEER_OFF: dict[str, dict[str, Any]] = {
    "filter_gopher_quality": {
        "min_doc_words": None,
        "max_doc_words": None,
        "min_avg_word_length": None,
        "max_avg_word_length": None,
        "max_symbol_word_ratio": None,
        "max_bullet_lines_ratio": None,
        "max_ellipsis_lines_ratio": None,
        "max_non_alpha_words_ratio": None,
        "min_stop_words": None,
    },
    "filter_gopher_repetition": {
        "dup_line_frac": None,
        "dup_para_frac": None,
        "dup_line_char_frac": None,
        "dup_para_char_frac": None,
        "top_n_grams": [],
        "dup_n_grams": [],
    },
    "filter_fineweb": {
        "line_punct_thr": -1,
        "short_line_thr": 2,
        "char_duplicates_ratio": 2,
        "new_line_ratio": 1e9,
    },
    "filter_c4": {
        "filter_lorem_ipsum": False,
        "filter_curly_bracket": False,
        "min_num_sentences": -1,
    },
}
"""What switches all rules of a datatrove filter off."""

SAME: dict[str, dict[tuple[str, ...], dict[str, Any]]] = {
    "filter_gopher_quality": {
        ("min_words",): {"min_doc_words": 50},
        ("max_words",): {"max_doc_words": 100_000},
        ("min_mean_word_length",): {"min_avg_word_length": 3},
        ("max_mean_word_length",): {"max_avg_word_length": 10},
        ("max_hashes_per_word", "max_ellipses_per_word"): {"max_symbol_word_ratio": 0.1},
        ("max_bullet_lines",): {"max_bullet_lines_ratio": 0.9},
        ("max_ellipsis_lines",): {"max_ellipsis_lines_ratio": 0.3},
        ("min_alphabetic_words",): {"max_non_alpha_words_ratio": 0.8},
        ("min_stop_words",): {"min_stop_words": 2},
    },
    "filter_gopher_repetition": {
        ("max_copied_paragraphs",): {"dup_para_frac": 0.3},
        ("max_copied_paragraph_characters",): {"dup_para_char_frac": 0.2},
        ("max_copied_lines",): {"dup_line_frac": 0.3},
        ("max_copied_line_characters",): {"dup_line_char_frac": 0.2},
        **{
            (f"max_top_{n}gram_characters",): {"top_n_grams": [[n, share]]}
            for n, share in ((2, 0.2), (3, 0.18), (4, 0.16))
        },
        **{
            (f"max_copied_{n}gram_characters",): {"dup_n_grams": [[n, share]]}
            for n, share in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
        },
    },
    "filter_fineweb": {
        ("min_punctuated_lines",): {"line_punct_thr": 0.12},
        ("max_short_lines",): {"short_line_thr": 0.67},
        ("max_copied_line_characters",): {"char_duplicates_ratio": 0.01},
        ("max_newlines_per_word",): {"new_line_ratio": 0.3},
    },
    "filter_c4": {
        ("max_lorem_ipsum_lines",): {"filter_lorem_ipsum": True},
        ("max_curly_bracket_lines",): {"filter_curly_bracket": True},
        ("min_sentences",): {"min_num_sentences": 5},
    },
}
"""Rules here, and the arguments of datatrove that mean the same."""


def here(operator: RowOperator, frame: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    """`text` as it becomes and a Boolean column for each rule; CPU seconds."""
    operator_runs(operator, frame[:1])  # compiles
    started = time.process_time()
    judged = operator_runs(operator, frame)
    return judged, time.process_time() - started


def operator_runs(operator: RowOperator, frame: pl.DataFrame) -> pl.DataFrame:
    """Annotate, edit, judge."""
    rows = frame.with_columns(**operator.annotations(frame.schema))
    rows = rows.with_columns(**operator.edits(rows.schema))
    verdicts = {rule.name: rule.keep.fill_null(False) for rule in operator.rules(rows.schema)}
    return rows.select("text", **verdicts)


def alone(corpus: Path) -> None:
    """Run each filter once, and print its CPU seconds."""
    frame = texts_of(corpus)
    print(json.dumps({kind.operator_name(): here(default(kind), frame)[1] for kind in OPERATORS}))


def default(kind: type[RowOperator]) -> RowOperator:
    """The operator, with its defaults."""
    return kind.model_validate({"column": "text"})


def texts_of(corpus: Path) -> pl.DataFrame:
    """The column `text`."""
    return pl.scan_ndjson(corpus).select(pl.col("text").cast(pl.String)).collect()


def there(corpus: Path, python: str) -> dict[str, dict[str, dict[str, Any]]]:
    """What datatrove keeps, by filter and rule."""
    asked: dict[str, dict[str, dict[str, Any]]] = {
        name: {
            "all": {},
            **{" ".join(ours): {**PEER_OFF[name], **theirs} for ours, theirs in rules.items()},
        }
        for name, rules in SAME.items()
    }
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        measure(Program([PEER, str(corpus), json.dumps(asked), out.name], python))
        return json.load(out)


def run(corpus: Path, repeats: int, python: str, differences: int) -> None:
    """Compare, and print the tables.

    Args:
        corpus: JSONL with `text`.
        repeats: runs of each program that is timed.
        python: interpreter that has datatrove.
        differences: texts to show for each rule.
    """
    frame = texts_of(corpus)
    letters = frame["text"].str.len_chars().sum()
    title = f"{frame.height:,} texts, {letters:,} characters"
    with tempfile.TemporaryDirectory() as name:
        runs, alones = timed(frame, repeats, Path(name), python)
    table(f"Both Gopher filters, {title}", runs, "Seedbed")
    print(f"\n### Filters alone, CPU s, {repeats} runs\n")
    print("| filter | Seedbed | datatrove | datatrove ÷ Seedbed |\n|---|---:|---:|---:|")
    for kind in OPERATORS:
        filtering = kind.operator_name()
        ours, theirs = (
            [taken.printed[filtering] for taken in alones[side]]
            for side in ("Seedbed", "datatrove")
        )
        times = median(theirs) / median(ours)
        print(f"| {filtering} | {spread(ours, 3)} | {spread(theirs, 3)} | {times:.1f} |")
    print(f"\n### Parity of filters, {title}\n")
    parity(frame, there(corpus, python), differences)


def timed(
    frame: pl.DataFrame, repeats: int, folder: Path, python: str
) -> tuple[dict[str, list[Measured]], dict[str, list[Measured]]]:
    """Runs of whole processes, and of processes that tell what each filter takes alone."""
    corpus, few = folder / "texts.jsonl", folder / "few.jsonl"
    rows = frame.select(pl.int_range(pl.len()).cast(pl.String).alias("id"), "text")
    rows.write_ndjson(corpus)
    rows[:50].write_ndjson(few)
    for programs in (whole, single):
        warm(programs(few, folder, python))
    return (
        alternate(whole(corpus, folder, python), repeats),
        alternate(single(corpus, folder, python), repeats),
    )


def whole(corpus: Path, folder: Path, python: str) -> dict[str, Program]:
    """Processes that read the corpus, run both Gopher filters and write what stays."""
    steps = [("GopherQualityFilter", {}), ("GopherRepetitionFilter", {})]
    parts = halved(corpus, folder / f"parts-{corpus.stem}")
    return {
        "Seedbed": program(corpus, STEPS, folder / "seedbed"),
        "datatrove": datatrove(parts, steps, folder / "datatrove", python),
    }


def single(corpus: Path, folder: Path, python: str) -> dict[str, Program]:
    """Processes that tell what each filter takes alone."""
    defaults = json.dumps({kind.operator_name(): {"all": {}} for kind in OPERATORS})
    return {
        "Seedbed": Program(["-m", "benchmarks.filter_parity", "--alone", str(corpus)]),
        "datatrove": Program([PEER, str(corpus), defaults, str(folder / "alone.json")], python),
    }


def parity(
    frame: pl.DataFrame, peer: dict[str, dict[str, dict[str, Any]]], differences: int
) -> None:
    """Print which texts each rule keeps here and there."""
    print("| filter | rule | kept by both | only here | only there | Jaccard |")
    print("|---|---|---:|---:|---:|---:|")
    shown: list[str] = []
    for kind in OPERATORS:
        name = kind.operator_name()
        judged, _ = here(default(kind), frame)
        rules = judged.columns[1:]
        for asked, answer in peer[name].items():
            names: Sequence[str] = rules if asked == "all" else asked.split()
            verdict = judged.select(pl.all_horizontal(names)).to_series()
            ours, theirs = set(verdict.arg_true().to_list()), set(answer["kept"])
            both, either = len(ours & theirs), len(ours | theirs)
            print(
                f"| {name} | {', '.join(names) if asked != 'all' else 'all'} | {both:,} "
                f"| {len(ours - theirs):,} | {len(theirs - ours):,} "
                f"| {both / either if either else 1:.4f} |"
            )
            for number in sorted(ours ^ theirs)[:differences]:
                side = "here" if number in ours else "there"
                shown.append(
                    f"{name} {asked}, line {number + 1}, kept only {side}: "
                    f"{frame['text'][number][:160]!r}"
                )
            if answer["texts"] is not None:
                pairs = zip(answer["kept"], answer["texts"], strict=True)
                alike = [judged["text"][number] == text for number, text in pairs if number in ours]
                shown.append(
                    f"{name}: {sum(alike):,} of {len(alike):,} texts kept by both are equal"
                )
    print("", *shown, sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--datatrove", metavar="PYTHON")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--differences", type=int, default=0, help="texts to show for each rule")
    parser.add_argument("--alone", action="store_true", help="time each filter once, here")
    given = parser.parse_args()
    if given.alone:
        alone(given.corpus)
    elif given.datatrove:
        print(machine())
        run(given.corpus, given.repeats, given.datatrove, given.differences)
    else:
        parser.error("give --datatrove, an interpreter that has datatrove and spaCy")
