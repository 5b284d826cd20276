"""Trains the fixed models on each contestant's rows, at equal budgets, and scores them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from dagster_project.arena.probes import Embed, EmbeddingMap, LanguageModel, Probe
from dagster_project.arena.small_vocabulary import tokenized
from dagster_project.arena.told_scores import Told
from dagster_project.arena.trainer import Trainer, TrainingFailed
from dagster_project.operators.curate.splitmix64 import numbers, start

Kind = Literal["all", "rows", "tokens"]
QuickModel = Literal["language_model", "embedding_map"]

RESULTS = pl.Schema(
    {
        "contestant": pl.String,
        "drawn": pl.String,
        "budget": pl.String,
        "amount": pl.Int64,
        "seed": pl.Int64,
        "rows": pl.Int64,
        "tokens": pl.Int64,
        "model": pl.String,
        "item": pl.Int64,
        "score": pl.Float64,
        "standard_error": pl.Float64,
    }
)
"""One score of one contestant: which rows it was (`drawn`: all, random or longest), how much
(`budget`: all, rows or tokens, and the `amount`), the draw's seed, what that came to, the model, the
held-out row (`item`; below 0 it is one of a trainer's own evaluation, or that as a whole, perhaps with
its standard error). More is better."""


@dataclass(frozen=True)
class Entry:
    """Rows that compete.

    Attributes:
        name: of the contestant.
        pairs: `prompt` and `answer` of all its rows.
        drawn: how a budget's worth of them is chosen: at random, once for each seed, or the longest.
    """

    name: str
    pairs: pl.DataFrame
    drawn: Literal["random", "longest"] = "random"


def contest(
    entries: Sequence[Entry],
    held_out: pl.DataFrame,
    budgets: Sequence[tuple[Kind, int]],
    seeds: int,
    models: Sequence[QuickModel],
    embed: Embed,
    trainers: Mapping[str, Trainer] | None = None,
) -> Iterator[pl.DataFrame]:
    """`RESULTS` of each entry, one frame for each training.

    Args:
        entries: who competes.
        held_out: the evaluation, as `pairs` gives it.
        budgets: `rows` or `tokens` that each entry may train on, or `all`.
        seeds: draws of rows, for entries that are drawn at random.
        models: which of those that are trained in seconds.
        embed: gives vectors of length 1.
        trainers: what else is trained, by the model's name; one that tells several metrics is
            `name.metric`.

    Raises:
        TrainingFailed: when a trainer fails.
    """
    probes: Mapping[str, Probe] = {
        "language_model": LanguageModel(),
        "embedding_map": EmbeddingMap(embed),
    }
    known = {**{name: probes[name] for name in models}, **(trainers or {})}
    for entry in entries:
        tokens = _tokens(entry.pairs)
        for kind, amount in budgets:
            once = kind == "all" or entry.drawn == "longest"
            for name, model in known.items():
                draws = 1 if once else seeds
                if isinstance(model, Trainer):
                    draws = model.seeds or seeds  # its training is random too
                for seed in range(draws):
                    chosen = _chosen(entry, tokens, kind, amount, seed)
                    train = entry.pairs[chosen]
                    spent = int(tokens[chosen].sum() or 0)
                    for label, told in _scored(
                        name, model, train, held_out, seed, f"contestant {entry.name}"
                    ):
                        yield pl.DataFrame(
                            {
                                "contestant": entry.name,
                                "drawn": "all" if kind == "all" else entry.drawn,
                                "budget": kind,
                                "amount": amount,
                                "seed": seed,
                                "rows": train.height,
                                "tokens": spent,
                                "model": label,
                                "item": told.items,
                                "score": told.scores,
                                "standard_error": told.standard_error,
                            },
                            schema=RESULTS,
                        )


def _scored(
    name: str,
    model: Probe | Trainer,
    train: pl.DataFrame,
    held_out: pl.DataFrame,
    seed: int,
    whose: str,
) -> Iterator[tuple[str, Told]]:
    if not isinstance(model, Trainer):
        scores = model.scores(train, held_out)
        yield name, Told(np.arange(len(scores)), scores)
        return
    try:
        found = model.scores(train, held_out, seed)
    except TrainingFailed as error:
        raise TrainingFailed(f"{whose}: {error}") from error
    for metric, told in found.items():
        yield name if len(found) == 1 else f"{name}.{metric}", told


def _tokens(rows: pl.DataFrame) -> pl.Series:
    prompts, answers = (
        np.diff(tokenized(rows[name].to_list())[1]) for name in ("prompt", "answer")
    )
    return pl.Series(prompts + answers, dtype=pl.Int64)


def _chosen(entry: Entry, tokens: pl.Series, kind: Kind, amount: int, seed: int) -> pl.Series:
    """The rows that a budget buys, in their own order."""
    positions = pl.int_range(entry.pairs.height, dtype=pl.UInt32, eager=True)
    if kind == "all":
        return positions
    if entry.drawn == "longest":
        order = tokens.arg_sort(descending=True)
    else:
        order = numbers(start("arena", seed), positions).arg_sort()
    if kind == "rows":
        return order.head(amount).sort()
    return order.filter(tokens.gather(order).cum_sum() <= amount).sort()
