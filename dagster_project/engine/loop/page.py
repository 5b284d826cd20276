"""The page that closes the loop: where to go on, with what, and whether it is worth it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import polars as pl

from dagster_project.arena.contest import RESULTS
from dagster_project.arena.learning_curve import NoCurve, gain
from dagster_project.engine.contest_source import held_out_of
from dagster_project.engine.inspection.source_rows import data_columns
from dagster_project.engine.loop.rounds import Contender, Round, rounds
from dagster_project.engine.loop.slices import Slice, slices
from dagster_project.engine.profile.axes import TOPIC, axes_of
from dagster_project.engine.profile.comparison import beginning
from dagster_project.engine.profile.gaps import Gap, Maker
from dagster_project.engine.profile.placing import asked, place
from dagster_project.engine.profile.profiled_rows import SaidRows, SnapshotRows, said, snapshot_rows
from dagster_project.engine.profile.text_parts import TextParts
from dagster_project.engine.profile.text_vectors import Method, best_method
from dagster_project.engine.profile.topics import MOST_ROWS, topics
from dagster_project.errors import SeedbedError
from dagster_project.recipe.contest import QUICK, Contest
from dagster_project.recipe.problems import no_such
from dagster_project.warehouse.address import Answer, SnapshotAddress
from dagster_project.warehouse.reading import OpenSnapshot, Reader, reading
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

LOOKED_AT = 20_000
"""Rows of a version by which it is told what it has of a slice."""
MORE = 0.1
"""Share of a version's rows that a job makes at least."""
FEWEST_MORE = 20
"""Rows of the smallest job."""
BASELINE = "random of pool"
"""The contestant that the first version is compared with, where there is one."""
EXAMPLES = 3
"""Held-out rows that show a slice."""
HELD_OUT = TextParts(None, "prompt", "answer", None, ("prompt", "answer"))


class NoArena(SeedbedError):
    """A version that is no arena, or one from which nothing can be told."""


class LoopPage(Answer):
    """Where an arena says to go on.

    Attributes:
        arena: which.
        contestant, version: whose weakness is told, and the version that has its rows.
        rounds: what each contestant bought over the one before.
        slices: its scores by slice of the held-out rows, what costs most first.
        gap: the slice to go on with, as a job; None where it is weak nowhere by more than chance.
        expected: what the curve says of as many more rows of the same kind, by model, or why nothing.
        go_on: whether another round is worth it; None where that cannot be told.
        why: in a sentence.
    """

    arena: str
    contestant: str
    version: str
    rounds: tuple[Round, ...]
    slices: tuple[Slice, ...]
    gap: Gap | None
    expected: tuple[str, ...]
    go_on: bool | None
    why: str


def loop_page(
    store: Store | Reader,
    arena: VersionName,
    *,
    contestant: str | None = None,
    more: int | None = None,
    embeddings: bool | None = None,
) -> LoopPage:
    """Tell where to go on after a contest.

    Args:
        store: where the arena, its contestants and its evaluation are published.
        arena: which.
        contestant: whose weakness is wanted; by default the last that is declared.
        more: rows that the next round adds; by default as many as the slice lacks, and a tenth of the
            version at least.
        embeddings: whether topics are told by embeddings; None for: where they are installed.

    Raises:
        NoArena: when the version is no arena, or the evaluation has changed since the contest.
        InputError, NoText: when rows cannot be read as prompts and answers.
        NotPublished: when there is no current snapshot of one of them.
    """
    with reading(store) as reader:
        snapshot = reader.open(SnapshotAddress(arena))
        contest = _contest(reader, snapshot)
        results = _results(reader, snapshot)
        known = results["contestant"].unique(maintain_order=True)  # in the order of the recipe
        contenders = [
            _contender(reader, name, contest.contestants[name].version)
            for name in known
            if name in contest.contestants
        ]
        chosen = {each.name: each for each in contenders}
        name = contestant or contenders[-1].name
        if name not in chosen:
            raise NoArena(no_such("contestant", name, chosen))
        own = snapshot_rows(
            reader, SnapshotAddress.parse(chosen[name].version), most_rows=LOOKED_AT
        )
        held_out = _held_out(reader.store, contest, arena, results)
        placed = _placed(own, held_out, best_method(embeddings))
        weak = slices(_scores(results, name), placed["held_out"].rename({"row_id": "item"}))
        gap = _gap(weak, own, held_out, placed, more)
        wanted = more or (gap.more_rows if gap else max(round(MORE * own.total), FEWEST_MORE))
        if contest.pool is not None and BASELINE in results["contestant"]:
            baseline = _contender(reader, BASELINE, contest.pool.version)
            contenders = [baseline.model_copy(update={"dollars": 0, "tokens": 0}), *contenders]
        bought = rounds(results, contenders)
        expected, buys = _expected(results, name, wanted)
        go_on, why = _verdict(bought, gap, buys)
        return LoopPage(
            arena=str(arena),
            contestant=name,
            version=chosen[name].version,
            rounds=tuple(bought),
            slices=tuple(weak),
            gap=gap,
            expected=tuple(expected),
            go_on=go_on,
            why=why,
        )


def _contest(reader: Reader, snapshot: OpenSnapshot) -> Contest:
    facts = dict(reader.all(f"SELECT key, value FROM {snapshot.table('manifest')}"))
    inputs = json.loads(facts.get("recipe", "{}")).get("inputs", {})
    declared = [each["contest"] for each in inputs.values() if each.get("contest")]
    if not declared:
        raise NoArena(f"{snapshot.address} is no arena: no input of it is a contest")
    return Contest.model_validate(declared[0])


def _results(reader: Reader, snapshot: OpenSnapshot) -> pl.DataFrame:
    if missing := [name for name in RESULTS if name not in data_columns(reader, snapshot)]:
        raise NoArena(
            f"{snapshot.address} has no column {missing[0]!r}: it was made by another version of "
            f"Seedbed; `seedbed build {snapshot.address.version}`"
        )
    found = reader.connection.sql(
        f"SELECT {', '.join(RESULTS)} FROM {snapshot.table('rows')} ORDER BY row_id"
    ).pl()
    if found.is_empty():
        raise NoArena(f"{snapshot.address} has no scores")
    return found


def _contender(reader: Reader, name: str, version: str) -> Contender:
    snapshot = reader.open(SnapshotAddress.parse(version))
    ((dollars, tokens),) = reader.all(
        "SELECT coalesce(sum(dollars), 0), coalesce(sum(tokens_in + tokens_out), 0)::BIGINT "
        f"FROM {snapshot.table('ledger')}"
    )
    ((generated,),) = reader.all(f"SELECT count(*) FROM {snapshot.table('synthetic')}")
    return Contender(
        name=name,
        version=version,
        rows=snapshot.manifest.rows,
        generated=generated,
        dollars=dollars,
        tokens=tokens,
    )


def _held_out(
    store: Store, contest: Contest, arena: VersionName, results: pl.DataFrame
) -> SaidRows:
    frame = held_out_of(store, contest, str(arena)).with_row_index("row_id")
    quick = results.filter(pl.col("model").is_in(QUICK))["item"].n_unique()
    last = results["item"].max()  # below 0: a program's own evaluation
    if (quick and quick != frame.height) or (isinstance(last, int) and last >= frame.height):
        raise NoArena(
            f"the evaluation {contest.evaluation.version} has changed since {arena} was made; "
            f"materialize the arena again: `seedbed build {arena}`"
        )
    return SaidRows(
        contest.evaluation.version, frame.height, HELD_OUT, (), said(frame, HELD_OUT, ())
    )


def _placed(own: SnapshotRows, held_out: SaidRows, method: Method) -> dict[str, pl.DataFrame]:
    """Rows of a version, and those that are held out, on the axes that both have."""
    axes = [name for name in axes_of(held_out) if name in axes_of(own)]
    found = {"own": place(own, axes), "held_out": place(held_out, axes)}
    read = own.sample(MOST_ROWS[method], 0).select("row_id", asked=asked(own))
    theirs = held_out.sample(MOST_ROWS[method], 0).select("row_id", asked=asked(held_out))
    about = topics(read, theirs, method)
    topic = pl.col("topic").alias(TOPIC)
    for part, told in (("own", about.rows), ("held_out", about.target)):
        found[part] = found[part].join(
            told.select("row_id", topic), on="row_id", how="left", maintain_order="left"
        )
    return found


def _scores(results: pl.DataFrame, contestant: str) -> pl.DataFrame:
    """`model`, `item`, `score` of a contestant, over draws, at its largest budget of rows, or else of
    tokens, or of all; of held-out rows, which a program's own evaluation has none of."""
    own = results.filter((pl.col("contestant") == contestant) & (pl.col("item") >= 0))
    for budget in ("rows", "tokens", "all"):
        part = own.filter(pl.col("budget") == budget)
        if part.height:
            part = part.filter(pl.col("amount") == pl.col("amount").max())
            return part.group_by("model", "item", maintain_order=True).agg(pl.col("score").mean())
    return own.select("model", "item", "score")


def _gap(
    weak: list[Slice],
    own: SnapshotRows,
    held_out: SaidRows,
    placed: Mapping[str, pl.DataFrame],
    more: int | None,
) -> Gap | None:
    worst = next((each for each in weak if each.is_weak), None)
    if worst is None:
        return None
    values, theirs = placed["own"][worst.axis], placed["held_out"]
    share = (values == worst.value).sum() / max(values.count(), 1)
    wanted_share = (theirs[worst.axis] == worst.value).sum() / max(theirs[worst.axis].count(), 1)
    have = round(share * own.total)
    least = max(round(MORE * own.total), FEWEST_MORE)
    rows = more or max(round(wanted_share * own.total) - have, least)
    shown = theirs.filter(pl.col(worst.axis) == worst.value).head(EXAMPLES)
    texts = held_out.frame.join(shown.select("row_id"), on="row_id", how="semi").select(
        "row_id", said=beginning(asked(held_out))
    )
    about = tuple(placed["own"][TOPIC].drop_nulls().value_counts(sort=True)[TOPIC])
    job, note = Maker(own.name, own.parts, about).job(worst.axis, worst.value, rows)
    return Gap(
        axis=worst.axis,
        value=worst.value,
        have=have,
        want=have + rows,
        more_rows=rows,
        example_rows=tuple(texts["row_id"]),
        examples=tuple(texts["said"]),
        job=job,
        note=note,
    )


def _expected(
    results: pl.DataFrame, contestant: str, more: int
) -> tuple[list[str], list[tuple[float, float]]]:
    """What so many more rows of the same kind would buy, in words, and as intervals."""
    told, buys = [], []
    for model in results["model"].unique(maintain_order=True):
        try:
            found = gain(results, model, contestant, more)
        except NoCurve as error:
            told.append(f"{model}: {error}")
        else:
            told.append(str(found))
            buys.append((found.low, found.high))
    return told, buys


def _verdict(
    bought: list[Round], gap: Gap | None, buys: list[tuple[float, float]]
) -> tuple[bool | None, str]:
    last = [each for each in bought if bought and each.after == bought[-1].after]
    worse = next((each for each in last if each.verdict == "worse"), None)
    better = next((each for each in last if each.verdict == "better"), None)
    if worse:
        return False, (
            f"{worse.after} is worse than {worse.before} by {worse.model} at {worse.budget}: find out "
            "why, before more rows are made"
        )
    if gap and (better or any(low > 0 for low, _ in buys)):
        return True, (
            f"it is weakest on {gap.axis} {gap.value!r} by more than chance, and "
            + ("the last round bought something" if better else "more rows still buy something")
        )
    if last and not better and buys and all(low <= 0 for low, _ in buys):
        return False, (
            "the last round bought no more than chance, and neither would as many rows of the same kind"
        )
    if gap is None and buys and all(low <= 0 for low, _ in buys):
        return (
            False,
            "it is weak nowhere by more than chance, and more of the same buys no more than that",
        )
    return None, "; ".join(_missing(last, gap, buys))


def _missing(last: list[Round], gap: Gap | None, buys: list[tuple[float, float]]) -> Iterator[str]:
    if not last:
        yield "there is no earlier contestant to compare with at an equal budget"
    if not buys:
        yield "there is no learning curve: give the contest four budgets of rows and three seeds"
    if gap is None:
        yield "no slice is weak by more than chance"
    if last and buys and gap:
        yield "what was tried bought no more than chance, and what more of the same would buy is unsure"
