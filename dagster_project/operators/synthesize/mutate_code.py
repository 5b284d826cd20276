"""Put faults into Python code, for answers that are to be worse."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Literal, get_args

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.synthesize.code.code_mutations import Mutation, MutationKind, Source
from dagster_project.operators.synthesize.code.written_code import SYNTAX_ERROR, syntax_error

NO_MUTATION = "no_mutation"


class MutateCode(Generator):
    """Puts faults into Python code, for answers that are to be worse.

    Mutation testing's operators (DeMillo, Lipton & Sayward, 1978; Offutt et al., 1996), applied to the
    text, so that layout and comments stay. Each attempt makes up to `mutants` different ones of one
    seed, each with one fault: a kind is drawn, then a place.

    | kind | does |
    |---|---|
    | `comparison`, `arithmetic`, `boolean` | another operator; `True` for `False`; `not` left out |
    | `constant` | a whole number one more or one less |
    | `return_none` | `return None` |
    | `removed_statement` | an assignment, call, `raise`, `break` or `continue` left out |
    | `swapped_arguments` | two neighbouring arguments in each other's place |
    | `negated_condition` | `not (…)` around the condition of `if` and `while` |

    Faults are put into functions, where there are any; not into docstrings, annotations, decorators,
    f-strings, classes in functions, or what stands below `if __name__ == …`. A mutant parses and has
    another syntax tree. Whether it fails is not known: let `run_doctests` or `run_tests` with
    `expect: fail` look at it in the input's own steps, with `column: rejected` for pairs, and take seeds
    whose own code passes. Mutants that mean the same then fall away, and those that never end cost the
    time limit.

    `shape: replace` gives the seed's code with a fault in the same column; `pair` gives `prompt` (of
    `prompt_column`), `chosen` (the seed's code) and `rejected` (the mutant). Both tell the fault in
    `mutation`, as `comparison: line 3: < → <=`.

    | rule | when |
    |---|---|
    | `syntax_error` | the seed does not parse as Python |
    | `no_mutation` | there is nothing in it that any of the kinds could change |

    Example:
        generate: {mutate_code: {column: code, shape: pair, prompt_column: question, mutants: 3}}
        seeds: {version: python_functions/v1}
        rows: 500
        steps:
          - run_doctests: {column: rejected, expect: fail}

    Raises:
        OperatorMisuse: when a column does not hold text, or `pair` has no `prompt_column`.
    """

    origin: ClassVar[Origin] = "augmented"
    rule_names: ClassVar[tuple[str, ...]] = (SYNTAX_ERROR, NO_MUTATION)

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    column: str = Field(default="code", description="The column of Python code.")
    shape: Literal["replace", "pair"] = Field(
        default="replace", description="What new rows have: the code's column, or a pair."
    )
    prompt_column: str | None = Field(
        default=None, description="The seeds' column of prompts, for pairs."
    )
    kinds: tuple[MutationKind, ...] = Field(
        default=get_args(MutationKind), min_length=1, description="Kinds that are drawn from."
    )
    mutants: int = Field(default=1, ge=1, le=100, description="Most mutants of each seed.")

    def attempts(self, seeds: int) -> int | None:
        return seeds

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        if self.shape == "replace":
            return pl.Schema({self.column: pl.String(), "mutation": pl.String()})
        if self.prompt_column is None:
            raise OperatorMisuse(
                f"{self.operator_name()}: `shape: pair` needs `prompt_column`, the seeds' column of "
                "what the code answers"
            )
        require_text(self, seeds, self.prompt_column)
        return pl.Schema(dict.fromkeys(("prompt", "chosen", "rejected", "mutation"), pl.String()))

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        code = seeds[0].get(self.column)
        if not code or not code.strip():
            return ()
        if (error := syntax_error(code)) is not None:
            return [self._candidate(seeds[0], None, None, Rejection(SYNTAX_ERROR, error, "parses"))]
        found = self._mutants(Source(code), draw)
        if not found:
            nothing = Rejection(NO_MUTATION, "0", ">= 1")
            return [self._candidate(seeds[0], None, None, nothing)]
        return [self._candidate(seeds[0], mutant, mutation) for mutant, mutation in found]

    def _mutants(self, source: Source, draw: Random) -> list[tuple[str, Mutation]]:
        """Different mutants, each of a kind that is drawn among those there are."""
        left: dict[MutationKind, list[Mutation]] = {}
        for mutation in source.mutations(self.kinds):
            left.setdefault(mutation.kind, []).append(mutation)
        found: dict[str, Mutation] = {}
        while left and len(found) < self.mutants:
            kind = draw.choice(sorted(left))
            mutation = left[kind].pop(draw.randrange(len(left[kind])))
            if not left[kind]:
                del left[kind]
            mutant = source.mutated(mutation)
            if mutant is not None:
                found.setdefault(mutant, mutation)
        return list(found.items())

    def _candidate(
        self,
        seed: Row,
        mutant: str | None,
        mutation: Mutation | None,
        why: Rejection | None = None,
    ) -> Candidate:
        values: dict[str, Any] = {"mutation": None}
        if mutation is not None:
            values["mutation"] = f"{mutation.kind}: line {mutation.line}: {mutation.told}"
        code = seed[self.column]
        if self.shape == "replace":
            return Candidate(values | {self.column: code if mutant is None else mutant}, why)
        prompt = seed[self.prompt_column] if self.prompt_column else None
        return Candidate(values | {"prompt": prompt, "chosen": code, "rejected": mutant}, why)
