"""Relevance: whether rows are about a task, as it is described or exemplified."""

from __future__ import annotations

import numpy as np
import polars as pl

from dagster_project.engine.profile.judged_rows import JudgedRows
from dagster_project.engine.profile.profiled_rows import SaidRows
from dagster_project.engine.profile.text_vectors import Method, best_method, vectors
from dagster_project.engine.profile.trait import Thresholds, Trait, measure, share_of_rows, trait

OFF_TOPIC = Thresholds(0.05, 0.2)
MOST_ROWS = {"embeddings": 1_000, "words": 20_000}
"""Rows whose relevance is told: embeddings take some 8 ms a text."""
MOST_EXAMPLES = 500
FEWEST_EXAMPLES = 3
DEVIATIONS = 3
LEAST_MARGIN = 0.25
"""How much less like any example a row may be than the median example is like another one: so many
robust deviations (1.4826 times the median absolute one), and at least so much in cosine."""
NEARER = 0.05
"""By how much something else must be nearer than the task."""
KIN = 0.3
"""From which similarity to the task on a subject is no other one."""

SUBJECTS = (
    "cooking and recipes",
    "football and other sports",
    "astronomy and space",
    "medicine and illness",
    "law and courts",
    "money, banking and investment",
    "history and wars",
    "politics and elections",
    "music and concerts",
    "films and television",
    "travel and holidays",
    "gardening and plants",
    "animals and pets",
    "religion and philosophy",
    "fashion and clothing",
    "cars and traffic",
    "mathematics",
    "computer programming",
    "chemistry and physics",
    "family and relationships",
    "poems and stories",
    "grammar and foreign languages",
    "advertising and shopping",
    "weather and climate",
)
"""What rows may be about instead."""


def relevance(
    judged: JudgedRows, task: str | None = None, examples: SaidRows | None = None
) -> tuple[Trait, pl.DataFrame]:
    """Rows that are about something else.

    Args:
        judged: the rows.
        task: in words.
        examples: rows of it.

    Returns:
        The trait; and `row_id` and `relevance`, a cosine, of the rows that were looked at.
    """
    if task is None and examples is None:
        nothing = pl.DataFrame(schema={"row_id": pl.Int64, "relevance": pl.Float64})
        how = "say what rows are for, with --task TEXT or --examples FILE|VERSION"
        return trait("relevance", (), [how]), nothing
    method = best_method()
    drawn = judged.sample(MOST_ROWS[method])
    about = drawn["instruction" if judged.rows.parts.has_prompts else "text"]
    if examples is not None:
        given = examples.sample(MOST_EXAMPLES, judged.seed)
        shown = given["instruction" if examples.parts.has_prompts else "text"]
        if task is not None:
            shown = pl.concat([shown, pl.Series(shown.name, [task])])
        likeness, off, bound = _by_examples(about, shown, method)
    else:
        assert task is not None
        likeness, off, bound = _by_subjects(about, task, method)
    scores = drawn.select("row_id", relevance=pl.Series(likeness).cast(pl.Float64).round(4))
    rows = scores.filter(pl.Series(off)).sort("relevance", "row_id")["row_id"]
    mend = "filter_quality or classify_texts with examples of both kinds; or other sources"
    figures = [
        share_of_rows("off topic", rows, drawn.height, mend, OFF_TOPIC),
        measure("median likeness", float(np.median(likeness)) if len(likeness) else None),
    ]
    notes = [f"off topic is {bound}", f"told of {drawn.height:,} rows, by {_how(method)}"]
    return trait("relevance", figures, notes), scores


def _by_examples(
    about: pl.Series, shown: pl.Series, method: Method
) -> tuple[np.ndarray, np.ndarray, str]:
    """How like each row is to the example that it is most like; the bound is what examples are to each
    other."""
    rows, given = vectors([about, shown], method)
    likeness = _most(rows, given)
    among = given @ given.T
    np.fill_diagonal(among, -1.0)
    bound = 0.0
    if len(given) >= FEWEST_EXAMPLES:
        nearest = among.max(axis=1)
        median = np.median(nearest)
        spread = 1.4826 * np.median(np.abs(nearest - median))
        bound = max(float(median - max(DEVIATIONS * spread, LEAST_MARGIN)), 0.0)
    return (
        likeness,
        (likeness < bound) | (likeness <= 0),
        f"less like any of {len(shown):,} examples than they are like each other (cosine < {bound:.2f})",
    )


def _by_subjects(about: pl.Series, task: str, method: Method) -> tuple[np.ndarray, np.ndarray, str]:
    """How like each row is to the task; off topic is what is more like another subject."""
    if method == "words":
        rows, wanted = vectors([about, pl.Series([task])], method)
        likeness = _most(rows, wanted)
        return likeness, likeness <= 0, "without any word of the task that several rows have"
    rows, wanted, others = vectors([about, pl.Series([task]), pl.Series(SUBJECTS)], method)
    others = others[(others @ wanted[0]) < KIN]
    likeness = _most(rows, wanted)
    elsewhere = _most(rows, others)
    return (
        likeness,
        elsewhere > likeness + NEARER,
        f"nearer, by {NEARER} in cosine, to one of {len(others)} other subjects than to the task",
    )


def _most(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (rows @ others.T).max(axis=1) if len(others) else np.full(len(rows), -1.0)


def _how(method: Method) -> str:
    if method == "embeddings":
        return "embeddings of what they ask or say (English)"
    return "words in common (`pip install 'seedbed[embeddings]'` tells by meaning)"
