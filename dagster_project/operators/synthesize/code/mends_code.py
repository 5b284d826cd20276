"""Code that is written, checked, and mended where it does not pass."""

from __future__ import annotations

from random import Random

import polars as pl
from pydantic import Field

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.calls import CallFailed, Calls
from dagster_project.operators.generator import Candidate, Rejection
from dagster_project.operators.prompt import Prompt, rendered
from dagster_project.operators.synthesize.asking.answered import answer_or_failure
from dagster_project.operators.synthesize.code.tested_code import TESTS_FAILED, Tested, tested
from dagster_project.operators.synthesize.code.written_code import (
    CODE_RULES,
    NO_CODE,
    NOT_FINISHED,
    SYNTAX_ERROR,
    unusable,
)

UNTESTED, UNANSWERED = "untested", "unanswered"
MENDING_RULES = (*CODE_RULES, TESTS_FAILED, UNTESTED, UNANSWERED)

PROBLEMS = {
    NOT_FINISHED: "your answer was cut off before its end; write shorter code.",
    NO_CODE: "there is no block of code of the right language in your answer.",
    SYNTAX_ERROR: "it does not parse.",
    TESTS_FAILED: "its tests fail.",
}

MEND = """\
That does not work yet: {{ problem }}
{% if error %}

```
{{ error }}
```
{% endif %}

Find out why. Then answer with the whole corrected code in one block that begins with ```{{ language }}.
"""


class MendsCode(AsksModel):
    """Fields of an operator that has code written; to be inherited beside its kind."""

    tests: str | None = Field(
        default=None,
        description="The seeds' column of Python tests (assertions, or functions `test…` without "
        "arguments) that use the code's names; default: the code's doctests.",
    )
    tries: int = Field(default=3, ge=1, le=10, description="Most tries, the first included.")
    must_run: bool = Field(
        default=True, description="Turn down Python code of which nothing was run."
    )
    seconds: float = Field(default=10.0, gt=0, le=300, description="Longest run, in seconds.")
    mend: Prompt = Field(
        default=MEND,
        description="What asks for better code; may use `problem`, `error` and `language`.",
    )

    def code_columns(self) -> dict[str, pl.DataType]:
        """The columns of `written`."""
        text = pl.String()
        return {"prompt": text, "code": text, "tries": pl.Int64(), "checked": text, "error": text}

    async def written(
        self, asked: str, tests: str, draw: Random, calls: Calls, language: str = "python"
    ) -> list[Candidate]:
        """Tries, each made from the one before, until one passes.

        Args:
            asked: the prompt.
            tests: that the code has to pass; empty for none.
            draw: chance.
            calls: answers.
            language: what the code is to be in; only Python is parsed and run.

        Raises:
            CallFailed: when there is no first answer, or programs cannot be isolated.
            OperatorMisuse: when the prompt `mend` uses a name that it is not given.
        """
        sample = draw.getrandbits(31)
        question = self.question(asked, sample=sample)
        made: list[Candidate] = []
        for number in range(1, self.tries + 1):
            answer = await (answer_or_failure(calls, question) if made else calls.ask(question))
            values = {"prompt": asked, "tries": number}
            before = (number - 2,) if made else ()
            if isinstance(answer, CallFailed):
                lost = Rejection(UNANSWERED, answer.kind, "an answer")
                return [*made, Candidate(values, lost, made_from=before)]
            code, rejection = unusable(answer, language)
            error = rejection.measured if rejection is not None else None
            if rejection is None:
                check = await self._checked(code, tests, calls, language)
                error, rejection = check.error, check.rejection or self._untested(check)
                values["checked"] = check.how
            values |= {"code": code, "error": error}
            made.append(Candidate(values, rejection, made_from=before))
            if rejection is None or rejection.rule == UNTESTED:
                break
            told = {"problem": PROBLEMS[rejection.rule], "error": error or "", "language": language}
            earlier = (
                {"role": "user", "content": asked},
                {"role": "assistant", "content": answer.text},
            )
            question = self.question(rendered(self.mend, **told), before=earlier, sample=sample)
        return made

    async def _checked(self, code: str, tests: str, calls: Calls, language: str) -> Tested:
        if language.lower() != "python":
            return Tested("unchecked", None)
        return await tested(code, tests, calls, self.seconds)

    def _untested(self, check: Tested) -> Rejection | None:
        if self.must_run and check.how == "parsed":
            return Rejection(UNTESTED, "no tests and no doctests", "something that was run")
        return None
