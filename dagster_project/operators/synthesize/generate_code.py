"""Make code from descriptions: write, parse, test, and mend."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import Candidate, Generator, Motive, Row
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.prompt import Prompt, rendered
from dagster_project.operators.synthesize.code.mends_code import MENDING_RULES, MendsCode

PROMPT = """\
Write Python code for this:

{{ description }}
{% if tests %}

It has to pass these tests:

```python
{{ tests }}
```
{% endif %}

Answer with the whole code in one block that begins with ```python, and nothing else.
"""


class GenerateCode(MendsCode, Generator):
    """Makes Python code from descriptions: it is written, parsed, tested, and mended.

    As in Llama 3's execution feedback (Grattafiori et al. 2024, "The Llama 3 Herd of Models", 4.3.1,
    where about a fifth of the solutions were wrong at first and mended): `model` is asked for code; it
    is taken out of its fence and parsed; the seed's `tests` are run on it, or the doctests it has; if
    it fails, the model is told how and tries again, up to `tries` times. Each try is a row: `prompt`,
    `code`, `tries` (which try it is, from 1), `checked` and the `error` it had. All but a last good one
    are turned down, each made from the one before, so that what a model got wrong and mended stays to
    be read.

    | `checked` | means |
    |---|---|
    | `tests` | the seed's tests were run on it |
    | `doctests` | the examples in its own docstrings, which the model wrote itself, were run |
    | `parsed` | it parses; there was nothing to run. With `must_run`, that is turned down |

    Rules: `not_finished` (cut off at `max_tokens`), `no_code`, `syntax_error`, `tests_failed`,
    `untested` (with `must_run`), `unanswered` (no answer to a later question). Tests that pass say that
    these tests pass: code may be written to them, and weak tests pass wrong code.

    Tests are run as `run_tests` does it, doctests as `run_doctests`: without network and files, at most
    `seconds` each, and judged by a process that the code cannot reach. Where a machine cannot isolate
    programs, the attempt fails rather than run them.

    Example:
        generate: {generate_code: {model: writer, column: description, tests: tests}}
        seeds: {version: tasks/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the seeds have no text columns of these names, or a prompt uses a name that
            it is not given.
    """

    origin = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = MENDING_RULES

    motive: Motive = Field(default="distillation", description="What the new rows are for.")
    column: str = Field(default="description", description="The seeds' column of what to write.")
    show_tests: bool = Field(
        default=False, description="Whether the model sees the tests beforehand."
    )
    prompt: Prompt = Field(
        default=PROMPT, description="What asks for code; may use `description` and `tests`."
    )

    def attempts(self, seeds: int) -> int | None:
        return seeds if self.temperature == 0 else None

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        for column in filter(None, (self.column, self.tests)):
            require_text(self, seeds, column)
        return pl.Schema(self.code_columns())

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        description = (seeds[0].get(self.column) or "").strip()
        if not description:
            return []
        tests = (seeds[0].get(self.tests) or "") if self.tests else ""
        shown = tests if self.show_tests else ""
        asked = rendered(self.prompt, description=description, tests=shown)
        return await self.written(asked, tests, draw, calls)
