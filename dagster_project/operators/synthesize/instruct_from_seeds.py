"""Make up instructions like those of the seeds, and instances of them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed, Calls, Question
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.synthesize.asking.answered import (
    UNUSABLE,
    answer_or_failure,
    no_use,
    together,
)
from dagster_project.operators.synthesize.asking.few_shot import AsksWithShots, Shots
from dagster_project.operators.synthesize.asking.self_instruct import (
    INSTANCE_RULES,
    INSTRUCTION_RULES,
    KEYWORDS,
    bad_instances,
    bad_instruction,
    instances_in,
    instructions_in,
)
from dagster_project.operators.synthesize.asking.self_instruct_prompts import (
    CLASSIFICATION_PROMPT,
    CLASSIFICATION_SHOTS,
    INSTANCES_PROMPT,
    INSTANCES_SHOTS,
    LABELLED_PROMPT,
    LABELLED_SHOTS,
    PROMPT,
)
from dagster_project.operators.synthesize.text.text_overlap import same_words


class InstructFromSeeds(AsksWithShots, Generator):
    """Makes up instructions like those of the seeds, and inputs and outputs for them.

    Self-Instruct (Wang et al., 2022). A request shows `shown` instructions in a drawn order, of
    which up to `accepted_shown` are rows that were accepted before and the rest seeds; the model goes
    on with the list. For each new instruction that passes, it then writes instances: an input, which
    may be empty, and an output. With `classification_first` it is asked whether the instruction is a
    classification, and if so writes the label before the input, as published, so that not all
    inputs get the same label.

    Every filter of the published code is a rule:

    | rule | of | when |
    |---|---|---|
    | `unanswered`, `empty`, `refused` | a list | it is not there, or a refusal (not published) |
    | `cut_off` | a list, the last instance | the answer ended for its length |
    | `too_short`, `too_long` | an instruction | 3 words or fewer; more than 150 |
    | `keyword` | an instruction | image, graph, picture, file (also plural), map, draw, plot, go to |
    | `write_a_program` | an instruction | starts so |
    | `starts_with_punctuation`, `starts_with_non_ascii` | an instruction | starts so |
    | `repeated` | an instruction | has the words of one shown, or earlier in the list (not published: \
saves asking) |
    | `no_instance` | an instruction | nothing that could be read was written for it |
    | `same_input_and_output`, `empty_output`, `ends_with_colon` | an instance | is so (the colon: \
input or output) |
    | `conflicting_outputs` | all instances of one | two have one input and different outputs |
    | `repeated_instance` | an instance | is an earlier one |
    | `more_than_asked` | an instance | comes after `max_instances` (published: 5 are drawn) |

    Novelty is a step of its own: the published pipeline drops an instruction whose ROUGE-L with a
    seed or an accepted one is above 0.7; put that, against `accepted` rows and seeds, into the
    input's own `steps`. Published sampling for the list is temperature 0.7, top_p 0.5 and a presence
    penalty of 2, which questions do not have, and 0 for classification and instances, as here.
    Instructions keep their capitals, which the published code lowers.

    Example:
        generate: {instruct_from_seeds: {model: writer, column: instruction, top_p: 0.5}}
        seeds: {files: seed_tasks.jsonl}
        rows: 500

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *UNUSABLE,
        *INSTRUCTION_RULES,
        "repeated",
        *INSTANCE_RULES,
        "more_than_asked",
    )

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    column: str = Field(
        default="instruction", description="The column of instructions, of seeds and new rows."
    )
    shown: int = Field(default=8, ge=1, description="How many instructions a request shows.")
    accepted_shown: int = Field(
        default=2, ge=0, description="How many of these may be rows that were accepted before."
    )
    wanted: int = Field(default=7, ge=1, description="How many new ones a request asks for.")
    prompt: Prompt = Field(
        default=PROMPT,
        description="The request for instructions; it may use `tasks`, a list, `first` and `last`, "
        "the numbers of the new ones.",
    )
    max_tokens: int = Field(default=1024, ge=1, description="Longest list, in the model's tokens.")
    min_words: int = Field(default=4, ge=1, description="Fewest words of an instruction.")
    max_words: int = Field(default=150, ge=1, description="Most words of an instruction.")
    keywords: tuple[str, ...] = Field(
        default=KEYWORDS, description="Words that no instruction may have, without regard to case."
    )
    instances_prompt: Prompt = Field(
        default=INSTANCES_PROMPT,
        description="The request for instances; it may use `instruction` and `max_instances`.",
    )
    instances_shots: Shots = Field(
        default=INSTANCES_SHOTS, description="Answered ones: `instruction` and `answer`."
    )
    max_instances: int = Field(default=1, ge=1, description="Most instances of an instruction.")
    instances_max_tokens: int = Field(
        default=512, ge=1, description="Longest answer with instances, in the model's tokens."
    )
    classification_first: bool = Field(
        default=False, description="Whether classifications get labels before inputs."
    )
    classification_prompt: Prompt = Field(
        default=CLASSIFICATION_PROMPT,
        description="Asks whether it is a classification; it may use `instruction`.",
    )
    classification_shots: Shots = Field(
        default=CLASSIFICATION_SHOTS, description="Answered ones: `instruction` and `answer`."
    )
    labelled_prompt: Prompt = Field(
        default=LABELLED_PROMPT,
        description="The request for labels and inputs; it may use `instruction` and "
        "`max_instances`.",
    )
    labelled_shots: Shots = Field(
        default=LABELLED_SHOTS, description="Answered ones: `instruction` and `answer`."
    )

    def seeds(self) -> int:
        return self.shown

    def examples(self) -> int:
        return min(self.accepted_shown, self.shown)

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        if self.column in ("input", "output"):
            raise OperatorMisuse(
                f"{self.operator_name()}: `column` is {self.column!r}, which new rows have for an "
                "instance; rename the seeds' column"
            )
        kinds: dict[str, Any] = dict.fromkeys((self.column, "input", "output"), pl.String())
        if self.classification_first:
            kinds["is_classification"] = pl.Boolean()
        return pl.Schema(kinds)

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        accepted = list(range(self.shown, len(seeds)))
        given = [*accepted, *range(min(self.shown, len(seeds)))]
        said = [place for place in given if (seeds[place].get(self.column) or "").strip()]
        places = said[: self.shown]
        draw.shuffle(places)
        if not places:
            return ()
        tasks = [" ".join(seeds[place][self.column].split()).rstrip(":") for place in places]
        last = len(tasks) + self.wanted
        answer = await calls.ask(
            self.asked(
                self.prompt,
                {"tasks": tasks, "first": len(tasks) + 1, "last": last},
                stop=(f"\n{last + 1}.",),
                sample=draw.getrandbits(31),
            )
        )
        if why := no_use(answer, answer.text):
            return (self._candidate(answer.text, why, places),)
        listed = instructions_in(answer.text)
        made = await together(
            (
                self._of(text, [*tasks, *listed[:number]], calls)
                for number, text in enumerate(listed)
            )
        )
        return [
            self._candidate(text, why, places, **values)
            for candidates in made
            for text, why, values in candidates
        ]

    def _candidate(
        self, instruction: str, why: Rejection | None, places: Sequence[int], **values: Any
    ) -> Candidate:
        return Candidate({self.column: instruction, **values}, why, tuple(sorted(places)))

    async def _of(
        self, instruction: str, known: Sequence[str], calls: Calls
    ) -> list[tuple[str, Rejection | None, dict[str, Any]]]:
        """What comes of an instruction: it, why it is left out, and the other values."""
        why = bad_instruction(instruction, self.min_words, self.max_words, self.keywords)
        if why is None and any(same_words(instruction, other) for other in known):
            why = Rejection("repeated", "the same words", "words of its own")
        if why is not None:
            return [(instruction, why, {})]
        labelled, about = False, dict[str, Any]()
        if self.classification_first:
            verdict = await answer_or_failure(calls, self._is_classification(instruction))
            if isinstance(verdict, CallFailed):
                return [(instruction, no_use(verdict, ""), {})]
            labelled = verdict.text.strip().lower().startswith("yes")
            about["is_classification"] = labelled
        prompt = self.labelled_prompt if labelled else self.instances_prompt
        shots = self.labelled_shots if labelled else self.instances_shots
        answer = await answer_or_failure(
            calls,
            self.asked(
                prompt,
                {"instruction": instruction, "max_instances": self.max_instances},
                shots=shots,
                temperature=0.0,
                max_tokens=self.instances_max_tokens,
                stop=(f"Example {self.max_instances + 1}", "Task:"),
            ),
        )
        return [
            (instruction, why, about | instance)
            for why, instance in self._instances(answer, labelled)
        ]

    def _is_classification(self, instruction: str) -> Question:
        return self.asked(
            self.classification_prompt,
            {"instruction": instruction},
            shots=self.classification_shots,
            temperature=0.0,
            max_tokens=8,
        )

    def _instances(
        self, answer: Answer | CallFailed, labelled: bool
    ) -> list[tuple[Rejection | None, dict[str, Any]]]:
        """Instances, each with why it is left out; one without output where nothing can be read."""
        if isinstance(answer, CallFailed):
            return [(no_use(answer, ""), {})]
        found = instances_in(answer.text, labelled)
        if not found:
            why = Rejection("no_instance", answer.text[:80], "`Output:`, or `Class label:`")
            return [(why, {"output": answer.text})]
        whole = found[:-1] if answer.finish_reason == "length" else found
        reasons = bad_instances(whole)
        reasons += [no_use(answer, found[-1].output)] * (len(found) - len(whole))
        left = self.max_instances
        for place, why in enumerate(reasons):
            if why is None and left == 0:
                reasons[place] = Rejection(
                    "more_than_asked", str(len(found)), f"<= {self.max_instances}"
                )
            elif why is None:
                left -= 1
        return [(why, one._asdict()) for why, one in zip(reasons, found, strict=True)]
