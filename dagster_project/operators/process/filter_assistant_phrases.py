"""Keep rows whose assistant neither refuses nor says which model it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field, field_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.assistant_phrases import (
    CUTOFFS,
    IDENTITIES,
    REFUSALS,
    compiled,
)
from dagster_project.operators.process.chat_turns import turns
from dagster_project.operators.process.markdown_code import FENCED, INLINE

QUOTED = r"“[^”\n]*\s[^”\n]*”|\"[^\"\n]*\s[^\"\n]*\""
"""Several words between quotation marks: others say them."""


class FilterAssistantPhrases(RowOperator):
    """Keeps rows whose assistant neither refuses nor says which model it is.

    Three rules, each on an annotation of its own, the number of the assistant's turns that match:

    | rule, annotation | phrases such as |
    |---|---|
    | `refusals` | "I'm sorry, but I can't help with that", "As an AI language model, I cannot" |
    | `identities` | "I am ChatGPT", "trained by OpenAI", "as an AI language model" |
    | `cutoffs` | "as of my last update", "my knowledge cutoff", "my training data goes to 2021" |

    The phrases are English, curated, and listed in `assistant_phrases.py`; more of them can be
    given as Rust regular expressions, which are matched likewise: at word boundaries, without
    regard to case, a space for any white space, an apostrophe for any of its variants.

    Only what the assistant says counts, not what users and systems say. A refusal counts
    only if it is found among a turn's first characters, so that an e-mail which declines, or an
    article on refusals, does not. Markdown code does not count either, nor do several words in
    double quotation marks, which others say. A column of text holds one
    answer a row; null is removed.

    Example:
        - filter_assistant_phrases: {column: messages, max_refusals: null}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles.
    """

    column: str = Field(default="messages", description="A column of chat messages or of answers.")
    max_refusals: int | None = Field(
        default=0, ge=0, description="Most turns that refuse; null for no such rule."
    )
    max_identities: int | None = Field(
        default=0, ge=0, description="Most turns that tell the model; null for no such rule."
    )
    max_cutoffs: int | None = Field(
        default=0, ge=0, description="Most turns on the end of knowledge; null for no such rule."
    )
    refusals_within: int = Field(
        default=200, gt=0, description="In how many first characters of a turn refusals count."
    )
    more_refusals: tuple[str, ...] = Field(default=(), description="More phrases that refuse.")
    more_identities: tuple[str, ...] = Field(default=(), description="More on the model.")
    more_cutoffs: tuple[str, ...] = Field(default=(), description="More on knowledge's end.")
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @field_validator("more_refusals", "more_identities", "more_cutoffs")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in value:
            try:
                pl.Series([""]).str.contains(compiled([phrase]))
            except PolarsError as error:
                what = str(error).split("\n\nThis error occurred")[0].strip()
                raise ValueError(f"{phrase!r} is not a regular expression: {what}") from error
        return value

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        answers = turns(self, schema, self.column, "assistant")
        prose = pl.element()
        for left_out in (FENCED, INLINE, QUOTED):
            prose = prose.str.replace_all(left_out, "`")
        start = prose.str.head(self.refusals_within)
        matches = {
            "refusals": start.str.contains(compiled(REFUSALS + self.more_refusals)),
            "identities": prose.str.contains(compiled(IDENTITIES + self.more_identities)),
            "cutoffs": prose.str.contains(compiled(CUTOFFS + self.more_cutoffs)),
        }
        return {
            f"{self.prefix}{name}": answers.list.eval(matches[name]).list.sum().cast(pl.Int64)
            for name in self._bounds()
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return [
            Rule(name, pl.col(self.prefix + name) <= most, pl.col(self.prefix + name), f"<= {most}")
            for name, most in self._bounds().items()
        ]

    def _bounds(self) -> dict[str, int]:
        """The rules that are switched on, with their bounds."""
        bounds = {
            "refusals": self.max_refusals,
            "identities": self.max_identities,
            "cutoffs": self.max_cutoffs,
        }
        return {name: most for name, most in bounds.items() if most is not None}
