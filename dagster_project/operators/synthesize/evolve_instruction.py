"""Make instructions harder, or different, in several generations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import CallFailed, Calls
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.prompt import Prompt, rendered
from dagster_project.operators.synthesize.asking.answered import (
    UNUSABLE,
    answer_or_failure,
    kept,
    no_use,
    useful,
)
from dagster_project.operators.synthesize.asking.evol_prompts import (
    BREADTH_PROMPT,
    BREADTH_SHOTS,
    COPIED,
    DEPTH_PROMPT,
    DEPTH_SHOTS,
    GAIN_PROMPT,
    INPUT_FORMS,
    METHODS,
    Evolution,
)
from dagster_project.operators.synthesize.asking.few_shot import ECHOES, Shots
from dagster_project.operators.synthesize.asking.responses import RESPONSE_RULES, AsksForResponses
from dagster_project.operators.synthesize.text.text_overlap import says_nothing

SORRY_WORDS = 80
VERDICT = {
    "type": "object",
    "properties": {"judgement": {"enum": ["equal", "not equal"]}},
    "required": ["judgement"],
    "additionalProperties": False,
}


class EvolveInstruction(AsksForResponses, Generator):
    """Makes instructions harder, or different, in several generations, and drops failed ones.

    Evol-Instruct (Xu et al., 2023, WizardLM). An attempt evolves one seed `generations` times, each
    time by a method that is drawn: five in depth (`add_constraints`, `deepen`, `concretise`,
    `reasoning_steps`, `complicate_input`) and one in `breadth`. Every generation is a row with a
    response, made from the last one that passed; one that fails is kept as rejected, and the next
    starts again from its parent. `evolution` and `generation` say how and how often a row evolved.

    The eliminator is the paper's; its four rules, and what there is besides:

    | rule | when |
    |---|---|
    | `no_information_gain` | `judge` finds it equal to what it was made from: same constraints, depth \
and breadth (not asked of `breadth`, which is another instruction) |
    | `sorry` | the response says "sorry" and has fewer than 80 words |
    | `says_nothing` | the response is only punctuation and stop words |
    | `copied_prompt` | it has a phrase of the request, such as "given prompt" or "rewritten prompt", \
that its parent has not |
    | `echoes_prompt` | it has 8 words in a row of the request, or of an example |
    | `unjudged` | the judge gave no answer |
    | `unanswered`, `empty`, `cut_off`, `refused` | the new instruction is so |
    | `response_unanswered`, `response_empty`, `response_cut_off`, `response_refused` | the response is |

    The published script has neither an eliminator nor `complicate_input`, and keeps no parents. The
    paper shows examples for each form of complicated input; here one does for all. Requests are the
    paper's in shorter words. The rules on the response need one: with `respond: false` they do not
    apply.

    Example:
        generate: {evolve_instruction: {model: writer, column: instruction, generations: 3}}
        seeds: {version: seed_tasks/v1}
        rows: 500

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *UNUSABLE,
        "copied_prompt",
        ECHOES,
        "unjudged",
        "no_information_gain",
        *RESPONSE_RULES,
        "sorry",
        "says_nothing",
    )

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    column: str = Field(
        default="instruction", description="The column of instructions, of seeds and new rows."
    )
    generations: int = Field(default=2, ge=1, le=20, description="How often a seed is evolved.")
    evolutions: tuple[Evolution, ...] = Field(
        default=(*METHODS, "breadth"),  # pyright: ignore[reportAssignmentType]
        min_length=1,
        description="The methods that are drawn from, all equally likely.",
    )
    depth_prompt: Prompt = Field(
        default=DEPTH_PROMPT,
        description="Asks for a harder one; it may use `instruction`, `method` and `input_form`, "
        "which is empty but for `complicate_input`.",
    )
    depth_shots: Shots = Field(
        default=DEPTH_SHOTS,
        description="Answered ones: `instruction`, `method`, `input_form` and `answer`; those with "
        "an `input_form` are shown for `complicate_input`, the others for the rest.",
    )
    breadth_prompt: Prompt = Field(
        default=BREADTH_PROMPT, description="Asks for a new one; it may use `instruction`."
    )
    breadth_shots: Shots = Field(
        default=BREADTH_SHOTS, description="Answered ones: `instruction` and `answer`."
    )
    input_forms: tuple[str, ...] = Field(
        default=INPUT_FORMS,
        min_length=1,
        description="Forms of the input that `complicate_input` adds; one is drawn.",
    )
    gain_prompt: Prompt | None = Field(
        default=GAIN_PROMPT,
        description="Asks whether there is a gain; it may use `before` and `after`; null for not.",
    )
    judge: str | None = Field(
        default=None, description="The recipe's model that is asked this; default: `model`."
    )
    copied_phrases: tuple[str, ...] = Field(
        default=COPIED, description="Words of the request that give a copy away, without case."
    )

    def models(self) -> tuple[str, ...]:
        judge = self.judge if self.gain_prompt is not None else None
        return tuple(dict.fromkeys((self.model, judge or self.model)))

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        own = {"response": pl.String(), "evolution": pl.String(), "generation": pl.Int64()}
        if self.column in own:
            raise OperatorMisuse(
                f"{self.operator_name()}: `column` is {self.column!r}, which new rows have for "
                "something else; rename the seeds' column"
            )
        return pl.Schema({self.column: pl.String(), **own})

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        parent, made_from, age = seeds[0].get(self.column), (), 0
        if not parent or not parent.strip():
            return ()
        found: list[Candidate] = []
        for _ in range(self.generations):
            evolution = draw.choice(self.evolutions)
            sample, form = draw.getrandbits(31), draw.choice(self.input_forms)
            values, why = await self._evolved(
                parent, evolution, form, sample, calls, first=not found
            )
            values |= {"evolution": evolution, "generation": age + 1}
            found.append(Candidate(values, why, () if made_from else (0,), made_from))
            if why is None:
                parent, made_from, age = values[self.column], (len(found) - 1,), age + 1
        return found

    async def _evolved(
        self, parent: str, evolution: str, form: str, sample: int, calls: Calls, *, first: bool
    ) -> tuple[dict[str, Any], Rejection | None]:
        """A new instruction with its response, and why the two are dropped, if they are.

        Raises:
            CallFailed: when the first instruction of an attempt has no answer.
        """
        prompt, filled, shots = self._request(parent, evolution, form)
        question = self.asked(prompt, filled, shots=shots, sample=sample)
        answer = await (calls.ask(question) if first else answer_or_failure(calls, question))
        text = useful(answer, "#Rewritten Prompt#", "Rewritten Prompt", "#Created Prompt#")
        values: dict[str, Any] = {self.column: kept(answer, text)}
        why = (
            no_use(answer, text)
            or self._copied(parent, text)
            or self.echo(text, prompt, filled, shots)
        )
        if why is None and evolution != "breadth":
            why = await self._no_gain(parent, text, calls)
        if why is None and self.respond:
            values["response"], why = await self.response(calls, text, sample)
            why = _failed_response(values["response"] or "") or why
        return values, why

    def _request(
        self, parent: str, evolution: str, form: str
    ) -> tuple[str, dict[str, Any], Sequence[Mapping[str, Any]]]:
        """The prompt for a new instruction, what it is filled in with, and its shots."""
        if evolution == "breadth":
            return self.breadth_prompt, {"instruction": parent}, self.breadth_shots
        form = form if evolution == "complicate_input" else ""
        method = rendered(METHODS[evolution], input_form=form)
        values = {"instruction": parent, "method": method, "input_form": form}
        alike = [shot for shot in self.depth_shots if bool(shot.get("input_form")) is bool(form)]
        return self.depth_prompt, values, alike

    def _copied(self, parent: str, text: str) -> Rejection | None:
        for phrase in self.copied_phrases:
            if phrase.lower() in text.lower() and phrase.lower() not in parent.lower():
                return Rejection("copied_prompt", phrase, "none of the request's words")
        return None

    async def _no_gain(self, before: str, after: str, calls: Calls) -> Rejection | None:
        if self.gain_prompt is None:
            return None
        answer = await answer_or_failure(
            calls,
            self.asked(
                self.gain_prompt,
                {"before": before, "after": after},
                purpose="verification",
                model=self.judge or self.model,
                temperature=0.0,
                max_tokens=64,
                json_schema=VERDICT,
            ),
        )
        if isinstance(answer, CallFailed):
            return Rejection("unjudged", answer.kind, "a judgement")
        if answer.data["judgement"] == "equal":
            return Rejection("no_information_gain", "equal", "not equal")
        return None


def _failed_response(response: str) -> Rejection | None:
    """The eliminator's rules on the response."""
    if "sorry" in response.lower() and (long := len(response.split())) < SORRY_WORDS:
        return Rejection("sorry", f"{long} words", f">= {SORRY_WORDS} words, or no sorry")
    if response and says_nothing(response):
        return Rejection("says_nothing", response[:80], "a word that says something")
    return None
