"""Scores as a program tells them, in a file, and what of them is believed.

Numbers that are finite, under names that were declared; nothing else is read.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dagster_project.errors import SeedbedError
from dagster_project.recipe.problems import no_such

if TYPE_CHECKING:
    from numpy.typing import NDArray

Direction = Literal["higher", "lower"]
Reads = Literal["scores", "lm_eval"]

FILE = "scores.json"
MOST_BYTES = 256 * 2**20
"""Of a file of scores."""
OWN = -1
"""The first row of a program's own evaluation; the next is one less."""


class ScoresRefused(SeedbedError):
    """Scores that are missing, or are no numbers."""


class WronglyAsked(ScoresRefused):
    """A metric that is declared and not told, or the other way round."""


@dataclass(frozen=True)
class Told:
    """Scores of one training by one metric; more is better.

    Attributes:
        items: held-out rows from 0; below 0, rows of the program's own evaluation, from -1 down.
        scores: one each.
        standard_error: of a score that stands for a whole evaluation, where it is told.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float64]
    standard_error: float | None = None


def gathered(out: Path, reads: Reads) -> bytes:
    """What a program wrote, in the form that `told_scores` reads.

    Args:
        out: the folder that it was to write to.
        reads: `scores` for its own scores.json; `lm_eval` for files of lm-evaluation-harness.

    Raises:
        ScoresRefused: when there is no such file, or it is not JSON.
    """
    if reads == "lm_eval":
        return json.dumps(_of_lm_eval(out)).encode()
    return json.dumps(_json(out / FILE)).encode()


def told_scores(
    content: bytes, directions: Mapping[str, Direction], held_out: NDArray[np.int64]
) -> dict[str, Told]:
    """Scores by metric, and by `metric.slice`; where less is better, minus the number.

    Args:
        content: a JSON object: by metric a number, or an object with `value`, perhaps `standard_error`
            and `slices` (numbers by name), or `rows` (a number for each held-out row), or `own_rows`
            (for each row of another evaluation).
        directions: the metrics that are wanted, and which is better.
        held_out: the held-out rows that it is about.

    Raises:
        WronglyAsked: when a metric is missing, or better where the file says worse.
        ScoresRefused: when one is not a finite number, or there are more or fewer rows than were held
            out.
    """
    told = json.loads(content)
    if not isinstance(told, dict):
        raise ScoresRefused(f"{FILE} is no JSON object of scores by metric")
    found = {}
    for metric, direction in directions.items():
        if metric not in told:
            raise WronglyAsked(no_such("metric", metric, told, f" in {FILE}"))
        said = told[metric] if isinstance(told[metric], dict) else {"value": told[metric]}
        if said.get("higher_is_better") not in (None, direction == "higher"):
            other = "higher" if direction == "lower" else "lower"
            raise WronglyAsked(f"of {metric}, {other} is better, as the evaluation says of itself")
        sign = 1.0 if direction == "higher" else -1.0
        found[metric] = _of_metric(said, metric, sign, held_out)
        slices = said.get("slices") or {}
        if not isinstance(slices, dict):
            raise ScoresRefused(f"{metric}: `slices` is no object of numbers by name")
        for name, value in slices.items():
            label = f"{metric}.{name}"
            found[label] = _whole(sign * _number(value, label))
    return found


def _of_metric(
    said: Mapping[str, Any], metric: str, sign: float, held_out: NDArray[np.int64]
) -> Told:
    for name in ("rows", "own_rows"):
        rows = said.get(name)
        if rows is None:
            continue
        if not isinstance(rows, list) or not rows:
            raise ScoresRefused(f"{metric}: `{name}` is no list of numbers")
        if name == "rows" and len(rows) != len(held_out):
            raise ScoresRefused(
                f"{metric}: `rows` has {len(rows):,} numbers, and {len(held_out):,} rows are held out"
            )
        scores = np.array([_number(row, f"{metric}, row {at}") for at, row in enumerate(rows)])
        items = held_out if name == "rows" else OWN - np.arange(len(rows))
        return Told(items, sign * scores)
    error = said.get("standard_error")
    error = None if error is None else abs(_number(error, f"{metric}, `standard_error`"))
    return _whole(sign * _number(said.get("value"), metric), error)


def _whole(score: float, standard_error: float | None = None) -> Told:
    return Told(np.array([OWN]), np.array([score]), standard_error)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScoresRefused(f"{what}: {str(value)[:40]!r} is not a number")
    if not math.isfinite(value):
        raise ScoresRefused(f"{what} is {value}, not a finite number; did the training diverge?")
    return float(value)


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ScoresRefused(f"{path.name} is larger than {MOST_BYTES >> 20} MiB")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ScoresRefused(f"the training wrote no {path.name} into {{out}}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ScoresRefused(f"{path.name} is not JSON that can be read: {error}") from error


def _of_lm_eval(out: Path) -> dict[str, Any]:
    """Scores by `task/metric` (of the filter `none`) and `task/metric,filter`."""
    files = sorted(out.rglob("results*.json"))
    if len(files) != 1:
        raise ScoresRefused(
            f"lm-evaluation-harness writes one results*.json, and in {{out}} are {len(files)}; give it "
            "`--output_path {out}`"
        )
    told = _json(files[0])
    results = told.get("results") if isinstance(told, dict) else None
    if not isinstance(results, dict):
        raise ScoresRefused(f"{files[0].name} has no `results`; is it of lm-evaluation-harness?")
    better = told.get("higher_is_better") or {}
    found: dict[str, Any] = {}
    for task, scores in sorted(results.items()):
        samples = _samples(files[0].parent, task)
        for key, value in scores.items():
            metric, comma, chosen = key.partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            said = {
                "value": value,
                "higher_is_better": (better.get(task) or {}).get(metric),
            }
            error = scores.get(f"{metric}_stderr,{chosen}")
            if isinstance(error, int | float):
                said["standard_error"] = error
            rows = samples.get((metric, chosen))
            if rows and isinstance(value, int | float) and math.isclose(
                sum(rows) / len(rows), value, rel_tol=1e-6, abs_tol=1e-9
            ):  # fmt: skip
                said["own_rows"] = rows
            found[f"{task}/{key}"] = said
            if chosen == "none":
                found[f"{task}/{metric}"] = said
    return found


def _samples(folder: Path, task: str) -> dict[tuple[str, str], Sequence[float]]:
    """Numbers of each question of a task by metric and filter, where they were logged, in the order of
    the questions."""
    found: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for path in sorted(folder.glob(f"samples_{escape(task)}_[0-9]*T*.jsonl")):
        if path.stat().st_size > MOST_BYTES:
            raise ScoresRefused(f"{path.name} is larger than {MOST_BYTES >> 20} MiB")
        for line in path.read_bytes().splitlines():
            try:
                sample = json.loads(line)
                asked, chosen = int(sample["doc_id"]), str(sample.get("filter", "none"))
                metrics = sample.get("metrics") or []
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise ScoresRefused(f"{path.name} is not of lm-evaluation-harness") from None
            for metric in metrics:
                value = sample.get(metric)
                if isinstance(value, int | float):
                    found[metric, chosen][asked] = float(value)
    return {key: [by[at] for at in sorted(by)] for key, by in found.items()}
