"""Keep rows whose answer does not repeat the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse, RowOperator, Rule
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import require_text, text_or_messages

OPENING_CHARACTERS = 200


class FilterCopiedPrompt(RowOperator):
    """Keeps rows whose answer does not repeat the prompt.

    Two rules, each on an annotation of its own:

    | rule, annotation | measures |
    |---|---|
    | `prompt_echoes` | how many answers begin with their prompt, or its first 200 characters |
    | `prompt_share` | greatest share of a prompt's distinct word trigrams that its answer has, 0 to \
1 |

    Words are runs of letters, marks, digits and `_`, in lower case; what stands between them does
    not count. A prompt is the user's message right before an answer. Prompts with fewer than
    `min_words` words are not looked at: "What is a cat?" may well be answered "What is a cat? …".

    Who is asked to correct, translate or complete a text repeats it, but not the request; so the
    share must be almost the whole. Where long texts are to be edited, or code to be completed,
    switch the rules off or look at what they remove.

    Example:
        - filter_copied_prompt: {column: messages, max_share: 0.95, min_words: 20}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles, or holds
            text and `prompt` does not name the column of the prompts.
    """

    column: str = Field(default="messages", description="A column of chat messages or of answers.")
    prompt: str | None = Field(
        default=None, description="The column of the prompts, for a column of answers."
    )
    max_echoes: int | None = Field(
        default=0, ge=0, description="Most answers that begin with the prompt; null for no rule."
    )
    max_share: float | None = Field(
        default=0.9, ge=0, le=1, description="Greatest share of trigrams; null for no rule."
    )
    min_echo_words: int = Field(
        default=8, ge=1, description="Fewest words of a prompt that can be echoed."
    )
    min_words: int = Field(
        default=12, ge=3, description="Fewest words of a prompt whose trigrams are looked for."
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    def reads(self) -> Sequence[str]:
        return [self.column] if self.prompt is None else [self.column, self.prompt]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        there = pl.col(self.column).is_not_null()
        if text_or_messages(self, schema, self.column) == "text":
            if self.prompt is None:
                raise OperatorMisuse(
                    f"{self.operator_name()}: column {self.column!r} holds answers; name the column "
                    "of the prompts in `prompt`"
                )
            require_text(self, schema, self.prompt)
            measured = self._measured(pl.col(self.prompt), pl.col(self.column), there)
        else:
            require_roles(self, schema, self.column)
            message = pl.element().struct
            role, content = message.field("role"), message.field("content")
            pair = ((role == "assistant") & (role.shift(1) == "user")).fill_null(False)
            chat = pl.col(self.column)
            measured = {
                name: chat.list.eval(value).list.max()
                if name == "prompt_share"
                else chat.list.eval(value).list.sum()
                for name, value in self._measured(content.shift(1), content, pair).items()
            }
        kinds = {"prompt_echoes": pl.Int64(), "prompt_share": pl.Float64()}
        return {
            f"{self.prefix}{name}": pl.when(there).then(value.fill_null(0).cast(kinds[name]))
            for name, value in measured.items()
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return [
            Rule(
                name, pl.col(self.prefix + name) <= most, pl.col(self.prefix + name), f"<= {most:g}"
            )
            for name, most in self._bounds().items()
        ]

    def _measured(self, prompt: pl.Expr, answer: pl.Expr, pair: pl.Expr) -> dict[str, pl.Expr]:
        """What is measured where there is a pair, null elsewhere."""
        asked, said = _words(prompt), _words(answer)
        opening = asked.list.join(" ").str.head(OPENING_CHARACTERS)
        can_echo = pair & (asked.list.len() >= self.min_echo_words)
        echo = said.list.join(" ").str.starts_with(opening)
        can_share = pair & (asked.list.len() >= self.min_words)
        wanted = _trigrams(asked)
        share = wanted.list.set_intersection(_trigrams(said)).list.len() / wanted.list.len()
        values = {
            "prompt_echoes": pl.when(can_echo).then(echo),
            "prompt_share": pl.when(can_share).then(share.round(4)),
        }
        return {name: values[name] for name in self._bounds()}

    def _bounds(self) -> dict[str, float]:
        """The rules that are switched on, with their bounds."""
        bounds = {"prompt_echoes": self.max_echoes, "prompt_share": self.max_share}
        return {name: most for name, most in bounds.items() if most is not None}


def _words(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.extract_all(r"\w+")


def _trigrams(words: pl.Expr) -> pl.Expr:
    """Distinct runs of three words."""
    word = pl.element()
    three = pl.concat_str([word, word.shift(-1), word.shift(-2)], separator=" ")
    return words.list.eval(three.drop_nulls().unique(maintain_order=True))
