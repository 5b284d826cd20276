"""Make up instructions on the topics of a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

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
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.synthesize.asking.answered import kept, no_use, useful
from dagster_project.operators.synthesize.asking.few_shot import ECHOES, Shots
from dagster_project.operators.synthesize.asking.responses import RESPONSE_RULES, AsksForResponses
from dagster_project.operators.synthesize.asking.topic_tree import Path, TopicTree, leaves

EXPAND_PROMPT = """\
List {{ breadth }} different, specific topics that are part of this one, and together cover it well.

Topic: {{ path | join(" / ") }}"""

PROMPT = """\
Write one instruction that a person might give an assistant on the topic below. It must make sense by \
itself, without the topic's name above it. Answer with the instruction only.

Topic: {{ path | join(" / ") }}
{% for name, value in slots.items() %}
{{ name | capitalize }}: {{ value }}
{% endfor %}
Instruction:"""

SHOTS: tuple[dict[str, Any], ...] = (
    {
        "path": ["Cooking", "Baking", "Bread"],
        "slots": {"difficulty": "easy", "style": "a question"},
        "answer": "Why does bread dough need to rest before it goes into the oven?",
    },
    {
        "path": ["History", "Rome"],
        "slots": {"difficulty": "hard", "style": "a task with constraints"},
        "answer": "Compare how Augustus and Diocletian secured their power, in no more than 200 words, "
        "and name one source for each.",
    },
    {
        "path": ["Programming", "Python", "Strings"],
        "slots": {"difficulty": "medium", "style": "a request as in a chat"},
        "answer": "hey, how do I split a string at every comma but not inside quotes?",
    },
)

SLOTS: dict[str, tuple[str, ...]] = {
    "difficulty": ("easy", "medium", "hard"),
    "style": ("a question", "a task with constraints", "a request as in a chat"),
}


class InstructFromTopics(AsksForResponses, Generator):
    """Makes up instructions on the topics of a tree, and responses to them.

    Each attempt draws a leaf of the tree and a value for each of the `slots`, has the model write an
    instruction for them, and lets it respond. All leaves are equally likely, and so are the values
    of a slot; the columns `topic` (the path to the leaf) and those of the slots' names say what was
    drawn, so that coverage can be counted.

    `topics` is the tree as nested mappings and lists. With `depth` the model grows it: below each
    leaf it lists `breadth` topics, and below each of these, and so on, `depth` levels down. Each list
    is asked for once, as JSON, and later attempts have it from the records. GLAN (Li et al., 2024)
    and textbook-like data (Gunasekar et al., 2023) start from such taxonomies; their syllabus and
    sessions are two more levels here.

    | rule | when |
    |---|---|
    | `no_topics` | the model listed none below a topic, but itself |
    | `empty`, `cut_off`, `refused` | the instruction is not there, not whole, or a refusal |
    | `echoes_prompt` | it repeats the request, or an example's instruction |
    | `response_unanswered`, `response_empty`, `response_cut_off`, `response_refused` | the response \
is so |

    Example:
        generate:
          instruct_from_topics:
            model: writer
            topics: {Python: [decorators, generators], Databases: {SQL: [joins, windows]}}
            depth: 1
        rows: 400

    Raises:
        OperatorMisuse: when a slot is called like another column, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *("no_topics", "empty", "cut_off", "refused"),
        ECHOES,
        *RESPONSE_RULES,
    )

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    topics: TopicTree = Field(
        description="The tree: mappings of topics to what is below them, lists of topics, or a topic."
    )
    depth: int = Field(default=0, ge=0, le=6, description="Levels that the model adds below.")
    breadth: int = Field(
        default=5, ge=2, le=50, description="Topics that it lists below each, where it adds levels."
    )
    slots: Mapping[str, tuple[str, ...]] = Field(
        default=SLOTS, description="What else is drawn for each instruction: values by name."
    )
    expand_prompt: Prompt = Field(
        default=EXPAND_PROMPT, description="Asks for topics; it may use `path` and `breadth`."
    )
    prompt: Prompt = Field(
        default=PROMPT,
        description="Asks for an instruction; it may use `path`, a list, and `slots`, a mapping.",
    )
    shots: Shots = Field(
        default=SHOTS, description="Answered requests: `path`, `slots` and `answer`."
    )

    def seeds(self) -> int:
        return 0

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        own = {"topic": pl.List(pl.String), "instruction": pl.String(), "response": pl.String()}
        for name, values in self.slots.items():
            if name in own or not values:
                problem = "is a column already" if name in own else "has no values"
                raise OperatorMisuse(f"{self.operator_name()}: the slot {name!r} {problem}")
        return pl.Schema({**own, **dict.fromkeys(self.slots, pl.String())})

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        path = draw.choice(list(leaves(self.topics)))
        drawn = {name: draw.choice(values) for name, values in self.slots.items()}
        sample = draw.getrandbits(31)
        for _ in range(self.depth):
            below = await self._below(path, calls)
            if not below:
                why = Rejection("no_topics", " / ".join(path), "a topic below")
                return (Candidate({"topic": list(path), **drawn}, why),)
            path = (*path, draw.choice(below))
        values = {"path": list(path), "slots": drawn}
        answer = await calls.ask(self.asked(self.prompt, values, shots=self.shots, sample=sample))
        instruction = useful(answer, "Instruction", until=("Topic", "Answer", "Response"))
        made = {"topic": list(path), **drawn, "instruction": kept(answer, instruction)}
        why = no_use(answer, instruction) or self.echo(instruction, self.prompt, values, self.shots)
        if why is None and self.respond:
            made["response"], why = await self.response(
                calls, instruction, sample, path=list(path), slots=drawn
            )
        return (Candidate(made, why),)

    async def _below(self, path: Path, calls: Calls) -> list[str]:
        """Topics that the model lists below one, each once."""
        listed = await calls.ask(
            self.asked(
                self.expand_prompt,
                {"path": list(path), "breadth": self.breadth},
                temperature=0.0,
                json_schema=_listing(self.breadth),
            )
        )
        topics = [" ".join(topic.split()) for topic in listed.data["topics"]]
        above = {topic.casefold() for topic in path}
        found: dict[str, str] = {}
        for topic in topics:
            if topic and topic.casefold() not in above:
                found.setdefault(topic.casefold(), topic)
        return list(found.values())


def _listing(breadth: int) -> dict[str, Any]:
    """The JSON of a list of topics."""
    return {
        "type": "object",
        "properties": {
            "topics": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": breadth,
                "maxItems": breadth,
            }
        },
        "required": ["topics"],
        "additionalProperties": False,
    }
