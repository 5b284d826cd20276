"""A version's rows as a trainer sees them: texts under a chat template, and which of it has loss.

Chats are those of `shapes.conversations`: a column `messages` or `conversations`, a prompt and its
completion, an instruction and its output, or a prompt with a chosen and a rejected answer, of which
each is a text with the prompt. A column `text` is a text as it is, all of it with loss.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from dagster_project.errors import SeedbedError
from dagster_project.release.chat_template import ChatTemplate
from dagster_project.release.packing import PackingReport, packing_report
from dagster_project.release.rows import SnapshotRows
from dagster_project.release.shapes.conversations import (
    CONVERSATION_COLUMNS,
    PREFERENCE_COLUMNS,
    conversation,
    preference,
)
from dagster_project.release.template_rendering import ChatRefused, Rendered
from dagster_project.release.tokenization import Tokenizer, loss_tokens

SHOWN = 5
"""Refused rows that are told."""


class RowsUnreadable(SeedbedError):
    """A version without texts to train on, or a row that it does not have."""


@dataclass(frozen=True)
class TrainedText:
    """A text that a row gives, or why it gives none.

    Attributes:
        row_id: of which row.
        part: `chosen` or `rejected` of a pair, else empty.
        rendered: the text, and the spans with loss; None when refused.
        refused: why.
        forged: marks of the template that somebody says in the chat.
    """

    row_id: int
    part: str
    rendered: Rendered | None
    refused: str = ""
    forged: tuple[str, ...] = ()


class Refusal(BaseModel):
    """A row that gives no text: which, and why."""

    model_config = ConfigDict(frozen=True)

    row_id: int
    reason: str


class TrainerReport(BaseModel):
    """What a trainer sees of a version.

    Attributes:
        version, snapshot_id: of what.
        template, tokenizer: by which.
        rows: of the snapshot.
        texts: they give; a pair gives two.
        refused: texts that the template refuses; they are in no other number.
        refusals: the first few.
        forged: texts in which somebody says marks of the template; most tokenizers take them for the
            template's own.
        answers_inside_tokens: texts in which a token begins in a prompt and ends in its answer: when
            serving, the prompt ends in another token.
        marks_as_text: marks of the template that are no single token of this vocabulary.
        packing: how the texts fit the context; its rows are the texts.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    snapshot_id: str
    template: str
    tokenizer: str
    rows: int
    texts: int
    refused: int
    refusals: tuple[Refusal, ...]
    forged: int
    answers_inside_tokens: int
    marks_as_text: tuple[str, ...]
    packing: PackingReport


class TrainerView:
    """The texts that a version's rows give.

    Args:
        rows: of a snapshot.
        template: for chats.
        end_of_turn: whether the end of an answer has loss.

    Raises:
        RowsUnreadable: when there are neither chats nor texts.
    """

    def __init__(
        self, rows: SnapshotRows, template: ChatTemplate, *, end_of_turn: bool = True
    ) -> None:
        self.rows, self.template, self.end_of_turn = rows, template, end_of_turn
        schema = rows.schema
        self._fields, self._read = _reader(schema, str(rows.address.version))
        if schema.get("tools") == pl.String or isinstance(schema.get("tools"), pl.List):
            self._fields = {**self._fields, "tools": pl.col("tools")}
        used = {name for field in self._fields.values() for name in field.meta.root_names()}
        self._columns = [name for name in schema if name in used]

    @property
    def is_plain(self) -> bool:
        """Whether rows are texts, which need no template."""
        return self._read is _plain_text

    def row(self, row_id: int) -> list[TrainedText]:
        """The texts of a row.

        Raises:
            RowsUnreadable: when there is no such row.
        """
        if not 0 <= row_id < self.rows.manifest.numbers:
            raise RowsUnreadable(
                f"{self.rows.address} has {self.rows.manifest.rows:,} rows, numbered from 0; there "
                f"is no row {row_id}"
            )
        page = self.rows.page(self._columns, None, range(row_id, row_id + 1))
        if not page.num_rows:
            raise RowsUnreadable(f"row {row_id} of {self.rows.address} was erased")
        return list(self._texts(pl.DataFrame(page)))

    def pages(self) -> Iterator[list[TrainedText]]:
        """The texts of all rows, in order, some thousand at a time."""
        for page in self.rows.pages(self._columns, None):
            yield list(self._texts(pl.DataFrame(page)))

    def _texts(self, page: pl.DataFrame) -> Iterator[TrainedText]:
        chosen = page.select("row_id", **self._fields)
        for row in chosen.iter_rows(named=True):
            for part, messages, prompt_messages in self._read(row):
                yield self._text(row, part, messages, prompt_messages)

    def _text(
        self, row: Mapping[str, Any], part: str, said: Any, prompt_messages: int
    ) -> TrainedText:
        try:
            if said is None:
                raise ChatRefused("a text or a part of the chat is null")
            if isinstance(said, str):
                return TrainedText(row["row_id"], part, Rendered(said, [(0, len(said))]))
            rendered = self.template.render_spans(
                said,
                tools=_tools(row.get("tools")),
                end_of_turn=self.end_of_turn,
                prompt_messages=prompt_messages,
            )
        except ChatRefused as error:
            return TrainedText(row["row_id"], part, None, str(error))
        contents = [message["content"] for message in said if message["content"]]
        forged = [mark for mark in self.template.marks if any(mark in text for text in contents)]
        return TrainedText(row["row_id"], part, rendered, forged=tuple(forged))


def trainer_report(
    view: TrainerView,
    tokenizer: Tokenizer,
    context: int,
    progress: Callable[[int], None] = lambda _: None,
) -> TrainerReport:
    """Read all rows of a version as a trainer does. Keeps three numbers of each text.

    Args:
        view: of the version.
        tokenizer: that counts.
        context: tokens of a sequence.
        progress: told how many texts were read.

    Raises:
        TemplateRefused: when the template does what it must not.
        PackingRefused: when the context is no length.
    """
    counts: list[np.ndarray] = [np.zeros((3, 0), np.int64)]
    refusals: list[Refusal] = []
    refused = forged = inside = texts = 0
    for page in view.pages():
        rendered = [item.rendered for item in page if item.rendered is not None]
        told = [text for text, _ in rendered]
        tokens = tokenizer.tokenize(told)
        has_loss, begins_inside = loss_tokens(
            tokenizer, told, tokens, [spans for _, spans in rendered]
        )
        before = np.concatenate([[0], np.cumsum(has_loss)])
        first, last = tokens.first[:-1], tokens.first[1:]
        within = before[np.minimum(first + context, last)] - before[first]
        counts.append(np.stack([last - first, before[last] - before[first], within]))
        texts += len(page)
        refused += len(page) - len(rendered)
        forged += sum(bool(item.forged) for item in page)
        inside += int(begins_inside.sum())
        few = (item for item in page if item.rendered is None)
        for item, _ in zip(few, range(SHOWN - len(refusals)), strict=False):
            refusals.append(Refusal(row_id=item.row_id, reason=item.refused))
        progress(texts)
    lengths, loss, within = np.concatenate(counts, axis=1)
    marks = () if view.is_plain else view.template.marks
    return TrainerReport(
        version=str(view.rows.address.version),
        snapshot_id=str(view.rows.address.snapshot_id),
        template="" if view.is_plain else view.template.name,
        tokenizer=tokenizer.name,
        rows=view.rows.manifest.rows,
        texts=texts,
        refused=refused,
        refusals=tuple(refusals),
        forged=forged,
        answers_inside_tokens=inside,
        marks_as_text=tuple(mark for mark in marks if not tokenizer.has_token(mark)),
        packing=packing_report(lengths, loss, context, loss_within=within),
    )


Read = Callable[[Mapping[str, Any]], Iterator[tuple[str, Any, int]]]
"""Gives of a row each part, its text or messages, and how many of these are prompt alone."""


def _reader(schema: pl.Schema, version: str) -> tuple[dict[str, pl.Expr], Read]:
    """What to read of the rows, and how."""
    pair = preference(schema)
    if pair is not None:
        prompt, chosen, rejected = (chat.messages for chat in pair.chats)
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}, _pair
    found = conversation(schema)
    if found is not None:
        parted = found.name == "prompt_completion_messages"
        prompt_messages = pl.col("prompt").list.len() if parted else pl.lit(0)
        return {"chat": found.chats[0].messages, "prompt_messages": prompt_messages}, _chat
    if schema.get("text") == pl.String:
        return {"text": pl.col("text")}, _plain_text
    raise RowsUnreadable(
        f"{version} has no chats and no texts to train on. Chats are in {CONVERSATION_COLUMNS}; or in "
        f"{PREFERENCE_COLUMNS}; texts in `text`. `convert_chat` and `map_columns` make these columns"
    )


def _pair(row: Mapping[str, Any]) -> Iterator[tuple[str, Any, int]]:
    prompt = row["prompt"]
    for part in ("chosen", "rejected"):
        whole = None if prompt is None or row[part] is None else prompt + row[part]
        yield part, whole, len(prompt or ())


def _chat(row: Mapping[str, Any]) -> Iterator[tuple[str, Any, int]]:
    yield "", row["chat"], row["prompt_messages"] or 0


def _plain_text(row: Mapping[str, Any]) -> Iterator[tuple[str, Any, int]]:
    yield "", row["text"], 0


def _tools(given: Any) -> list[Any] | None:
    """A row's tools; a text is JSON."""
    try:
        tools = json.loads(given) if isinstance(given, str) else given
    except (json.JSONDecodeError, RecursionError) as error:
        raise ChatRefused(f"tools is not JSON: {error}") from error
    if not isinstance(tools, list | None):
        raise ChatRefused(f"tools is not a list but {type(tools).__name__}")
    return tools
