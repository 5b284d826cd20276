"""Make documented code: a docstring for a function, checked by writing the function from it again."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed, Calls
from dagster_project.operators.generator import Candidate, Generator, Motive, Rejection, Row
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.prompt import Prompt, rendered
from dagster_project.operators.synthesize.asking.answered import answer_or_failure, useful
from dagster_project.operators.synthesize.code.docstrings import (
    first_function,
    signature,
    with_docstring,
    without_docstring,
)
from dagster_project.operators.synthesize.code.tested_code import TESTS_FAILED, tested
from dagster_project.operators.synthesize.code.written_code import (
    NOT_FINISHED,
    code_in,
    syntax_error,
    unusable,
)

NO_FUNCTION, EMPTY, BROKEN, NOT_REBUILT = "no_function", "empty", "broken_code", "not_rebuilt"

PROMPT = """\
Write the docstring of the Python function `{{ name }}`: what it does, its arguments, what it \
returns, and which errors it raises. Say what the code does, and nothing that it does not do.

```python
{{ code }}
```

Answer with the text of the docstring alone, without quotation marks around it and without the code.
"""

REBUILD = """\
Write the body of this Python function so that it does what its docstring says:

```python
{{ outline }}
```

Answer with the whole function in one block that begins with ```python, and nothing else.
"""


class DocumentCode(AsksModel, Generator):
    """Makes documented code: the first function of the seed's code gets a docstring by a model.

    The docstring is put into the source, in place of one that is there; not a character of the rest is
    changed, and the parsed function is compared to make sure. Examples in it (`>>> …`) are run. With
    `rebuild`, it is translated back, as in Llama 3's documentation of code (Grattafiori et al. 2024,
    4.3.1): `rebuild_model` writes the function again from signature and docstring alone, which then has
    to pass the seed's `tests`. A docstring from which that works says what matters; one from which it
    does not may be good all the same, and the model too weak.

    The new row has `code` (documented), `docstring`, `rebuilt` (the code that was written from it) and
    `checked`: `rebuilt`, `doctests`, or `written`, where nothing was run. Rules:

    | rule | turns down |
    |---|---|
    | `no_function` | code that is no Python, or has no function at its top level |
    | `not_finished`, `empty` | docstrings that were cut off or say nothing |
    | `broken_code` | a docstring that cannot be put into the source |
    | `tests_failed` | examples in the docstring that are wrong |
    | `not_rebuilt` | code written from the docstring that fails the tests |

    Example:
        generate: {document_code: {model: writer, column: code, rebuild: true, tests: tests}}
        seeds: {version: functions/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the seeds have no text columns of these names, `rebuild` is on without
            `tests`, or a prompt uses a name that it is not given.
    """

    origin = "augmented"
    rule_names: ClassVar[tuple[str, ...]] = (
        *(NO_FUNCTION, NOT_FINISHED, EMPTY),
        *(BROKEN, TESTS_FAILED, NOT_REBUILT),
    )

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    column: str = Field(default="code", description="The seeds' column of Python code.")
    tests: str | None = Field(
        default=None,
        description="The seeds' column of Python tests (assertions, or functions `test…` without "
        "arguments) that use the code's names.",
    )
    rebuild: bool = Field(
        default=False, description="Have the function written again from its docstring, and tested."
    )
    rebuild_model: str | None = Field(
        default=None, description="The model that writes it again; default: `model`."
    )
    seconds: float = Field(default=10.0, gt=0, le=300, description="Longest run, in seconds.")
    prompt: Prompt = Field(
        default=PROMPT, description="What asks for the docstring; may use `name` and `code`."
    )
    rebuild_prompt: Prompt = Field(
        default=REBUILD,
        description="What asks for the function; may use `outline` (signature and docstring) and "
        "`name`.",
    )

    def models(self) -> tuple[str, ...]:
        """The recipe's models that it asks."""
        asked = [self.model]
        if self.rebuild:
            asked.append(self.rebuild_model or self.model)
        return tuple(dict.fromkeys(asked))

    def attempts(self, seeds: int) -> int | None:
        return seeds if self.temperature == 0 else None

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        if self.rebuild and not self.tests:
            raise OperatorMisuse(
                f"{self.operator_name()}: `rebuild` needs tests; name their column in `tests`"
            )
        for column in filter(None, (self.column, self.tests)):
            require_text(self, seeds, column)
        return pl.Schema(dict.fromkeys(("code", "docstring", "rebuilt", "checked"), pl.String()))

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        code = seeds[0].get(self.column) or ""
        if not code.strip():
            return []
        function = first_function(code)
        if function is None:
            measured = syntax_error(code) or "no function at its top level"
            return [Candidate({"code": code}, Rejection(NO_FUNCTION, measured, "a function"))]
        sample = draw.getrandbits(31)
        asked = rendered(self.prompt, name=function.name, code=code)
        answer = await calls.ask(self.question(asked, sample=sample))
        docstring = _docstring_in(answer, function.name)
        values = {"code": code, "docstring": docstring}
        if answer.finish_reason == "length":
            cut = Rejection(NOT_FINISHED, "length", "finish_reason = stop")
            return [Candidate(values, cut)]
        if not any(map(str.isalnum, docstring)):
            return [Candidate(values, Rejection(EMPTY, docstring, "letters or digits"))]
        documented = with_docstring(code, function, docstring)
        values["code"] = documented
        again = first_function(documented)
        if again is None or without_docstring(again) != without_docstring(function):
            return [Candidate(values, Rejection(BROKEN, None, "the same function"))]
        check = await tested(documented, "", calls, self.seconds)
        if check.rejection is not None:
            return [Candidate(values, check.rejection)]
        values["checked"] = "doctests" if check.how == "doctests" else "written"
        if not self.rebuild:
            return [Candidate(values)]
        return [await self._rebuilt(values, code, function.name, seeds[0], calls)]

    async def _rebuilt(
        self, values: dict[str, str], code: str, name: str, seed: Row, calls: Calls
    ) -> Candidate:
        tests = (seed.get(self.tests) or "") if self.tests else ""
        if not tests.strip():
            return Candidate(values, Rejection(NOT_REBUILT, "no tests", "tests that pass"))
        outline = _outline(code, values["docstring"])
        asked = rendered(self.rebuild_prompt, outline=outline, name=name)
        answer = await answer_or_failure(
            calls,
            self.question(asked, model=self.rebuild_model or self.model, purpose="verification"),
        )
        if isinstance(answer, CallFailed):
            return Candidate(values, Rejection(NOT_REBUILT, answer.kind, "an answer"))
        rebuilt, useless = unusable(answer)
        values["rebuilt"] = rebuilt
        if useless is not None:
            measured = f"{useless.rule}: {useless.measured}"
            return Candidate(values, Rejection(NOT_REBUILT, measured, useless.threshold))
        check = await tested(rebuilt, tests, calls, self.seconds)
        if check.rejection is not None:
            return Candidate(values, Rejection(NOT_REBUILT, check.rejection.measured, "pass"))
        values["checked"] = "rebuilt"
        return Candidate(values)


def _outline(code: str, docstring: str) -> str:
    """The imports of code, and its first function without what it does."""
    function = first_function(code)
    assert function is not None
    empty = f"{signature(code, function)}\n    ...\n"
    parsed = first_function(empty)
    imports = [
        ast.unparse(node)
        for node in ast.parse(code).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    body = with_docstring(empty, parsed, docstring) if parsed is not None else empty
    return "\n".join([*imports, "", body] if imports else [body])


def _docstring_in(answer: Answer, name: str) -> str:
    """The docstring of an answer, which may be the text alone, in quotation marks, or in code."""
    code = code_in(answer.text)
    function = first_function(code) if code else None
    if function is not None and function.name == name:
        return ast.get_docstring(function) or ""
    text = useful(answer, "docstring").strip()
    for quotes in ('"""', "'''"):
        if text.startswith(quotes) and text.endswith(quotes) and len(text) >= 6:
            text = text[3:-3]
    return inspect.cleandoc(text).strip()
