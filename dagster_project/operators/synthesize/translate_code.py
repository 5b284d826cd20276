"""Make code in one language from code in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
Translate this {{ from_language }} code to {{ to }}. Keep what it does and the names of what it \
offers, and write it as {{ to }} is written.

```{{ from_language }}
{{ code }}
```

Answer with the whole code in one block that begins with ```{{ to }}, and nothing else.
"""


class TranslateCode(MendsCode, Generator):
    """Makes code in one language from code in another.

    As in Llama 3's translation of code to languages with little of it (Grattafiori et al. 2024, 4.3.1).
    **Only Python is checked**: where `to` is Python, the translation is parsed and the seed's Python
    `tests` or its doctests are run on it, and it is mended up to `tries` times, as `generate_code` does
    it, with the same rules. For every other language `checked` says `unchecked`: the code was taken out
    of its fence, and neither parsed, compiled nor run; only `not_finished` and `no_code` turn it down.

    The new row has `prompt`, `code`, `language`, `tries`, `checked` and `error`.

    Example:
        generate: {translate_code: {model: writer, from_language: python, to: rust}}
        seeds: {version: functions/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the seeds have no text columns of these names, or a prompt uses a name that
            it is not given.
    """

    origin = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = MENDING_RULES

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    column: str = Field(default="code", description="The seeds' column of code.")
    from_language: str = Field(description="What the code is in, as fences name it.", min_length=1)
    to: str = Field(description="What to translate to, as fences name it.", min_length=1)
    prompt: Prompt = Field(
        default=PROMPT,
        description="What asks for the translation; may use `code`, `from_language` and `to`.",
    )

    def attempts(self, seeds: int) -> int | None:
        return seeds if self.temperature == 0 else None

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        for column in filter(None, (self.column, self.tests)):
            require_text(self, seeds, column)
        return pl.Schema({**self.code_columns(), "language": pl.String()})

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        code = seeds[0].get(self.column) or ""
        if not code.strip():
            return []
        tests = (seeds[0].get(self.tests) or "") if self.tests else ""
        asked = rendered(self.prompt, code=code, from_language=self.from_language, to=self.to)
        made = await self.written(asked, tests, draw, calls, self.to)
        return [replace(one, values={**one.values, "language": self.to}) for one in made]
