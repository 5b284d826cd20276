"""Makes the rows of a generated input: attempts in rounds, until enough candidates have passed.

A round is as many attempts as are likely to be needed. Its candidates go through the input's own steps;
those that come out are accepted. What a round holds depends on the recipe, the seeds and the answers
alone, so that a run that was stopped, or is repeated, makes the same candidates from the records.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import polars as pl
from polars.exceptions import PolarsError

from dagster_project.engine.answering import Answered, Answering
from dagster_project.engine.batch import PARENT, identified
from dagster_project.engine.chunk import Chunk, frame_digest
from dagster_project.engine.plan import PlannedStep, RunStopped, Stage
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.engine.row_stage import run_steps
from dagster_project.engine.seed_rows import SeedRows
from dagster_project.identity import digest
from dagster_project.llm.budget import BudgetReached
from dagster_project.operators.acquire.block import ORIGIN_SCHEMA, Records
from dagster_project.operators.calls import CallFailed, ModelCall
from dagster_project.operators.generator import Candidate, Generator, Rejection
from dagster_project.recipe.model import GeneratedInput

FIRST_ROUND = 16
MOST_IN_ROUND = 1024
"""Attempts in the first round, at least, and in any."""

HOPELESS = 16
"""So many attempts that all fail, end a run: something is wrong that chance will not mend."""

FRAME_ERRORS = (TypeError, ValueError, OverflowError, PolarsError)
"""What says that values are not of the types of their columns."""

NOTHING = "no_candidate"
SURPLUS = "surplus"

StoppedBy = Literal["enough", "budget", "max_candidates", "no_more_attempts"]


@dataclass(frozen=True)
class Made:
    """A candidate, or an attempt that came to none, as it is landed.

    Attributes:
        attempt: the number of its attempt.
        values: its columns.
        seeds: rows of the seeds that it was made from.
        made_from: earlier candidates of this input that it was made from.
        rejection: why its generator, or the end of the run, turned it down.
        error: why the attempt failed.
        calls: what its attempt paid for; told with the attempt's first candidate.
    """

    attempt: int
    values: Mapping[str, Any]
    seeds: tuple[int, ...]
    made_from: tuple[int, ...]
    rejection: Rejection | None
    error: str | None
    calls: tuple[ModelCall, ...]

    @property
    def told(self) -> str | None:
        """Why it is no row."""
        if self.error is not None:
            return self.error
        return None if self.rejection is None else f"rejected: {self.rejection.rule}"

    @property
    def raw(self) -> str:
        """It, as JSON."""
        return _json(
            {
                "values": self.values,
                "attempt": self.attempt,
                "seeds": self.seeds,
                "made_from": self.made_from,
                "rejection": vars(self.rejection) if self.rejection else None,
                "error": self.error,
                "calls": [vars(call) for call in self.calls],
            }
        )

    @property
    def content(self) -> str:
        """Its columns, as JSON."""
        return _json(self.values)


@dataclass
class Generation:
    """The making of one input's rows.

    Args:
        number: the input's.
        declared: what the recipe says.
        step: with the generator.
        stages: the input's own.
        schema: the columns of candidates.
        seeds: what they are made from.
        answers: what answers calls.
        annotations: columns that the steps measure.
        say: told of progress.
    """

    number: int
    declared: GeneratedInput
    step: PlannedStep
    stages: Sequence[Stage]
    schema: pl.Schema
    seeds: SeedRows
    answers: Answering
    annotations: frozenset[str]
    say: Callable[[str], None]
    wanted: int = 0
    rounds: list[list[Made]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    passed: dict[str, Chunk] = field(default_factory=dict)
    accepted: list[int] = field(default_factory=list)
    attempts: int = 0
    stopped_by: StoppedBy = "enough"
    lasting: bool = True

    @property
    def finished(self) -> bool:
        """Whether making the rows again would come to the same: not where the budget ended it, or an
        answer that was missing this time may be there the next."""
        return self.stopped_by == "enough" or (self.stopped_by != "budget" and self.lasting)

    def run(self) -> None:
        """Make candidates until enough are accepted, or no more can be made."""
        self.wanted = self.wanted or self.declared.rows
        most = self.declared.most_candidates
        generator = self._generator
        bound = generator.attempts(self.seeds.rows)
        while len(self.accepted) < self.wanted:
            made = sum(len(each) for each in self.rounds)
            left = most - made
            if bound is not None:
                left = min(left, bound - self.attempts)
            if left <= 0:
                self.stopped_by = "max_candidates" if made >= most else "no_more_attempts"
                break
            if not self._round(min(left, self._round_size(made)), most - made):
                self.stopped_by = "budget"
                break
        self._require_hope([], at_least=1)
        self._set_surplus_aside()

    def records(self) -> list[Records]:
        """What was made, round by round, as it is landed."""
        return [self._landed(made) for made in self.rounds if made]

    @property
    def _generator(self) -> Generator:
        generator = self.step.operator
        assert isinstance(generator, Generator)
        return generator

    def _round_size(self, made: int) -> int:
        """How many attempts are likely to give what is missing, at the rate of acceptance so far."""
        missing = self.wanted - len(self.accepted)
        if not self.attempts:
            return min(max(missing, FIRST_ROUND), 4 * FIRST_ROUND)
        rate = max(len(self.accepted) / self.attempts, 0.02)
        return min(max(math.ceil(missing / rate), FIRST_ROUND // 2), MOST_IN_ROUND)

    def _round(self, attempts: int, room: int) -> bool:
        """Make one round of attempts, with room for so many candidates. False where the budget ended
        it."""
        first = self.attempts
        given = [self._given(number) for number in range(first, first + attempts)]
        generator = self._generator

        def work(rows: list[dict], number: int) -> Callable:
            draw = Random(int(digest([self._name, number])[:16], 16))
            return lambda calls: generator.attempt(rows, draw, calls)

        taken = self.seeds.take([row for seeds, _ in given for row in seeds])
        examples = self._accepted_rows([row for _, rows in given for row in rows])
        done = self.answers.all(
            [
                work(
                    [*(taken[row] for row in seeds), *(examples[row] for row in accepted)],
                    first + index,
                )
                for index, (seeds, accepted) in enumerate(given)
            ]
        )
        reached = next(
            (at for at, each in enumerate(done) if isinstance(each.error, BudgetReached)), None
        )
        made: list[Made] = []
        start = sum(len(each) for each in self.rounds)
        for index, answered in enumerate(done[:reached]):
            if len(made) >= room:
                break
            self.lasting = self.lasting and answered.lasting
            made += self._made(answered, given[index], first + index, start + len(made))
            self.attempts += 1
        made = self._typed(made)
        self._require_hope(made)
        done_so_far = len(self.accepted)
        try:
            self._accept(made)
        except BudgetReached:
            return False
        self.say(
            f"{self.step.name}: {attempts:,} attempts, {len(made):,} candidates, "
            f"{len(self.accepted) - done_so_far:,} accepted; "
            f"{len(self.accepted):,} of {self.wanted:,}"
        )
        return reached is None

    @property
    def _name(self) -> list:
        operator = self._generator
        return [self.step.name, operator.operator_name(), operator.model_dump(mode="json")]

    def _given(self, attempt: int) -> tuple[list[int], list[int]]:
        """The seeds and the accepted candidates that an attempt gets."""
        generator = self._generator
        draw = Random(int(digest([self._name, attempt, "given"])[:16], 16))
        seeds = self.seeds.of_attempt(attempt, generator.seeds(), draw)
        count = min(generator.examples(), len(self.accepted))
        return seeds, draw.sample(self.accepted, count)

    def _accepted_rows(self, numbers: Sequence[int]) -> dict[int, dict]:
        """Accepted candidates by number, as they were made."""
        wanted, found, start = set(numbers), {}, 0
        for made in self.rounds:
            for at, one in enumerate(made, start):
                if at in wanted:
                    found[at] = dict(one.values)
            start += len(made)
        return found

    def _made(
        self,
        answered: Answered[Sequence[Candidate]],
        given: tuple[list[int], list[int]],
        attempt: int,
        first: int,
    ) -> list[Made]:
        """The candidates of one attempt; what it came to where it has none."""
        seeds, examples = given
        calls, error = answered.calls, answered.error
        if error is not None:
            kind = error.kind if isinstance(error, CallFailed) else type(error).__name__
            told = f"{kind}: {error}"
            return [Made(attempt, {}, tuple(seeds), tuple(examples), None, told, calls)]
        candidates = answered.value or ()
        if not candidates:
            nothing = Rejection(NOTHING)
            return [Made(attempt, {}, tuple(seeds), tuple(examples), nothing, None, calls)]
        made = []
        for index, candidate in enumerate(candidates):
            used = range(len(seeds) + len(examples))
            if candidate.seeds is not None:
                used = candidate.seeds
            own = [first + at for at in candidate.made_from]
            values = dict(candidate.values)
            if seeds and self._generator.carry:
                taken = self.seeds.take(seeds[:1])[seeds[0]]
                values |= {name: taken[name] for name in self._generator.carry}
            made.append(
                Made(
                    attempt,
                    values,
                    tuple(seeds[at] for at in used if at < len(seeds)),
                    (*(examples[at - len(seeds)] for at in used if at >= len(seeds)), *own),
                    candidate.rejection,
                    None,
                    calls if index == 0 else (),
                )
            )
        return made

    def _typed(self, made: list[Made]) -> list[Made]:
        """The candidates; failures in place of those whose values are not of the columns' types."""
        fits = all(one.values.keys() <= self.schema.keys() for one in made if one.told is None)
        try:
            _values(made, self.schema)
        except FRAME_ERRORS:
            fits = False
        return made if fits else [self._fits(one) for one in made]

    def _fits(self, made: Made) -> Made:
        if made.told is not None:
            return made
        try:
            unknown = sorted(made.values.keys() - self.schema.keys())
            if unknown:
                raise TypeError(f"column {unknown[0]!r} is not one that `produces` tells")
            _values([made], self.schema)
        except FRAME_ERRORS as error:
            told = f"{type(error).__name__}: {error}"
            return Made(made.attempt, {}, made.seeds, made.made_from, None, told, made.calls)
        return made

    def _accept(self, made: list[Made]) -> None:
        """Let a round's candidates go through the steps, with all before them."""
        start = sum(len(each) for each in self.rounds)
        good = pl.Series([one.told is None for one in made], dtype=pl.Boolean)
        frame = identified(_values(made, self.schema), self.number, start).filter(good)
        chunk = Chunk(
            digest(["made", self.number, start, frame_digest(frame)]),
            self.number,
            frame.height,
            lambda: frame,
        )
        passed = self._through([*self.chunks, chunk])
        self.rounds.append(made)
        self.chunks.append(chunk)
        self.accepted = passed

    def _through(self, chunks: list[Chunk]) -> list[int]:
        """The candidates that come out of the input's own steps, in the order of their numbers."""
        for stage in self.stages:
            if stage.relation is not None:
                chunks = run_relation_step(chunks, stage.steps[0], self.annotations).chunks
                continue
            if stage.steps:
                chunks = [self._row_stage(chunk, stage) for chunk in chunks]
        out = [chunk.load()[PARENT] for chunk in chunks]
        return pl.concat(out).unique().sort().to_list() if out else []

    def _row_stage(self, chunk: Chunk, stage: Stage) -> Chunk:
        key = digest([chunk.key, stage.steps[0].number])
        if key not in self.passed:
            done = run_steps(chunk.load(), stage.steps, self.annotations, self.answers)
            self.lasting = self.lasting and done.lasting
            self.passed[key] = Chunk(key, chunk.input, done.rows.height, lambda: done.rows)
        return self.passed[key]

    def _set_surplus_aside(self) -> None:
        """Turn down what was made after the last row that is wanted."""
        if len(self.accepted) <= self.wanted:
            return
        last = self.accepted[self.wanted - 1]
        over = Rejection(SURPLUS, None, f"the first {self.wanted:,} that pass are taken")
        start = 0
        for made in self.rounds:
            for at, one in enumerate(made):
                if start + at > last and one.told is None:
                    made[at] = Made(
                        one.attempt, one.values, one.seeds, one.made_from, over, None, one.calls
                    )
            start += len(made)
        self.accepted = self.accepted[: self.wanted]

    def _require_hope(self, made: list[Made], at_least: int = HOPELESS) -> None:
        """Stop where so many attempts or more came to nothing but failures."""
        before = [one for each in self.rounds for one in each][-HOPELESS:]
        tried = [*before, *made]
        if len(tried) < at_least or any(one.error is None for one in tried):
            return
        raise RunStopped(
            f"step {self.step.name}: the last {len(tried)} attempts all failed. Nothing is published; "
            "answers that came are recorded and will not be paid for again. First error: "
            f"{tried[0].error}"
        )

    def _landed(self, made: Sequence[Made]) -> Records:
        label = f"generate:{self.step.name}"
        origin = pl.DataFrame(
            {
                "file": [label] * len(made),
                "line": [one.attempt + 1 for one in made],
                "raw": [one.raw for one in made],
                "raw_bytes": [None] * len(made),
                "error": [one.told for one in made],
            },
            schema=ORIGIN_SCHEMA,
        )
        return Records(_values(made, self.schema), origin)


def _json(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def _values(made: Sequence[Made], schema: pl.Schema) -> pl.DataFrame:
    rows = [one.values if one.told is None else {} for one in made]
    return pl.DataFrame(
        [pl.Series(name, [row.get(name) for row in rows], kind) for name, kind in schema.items()],
        height=len(rows),
    )


def made_from_raw(raw: str) -> Made:
    """A candidate, from its JSON."""
    known = json.loads(raw)
    return Made(
        known["attempt"],
        known["values"],
        tuple(known["seeds"]),
        tuple(known["made_from"]),
        Rejection(**known["rejection"]) if known["rejection"] else None,
        known["error"],
        tuple(ModelCall(**call) for call in known["calls"]),
    )
