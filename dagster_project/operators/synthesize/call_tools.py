"""Make chats with calls of tools: a model is given a request and tools, and its calls are validated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, Calls, Question
from dagster_project.operators.generator import Candidate, Generator, Motive, Rejection, Row
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.prompt import Prompt, rendered
from dagster_project.operators.synthesize.asking.tool_definitions import (
    MISSING_ARGUMENT,
    UNKNOWN_TOOL,
    WRONG_ARGUMENT,
    Tools,
    ToolsBroken,
    wrong_call,
)

NO_CALL, TOO_MANY, CUT_OFF, BROKEN_TOOLS = "no_call", "too_many_calls", "cut_off", "broken_tools"

PROMPT = "{{ request }}"

JSON_PROMPT = """\
You can call these tools:

{{ tools }}

Request: {{ request }}

Which tools do you call, with which arguments? Answer with a JSON object `{"calls": [{"name": …, \
"arguments": {…}}]}`.
"""


class CallTools(AsksModel, Generator):
    """Makes chats with calls of tools: a model is given a request and tools, and its calls are validated.

    The tools are function definitions with a JSON schema each, in OpenAI's form (`{"type": "function",
    "function": {"name", "description", "parameters"}}`, or the inner part alone): the same for all in
    `tools`, or for each seed in `tools_column`, as JSON. With `through: tools` the model gets them as
    tools; with `through: json`, for models that have no tools, it gets them in the prompt and answers
    with JSON.

    The new row has `messages` (system, if there is one, the request, and the assistant's turn with
    `tool_calls` in OpenAI's form, where `arguments` is JSON text) and `tools`, as JSON. Calls are
    validated against the definitions (JSON Schema, draft 2020-12); the first thing wrong turns the row
    down:

    | rule | the answer |
    |---|---|
    | `cut_off` | was cut off at `max_tokens` |
    | `no_call`, `too_many_calls` | calls nothing, or more than `most_calls` tools |
    | `unknown_tool` | calls a tool that is not there |
    | `missing_argument` | leaves out an argument that is required, at any depth |
    | `wrong_argument` | has an argument of another type, value or name than the schema allows |
    | `broken_tools` | was not asked for: the seed's tools are no definitions |

    Arguments with a name that a schema does not mention are refused unless it says
    `additionalProperties`. A valid call is not a right one: whether the arguments are what the request
    says is for `judge_rows`, and what the tool gives back is not simulated here.

    Example:
        generate: {call_tools: {model: writer, column: request, tools_column: tools}}
        seeds: {version: requests/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the seeds have no text columns of these names, tools are given twice or not
            at all, or a prompt uses a name that it is not given.
    """

    origin = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *(BROKEN_TOOLS, CUT_OFF, NO_CALL, TOO_MANY),
        *(UNKNOWN_TOOL, MISSING_ARGUMENT, WRONG_ARGUMENT),
    )
    libraries: ClassVar[tuple[str, ...]] = ("jsonschema",)

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    column: str = Field(default="request", description="The seeds' column of requests.")
    tools: tuple[dict[str, Any], ...] = Field(
        default=(), description="Function definitions in OpenAI's form, for all seeds."
    )
    tools_column: str | None = Field(
        default=None, description="The seeds' column of function definitions, as JSON."
    )
    through: Literal["tools", "json"] = Field(
        default="tools",
        description="`tools`: the model's own way of calling; `json`: by a JSON answer.",
    )
    most_calls: int = Field(default=4, ge=1, le=64, description="Most calls in an answer.")
    prompt: Prompt | None = Field(
        default=None,
        description="What the model is told; may use `request` and `tools`. Default: the request "
        "alone, or with `through: json` the tools as well.",
    )
    temperature: float = Field(
        default=0.0, ge=0, le=2, description="How much chance there is in answers; 0 for none."
    )

    @field_validator("tools")
    @classmethod
    def _definitions(cls, tools: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        try:
            Tools.of(tools) if tools else None
        except ToolsBroken as error:
            raise ValueError(str(error)) from None
        return tools

    def attempts(self, seeds: int) -> int | None:
        return seeds if self.temperature == 0 else None

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        if bool(self.tools) == bool(self.tools_column):
            raise OperatorMisuse(
                f"{self.operator_name()}: give the tools in `tools`, or their column in "
                "`tools_column`, and not both"
            )
        for column in filter(None, (self.column, self.tools_column)):
            require_text(self, seeds, column)
        text = pl.String()
        call = pl.Struct(
            {
                "id": text,
                "type": text,
                "function": pl.Struct({"name": text, "arguments": text}),
            }
        )
        message = pl.Struct({"role": text, "content": text, "tool_calls": pl.List(call)})
        return pl.Schema({"messages": pl.List(message), "tools": text})

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        request = (seeds[0].get(self.column) or "").strip()
        if not request:
            return []
        given = seeds[0].get(self.tools_column) if self.tools_column else None
        try:
            tools = Tools.from_json(given or "") if self.tools_column else Tools.of(self.tools)
        except ToolsBroken as error:
            said = {"messages": self._messages(request, None, ()), "tools": given}
            return [Candidate(said, Rejection(BROKEN_TOOLS, str(error), "definitions"))]
        answer = await calls.ask(replace(self._asked(request, tools), sample=draw.getrandbits(31)))
        made, wrong = self._calls_of(answer, tools)
        values = {
            "messages": self._messages(request, answer, made),
            "tools": tools.as_json(),
        }
        return [Candidate(values, wrong)]

    def _asked(self, request: str, tools: Tools) -> Question:
        through_json = self.through == "json"
        template = self.prompt or (JSON_PROMPT if through_json else PROMPT)
        text = rendered(template, request=request, tools=tools.as_json())
        if through_json:
            return self.question(text, json_schema=tools.calls_schema(self.most_calls))
        return self.question(text, tools=tools.definitions)

    def _calls_of(
        self, answer: Answer, tools: Tools
    ) -> tuple[Sequence[Mapping[str, Any]], Rejection | None]:
        made = answer.data["calls"] if self.through == "json" else answer.tool_calls
        if answer.finish_reason == "length":
            return made, Rejection(CUT_OFF, "length", "finish_reason = stop or tool_calls")
        if not made:
            return made, Rejection(NO_CALL, answer.text[:200], ">= 1")
        if len(made) > self.most_calls:
            return made, Rejection(TOO_MANY, str(len(made)), f"<= {self.most_calls}")
        found = (wrong_call(call, tools) for call in made)
        wrong = next((one for one in found if one is not None), None)
        return made, Rejection(*wrong) if wrong else None

    def _messages(
        self, request: str, answer: Answer | None, made: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        said = [("system", self.system)] if self.system else []
        said.append(("user", request))
        messages: list[dict[str, Any]] = [
            {"role": role, "content": content, "tool_calls": None} for role, content in said
        ]
        if answer is not None:
            text = answer.text if self.through == "tools" or not made else ""
            calls = [_openai_call(number, call) for number, call in enumerate(made)]
            messages.append(
                {"role": "assistant", "content": text or None, "tool_calls": calls or None}
            )
        return messages


def _openai_call(number: int, call: Mapping[str, Any]) -> dict[str, Any]:
    arguments = call.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    function = {"name": call.get("name"), "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}
